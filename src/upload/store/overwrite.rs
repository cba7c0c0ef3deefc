//! Whether an upload may change files that are stored already.
//!
//! Where it may not, it is refused as a whole, before its first file is stored. So that the answer stays true until the
//! last one is, the upload has claimed its keys in the database: no other may store one of them meanwhile. Clients that
//! write to the bucket themselves, and a server that was considered dead and goes on storing (see [`crate::upload::AbandonedUploads`]), are
//! beyond that: object stores cannot be told to store only if nobody else has.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::member::Member;
use super::{MemberStore, StoreError};
use symbols::{Store, SymbolKey};

/// Which files an upload may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overwrite {
    /// All, as with Tecken.
    #[default]
    Allow,
    /// Those that the same user stored last.
    SameUploader,
    /// None.
    Never,
}

impl MemberStore {
    /// The keys that an upload has to claim.
    pub(in crate::upload) fn claims(&self, members: &[Member]) -> Vec<SymbolKey> {
        if self.settings.overwrite == Overwrite::Allow {
            return Vec::new();
        }
        members.iter().map(|member| member.key.clone()).collect()
    }

    /// Refuses an upload that would change a file which it must not change.
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

    /// The key of a member that is stored with other bytes already.
    async fn change(&self, member: Member, store: Store) -> Result<Option<SymbolKey>, StoreError> {
        let source = self.catalog.upload_target(store);
        let existing = source.storage().head(&source.path(&member.key)).await?;
        let differs = existing.is_some_and(|existing| !member.is_same_as(&existing));
        Ok(differs.then_some(member.key))
    }
}
