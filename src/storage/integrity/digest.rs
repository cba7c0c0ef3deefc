//! Compares an object's bytes with the digest that was recorded when it was stored.

use std::io;

use md5::Digest as _;
use symbols::{Gunzip, Md5, Sha256};

use crate::storage::object::ObjectMeta;

/// How much is inflated before other tasks of the thread have their turn, in bytes as stored.
const STEP: usize = 16 * 1024;

/// A comparison in progress. The digest is that of the original, so what is stored gzipped is inflated for it.
pub(super) enum Comparison {
    Plain(Digest),
    Gzipped(Gunzip, Digest),
}

/// A digest that is being computed, and the recorded one.
pub(super) enum Digest {
    Sha256(Box<sha2::Sha256>, Sha256),
    Md5(Box<md5::Md5>, Md5),
}

impl Comparison {
    /// Begins the comparison for an object, if a digest of it was recorded: ours, or Tecken's.
    pub(super) fn new(meta: &ObjectMeta) -> Option<Self> {
        let digest = match (meta.original_sha256, meta.original_md5) {
            (Some(recorded), _) => Digest::Sha256(Box::default(), recorded),
            (None, Some(recorded)) => Digest::Md5(Box::default(), recorded),
            (None, None) => return None,
        };
        Some(if meta.is_gzipped {
            Self::Gzipped(Gunzip::default(), digest)
        } else {
            Self::Plain(digest)
        })
    }

    /// Adds the next bytes as they are stored.
    ///
    /// # Errors
    /// They cannot be inflated.
    pub(super) async fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(digest) => digest.update(piece),
            Self::Gzipped(gunzip, digest) => {
                for mut step in piece.chunks(STEP) {
                    while !step.is_empty() {
                        digest.update(&gunzip.inflate(&mut step)?);
                    }
                    if piece.len() > STEP {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares, after the last byte.
    ///
    /// # Errors
    /// The bytes are not those that were stored.
    pub(super) fn finish(self) -> io::Result<()> {
        let digest = match self {
            Self::Plain(digest) => digest,
            Self::Gzipped(mut gunzip, mut digest) => {
                digest.update(&gunzip.finish()?);
                digest
            }
        };
        if digest.matches_recorded() {
            return Ok(());
        }
        let reason = "its bytes do not have the recorded digest";
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    }
}

impl Digest {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest, _) => digest.update(bytes),
            Self::Md5(digest, _) => digest.update(bytes),
        }
    }

    fn matches_recorded(self) -> bool {
        match self {
            Self::Sha256(digest, recorded) => Sha256::new(digest.finalize().into()) == recorded,
            Self::Md5(digest, recorded) => Md5::new(digest.finalize().into()) == recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const TEXT: &[u8] = b"MODULE Linux x86_64 000000000000000000000000000000000 mill";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Compares bytes that come in two pieces; `None` if there is nothing to compare them with.
    async fn compare(meta: &ObjectMeta, bytes: &[u8]) -> Option<io::Result<()>> {
        let mut comparison = Comparison::new(meta)?;
        for piece in bytes.chunks(bytes.len() / 2 + 1) {
            if let Err(error) = comparison.add(piece).await {
                return Some(Err(error));
            }
        }
        Some(comparison.finish())
    }

    #[tokio::test]
    async fn the_digest_is_that_of_the_original() {
        let ours = ObjectMeta {
            original_sha256: Some(Sha256::new(sha2::Sha256::digest(TEXT).into())),
            ..ObjectMeta::default()
        };
        let teckens = ObjectMeta {
            original_md5: Some(Md5::new(md5::Md5::digest(TEXT).into())),
            ..ObjectMeta::default()
        };
        for plain in [ours, teckens] {
            assert!(compare(&plain, TEXT).await.unwrap().is_ok());
            assert!(compare(&plain, &TEXT[1..]).await.unwrap().is_err());
            let is_gzipped = true;
            let gzipped = ObjectMeta {
                is_gzipped,
                ..plain
            };
            let padded = [gzip(TEXT), vec![0; 99]].concat();
            assert!(compare(&gzipped, &padded).await.unwrap().is_ok());
            let other = gzip(&TEXT[1..]);
            assert!(compare(&gzipped, &other).await.unwrap().is_err());
            assert!(compare(&gzipped, &padded[..20]).await.unwrap().is_err());
            assert!(compare(&gzipped, TEXT).await.unwrap().is_err());
        }
        let unknown = ObjectMeta::default();
        assert!(compare(&unknown, TEXT).await.is_none());
    }
}
