//! Unpacks files from the cabinets in which symbol servers keep them compressed.
//!
//! A cabinet is spooled to a temporary file, since reading it needs seeks, and unpacked to another one on the CPU pool.
//! A file is sent only after it has been unpacked to its last byte, with every checksum right. A cabinet that cannot be
//! unpacked can still be fetched under its own name.
//!
//! Source: Microsoft Cabinet Format, [MS-CAB]. Supported are MSZIP, LZX and uncompressed files; Quantum and cabinets
//! that span several files are not.

use std::fs::File;
use std::io::{self, BufReader, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use cab::Cabinet;
use tokio::sync::Semaphore;

use crate::catalog::{SpoolError, SpoolLimit, Spooler};
use crate::cpu::CpuPool;
use crate::scratch::Scratch;
use crate::storage::Fetched;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long reading a cabinet from its storage may take.
const COPY: Duration = Duration::from_mins(1);

/// How much is unpacked at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Why a file cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The cabinet cannot be unpacked, for the given reason.
    #[error("Symbol Not Found (the cabinet that holds it cannot be unpacked: {0})")]
    Cabinet(String),
    /// The file is larger than allowed, or the cabinet is, as stored or inflated.
    #[error("Symbol Not Found (the file in its cabinet is larger than {0})")]
    TooLarge(ByteSize),
    /// Too many files are being unpacked.
    #[error("too many files are being unpacked")]
    Busy,
    /// The cabinet could not be read to its end, or not in time.
    #[error("a cabinet could not be read to its end: {0}")]
    Read(#[source] SpoolError),
    /// There is no room for temporary files.
    #[error("no temporary file: {0}")]
    Temporary(#[source] io::Error),
}

/// Unpacks files, a few at a time. Clones share the slots.
#[derive(Clone, Debug)]
pub struct Unpacker {
    cpu: CpuPool,
    spooler: Spooler,
    scratch: Arc<Scratch>,
    slots: Arc<Semaphore>,
}

impl Unpacker {
    /// Makes an unpacker that works on as many files at a time as the pool has threads.
    #[must_use]
    pub fn new(cpu: CpuPool, scratch: Arc<Scratch>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(cpu.threads())),
            spooler: Spooler::new(Arc::clone(&scratch), cpu.clone()),
            cpu,
            scratch,
        }
    }

    /// Unpacks the file of this name, or the only file, and returns it, read from its start, with its length.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub async fn unpack(
        &self,
        cabinet: Fetched,
        name: &str,
        largest: ByteSize,
    ) -> Result<(File, u64), UnpackError> {
        let slot = tokio::time::timeout(PATIENCE, self.slots.acquire()).await;
        let _slot = slot
            .map_err(|_| UnpackError::Busy)?
            .map_err(|_| UnpackError::Busy)?;
        let limit = SpoolLimit {
            bytes: largest_cabinet(largest),
            time: COPY,
        };
        let spooled = self.spooler.spool(cabinet, limit).await;
        let spooled = spooled.map_err(|error| not_spooled(error, largest))?;
        let target = self.scratch.unnamed().await;
        let target = target.map_err(UnpackError::Temporary)?;
        let name = name.to_owned();
        let job = move || extract(spooled.file, target, &name, largest);
        let unpacked = self.cpu.run(job).await;
        unpacked.unwrap_or_else(|panic| Err(UnpackError::Cabinet(panic.to_string())))
    }
}

/// The largest cabinet of one file of this size. Incompressible data grows by a header and 8 bytes for every 32 KiB.
fn largest_cabinet(largest: ByteSize) -> ByteSize {
    let file = largest.as_u64();
    ByteSize::b(file.saturating_add(file / 1024 + ByteSize::kib(64).as_u64()))
}

fn not_spooled(error: SpoolError, largest: ByteSize) -> UnpackError {
    match error {
        SpoolError::TooLarge(_) => UnpackError::TooLarge(largest),
        SpoolError::Temporary(error) => UnpackError::Temporary(error),
        error => UnpackError::Read(error),
    }
}

/// Unpacks a file and returns it, read from its start, with its length.
fn extract(
    spooled: File,
    mut target: File,
    name: &str,
    largest: ByteSize,
) -> Result<(File, u64), UnpackError> {
    let refuse = |error: io::Error| UnpackError::Cabinet(error.to_string());
    let mut cabinet = Cabinet::new(BufReader::new(spooled)).map_err(refuse)?;
    let (member, length) = choose(&cabinet, name)?;
    if length > largest.as_u64() {
        return Err(UnpackError::TooLarge(largest));
    }
    let mut reader = cabinet.read_file(&member).map_err(refuse)?;
    let copied = copy(&mut reader, &mut target)?;
    if copied != length {
        let reason = format!("it ends after {copied} of {length} bytes");
        return Err(UnpackError::Cabinet(reason));
    }
    target.rewind().map_err(UnpackError::Temporary)?;
    Ok((target, length))
}

/// The name and the length of the only file, or of the one of this name if there are several.
fn choose(cabinet: &Cabinet<BufReader<File>>, name: &str) -> Result<(String, u64), UnpackError> {
    let files: Vec<_> = cabinet
        .folder_entries()
        .flat_map(cab::FolderEntry::file_entries)
        .collect();
    let chosen = match files.as_slice() {
        [only] => Some(only),
        several => several
            .iter()
            .find(|file| file.name().eq_ignore_ascii_case(name)),
    };
    let chosen = chosen.ok_or_else(|| {
        UnpackError::Cabinet(format!(
            "it holds {} files and none called {name}",
            files.len()
        ))
    })?;
    Ok((
        chosen.name().to_owned(),
        u64::from(chosen.uncompressed_size()),
    ))
}

/// Copies like `io::copy`, and distinguishes errors of the cabinet from those of the temporary file.
fn copy(reader: &mut impl io::Read, target: &mut File) -> Result<u64, UnpackError> {
    let mut buffer = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let read = reader.read(&mut buffer);
        let read = read.map_err(|error| UnpackError::Cabinet(error.to_string()))?;
        if read == 0 {
            return Ok(copied);
        }
        target
            .write_all(&buffer[..read])
            .map_err(UnpackError::Temporary)?;
        copied += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::{StreamExt, stream};
    use time::OffsetDateTime;

    use super::*;
    use crate::storage::{ObjectBytes, ObjectInfo, ObjectMeta, ObjectStream};

    const LARGEST: ByteSize = ByteSize::kib(64);

    /// What comes of unpacking an object that is stored gzipped.
    async fn unpacked(stored_size: u64, bytes: ObjectStream) -> Result<(File, u64), UnpackError> {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::open(folder.path()).unwrap());
        let unpacker = Unpacker::new(CpuPool::new(1).unwrap(), scratch);
        let cabinet = Fetched {
            info: ObjectInfo {
                meta: ObjectMeta {
                    is_gzipped: true,
                    ..ObjectMeta::default()
                },
                stored_size,
                modified_at: OffsetDateTime::UNIX_EPOCH,
                version: None,
                inode: None,
            },
            range: 0..stored_size,
            bytes: ObjectBytes::Stream(bytes),
        };
        unpacker.unpack(cabinet, "x.pdb", LARGEST).await
    }

    #[tokio::test]
    async fn a_cabinet_that_inflates_to_too_much_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![0; 4 << 20]).unwrap();
        let gzipped = encoder.finish().unwrap();
        let length = gzipped.len() as u64;
        assert!(length < LARGEST.as_u64());
        let bytes = stream::once(async { Ok(gzipped.into()) }).boxed();
        let refused = unpacked(length, bytes).await.unwrap_err();
        assert!(
            matches!(refused, UnpackError::TooLarge(LARGEST)),
            "{refused:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_cabinet_that_stops_coming_is_given_up() {
        let unpacking = unpacked(1000, stream::pending().boxed());
        let given_up = tokio::time::timeout(Duration::from_hours(24), unpacking);
        let error = given_up.await.expect("it has a deadline").unwrap_err();
        assert!(matches!(error, UnpackError::Read(_)), "{error:?}");
    }
}
