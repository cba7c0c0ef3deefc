//! Stores the members of a verified upload.
//!
//! [`MemberStore`] asks the storage for the digest at each member's path and skips the member if it is equal. Else it
//! makes the bytes to be stored (`stored_bytes`), puts them, and has the catalog forget its answer about the path.
//! Where files are protected (`overwrite`), all members are checked before the first one is stored.

mod error;
mod gzip;
mod member;
mod overwrite;
mod room;
pub mod stored_bytes;

use std::fs::File;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use crate::catalog::{Catalog, UploadTarget};
use crate::clock::SharedClock;
use crate::cpu::CpuPool;
use crate::db::FileRecords;
use crate::db::uploads::Outcome;
use crate::metrics::Metrics;
use crate::scratch::Scratch;
use symbols::{Store, SymbolKey};

use member::{Existing, Stored};
use room::MemberRoom;

pub use error::StoreError;
pub(super) use member::{Member, is_recent};
pub use overwrite::Overwrite;

/// How members are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreSettings {
    /// How many members of one upload are stored at once.
    pub(super) at_once: usize,
    /// The compression level of members that arrive uncompressed.
    pub(super) level: u32,
    /// Which stored files an upload may change.
    pub(super) overwrite: Overwrite,
    /// The largest member, in bytes.
    pub(super) largest_member: u64,
}

/// Stores members.
#[derive(Debug)]
pub(super) struct MemberStore {
    settings: StoreSettings,
    room: MemberRoom,
    scratch: Arc<Scratch>,
    catalog: Arc<Catalog>,
    files: Arc<dyn FileRecords>,
    cpu: CpuPool,
    clock: SharedClock,
}

impl MemberStore {
    /// Makes the store. `files` knows who stored a file last.
    pub(super) fn new(
        settings: StoreSettings,
        scratch: Arc<Scratch>,
        catalog: Arc<Catalog>,
        files: Arc<dyn FileRecords>,
        cpu: CpuPool,
        clock: SharedClock,
        metrics: Metrics,
    ) -> Self {
        Self {
            room: MemberRoom::new(settings.largest_member, metrics),
            settings,
            scratch,
            catalog,
            files,
            cpu,
            clock,
        }
    }

    /// The name of the storage that takes uploads, for the record.
    pub(super) fn bucket(&self, store: Store) -> &str {
        self.catalog.upload_target(store).storage().name()
    }

    /// Stores all members, several at a time.
    pub(super) async fn store_all(
        &self,
        archive: &Arc<File>,
        members: Vec<Member>,
        store: Store,
    ) -> Result<Outcome, StoreError> {
        let target = self.catalog.upload_target(store);
        // Includes files that are stored already, since the upload that stored them may have failed later.
        let build_ids = match store {
            Store::Regular => members.iter().filter_map(Member::build_id).collect(),
            Store::Try => Vec::new(),
        };
        let mut storing = stream::iter(members)
            .map(|member| self.store(Arc::clone(archive), member, Arc::clone(target)))
            .buffered(self.settings.at_once.max(1));
        let mut outcome = Outcome {
            build_ids,
            ..Outcome::default()
        };
        while let Some(stored) = storing.try_next().await? {
            match stored {
                Stored::File(file) => outcome.files.push(*file),
                Stored::Held { name, file } => {
                    outcome.skipped_keys.push(name);
                    outcome.held.push(*file);
                }
            }
        }
        Ok(outcome)
    }

    /// Stores a member, unless the storage holds the same file already.
    async fn store(
        &self,
        archive: Arc<File>,
        member: Member,
        target: Arc<UploadTarget>,
    ) -> Result<Stored, StoreError> {
        let path = target.path(&member.key);
        let existing = Existing::at(&path, target.storage()).await?;
        if let Existing::Object(existing) = &existing
            && member.is_same_as(existing)
        {
            // The upload that stored it may have failed before it notified the other nodes.
            if is_recent(existing.modified_at, self.clock.now()) {
                self.catalog.forget(target.source(), &path).await;
            }
            // And the one that stores it right now may not have made it durable yet.
            target.storage().make_durable(&path).await?;
            let name = member.entry.name.clone();
            let file = Box::new(member.record(
                existing.stored_size,
                &Existing::Nothing,
                existing.modified_at,
            ));
            return Ok(Stored::Held { name, file });
        }
        let (entry, gzipped) = (member.entry.clone(), member.gzipped);
        let _place = match stored_bytes::temporary_size(&entry, gzipped) {
            0 => None,
            bytes => Some(self.room.take(bytes).await?),
        };
        let (level, scratch, cpu) = (self.settings.level, &self.scratch, &self.cpu);
        let making = stored_bytes::payload(&archive, &entry, gzipped, level, scratch, cpu);
        let payload = making.await?;
        let stored_size = payload.len();
        target.storage().put(&path, payload, member.meta()).await?;
        self.catalog.forget(target.source(), &path).await;
        let now: OffsetDateTime = self.clock.now();
        Ok(Stored::File(Box::new(member.record(
            stored_size,
            &existing,
            now,
        ))))
    }

    /// The keys that an upload must claim.
    pub(in crate::upload) fn claims(&self, members: &[Member]) -> Vec<SymbolKey> {
        if self.settings.overwrite == Overwrite::Allow {
            return Vec::new();
        }
        members.iter().map(|member| member.key.clone()).collect()
    }

    /// Refuses an upload that would change a protected file.
    pub(in crate::upload) async fn refuse_overwriting(
        &self,
        user: &str,
        members: &[Member],
        store: Store,
    ) -> Result<(), StoreError> {
        if self.settings.overwrite == Overwrite::Allow {
            return Ok(());
        }
        let mut looking = stream::iter(members.to_vec())
            .map(|member| self.change(member, store))
            .buffered(self.settings.at_once.max(1));
        let mut changed = Vec::new();
        while let Some(change) = looking.try_next().await? {
            changed.extend(change);
        }
        if self.settings.overwrite == Overwrite::SameUploader && !changed.is_empty() {
            let uploaders = self.files.last_uploaders(store, &changed).await?;
            changed.retain(|key| uploaders.get(key).is_none_or(|uploader| uploader != user));
        }
        match changed.into_iter().next() {
            None => Ok(()),
            Some(key) => Err(StoreError::AlreadyExists(key.to_string())),
        }
    }

    /// The member's key, if the file is stored already with other contents.
    async fn change(&self, member: Member, store: Store) -> Result<Option<SymbolKey>, StoreError> {
        let source = self.catalog.upload_target(store);
        let existing = Existing::at(&source.path(&member.key), source.storage()).await?;
        match existing {
            Existing::Object(existing) if !member.is_same_as(&existing) => Ok(Some(member.key)),
            Existing::Object(_) | Existing::Nothing | Existing::Damaged => Ok(None),
        }
    }
}
