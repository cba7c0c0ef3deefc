//! The cost of a download beside an answer that does nothing.
//!
//! The requests go one after the other over a connection on loopback, to servers in this process. `/__lbheartbeat__` is
//! the empty endpoint: what it takes, everything takes. The others are answered from what is remembered, as nearly all
//! are: a file that is sent from the disk, one that clients are sent on for, to a public or to a signed address of S3,
//! one that is missing, which is counted, too, and a name that is never looked up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use symbold::storage::Access;

use crate::server::Running;
use crate::support::{self, Bench, Function};

const STUDY: &str = "endpoint";

/// The object that is stored and asked for.
const KEY: &str = "xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";

/// How long it is, as it is stored and sent.
const LENGTH: usize = 16 * 1024;

/// A question: its name, where it goes, what is asked for, and the answer's status and length.
struct Question {
    name: &'static str,
    access: Option<Access>,
    path: String,
    status: u16,
    length: Option<usize>,
}

pub(crate) fn study(bench: &mut Bench) {
    let s3 = support::service(
        "TEST_S3_ENDPOINT",
        "endpoint/found_by_redirect and endpoint/found_signed",
    );
    let mut questions = questions();
    questions.retain(|question| question.access.is_none() || s3.is_some());
    let functions = questions
        .into_iter()
        .map(|question| function(question, s3.clone()));
    bench.compare(STUDY, functions.collect());
}

fn questions() -> Vec<Question> {
    let question = |name, access, path: &str, status, length| Question {
        name,
        access,
        path: path.to_owned(),
        status,
        length,
    };
    let found = format!("/{KEY}");
    let gone = "/gone.pdb/0123456789ABCDEF0123456789ABCDEF0/gone.sym";
    let ignored = "/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/file.ptr";
    vec![
        question("heartbeat", None, "/__lbheartbeat__", 200, None),
        question("found_on_disk", None, &found, 200, Some(LENGTH)),
        question(
            "found_by_redirect",
            Some(Access::Redirect),
            &found,
            302,
            None,
        ),
        question("found_signed", Some(Access::Presign), &found, 302, None),
        question("missing", None, gone, 404, None),
        question("ignored", None, ignored, 404, None),
    ]
}

fn function(question: Question, s3: Option<String>) -> Function<'static> {
    let mut running = None;
    let name = question.name;
    let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
        let running = running.get_or_insert_with(|| {
            let s3 = question.access.zip(s3.clone());
            Running::start(s3, Some((KEY, LENGTH)))
        });
        let mut client = Client::connect(running.address, &question.path);
        // The first is looked up, and so is not measured.
        let (status, length) = client.ask();
        assert_eq!(status, question.status, "{}", question.name);
        if let Some(expected) = question.length {
            assert_eq!(length, expected, "{}", question.name);
        }
        bencher.iter(|| assert_eq!(client.ask(), (status, length)));
    });
    (name, measure)
}

/// A connection that asks one question again and again. It does as little as it can, since its own time is measured,
/// too.
struct Client {
    stream: BufReader<TcpStream>,
    request: String,
    line: String,
}

impl Client {
    fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        stream.set_nodelay(true).expect("TCP has no delay");
        Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
            request: format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip\r\n\r\n"
            ),
            line: String::new(),
        }
    }

    /// The answer's status and the length of its body.
    fn ask(&mut self) -> (u16, usize) {
        let request = self.request.as_bytes();
        self.stream
            .get_mut()
            .write_all(request)
            .expect("the server reads");
        let status = self
            .next_line()
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.expect("the answer begins with a status");
        let mut length = 0;
        loop {
            let line = self.next_line();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.parse().expect("a length is a number");
            }
        }
        let mut body = (&mut self.stream).take(length as u64);
        let read = std::io::copy(&mut body, &mut std::io::sink()).expect("the body arrives");
        assert_eq!(read, length as u64, "the body is whole");
        (status, length)
    }

    fn next_line(&mut self) -> &str {
        self.line.clear();
        self.stream
            .read_line(&mut self.line)
            .expect("the server answers");
        self.line.trim_end()
    }
}
