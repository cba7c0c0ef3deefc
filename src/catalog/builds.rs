//! Finds the files of a build id.
//!
//! There are two kinds of evidence. Uploads record the build id of each ELF file. The header of a `.sym` file of an ELF
//! module has the build id as its code id, so files in the same folder belong to that build too. Each build id is a
//! memoised query to the database, and an upload invalidates exactly the builds that it has files of. Try uploads are
//! left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cache::{CacheKey, Memo, MemoFactory, MemoKind};
use crate::db::build_ids::{BuildIdRecord, BuildIdRecords, KeyRange, ModuleFolder};
use crate::db::{DbError, uploads::Outcome};
use symbols::BuildId;

/// What is recorded of one build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBuild {
    /// Its files, the latest first. Some may have been replaced or removed since.
    pub files: Vec<BuildIdRecord>,
    /// Folders that may hold further files of it.
    pub folders: Vec<ModuleFolder>,
}

/// The database could not be asked, so it is unknown whether there are files of a build.
#[derive(Clone, Debug, thiserror::Error)]
#[error("could not look up a build id: {0}")]
pub struct BuildsError(#[source] pub Arc<DbError>);

/// The builds of all completed regular uploads, and the remembered answers about them.
#[derive(Debug)]
pub struct Builds {
    records: Arc<dyn BuildIdRecords>,
    memo: Memo<KnownBuild>,
}

impl Builds {
    /// Makes a directory of the builds in the database.
    #[must_use]
    pub fn new(records: Arc<dyn BuildIdRecords>, memos: &MemoFactory) -> Self {
        Self {
            records,
            memo: memos.memo(MemoKind::Builds),
        }
    }

    /// The files and folders of a build; `None` if there are none.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn find(&self, build_id: &BuildId) -> Result<Option<KnownBuild>, BuildsError> {
        let ask = || async move {
            let files = self.records.files_by_build_id(build_id).await?;
            let folders = self.records.modules_by_build_id(build_id).await?;
            let is_known = !files.is_empty() || !folders.is_empty();
            Ok(is_known.then_some(KnownBuild { files, folders }))
        };
        let known = self.memo.get_or_ask(&cache_key(build_id), ask).await;
        known.map_err(BuildsError)
    }

    /// The files whose keys lie in a range, `limit` at most, in the order of their keys. Nothing is remembered of them.
    ///
    /// # Errors
    /// The database could not be asked.
    pub async fn in_range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<BuildIdRecord>, BuildsError> {
        let files = self.records.files_in_range(range, limit).await;
        files.map_err(|error| BuildsError(Arc::new(error)))
    }

    /// Drops the remembered answers about the builds of an upload that has just been recorded.
    pub async fn forget(&self, outcome: &Outcome) {
        let of_files = outcome.build_ids.iter().map(|file| file.build_id.clone());
        let of_headers = outcome
            .files
            .iter()
            .filter(|file| file.code_file.is_none())
            .filter_map(|file| BuildId::parse(file.code_id.as_ref()?.as_str()));
        let build_ids: BTreeSet<BuildId> = of_files.chain(of_headers).collect();
        for build_id in build_ids {
            self.memo.forget(&cache_key(&build_id)).await;
        }
    }
}

fn cache_key(build_id: &BuildId) -> CacheKey {
    CacheKey::new("build", &[build_id.as_str()])
}
