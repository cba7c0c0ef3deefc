//! What is known of a module's symbols.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use symbolic_common::ByteView;
use symbolicate::Symcache;
use symbols::{Sha256, SymbolKey};

use crate::catalog::{CatalogError, SpoolError};

/// The symbols of a module.
#[derive(Clone, Debug)]
pub enum ModuleSymbols {
    /// Addresses can be looked up.
    Usable(Arc<OpenSymcache>),
    /// No source holds symbols of this module.
    Absent,
    /// There is a file, but it is of no use.
    Unusable(Unusable),
}

/// Why a file of symbols is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusable {
    /// What is wrong with it.
    pub reason: UnusableReason,
    /// The number of the line at which that showed, from 1.
    pub line: Option<u64>,
}

/// What is wrong with a file of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusableReason {
    /// It breaks the rules of its format, or is of another module.
    Damaged,
    /// It would take too much memory or time.
    TooComplex,
    /// It is larger than `symbolication.max_source_size`.
    TooLarge,
}

impl UnusableReason {
    /// Its stable name, for clients and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::TooComplex => "too_complex",
            Self::TooLarge => "too_large",
        }
    }
}

impl Unusable {
    /// A file that is too large to be read at all.
    pub(super) const TOO_LARGE: Self = Self {
        reason: UnusableReason::TooLarge,
        line: None,
    };

    /// A file that is damaged before its first line.
    pub(super) const DAMAGED: Self = Self {
        reason: UnusableReason::Damaged,
        line: None,
    };
}

/// What this node knows of a module's symcache.
#[derive(Clone, Debug)]
pub struct SymcacheExplanation {
    /// The file that gives the symbols.
    pub source: SymbolKey,
    /// The digest by which its version is known.
    pub digest: Sha256,
    /// Where its symcache is stored, or would be.
    pub path: String,
    /// The versions of our converter and of symbolic's format.
    pub versions: &'static str,
    /// The state of the symcache.
    pub state: SymcacheState,
}

/// The state of a symcache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymcacheState {
    /// This node has it.
    Usable {
        /// Its length in bytes.
        length: u64,
    },
    /// The symbols are of no use.
    Unusable(Unusable),
    /// This node has not looked yet, and some node has stored something.
    Stored,
    /// It is made when it is first asked for.
    NotMade,
}

/// A symcache that is mapped into memory.
#[derive(Debug)]
pub struct OpenSymcache {
    /// The module's program file, as in `xul.dll`, if its `.sym` file names one.
    pub program_file: Option<String>,
    /// Its length in bytes.
    pub length: u64,
    /// Its tables.
    pub(super) symcache: Symcache<MappedBytes>,
}

impl Deref for OpenSymcache {
    type Target = Symcache<MappedBytes>;

    fn deref(&self) -> &Self::Target {
        &self.symcache
    }
}

/// The end of a mapped file. The file has no name or is never changed, so the mapping stays valid.
#[derive(Clone, Debug)]
pub struct MappedBytes {
    pub(super) view: ByteView<'static>,
    /// Where the bytes begin; within the file.
    pub(super) start: usize,
}

impl Deref for MappedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.view.get(self.start..).unwrap_or_default()
    }
}

/// What has been found out about a file of symbols.
#[derive(Clone, Debug)]
pub(super) enum Opened {
    Usable(Arc<OpenSymcache>),
    Unusable(Unusable),
}

impl From<Opened> for ModuleSymbols {
    fn from(opened: Opened) -> Self {
        match opened {
            Opened::Usable(symcache) => Self::Usable(symcache),
            Opened::Unusable(unusable) => Self::Unusable(unusable),
        }
    }
}

/// The symbols of a module could not be had, so nothing is known of them. The same call may succeed later.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SymcacheFailure {
    /// A source could not be asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The symbols could not be read to their end, or not in time.
    #[error("could not read symbols: {0}")]
    Source(#[source] Arc<SpoolError>),
    /// The symbols could not be opened in time.
    #[error("the symbols could not be opened in time")]
    TimedOut,
    /// The symbols were removed or replaced a moment ago.
    #[error("the symbols have just changed")]
    Changed,
    /// There is no room for temporary files, or they cannot be read.
    #[error("a temporary file failed: {0}")]
    Temporary(#[source] Arc<io::Error>),
    /// A conversion failed unexpectedly.
    #[error("a conversion failed unexpectedly")]
    Panicked,
}

impl SymcacheFailure {
    /// Returns whether the symbols are there, and the storage has damaged them.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Catalog(error) => error.is_damage(),
            Self::Source(error) => error.is_damage(),
            Self::TimedOut | Self::Changed | Self::Temporary(_) | Self::Panicked => false,
        }
    }
}

impl From<io::Error> for SymcacheFailure {
    fn from(error: io::Error) -> Self {
        Self::Temporary(Arc::new(error))
    }
}
