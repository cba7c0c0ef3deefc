//! Stored objects in temporary files.
//!
//! Code that reads an object in several places, or computes on all of it, spools it first: it is copied into a file
//! without a name and inflated if it is stored gzipped, within a limit of bytes and a deadline. Inflating runs on the
//! CPU pool and needs a second file. It has no deadline of its own, since the limit of bytes bounds it too.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use futures_util::TryStreamExt;
use symbols::Gunzip;
use time::OffsetDateTime;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::time::timeout;

use crate::cpu::{CpuPool, JobPanicked};
use crate::scratch::Scratch;
use crate::storage::{Fetched, ObjectStream, StorageError};

/// How much is written, or read for inflating, at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// The bounds of one spooled object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimit {
    /// The largest size, as stored and inflated.
    pub bytes: ByteSize,
    /// How long reading the object from its storage may take.
    pub time: Duration,
}

/// An object in a temporary file.
#[derive(Debug)]
pub struct Spooled {
    /// The file, positioned at its start. It has no name and is gone once it is closed.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// When the object was stored.
    pub modified_at: OffsetDateTime,
}

/// Why an object could not be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It is larger than allowed, as stored or inflated.
    #[error("the object is larger than {0}")]
    TooLarge(ByteSize),
    /// Reading it took too long.
    #[error("the object could not be read within {0:?}")]
    TimedOut(Duration),
    /// It is stored gzipped and cannot be inflated.
    #[error("the object cannot be inflated: {0}")]
    Damaged(#[source] io::Error),
    /// There is no room for temporary files, or they cannot be read.
    #[error("a temporary file failed: {0}")]
    Temporary(#[source] io::Error),
    /// It could not be read from its storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Inflating it failed unexpectedly.
    #[error(transparent)]
    Panicked(#[from] JobPanicked),
}

impl SpoolError {
    /// Returns whether the object is there and damaged.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Storage(error) => error.is_damage(),
            _ => false,
        }
    }
}

/// Spools objects. Callers limit how many at a time.
#[derive(Clone, Debug)]
pub struct Spooler {
    scratch: Arc<Scratch>,
    cpu: CpuPool,
}

impl Spooler {
    /// Makes a spooler whose temporary files lie in `scratch`.
    #[must_use]
    pub fn new(scratch: Arc<Scratch>, cpu: CpuPool) -> Self {
        Self { scratch, cpu }
    }

    /// Brings an object into a temporary file, inflated if it is stored gzipped.
    ///
    /// # Errors
    /// See [`SpoolError`].
    pub async fn spool(&self, object: Fetched, limit: SpoolLimit) -> Result<Spooled, SpoolError> {
        let Fetched { info, range, bytes } = object;
        if range.end - range.start > limit.bytes.as_u64() {
            return Err(SpoolError::TooLarge(limit.bytes));
        }
        let copying = timeout(limit.time, self.copy(bytes.into_stream(), limit.bytes)).await;
        let (mut file, mut length) = copying.map_err(|_| SpoolError::TimedOut(limit.time))??;
        if info.meta.is_gzipped {
            (file, length) = self.inflate(file, limit.bytes).await?;
        }
        Ok(Spooled {
            file,
            length,
            modified_at: info.modified_at,
        })
    }

    /// Copies an object as it is stored, and returns the file with its length.
    async fn copy(
        &self,
        mut stream: ObjectStream,
        limit: ByteSize,
    ) -> Result<(File, u64), SpoolError> {
        let file = self
            .scratch
            .unnamed()
            .await
            .map_err(SpoolError::Temporary)?;
        let mut file = BufWriter::with_capacity(PIECE, tokio::fs::File::from_std(file));
        let mut length = 0;
        while let Some(piece) = stream.try_next().await? {
            length += piece.len() as u64;
            if length > limit.as_u64() {
                return Err(SpoolError::TooLarge(limit));
            }
            let written = file.write_all(&piece).await;
            written.map_err(SpoolError::Temporary)?;
        }
        file.flush().await.map_err(SpoolError::Temporary)?;
        let mut file = file.into_inner().into_std().await;
        file.rewind().map_err(SpoolError::Temporary)?;
        Ok((file, length))
    }

    /// Inflates a file into another one, and returns that with its length.
    async fn inflate(&self, gzipped: File, limit: ByteSize) -> Result<(File, u64), SpoolError> {
        let scratch = Arc::clone(&self.scratch);
        let job = move || {
            let mut plain = scratch.unnamed_file().map_err(SpoolError::Temporary)?;
            let length = inflate(gzipped, &mut plain, limit)?;
            plain.rewind().map_err(SpoolError::Temporary)?;
            Ok((plain, length))
        };
        self.cpu.run(job).await?
    }
}

/// Inflates a gzip file, and returns how many bytes it was inflated to.
fn inflate(mut gzipped: File, plain: &mut File, limit: ByteSize) -> Result<u64, SpoolError> {
    let mut gunzip = Gunzip::default();
    let mut buffer = vec![0; PIECE];
    let mut length = 0;
    let mut append = |bytes: Vec<u8>| {
        length += bytes.len() as u64;
        if length > limit.as_u64() {
            return Err(SpoolError::TooLarge(limit));
        }
        plain.write_all(&bytes).map_err(SpoolError::Temporary)
    };
    loop {
        let count = gzipped.read(&mut buffer).map_err(SpoolError::Temporary)?;
        if count == 0 {
            break;
        }
        let mut piece = &buffer[..count];
        while !piece.is_empty() {
            append(gunzip.inflate(&mut piece).map_err(SpoolError::Damaged)?)?;
        }
    }
    append(gunzip.finish().map_err(SpoolError::Damaged)?)?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::storage::{ObjectBytes, ObjectInfo, ObjectMeta};

    const TIME: Duration = Duration::from_mins(1);

    fn object(is_gzipped: bool, size: usize, bytes: ObjectStream) -> Fetched {
        let meta = ObjectMeta {
            is_gzipped,
            ..ObjectMeta::default()
        };
        let info = ObjectInfo {
            meta,
            stored_size: size as u64,
            modified_at: OffsetDateTime::UNIX_EPOCH,
            version: None,
            inode: None,
        };
        Fetched {
            info,
            range: 0..size as u64,
            bytes: ObjectBytes::Stream(bytes),
        }
    }

    async fn spool(object: Fetched, limit: u64) -> Result<Spooled, SpoolError> {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::open(folder.path()).unwrap());
        let spooler = Spooler::new(scratch, CpuPool::new(1).unwrap());
        let limit = SpoolLimit {
            bytes: ByteSize::b(limit),
            time: TIME,
        };
        spooler.spool(object, limit).await
    }

    async fn inflated(bytes: &[u8], limit: u64) -> Result<u64, SpoolError> {
        let bytes = Bytes::copy_from_slice(bytes);
        let (size, bytes) = (bytes.len(), stream::once(async { Ok(bytes) }).boxed());
        let spooled = spool(object(true, size, bytes), limit).await?;
        assert_eq!(spooled.file.metadata().unwrap().len(), spooled.length);
        Ok(spooled.length)
    }

    #[tokio::test]
    async fn the_file_is_read_from_its_start() {
        let bytes = stream::iter([
            Ok(Bytes::from_static(b"in ")),
            Ok(Bytes::from_static(b"two")),
        ]);
        let mut spooled = spool(object(false, 6, bytes.boxed()), 6).await.unwrap();
        let mut text = String::new();
        spooled.file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), spooled.length), ("in two", 6));
    }

    #[tokio::test]
    async fn no_more_is_inflated_than_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![0; 3 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(inflated(&bomb, 3 << 20).await.unwrap(), 3 << 20);
        let more = inflated(&bomb, (3 << 20) - 1).await;
        assert!(matches!(more, Err(SpoolError::TooLarge(_))), "{more:?}");
        let cut = inflated(&bomb[..bomb.len() / 2], 3 << 20).await;
        assert!(matches!(cut, Err(SpoolError::Damaged(_))), "{cut:?}");
        let padded = [&bomb[..], &[0; 10_240]].concat();
        assert_eq!(inflated(&padded, 3 << 20).await.unwrap(), 3 << 20);
        let text = inflated(b"no gzip", 10).await;
        assert!(matches!(text, Err(SpoolError::Damaged(_))), "{text:?}");
    }

    #[tokio::test]
    async fn no_more_is_copied_than_the_limit_whatever_the_storage_says() {
        for said in [1, 100] {
            let bytes = stream::repeat_with(|| Ok(Bytes::from_static(b"0123456789")));
            let endless = spool(object(false, said, bytes.boxed()), 99).await;
            assert!(
                matches!(endless, Err(SpoolError::TooLarge(_))),
                "{endless:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_stops_coming_is_given_up() {
        let first = stream::once(async { Ok(Bytes::from_static(b"0123456789")) });
        let bytes = first.chain(stream::pending()).boxed();
        let stalled = spool(object(false, 20, bytes), 99).await;
        assert!(
            matches!(stalled, Err(SpoolError::TimedOut(TIME))),
            "{stalled:?}"
        );
    }
}
