//! Symcaches as objects beside the symbols, where every node finds those that another one made.
//!
//! The path of an object holds the digest of the symbols and the versions of converter and format. So the symcache of
//! a replaced file is never found, and neither is one of another version; nothing has to be told to anyone. Two nodes
//! may make the same object at a time: their bytes are equal, and either may win.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::timeout;

use super::file::VERSIONS;
use super::source::Source;
use crate::catalog::{Catalog, SpoolLimit, Spooled, Spooler, UploadTarget};
use crate::cpu::CpuPool;
use crate::scratch::Scratch;
use crate::storage::{ObjectMeta, Part, Payload};

/// How long fetching an object may take, and how long storing one.
const PATIENCE: Duration = Duration::from_mins(2);

/// How much is read or written at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// How symcaches are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredForm {
    /// As they are, where room costs little.
    Plain,
    /// Gzipped, to about a third of the size, where bytes are paid for.
    Gzipped,
}

/// Fetches and stores symcaches.
#[derive(Debug)]
pub(super) struct StoredSymcaches {
    pub(super) catalog: Arc<Catalog>,
    pub(super) spooler: Spooler,
    pub(super) scratch: Arc<Scratch>,
    pub(super) cpu: CpuPool,
    pub(super) form: StoredForm,
    /// The largest source; symcaches of well-formed ones are not larger.
    pub(super) largest: ByteSize,
}

impl StoredSymcaches {
    /// The symcache of this source, if some node has stored it and it can be read. It has not been checked.
    pub(super) async fn fetch(&self, source: &Source) -> Option<Spooled> {
        let path = self.path(source);
        match self.try_fetch(source, &path).await {
            Ok(spooled) => spooled,
            Err(reason) => {
                // Not a failure: the symbols themselves may be had.
                tracing::warn!(
                    event = "symcache_not_fetched",
                    path,
                    reason,
                    "could not fetch a stored symcache, will convert its symbols"
                );
                None
            }
        }
    }

    async fn try_fetch(&self, source: &Source, path: &str) -> Result<Option<Spooled>, String> {
        let fetching = self.target(source).storage().fetch(path, None);
        let fetched = timeout(PATIENCE, fetching).await;
        let fetched = fetched.map_err(|_| "it took too long".to_owned())?;
        let Some(fetched) = fetched.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let limit = SpoolLimit {
            bytes: ByteSize::b(self.largest.as_u64().saturating_mul(2)),
            time: PATIENCE,
        };
        let spooled = self.spooler.spool(fetched, limit).await;
        spooled.map(Some).map_err(|error| error.to_string())
    }

    /// Stores the symcache in this file. A failure is logged: the next node that needs it converts again.
    pub(super) async fn store(&self, source: &Source, file: File) {
        let storing = timeout(PATIENCE, self.try_store(source, file)).await;
        let reason = match storing {
            Ok(Ok(())) => return,
            Ok(Err(reason)) => reason,
            Err(_) => "it took too long".to_owned(),
        };
        tracing::warn!(
            event = "symcache_not_stored",
            path = self.path(source),
            reason,
            "could not store a symcache"
        );
    }

    async fn try_store(&self, source: &Source, file: File) -> Result<(), String> {
        let scratch = Arc::clone(&self.scratch);
        let form = self.form;
        let job = move || make_payload(file, form, &scratch);
        let made = self.cpu.run(job).await.map_err(|error| error.to_string())?;
        let (payload, meta) = made.map_err(|error| error.to_string())?;
        let path = self.path(source);
        let storage = self.target(source).storage();
        storage
            .put(&path, payload, meta)
            .await
            .map_err(|error| error.to_string())
    }

    /// Where the symcache of a source is stored.
    pub(super) fn path(&self, source: &Source) -> String {
        let target = self.target(source).source();
        target.symcache_path(&source.key, VERSIONS, &source.digest)
    }

    fn target(&self, source: &Source) -> &UploadTarget {
        self.catalog.upload_target(source.store)
    }
}

/// The object that is stored for a file.
fn make_payload(
    mut file: File,
    form: StoredForm,
    scratch: &Scratch,
) -> io::Result<(Payload, ObjectMeta)> {
    let original_size = file.metadata()?.len();
    if form == StoredForm::Gzipped {
        file.rewind()?;
        let writer = BufWriter::with_capacity(PIECE, scratch.unnamed_file()?);
        let mut encoder = GzEncoder::new(writer, Compression::fast());
        io::copy(&mut BufReader::with_capacity(PIECE, file), &mut encoder)?;
        file = encoder
            .finish()?
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
    }
    let part = Part::File {
        offset: 0,
        length: file.metadata()?.len(),
        file: Arc::new(file),
    };
    let meta = ObjectMeta {
        is_gzipped: form == StoredForm::Gzipped,
        original_size: Some(original_size),
        ..ObjectMeta::default()
    };
    Ok((Payload::new(vec![part]), meta))
}
