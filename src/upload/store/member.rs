//! One member of an upload: its digests, its record, and its object's metadata.

use std::time::Duration;

use time::OffsetDateTime;

use crate::db::build_ids::BuildIdRecord;
use crate::db::uploads::FileRecord;
use crate::storage::{ObjectInfo, ObjectMeta, Storage, StorageError};
use crate::upload::verify::{Entry, MemberFacts};
use symbols::elf::ElfFile;
use symbols::header::SymHeader;
use symbols::{Md5, Sha256, SymbolKey};

/// How long after a file was stored a cache may still remember it as absent. Generous, since the storage's clock may
/// differ from ours.
const JUST_NOW: Duration = Duration::from_mins(10);

/// A member that was verified and is to be stored.
#[derive(Clone, Debug)]
pub(in crate::upload) struct Member {
    pub(super) key: SymbolKey,
    pub(super) entry: Entry,
    /// SHA-256 of the original bytes.
    sha256: Sha256,
    /// MD5 of the original bytes, in lower-case hexadecimal, of files that are stored gzipped: Tecken's metadata.
    md5: Option<Md5>,
    header: SymHeader,
    elf: Option<ElfFile>,
    /// Whether it is to be stored gzipped.
    pub(super) gzipped: bool,
}

/// What became of a member.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// It is stored now.
    File(Box<FileRecord>),
    /// The storage held the same file already.
    Held {
        /// The member's name in the archive.
        name: String,
        /// Its record, in case there is none yet.
        file: Box<FileRecord>,
    },
}

/// What lies at a member's path before the upload.
#[derive(Clone, Debug)]
pub(super) enum Existing {
    Nothing,
    /// An object.
    Object(ObjectInfo),
    /// An object that is damaged. The digest beside it proves nothing, so it is replaced whatever that is, and there is
    /// nothing left of it to be protected.
    Damaged,
}

impl Existing {
    /// Asks the storage.
    pub(super) async fn at(path: &str, storage: &dyn Storage) -> Result<Self, StorageError> {
        match storage.head(path).await {
            Ok(None) => Ok(Self::Nothing),
            Ok(Some(info)) => Ok(Self::Object(info)),
            Err(error) if error.is_damage() => Ok(Self::Damaged),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether a file was stored so recently that caches may still remember it as absent.
pub(in crate::upload) fn is_recent(stored_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    now - stored_at < JUST_NOW
}

impl Member {
    pub(in crate::upload) fn new(
        key: SymbolKey,
        entry: Entry,
        facts: MemberFacts,
        gzipped: bool,
    ) -> Self {
        Self {
            key,
            entry,
            sha256: Sha256::new(facts.sha256),
            md5: facts.md5.map(Md5::new),
            header: facts.header.unwrap_or_default(),
            elf: facts.elf,
            gzipped,
        }
    }

    /// The build id of the file, if it is an ELF file that has one.
    pub(super) fn build_id(&self) -> Option<BuildIdRecord> {
        let elf = self.elf.as_ref()?;
        Some(BuildIdRecord {
            build_id: elf.build_id.clone(),
            key: self.key.clone(),
            sha256: self.sha256,
            has_code: elf.has_code,
            has_debug_info: elf.has_debug_info,
            is_gzipped: elf.is_gzipped,
            size: elf.size,
        })
    }

    /// Returns whether a stored object has the same original bytes. Objects that Tecken stored are compared by their
    /// MD5.
    pub(super) fn is_same_as(&self, existing: &ObjectInfo) -> bool {
        let meta = &existing.meta;
        if meta.original_size != Some(self.entry.size) {
            return false;
        }
        match (meta.original_sha256, meta.original_md5, self.md5) {
            (Some(sha256), _, _) => sha256 == self.sha256,
            (None, Some(theirs), Some(ours)) => theirs == ours,
            _ => false,
        }
    }

    pub(super) fn record(
        self,
        stored_size: u64,
        replaced: &Existing,
        stored_at: OffsetDateTime,
    ) -> FileRecord {
        let header = self.header;
        let replaced_sha256 = match replaced {
            Existing::Object(info) => info.meta.original_sha256,
            Existing::Nothing | Existing::Damaged => None,
        };
        FileRecord {
            key: self.key,
            is_update: !matches!(replaced, Existing::Nothing),
            is_compressed: self.gzipped,
            stored_size,
            original_size: self.entry.size,
            sha256: self.sha256,
            replaced_sha256,
            debug_file: header.debug_file,
            debug_id: header.debug_id,
            code_file: header.code_file,
            code_id: header.code_id,
            generator: header.generator,
            stored_at,
        }
    }

    pub(super) fn meta(&self) -> ObjectMeta {
        ObjectMeta {
            is_gzipped: self.gzipped,
            content_type: self.gzipped.then(|| "text/plain".to_owned()),
            original_size: Some(self.entry.size),
            original_md5: self.md5,
            original_sha256: Some(self.sha256),
        }
    }
}
