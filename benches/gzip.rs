//! How do the text files of a bundle become gzip?
//!
//! The bundles have the shapes of the three that Tecken was measured on in 2017: how many files, how many bytes, and how
//! large the largest of them. The text is that of the load generator, which shrinks to between a fourth and a sixth, as
//! symbols do today; in 2017 they shrank to between a fifth and a tenth.
//!
//! Four ways begin with the text: one file after the other; a thread for each; the pool of threads that all uploads
//! share; and that pool with large files cut into chunks, which are deflated side by side and put together to one gzip
//! member. The fifth is what uploads do: the client's own deflate stream gets a new header and trailer. It has proved
//! before that this stream is what it says, which the sixth counts in.

use std::cell::LazyCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, GzBuilder};
use futures_util::{StreamExt as _, stream};
use symbold::cpu::CpuPool;
use symbold::scratch::Scratch;
use symbold::upload::archive::{self, ArchiveLimits, Entry};
use symbold::upload::content;
use symbold_loadtest::builds;
use symbold_loadtest::bundle::{Bundle, Member};
use tempfile::TempDir;

use crate::support::{self, Bench, Function};

/// The server's own level, by default.
const LEVEL: u32 = 6;

/// Gzip header (RFC 1952): deflate, no name, no time.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

struct Shape {
    study: &'static str,
    files: usize,
    bytes: u64,
    largest: u64,
}

const SHAPES: [Shape; 3] = [
    Shape {
        study: "gzip_66_files",
        files: 66,
        bytes: 140_690_000,
        largest: 18_000_000,
    },
    Shape {
        study: "gzip_103_files",
        files: 103,
        bytes: 331_570_000,
        largest: 80_000_000,
    },
    Shape {
        study: "gzip_26_files",
        files: 26,
        bytes: 86_910_000,
        largest: 22_000_000,
    },
];

impl Shape {
    /// Files that get slowly smaller, with the largest in their middle.
    fn sizes(&self) -> Vec<u64> {
        let weights: Vec<u64> = (4..)
            .take(self.files - 1)
            .map(|rank| 1_000_000 / rank)
            .collect();
        let all: u64 = weights.iter().sum();
        let rest = self.bytes - self.largest;
        let mut sizes: Vec<u64> = weights.iter().map(|weight| rest * weight / all).collect();
        sizes.insert(self.files / 2, self.largest);
        sizes
    }

    fn members(&self, divisor: u64) -> Vec<Member> {
        let keys = builds::make(self.files / 20 + 1, 1).concat();
        let keys = keys
            .into_iter()
            .filter(|key| key.rsplit('.').next() == Some("sym"));
        let members = keys.zip(self.sizes());
        let members = members.map(|(key, size)| Member {
            key,
            size: size / divisor,
        });
        members.collect()
    }
}

/// An archive, with its members' text.
struct Prepared {
    archive: Arc<File>,
    entries: Vec<Entry>,
    texts: Vec<Bytes>,
    /// How much text a chunk has, in bytes.
    chunk: usize,
    limits: Arc<ArchiveLimits>,
    scratch: Arc<Scratch>,
    pool: CpuPool,
    _folder: TempDir,
}

impl Prepared {
    fn new(shape: &Shape, divisor: u64, chunk: usize) -> Self {
        let bundle = Bundle::of_members(shape.members(divisor), 1);
        let file = tempfile::tempfile().expect("there is room for temporary files");
        let (file, _) = bundle.write(file).expect("an archive is written");
        let archive = Arc::new(file);
        let limits = ArchiveLimits::default();
        let entries = archive::inspect(&*archive, &limits).expect("the archive is a good one");
        assert_eq!(entries.len(), shape.files);
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let scratch = Scratch::open(folder.path()).expect("the folder is ours");
        let texts = entries.iter().map(|entry| {
            let payload = content::payload(&archive, entry, false, LEVEL, &scratch);
            read(&payload.expect("a member is inflated")).into()
        });
        let texts = texts.collect();
        Self {
            archive,
            entries,
            texts,
            chunk,
            limits: Arc::new(limits),
            scratch: Arc::new(scratch),
            pool: CpuPool::new(0).expect("the system starts threads"),
            _folder: folder,
        }
    }

    /// Runs jobs on the pool as uploads do: never many more at a time than it has threads.
    fn on_pool<T, F>(&self, jobs: impl Iterator<Item = F>) -> Vec<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let results = stream::iter(jobs)
            .map(|job| self.pool.run(job))
            .buffered(self.pool.threads() * 2)
            .map(|result| result.expect("no job panics"));
        support::block_on(results.collect())
    }

    /// The text of every member, in the pieces that become a job each.
    fn chunks(&self) -> impl Iterator<Item = (Bytes, bool)> {
        self.texts.iter().flat_map(|text| {
            let (chunk, count) = (self.chunk, text.len().div_ceil(self.chunk));
            (0..count).map(move |place| {
                let end = text.len().min((place + 1) * chunk);
                (text.slice(place * chunk..end), place + 1 == count)
            })
        })
    }
}

/// A way from a bundle to one gzip member for each of its files.
type Way = fn(&Prepared) -> Vec<Vec<u8>>;

const WAYS: [(&str, Way); 6] = [
    ("serial", serial),
    ("thread_per_file", thread_per_file),
    ("shared_pool", shared_pool),
    ("chunked", chunked),
    ("rewrap", rewrap),
    ("verify_and_rewrap", verify_and_rewrap),
];

pub(crate) fn study(bench: &mut Bench) {
    let divisor = bench.length().choose(500, 16, 1);
    let chunk = bench.length().choose(16 * 1024, 1024 * 1024, 1024 * 1024);
    for shape in SHAPES {
        let prepared = LazyCell::new(|| {
            let prepared = Prepared::new(&shape, divisor, chunk);
            check(shape.study, &prepared);
            prepared
        });
        let functions = WAYS.map(|(name, way)| -> Function<'_> {
            let prepared = &prepared;
            let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
                let prepared = &**prepared;
                bencher.iter(|| way(prepared));
            });
            (name, measure)
        });
        bench.compare(shape.study, functions.into());
    }
}

/// Every way has to give back the same texts. Says how well each compresses, which is not the same.
fn check(study: &str, prepared: &Prepared) {
    let length: usize = prepared.texts.iter().map(Bytes::len).sum();
    println!("{study}: {length} bytes of text");
    for (name, way) in WAYS {
        let files = way(prepared);
        assert_eq!(files.len(), prepared.texts.len(), "{name}");
        for (file, text) in files.iter().zip(&prepared.texts) {
            let mut inflated = Vec::new();
            let mut decoder = GzDecoder::new(&file[..]);
            decoder.read_to_end(&mut inflated).expect(name);
            assert!(inflated == *text, "{name} gives back another text");
            assert!(decoder.into_inner().is_empty(), "{name}: one member");
        }
        let gzipped: usize = files.iter().map(Vec::len).sum();
        println!("{study}: {gzipped} bytes by {name}");
    }
}

fn serial(prepared: &Prepared) -> Vec<Vec<u8>> {
    prepared.texts.iter().map(|text| gzip(text)).collect()
}

fn thread_per_file(prepared: &Prepared) -> Vec<Vec<u8>> {
    std::thread::scope(|scope| {
        let texts = prepared.texts.iter();
        let threads: Vec<_> = texts.map(|text| scope.spawn(|| gzip(text))).collect();
        let results = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        results
            .map(|result| result.expect("no thread panics"))
            .collect()
    })
}

fn shared_pool(prepared: &Prepared) -> Vec<Vec<u8>> {
    let texts = prepared.texts.iter().cloned();
    prepared.on_pool(texts.map(|text| move || gzip(&text)))
}

fn chunked(prepared: &Prepared) -> Vec<Vec<u8>> {
    let jobs = prepared
        .chunks()
        .map(|(text, is_last)| move || (deflate(&text, is_last), crc32(&text), is_last));
    let mut files = Vec::new();
    let (mut file, mut whole) = (GZIP_HEADER.to_vec(), crc32fast::Hasher::new());
    for (deflated, crc32, is_last) in prepared.on_pool(jobs) {
        file.extend_from_slice(&deflated);
        whole.combine(&crc32);
        if is_last {
            let length = prepared.texts[files.len()].len();
            let length = u32::try_from(length).expect("texts are short");
            let crc32 = std::mem::take(&mut whole).finalize();
            file.extend_from_slice(&crc32.to_le_bytes());
            file.extend_from_slice(&length.to_le_bytes());
            files.push(std::mem::replace(&mut file, GZIP_HEADER.to_vec()));
        }
    }
    files
}

fn rewrap(prepared: &Prepared) -> Vec<Vec<u8>> {
    let entries = prepared.entries.iter();
    let rewrapped = entries.map(|entry| rewrap_one(&prepared.archive, entry, &prepared.scratch));
    rewrapped.collect()
}

fn verify_and_rewrap(prepared: &Prepared) -> Vec<Vec<u8>> {
    let jobs = prepared.entries.iter().map(|entry| {
        let (archive, entry) = (Arc::clone(&prepared.archive), entry.clone());
        let (limits, scratch) = (Arc::clone(&prepared.limits), Arc::clone(&prepared.scratch));
        move || {
            archive::verify(&*archive, &entry, &limits, true).expect("the member is a good one");
            rewrap_one(&archive, &entry, &scratch)
        }
    });
    prepared.on_pool(jobs)
}

fn rewrap_one(archive: &Arc<File>, entry: &Entry, scratch: &Scratch) -> Vec<u8> {
    let payload = content::payload(archive, entry, true, LEVEL, scratch);
    read(&payload.expect("no file has to be made"))
}

fn read(payload: &symbold::storage::Payload) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = payload.reader();
    reader
        .read_to_end(&mut bytes)
        .expect("a temporary file is read");
    bytes
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(text).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// Blocks of a deflate stream that end on a byte; other blocks may follow, unless it is the last chunk.
fn deflate(text: &[u8], is_last: bool) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(text).expect("memory takes everything");
    if is_last {
        return encoder.finish().expect("memory takes everything");
    }
    encoder.flush().expect("memory takes everything");
    std::mem::take(encoder.get_mut())
}

fn crc32(text: &[u8]) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(text);
    hasher
}
