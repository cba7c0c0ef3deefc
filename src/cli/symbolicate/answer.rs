//! The answer of `POST /symbolicate/v5`, as far as it is printed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) results: Vec<JobAnswer>,
}

/// The answer to one job.
#[derive(Debug, Deserialize)]
pub(super) struct JobAnswer {
    pub(super) stacks: Vec<Vec<Frame>>,
    #[serde(default)]
    found_modules: BTreeMap<String, Option<bool>>,
}

/// A frame with what its symbols say.
#[derive(Debug, Deserialize)]
pub(super) struct Frame {
    pub(super) module: String,
    #[serde(default)]
    pub(super) module_offset: Option<String>,
    pub(super) function: Option<String>,
    pub(super) function_offset: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    #[serde(default)]
    pub(super) inlines: Vec<Inline>,
}

/// A function that the compiler put into the one around it.
#[derive(Debug, Deserialize)]
pub(super) struct Inline {
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

impl Answer {
    /// The modules that have no symbols, or none of use, each once.
    pub(super) fn modules_without_symbols(&self) -> Vec<&str> {
        let modules = self.results.iter().flat_map(|job| &job.found_modules);
        let absent = modules.filter(|(_, found)| **found == Some(false));
        let mut names: Vec<&str> = absent.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
