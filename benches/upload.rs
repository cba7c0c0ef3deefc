//! The cost of an upload beside that of reading it.
//!
//! The floor is what every server must do that checks what it stores: each member is inflated once, and its
//! CRC-32, SHA-256 and MD5 are computed, by plain loops over the libraries. "verify" is the server's own check of all
//! members. "upload" is everything: a form over a connection on loopback, the temporary file, the checks, the files on
//! the disk, the record in the database, and the client, which is in this process, too. What is measured is the time of
//! the processor, of all threads together, whatever the clock on the wall says.

use std::cell::LazyCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use flate2::read::DeflateDecoder;
use md5::{Digest as _, Md5};
use rustix::time::{ClockId, clock_gettime};
use sha2::Sha256;
use strict_zip::Method;
use symbold::upload::verify::{self, ArchiveLimits, Entry};
use symbold_loadtest::bundle::Bundle;

use crate::gzip::SHAPES;
use crate::server::Running;
use crate::support::{Bench, Function};

const STUDY: &str = "upload_cpu";

const BOUNDARY: &str = "symbold";

/// An archive of the first bundle of the study of gzip.
struct Prepared {
    file: File,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    limits: ArchiveLimits,
}

/// CRC-32, SHA-256 and MD5 of a member.
type Digests = (u32, [u8; 32], [u8; 16]);

type Way = fn(&Prepared);

const WAYS: [(&str, Way); 2] = [
    ("floor", |prepared| drop(prepared.floor())),
    ("verify", |prepared| drop(prepared.verify())),
];

pub(crate) fn study(bench: &mut Bench) {
    let divisor = bench.length().choose(500, 4, 1);
    let prepared = LazyCell::new(|| Prepared::new(divisor));
    let ways = WAYS.map(|(name, way)| -> Function<'_> {
        let prepared = &prepared;
        let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
            bencher.iter_custom(|times| (0..times).map(|_| cpu_time(|| way(prepared))).sum());
        });
        (name, measure)
    });
    let upload = Box::new(|bencher: &mut criterion::Bencher<'_>| {
        bencher.iter_custom(|times| {
            let uploads = (0..times).map(|_| {
                // A new one each time, since what is there already is not stored again.
                let server = Running::start(None, None);
                cpu_time(|| prepared.upload(&server))
            });
            uploads.sum()
        });
    });
    let mut functions: Vec<Function<'_>> = ways.into();
    functions.push(("upload", upload));
    bench.compare(STUDY, functions);
}

/// The time that the processor spends on a job, by the process's own clock.
fn cpu_time(job: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::try_from(time).expect("the clock began at zero")
    };
    let before = now();
    job();
    now().saturating_sub(before)
}

impl Prepared {
    /// Makes the archive, and proves that both ways of reading it come to the same.
    fn new(divisor: u64) -> Self {
        let bundle = Bundle::of_members(SHAPES[0].members(divisor), 1);
        let file = tempfile::tempfile().expect("there is room for temporary files");
        let (file, length) = bundle.write(file).expect("an archive is written");
        let mut bytes = vec![0; usize::try_from(length).expect("it is small")];
        file.read_exact_at(&mut bytes, 0)
            .expect("the archive is read");
        let limits = ArchiveLimits::default();
        let entries = verify::inspect(&file, &limits).expect("the archive is a good one");
        let prepared = Self {
            file,
            bytes,
            entries,
            limits,
        };
        assert!(prepared.floor() == prepared.verify());
        prepared
    }

    fn floor(&self) -> Vec<Digests> {
        let entries = self.entries.iter();
        entries.map(|entry| digests(&self.bytes, entry)).collect()
    }

    fn verify(&self) -> Vec<Digests> {
        let entries = self.entries.iter();
        let verified = entries.map(|entry| {
            let facts = verify::verify_member(&self.file, entry, &self.limits, true);
            let facts = facts.expect("the member is a good one");
            (entry.crc32, facts.sha256, facts.md5.expect("it was wanted"))
        });
        verified.collect()
    }

    fn upload(&self, server: &Running) {
        let (address, token) = (server.address, &server.token);
        let before = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"symbols.zip\"; filename=\"symbols.zip\"\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let length = before.len() + self.bytes.len() + after.len();
        let head = format!(
            "POST /upload/ HTTP/1.1\r\nHost: {address}\r\nAuth-Token: {token}\r\nContent-Length: {length}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nConnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).expect("the server accepts connections");
        for piece in [
            head.as_bytes(),
            before.as_bytes(),
            &self.bytes,
            after.as_bytes(),
        ] {
            stream.write_all(piece).expect("the server reads");
        }
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(answer.contains("\"skipped_keys\":[]"), "{answer}");
    }
}

fn digests(archive: &[u8], entry: &Entry) -> Digests {
    assert_eq!(entry.method, Method::Deflated);
    let place = |number: u64| usize::try_from(number).expect("it is small");
    let start = place(entry.data_offset);
    let deflated = &archive[start..start + place(entry.compressed_size)];
    let mut inflated = DeflateDecoder::new(deflated);
    let mut piece = vec![0; 128 * 1024];
    let (mut crc32, mut sha256, mut md5) = (crc32fast::Hasher::new(), Sha256::new(), Md5::new());
    loop {
        let length = inflated.read(&mut piece).expect("the stream is a good one");
        if length == 0 {
            return (
                crc32.finalize(),
                sha256.finalize().into(),
                md5.finalize().into(),
            );
        }
        crc32.update(&piece[..length]);
        sha256.update(&piece[..length]);
        md5.update(&piece[..length]);
    }
}
