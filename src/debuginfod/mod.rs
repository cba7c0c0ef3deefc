//! Files by build id, for debuggers that speak debuginfod (gdb, elfutils, LLDB, valgrind, samply).
//!
//! A build id leads to candidates ([`Builds`](crate::catalog::Builds)). The answer is the first candidate that a
//! storage holds and whose digest is still the one recorded with the build id. A `.dbg.gz` file is sent as the file
//! inside it. Try symbols are never sent.
//!
//! A section is extracted from an ELF file, and a source file from the archive of sources that was uploaded beside it.
//! The file is spooled into a temporary one, inflated and bounded, and `extract.rs` and `source.rs` find the wanted
//! bytes there. Source files come from these archives only, whatever paths the debug information names. `metadata.rs`
//! searches by build id and by name. A few requests extract or search at a time; others wait briefly and are then
//! refused as busy.

mod config;
mod error;
mod extract;
mod glob;
mod metadata;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::catalog::{Catalog, Found, KnownBuild, Lookup, Spooler};
use crate::cpu::CpuPool;
use crate::db::build_ids::BuildIdRecord;
use crate::metrics::{CountResult, Metrics};
use crate::scratch::Scratch;
use symbols::{BuildId, DebugId, Sha256, SymbolKey};

pub use config::DebuginfodConfig;
pub use error::DebuginfodError;
pub use extract::Extract;
pub use glob::Glob;
pub use metadata::{FoundFile, Metadata, Search};

/// How many searches may run at once.
const SEARCHES: usize = 2;

/// The suffix that makes the name of an archive of sources from that of the debug file.
const SOURCES: &str = ".src.tar.gz";

/// Which of a build's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one with symbols and debug information, preferably without code.
    DebugInfo,
    /// The one that is executed.
    Executable,
}

/// A file of a build.
#[derive(Clone, Debug)]
pub struct BuildFile {
    /// Where it is stored.
    pub found: Found,
    /// The key under which it is stored.
    pub key: SymbolKey,
    /// Its size in bytes, if known; for a gzipped file, the size in its trailer.
    pub size: Option<u64>,
}

/// A file that may belong to a build.
#[derive(Clone, Debug)]
struct Candidate {
    key: SymbolKey,
    /// The digest recorded with the build id, if there is one.
    sha256: Option<Sha256>,
    is_gzipped: bool,
    size: Option<u64>,
}

impl Candidate {
    fn of(file: &BuildIdRecord) -> Self {
        Self {
            key: file.key.clone(),
            sha256: Some(file.sha256),
            is_gzipped: file.is_gzipped,
            size: file.size,
        }
    }
}

/// Finds files by build id, and extracts sections and sources from them.
#[derive(Clone, Debug)]
pub struct DebuginfodService {
    config: DebuginfodConfig,
    catalog: Arc<Catalog>,
    spooler: Spooler,
    cpu: CpuPool,
    extracts: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    metrics: Metrics,
}

impl DebuginfodService {
    /// Makes the service. `scratch` holds files while sections and sources are extracted from them.
    #[must_use]
    pub fn new(
        config: DebuginfodConfig,
        catalog: Arc<Catalog>,
        scratch: Arc<Scratch>,
        cpu: CpuPool,
        metrics: Metrics,
    ) -> Self {
        Self {
            extracts: Arc::new(Semaphore::new(config.extracts)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            config,
            catalog,
            spooler: Spooler::new(scratch, cpu.clone()),
            cpu,
            metrics,
        }
    }

    /// Finds a file of a build, of at most `largest` bytes if the client sets a limit.
    ///
    /// # Errors
    /// See [`DebuginfodError`].
    pub async fn file(
        &self,
        build_id: &BuildId,
        kind: Kind,
        largest: Option<u64>,
    ) -> Result<BuildFile, DebuginfodError> {
        let result = self
            .find(build_id, kind)
            .await
            .and_then(|file| match (largest, file.size) {
                (Some(largest), Some(size)) if largest < size => {
                    Err(DebuginfodError::TooLarge { size, largest })
                }
                _ => Ok(file),
            });
        self.count(&result);
        result
    }

    /// Extracts a section from the debug information of a build or, if it has no section of this name, from the
    /// executable. A compressed section stays compressed.
    ///
    /// # Errors
    /// See [`DebuginfodError`].
    pub async fn section(
        &self,
        build_id: &BuildId,
        name: &str,
    ) -> Result<Extract, DebuginfodError> {
        let result = self.find_section(build_id, name).await;
        self.count(&result);
        result
    }

    /// Extracts a source file from a build's archive of sources. `path` is the path in the debug information.
    ///
    /// # Errors
    /// See [`DebuginfodError`].
    pub async fn source(&self, build_id: &BuildId, path: &str) -> Result<Extract, DebuginfodError> {
        let result = self.find_source(build_id, path).await;
        self.count(&result);
        result
    }

    async fn find_source(
        &self,
        build_id: &BuildId,
        path: &str,
    ) -> Result<Extract, DebuginfodError> {
        let known = self.catalog.builds().find(build_id).await?;
        for candidate in source_archives(&known.ok_or(DebuginfodError::NotFound)?) {
            let Some(archive) = self.look_up(candidate).await? else {
                continue;
            };
            let _permit = self.take_turn(&self.extracts).await?;
            if let Some(extract) = self.extract_source(&archive, path).await? {
                return Ok(extract);
            }
        }
        Err(DebuginfodError::NotFound)
    }

    async fn find_section(
        &self,
        build_id: &BuildId,
        name: &str,
    ) -> Result<Extract, DebuginfodError> {
        let _permit = self.take_turn(&self.extracts).await?;
        for kind in [Kind::DebugInfo, Kind::Executable] {
            match self.find(build_id, kind).await {
                Ok(file) => {
                    if let Some(extract) = self.extract_section(&file, name).await? {
                        return Ok(extract);
                    }
                }
                Err(DebuginfodError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(DebuginfodError::NotFound)
    }

    async fn find(&self, build_id: &BuildId, kind: Kind) -> Result<BuildFile, DebuginfodError> {
        let known = self.catalog.builds().find(build_id).await?;
        let known = known.ok_or(DebuginfodError::NotFound)?;
        for candidate in candidates(&known, kind) {
            if let Some(file) = self.look_up(candidate).await? {
                return Ok(file);
            }
        }
        Err(DebuginfodError::NotFound)
    }

    /// The candidate, if a source holds it and its digest is still the recorded one.
    async fn look_up(&self, candidate: Candidate) -> Result<Option<BuildFile>, DebuginfodError> {
        let Candidate {
            key,
            sha256,
            is_gzipped,
            size,
        } = candidate;
        let Some(found) = self.catalog.find(&key, Lookup::default()).await? else {
            return Ok(None);
        };
        let meta = &found.info.meta;
        if let (Some(known), Some(stored)) = (sha256, meta.original_sha256)
            && stored != known
        {
            return Ok(None);
        }
        if is_gzipped {
            return Ok(found
                .unwrapped()
                .map(|found| BuildFile { found, key, size }));
        }
        let stored_size = (!meta.is_gzipped).then_some(found.info.stored_size);
        let size = size.or(meta.original_size).or(stored_size);
        Ok(Some(BuildFile { found, key, size }))
    }

    fn count<T>(&self, result: &Result<T, DebuginfodError>) {
        let kind = match result {
            Ok(_) => "found",
            Err(error) => error.code(),
        };
        self.metrics.debuginfod.count(kind);
    }
}

/// Where a file of this kind may be stored, best first. Files beside a `.sym` file are recognised by their suffix.
fn candidates(known: &KnownBuild, kind: Kind) -> Vec<Candidate> {
    let is_of_kind = |file: &&BuildIdRecord| match kind {
        Kind::DebugInfo => file.has_debug_info,
        Kind::Executable => file.has_code,
    };
    let mut files: Vec<&BuildIdRecord> = known.files.iter().filter(is_of_kind).collect();
    if kind == Kind::DebugInfo {
        files.sort_by_key(|file| file.has_code);
    }
    let of_files = files.into_iter().map(Candidate::of);
    let suffixes: &[(&str, bool)] = match kind {
        Kind::DebugInfo => &[(".dbg.gz", true), (".debug", false)],
        Kind::Executable => &[],
    };
    let of_folders = known.folders.iter().flat_map(|folder| {
        suffixes.iter().filter_map(|(suffix, is_gzipped)| {
            let key = beside(&folder.debug_file, &folder.debug_id, suffix)?;
            Some(Candidate {
                key,
                sha256: None,
                is_gzipped: *is_gzipped,
                size: None,
            })
        })
    });
    of_files.chain(of_folders).collect()
}

/// Where a build's archive of sources may be stored: beside its `.sym` file, or beside the ELF file itself.
fn source_archives(known: &KnownBuild) -> Vec<Candidate> {
    let beside_sym = known
        .folders
        .iter()
        .map(|folder| (folder.debug_file.as_str(), &folder.debug_id));
    let beside_elf = known
        .files
        .iter()
        .map(|file| (file.key.debug_file(), file.key.id()));
    let folders: BTreeSet<(&str, &DebugId)> = beside_sym.chain(beside_elf).collect();
    let archives = folders.into_iter().filter_map(|(debug_file, id)| {
        Some(Candidate {
            key: beside(debug_file, id, SOURCES)?,
            sha256: None,
            is_gzipped: true,
            size: None,
        })
    });
    archives.collect()
}

/// The key of a file in a module's folder that has the debug file's name and a suffix. `None` if that name is too long.
fn beside(debug_file: &str, id: &DebugId, suffix: &str) -> Option<SymbolKey> {
    SymbolKey::with_id(debug_file, id.clone(), &format!("{debug_file}{suffix}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::build_ids::ModuleFolder;

    fn file(name: &str, has_code: bool, has_debug_info: bool) -> BuildIdRecord {
        BuildIdRecord {
            build_id: BuildId::parse("abcd").unwrap(),
            key: SymbolKey::new("a.so", "AB0", name).unwrap(),
            sha256: Sha256::new([0; 32]),
            has_code,
            has_debug_info,
            is_gzipped: false,
            size: None,
        }
    }

    #[test]
    fn debug_information_without_code_comes_first() {
        let known = KnownBuild {
            files: vec![
                file("stripped", true, false),
                file("whole", true, true),
                file("new.debug", false, true),
                file("old.debug", false, true),
            ],
            folders: vec![ModuleFolder {
                debug_file: "b.so".to_owned(),
                debug_id: DebugId::parse("CD0").unwrap(),
            }],
        };
        let names = |kind| -> Vec<String> {
            let candidates = candidates(&known, kind);
            candidates
                .iter()
                .map(|candidate| candidate.key.file_name().to_owned())
                .collect()
        };
        assert_eq!(
            names(Kind::DebugInfo),
            [
                "new.debug",
                "old.debug",
                "whole",
                "b.so.dbg.gz",
                "b.so.debug"
            ]
        );
        assert_eq!(names(Kind::Executable), ["stripped", "whole"]);
        let archives: Vec<String> = source_archives(&known)
            .iter()
            .map(|candidate| candidate.key.to_string())
            .collect();
        assert_eq!(
            archives,
            ["a.so/AB0/a.so.src.tar.gz", "b.so/CD0/b.so.src.tar.gz"]
        );
    }
}
