//! Searching for files by build id or by name (`/metadata` of debuginfod(8), elfutils 0.192).
//!
//! A name is a slash and the key of the file, which is the path that this server answers with it. A search reads the
//! records of build ids by their index, from the text that the name begins with, and keeps what a storage still holds.
//! It is bounded in rows, results and time, and says whether it is complete.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::glob::Glob;
use super::{Candidate, DebuginfodError, DebuginfodService, Kind, candidates};
use crate::db::build_ids::{BuildIdRecord, KeyRange, MOST_ANSWERS};
use symbols::{BuildId, SymbolKey};

/// How long a search may take; elfutils allows the same.
const TIME: Duration = Duration::from_secs(5);

/// The most files in an answer, apart from those that the last page of records adds.
const MOST_FILES: usize = 200;

/// The most records that one search reads.
const MOST_RECORDS: usize = 20_000;

/// How many records are read at a time.
const PAGE: usize = 1000;

/// How many files of one search are looked up at a time.
const AT_ONCE: usize = 8;

/// What to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// The files of a build.
    BuildId(BuildId),
    /// The builds of the file of this name.
    File(String),
    /// The files whose names match.
    Glob(Glob),
}

/// A file that was found. One that is both an executable and debug information is found twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its build.
    pub build_id: BuildId,
    /// Which of the build's files it is.
    pub kind: Kind,
    /// Its key.
    pub key: SymbolKey,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The files, in the order of their names, or for a build the best first.
    pub files: Vec<FoundFile>,
    /// Whether these are all.
    pub is_complete: bool,
}

impl DebuginfodService {
    /// Searches for files.
    ///
    /// # Errors
    /// Too many searches are in progress, or a dependency is unavailable.
    pub async fn search(&self, search: &Search) -> Result<Metadata, DebuginfodError> {
        let result = self.search_in_time(search).await;
        self.count(&result);
        result
    }

    async fn search_in_time(&self, search: &Search) -> Result<Metadata, DebuginfodError> {
        let _permit = self.take_turn(&self.searches).await?;
        let mut files = Vec::new();
        let searching = async {
            match search {
                Search::BuildId(build_id) => self.search_build(build_id, &mut files).await,
                Search::File(name) => self.search_file(name, &mut files).await,
                Search::Glob(glob) => self.search_glob(glob, &mut files).await,
            }
        };
        let is_complete = match timeout(TIME, searching).await {
            Ok(ended) => ended?,
            Err(_) => false,
        };
        Ok(Metadata { files, is_complete })
    }

    /// Finds the files of a build, and returns whether these are all.
    async fn search_build(
        &self,
        build_id: &BuildId,
        files: &mut Vec<FoundFile>,
    ) -> Result<bool, DebuginfodError> {
        let Some(known) = self.catalog.builds().find(build_id).await? else {
            return Ok(true);
        };
        for kind in [Kind::Executable, Kind::DebugInfo] {
            for candidate in candidates(&known, kind) {
                let file = FoundFile {
                    build_id: build_id.clone(),
                    kind,
                    key: candidate.key.clone(),
                };
                if !files.contains(&file) && self.look_up(candidate).await?.is_some() {
                    files.push(file);
                }
            }
        }
        let most = usize::try_from(MOST_ANSWERS).unwrap_or(usize::MAX);
        Ok(known.files.len() < most && known.folders.len() < most)
    }

    async fn search_file(
        &self,
        name: &str,
        files: &mut Vec<FoundFile>,
    ) -> Result<bool, DebuginfodError> {
        let key = name.strip_prefix('/').map(SymbolKey::parse);
        let Some(Ok(key)) = key else {
            return Ok(true);
        };
        // No key has a control character, so this one alone lies between the two.
        let range = KeyRange::new(key.to_string(), format!("{key}\u{1}"));
        self.search_names(range, |_| true, files).await
    }

    async fn search_glob(
        &self,
        glob: &Glob,
        files: &mut Vec<FoundFile>,
    ) -> Result<bool, DebuginfodError> {
        let prefix = glob.prefix();
        let start = prefix.strip_prefix('/').unwrap_or(&prefix);
        // No name has a control character, and databases cannot compare all of them.
        if start.contains(char::is_control) || !(prefix.is_empty() || prefix.starts_with('/')) {
            return Ok(true);
        }
        let range = KeyRange::new(start.to_owned(), format!("{start}{}", char::MAX));
        let is_match = |file: &BuildIdRecord| glob.matches(&format!("/{}", file.key));
        self.search_names(range, is_match, files).await
    }

    /// Finds the files in a range of keys that match, and returns whether these are all.
    async fn search_names(
        &self,
        mut range: KeyRange,
        is_match: impl Fn(&BuildIdRecord) -> bool,
        files: &mut Vec<FoundFile>,
    ) -> Result<bool, DebuginfodError> {
        for _ in 0..MOST_RECORDS / PAGE {
            let records = self.catalog.builds().in_range(&range, PAGE).await?;
            let is_last = records.len() < PAGE;
            if let Some(last) = records.last() {
                range.continue_after(last);
            }
            let matching = records.into_iter().filter(&is_match);
            let mut held = stream::iter(matching)
                .map(|record| async {
                    let held = self.look_up(Candidate::of(&record)).await?;
                    Ok::<_, DebuginfodError>(held.map(|_| record))
                })
                .buffered(AT_ONCE);
            while let Some(record) = held.try_next().await? {
                files.extend(record.into_iter().flat_map(found_files));
                if files.len() >= MOST_FILES {
                    return Ok(false);
                }
            }
            if is_last {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a record says of its file: an executable, debug information, or both.
fn found_files(record: BuildIdRecord) -> impl Iterator<Item = FoundFile> {
    let kinds = [
        (record.has_code, Kind::Executable),
        (record.has_debug_info, Kind::DebugInfo),
    ];
    let kinds = kinds.into_iter().filter(|(is_of_kind, _)| *is_of_kind);
    kinds.map(move |(_, kind)| FoundFile {
        build_id: record.build_id.clone(),
        kind,
        key: record.key.clone(),
    })
}
