//! How do the text files of a bundle become gzip?
//!
//! The bundles have the shapes of the three that Tecken was measured on in 2017: how many files, how many bytes, and
//! how large the largest of them. The text is that of the load generator, which shrinks to between a fourth and a
//! sixth, as symbols do today; in 2017 they shrank to between a fifth and a tenth.
//!
//! Four ways begin with the text: one file after the other; a thread for each; the pool of threads that all uploads
//! share; and that pool with files cut into chunks, which are deflated side by side and put together to one gzip
//! member, in a temporary file, as uploads do with members that come stored. The fifth is what uploads do with those
//! that come deflated: the client's own deflate stream gets a new header and trailer. It has proved before that this
//! stream is what it says, which the sixth counts in.

use std::cell::LazyCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use futures_util::{StreamExt as _, stream};
use strict_zip::Method;
use symbold::cpu::CpuPool;
use symbold::scratch::Scratch;
use symbold::upload::stored_bytes;
use symbold::upload::verify::{self, ArchiveLimits, Entry};
use symbold_loadtest::builds;
use symbold_loadtest::bundle::{Bundle, Member};
use tempfile::TempDir;

use crate::support::{self, Bench, Function};

/// The server's own level, by default.
const LEVEL: u32 = 6;

/// How many files the server stores at once, by default.
const STORES: usize = 16;

/// How a bundle is made up.
pub(crate) struct Shape {
    study: &'static str,
    files: usize,
    bytes: u64,
    largest: u64,
}

pub(crate) const SHAPES: [Shape; 3] = [
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

    /// The members, all so many times smaller.
    pub(crate) fn members(&self, divisor: u64) -> Vec<Member> {
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

/// An archive, and its members' text, in memory and as members of an archive that stores them.
struct Prepared {
    archive: Arc<File>,
    entries: Vec<Entry>,
    texts: Vec<Bytes>,
    stored: Arc<File>,
    stored_entries: Vec<Entry>,
    limits: Arc<ArchiveLimits>,
    scratch: Arc<Scratch>,
    pool: CpuPool,
    _folder: TempDir,
}

impl Prepared {
    fn new(shape: &Shape, divisor: u64) -> Self {
        let bundle = Bundle::of_members(shape.members(divisor), 1);
        let file = tempfile::tempfile().expect("there is room for temporary files");
        let (file, _) = bundle.write(file).expect("an archive is written");
        let archive = Arc::new(file);
        let limits = ArchiveLimits::default();
        let entries = verify::inspect(&*archive, &limits).expect("the archive is a good one");
        assert_eq!(entries.len(), shape.files);
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let scratch = Arc::new(Scratch::open(folder.path()).expect("the folder is ours"));
        let pool = CpuPool::new(0).expect("the system starts threads");
        let texts = entries.iter().map(|entry| {
            let payload = stored_bytes::payload(&archive, entry, false, LEVEL, &scratch, &pool);
            read(&support::block_on(payload).expect("a member is inflated")).into()
        });
        let texts: Vec<Bytes> = texts.collect();
        let (stored, stored_entries) = stored(&entries, &texts);
        Self {
            archive,
            entries,
            texts,
            stored,
            stored_entries,
            limits: Arc::new(limits),
            scratch,
            pool,
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

    /// The server's own way from a member to what is stored, read to its end.
    async fn stored_bytes(&self, archive: &Arc<File>, entry: &Entry) -> Vec<u8> {
        let payload = stored_bytes::payload(archive, entry, true, LEVEL, &self.scratch, &self.pool);
        read(&payload.await.expect("there is room for temporary files"))
    }
}

/// Puts the texts into a file, one after the other, with entries that say where each is.
fn stored(entries: &[Entry], texts: &[Bytes]) -> (Arc<File>, Vec<Entry>) {
    let mut file = tempfile::tempfile().expect("there is room for temporary files");
    let mut offset = 0;
    let entries = entries.iter().zip(texts).map(|(entry, text)| {
        file.write_all(text).expect("there is room for the texts");
        let data_offset = offset;
        offset += entry.size;
        Entry {
            method: Method::Stored,
            compressed_size: entry.size,
            data_offset,
            ..entry.clone()
        }
    });
    let entries = entries.collect();
    (Arc::new(file), entries)
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
    for shape in SHAPES {
        let prepared = LazyCell::new(|| {
            let prepared = Prepared::new(&shape, divisor);
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
    let files = stream::iter(&prepared.stored_entries)
        .map(|entry| prepared.stored_bytes(&prepared.stored, entry))
        .buffered(STORES);
    support::block_on(files.collect())
}

fn rewrap(prepared: &Prepared) -> Vec<Vec<u8>> {
    let files = stream::iter(&prepared.entries)
        .map(|entry| prepared.stored_bytes(&prepared.archive, entry))
        .buffered(STORES);
    support::block_on(files.collect())
}

fn verify_and_rewrap(prepared: &Prepared) -> Vec<Vec<u8>> {
    let jobs = prepared.entries.iter().map(|entry| {
        let (archive, entry) = (Arc::clone(&prepared.archive), entry.clone());
        let limits = Arc::clone(&prepared.limits);
        move || verify::verify_member(&*archive, &entry, &limits, true).expect("the member is good")
    });
    prepared.on_pool(jobs);
    rewrap(prepared)
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
