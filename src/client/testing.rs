//! Shared by the client's tests: directories of symbols, and a server that answers by a script.

use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::archive::Archive;

/// The content of a small `.sym` file.
pub(super) const SYM: &str =
    "MODULE Linux x86_64 AB12 a.so\nPUBLIC 0 0 main\nPUBLIC 10 0 not_main\n";

/// The answer to an upload of which the server had one file.
pub(super) const CREATED: &str =
    "HTTP/1.1 201 Created\r\n\r\n{\"upload\": {\"id\": 12, \"skipped_keys\": [\"a/AB/a.sym\"]}}";

/// A temporary directory with these files.
pub(super) fn directory_of(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

/// All bytes of an archive.
pub(super) async fn collect(archive: &Archive) -> Vec<u8> {
    archive
        .chunks()
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .concat()
}

/// How the server handles one connection.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// Reads the request, answers with this and closes the connection, which ends the answer.
    Answer(&'static str),
    /// Answers as soon as it has the headers, reads the body only then.
    AnswerEarly(&'static str),
    /// Closes the connection in the middle of the request.
    HangUp,
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Recorded {
    /// A header's value; the name is to be given in lower case, as the client writes it.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A server that takes its turns, one connection each, and is gone then.
pub(super) struct ScriptedServer {
    pub(super) url: String,
    requests: JoinHandle<Vec<Recorded>>,
}

impl ScriptedServer {
    pub(super) async fn start(script: &'static [Turn]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = tokio::spawn(async move {
            let mut requests = Vec::new();
            for turn in script {
                let (connection, _) = listener.accept().await.unwrap();
                requests.push(serve(connection, *turn).await);
            }
            requests
        });
        Self { url, requests }
    }

    /// Waits for the last turn and gives the requests.
    pub(super) async fn requests(self) -> Vec<Recorded> {
        self.requests.await.unwrap()
    }
}

async fn serve(mut connection: TcpStream, turn: Turn) -> Recorded {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut request = Recorded {
        head,
        body: Vec::new(),
    };
    if let Turn::AnswerEarly(answer) = turn {
        connection.write_all(answer.as_bytes()).await.unwrap();
        // The client may stop in the middle: it has its answer.
        let _ = connection.read_to_end(&mut request.body).await;
    }
    if let Turn::Answer(answer) = turn {
        let length = request.header("content-length").unwrap().parse().unwrap();
        request.body.resize(length, 0);
        connection.read_exact(&mut request.body).await.unwrap();
        connection.write_all(answer.as_bytes()).await.unwrap();
    }
    request
}
