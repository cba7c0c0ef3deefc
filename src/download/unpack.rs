//! Files out of the cabinets in which symbol servers keep them compressed.
//!
//! A cabinet is spooled to a temporary file, since it is read from several places, and unpacked to another one on the CPU
//! pool; only what has been unpacked to its last byte, with every checksum right, is sent. A cabinet that cannot be
//! unpacked can still be asked for by its own name.
//!
//! Source: Microsoft Cabinet Format, [MS-CAB]. MSZIP, LZX and files that are stored are understood, Quantum is not, and
//! no cabinet that is one of several.

use std::fs::File;
use std::io::{self, BufReader, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytesize::ByteSize;
use cab::Cabinet;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::blocking;
use crate::cpu::CpuPool;
use crate::scratch::Scratch;
use crate::storage::{Fetched, ObjectBytes, ObjectInfo, ObjectMeta, StorageError};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of an unpacked file is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Why a file cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The cabinet is not one that can be unpacked, for the reason told.
    #[error("Symbol Not Found (the cabinet that holds it cannot be unpacked: {0})")]
    Cabinet(String),
    /// The file is larger than may be.
    #[error("Symbol Not Found (the file in its cabinet is larger than {0})")]
    TooLarge(ByteSize),
    /// Too many files are being unpacked.
    #[error("too many files are being unpacked")]
    Busy,
    /// The cabinet could not be read to its end.
    #[error("a cabinet could not be read to its end: {0}")]
    Read(#[source] io::Error),
    /// There is no room for temporary files.
    #[error("no temporary file: {0}")]
    Temporary(#[source] io::Error),
}

/// Unpacks files, a few at a time. Clones share the room.
#[derive(Clone, Debug)]
pub struct Unpacker {
    cpu: CpuPool,
    scratch: Arc<Scratch>,
    slots: Arc<Semaphore>,
}

impl Unpacker {
    /// Makes an unpacker that works on as many files at a time as there are threads for it.
    #[must_use]
    pub fn new(cpu: CpuPool, scratch: Arc<Scratch>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(cpu.threads())),
            cpu,
            scratch,
        }
    }

    /// The file of this name in a cabinet, or its only file, as if it had been stored so.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub(super) async fn unpack(
        &self,
        cabinet: Fetched,
        name: &str,
        largest: ByteSize,
    ) -> Result<Fetched, UnpackError> {
        let slot = tokio::time::timeout(PATIENCE, self.slots.acquire()).await;
        let _slot = slot
            .map_err(|_| UnpackError::Busy)?
            .map_err(|_| UnpackError::Busy)?;
        let modified_at = cabinet.info.modified_at;
        let spooled = self.spool(cabinet).await?;
        let target = self.temporary_file().await?;
        let name = name.to_owned();
        let job = move || extract(spooled, target, &name, largest);
        let unpacked = self.cpu.run(job).await;
        let (file, length) =
            unpacked.unwrap_or_else(|panic| Err(UnpackError::Cabinet(panic.to_string())))?;
        let reader = tokio::fs::File::from_std(file);
        let stream = ReaderStream::with_capacity(reader, PIECE);
        let stream = stream.map_err(|error| StorageError::Unavailable {
            storage: "temporary files".to_owned(),
            reason: error.to_string(),
        });
        Ok(Fetched {
            info: ObjectInfo {
                stored_size: length,
                modified_at,
                version: None,
                meta: ObjectMeta::default(),
            },
            range: 0..length,
            bytes: ObjectBytes::Stream(stream.boxed()),
        })
    }

    /// Reads a cabinet to a temporary file; one that is stored gzipped is inflated.
    async fn spool(&self, cabinet: Fetched) -> Result<File, UnpackError> {
        let bytes = StreamReader::new(cabinet.bytes.into_stream().map_err(io::Error::other));
        let mut file = tokio::fs::File::from_std(self.temporary_file().await?);
        let mut source: Box<dyn AsyncRead + Send + Unpin> = if cabinet.info.meta.is_gzipped {
            Box::new(GzipDecoder::new(bytes))
        } else {
            Box::new(bytes)
        };
        tokio::io::copy(&mut source, &mut file)
            .await
            .map_err(UnpackError::Read)?;
        file.flush().await.map_err(UnpackError::Temporary)?;
        Ok(file.into_std().await)
    }

    async fn temporary_file(&self) -> Result<File, UnpackError> {
        let scratch = Arc::clone(&self.scratch);
        let file = blocking::run(move || scratch.unnamed_file()).await;
        file.map_err(UnpackError::Temporary)
    }
}

/// Unpacks a file and returns it, read from its start, with its length.
fn extract(
    mut spooled: File,
    mut target: File,
    name: &str,
    largest: ByteSize,
) -> Result<(File, u64), UnpackError> {
    let refuse = |error: io::Error| UnpackError::Cabinet(error.to_string());
    spooled.rewind().map_err(UnpackError::Temporary)?;
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

/// The name and the length of the only file, or of that of this name where there are several.
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

/// As `io::copy`, telling the faults of the cabinet from those of the temporary file.
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
