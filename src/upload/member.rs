//! Storing one file of an upload.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::archive::{Digest, Entry};
use super::{UploadError, UploadService, content};
use crate::catalog::UploadTarget;
use crate::db::build_ids::BuildIdRecord;
use crate::db::uploads::FileRecord;
use crate::storage::{ObjectInfo, ObjectMeta};
use symbols::SymbolKey;
use symbols::elf::ElfFile;
use symbols::header::SymHeader;

/// For how long after a file was stored somebody may still remember that it was absent; rather too long, since the
/// storage may have another idea of the time.
const JUST_NOW: Duration = Duration::from_mins(10);

/// A member that was verified and is to be stored.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: SymbolKey,
    pub(super) entry: Entry,
    /// SHA-256 of the original bytes, in lower-case hexadecimal.
    sha256: String,
    /// MD5 of the original bytes, in lower-case hexadecimal, of files that are stored gzipped: Tecken's metadata.
    md5: Option<String>,
    header: SymHeader,
    elf: Option<ElfFile>,
    /// Whether it is to be stored gzipped.
    gzipped: bool,
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
        /// What is recorded of it if nobody has done so yet.
        file: Box<FileRecord>,
    },
}

impl UploadService {
    /// Stores a member, unless the storage itself says that it holds the same file.
    pub(super) async fn store(
        &self,
        archive: Arc<File>,
        member: Member,
        source: Arc<UploadTarget>,
    ) -> Result<Stored, UploadError> {
        let path = source.path(&member.key);
        let existing = source.storage().head(&path).await?;
        if let Some(existing) = existing.as_ref().filter(|it| member.is_same_as(it)) {
            // Who stored it just now may have failed before the other nodes were told.
            if self.is_recent(existing.modified_at) {
                self.catalog.forget(source.source(), &path).await;
            }
            let name = member.entry.name.clone();
            let file = Box::new(member.record(existing.stored_size, None, existing.modified_at));
            return Ok(Stored::Held { name, file });
        }
        let (entry, gzipped) = (member.entry.clone(), member.gzipped);
        let _place = match content::temporary_size(&entry, gzipped) {
            0 => None,
            bytes => Some(self.member_room.take(bytes).await?),
        };
        let level = self.config.level;
        let making = content::payload(&archive, &entry, gzipped, level, &self.scratch, &self.cpu);
        let payload = making.await?;
        let stored_size = payload.len();
        source.storage().put(&path, payload, member.meta()).await?;
        self.catalog.forget(source.source(), &path).await;
        let file = member.record(stored_size, existing, self.clock.now());
        Ok(Stored::File(Box::new(file)))
    }

    /// Tells whether a file was stored so lately that somebody may remember the time before it.
    pub(super) fn is_recent(&self, stored_at: OffsetDateTime) -> bool {
        self.clock.now() - stored_at < JUST_NOW
    }
}

impl Member {
    pub(super) fn new(key: SymbolKey, entry: Entry, digest: Digest, gzipped: bool) -> Self {
        let (sha256, md5) = (hex::encode(digest.sha256), digest.md5.map(hex::encode));
        Self {
            key,
            entry,
            sha256,
            md5,
            header: digest.header.unwrap_or_default(),
            elf: digest.elf,
            gzipped,
        }
    }

    /// By what build id the file is known, if it is an ELF file that has one.
    pub(super) fn build_id(&self) -> Option<BuildIdRecord> {
        let elf = self.elf.as_ref()?;
        Some(BuildIdRecord {
            build_id: elf.build_id.to_string(),
            key: self.key.to_string(),
            sha256: self.sha256.clone(),
            has_code: elf.has_code,
            has_debug_info: elf.has_debug_info,
            is_gzipped: elf.is_gzipped,
            size: elf.size,
        })
    }

    /// Tells whether a stored object has the same original bytes. Objects that Tecken stored are known by their MD5.
    pub(super) fn is_same_as(&self, existing: &ObjectInfo) -> bool {
        let meta = &existing.meta;
        if meta.original_size != Some(self.entry.size) {
            return false;
        }
        match (&meta.original_sha256, &meta.original_md5, &self.md5) {
            (Some(sha256), _, _) => *sha256 == self.sha256,
            (None, Some(theirs), Some(ours)) => theirs == ours,
            _ => false,
        }
    }

    fn record(
        self,
        stored_size: u64,
        replaced: Option<ObjectInfo>,
        stored_at: OffsetDateTime,
    ) -> FileRecord {
        let header = self.header;
        FileRecord {
            key: self.key.to_string(),
            is_update: replaced.is_some(),
            is_compressed: self.gzipped,
            stored_size,
            original_size: self.entry.size,
            sha256: self.sha256,
            replaced_sha256: replaced.and_then(|replaced| replaced.meta.original_sha256),
            debug_file: header.debug_file,
            debug_id: header.debug_id.map(|id| id.to_string()),
            code_file: header.code_file,
            code_id: header.code_id.map(|id| id.to_string()),
            generator: header.generator,
            stored_at,
        }
    }

    fn meta(&self) -> ObjectMeta {
        ObjectMeta {
            is_gzipped: self.gzipped,
            content_type: self.gzipped.then(|| "text/plain".to_owned()),
            original_size: Some(self.entry.size),
            original_md5: self.md5.clone(),
            original_sha256: Some(self.sha256.clone()),
        }
    }
}
