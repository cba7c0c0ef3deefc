//! The part of an answer that the header `Debug` asks for.
//!
//! Eliot lists the files that it downloaded and parsed for the request. Here that work is shared by requests or done in
//! advance, so these members are there and empty.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::symbolication::{JobAnswer, ModuleState};

/// What was done for a request; times are in seconds.
#[derive(Debug, Default, Serialize)]
pub(super) struct DebugJson {
    cache_lookups: LookupsJson,
    downloads: DownloadsJson,
    modules: ModulesJson,
    parse_sym: WorkJson,
    save_symcache: WorkJson,
    time: f64,
}

#[derive(Debug, Default, Serialize)]
struct LookupsJson {
    count: usize,
    hits: usize,
    time: f64,
}

#[derive(Debug, Default, Serialize)]
struct DownloadsJson {
    count: usize,
    fail_time_per_module: BTreeMap<String, f64>,
    size: u64,
    size_per_module: BTreeMap<String, u64>,
    time: f64,
    time_per_module: BTreeMap<String, f64>,
}

#[derive(Debug, Default, Serialize)]
struct WorkJson {
    time: f64,
    time_per_module: BTreeMap<String, f64>,
}

/// The modules that were looked up.
#[derive(Debug, Default, Serialize)]
struct ModulesJson {
    /// In all jobs together.
    count: usize,
    /// How many jobs have each, whatever Eliot calls it.
    stacks_per_module: BTreeMap<String, usize>,
    state: BTreeMap<String, &'static str>,
}

impl DebugJson {
    /// Describes the answers to jobs, which took so long.
    pub(super) fn new(jobs: &[JobAnswer], time: Duration) -> Self {
        let mut modules = ModulesJson::default();
        for job in jobs {
            let states = job.modules.iter();
            let states =
                states.filter_map(|(name, state)| Some((name.to_string(), word_for(*state)?)));
            for (key, word) in states.collect::<BTreeMap<_, _>>() {
                modules.count += 1;
                *modules.stacks_per_module.entry(key.clone()).or_default() += 1;
                modules.state.insert(key, word);
            }
        }
        let usable = modules.state.values().filter(|word| **word == USABLE);
        let cache_lookups = LookupsJson {
            count: modules.state.len(),
            hits: usable.count(),
            time: 0.0,
        };
        Self {
            cache_lookups,
            modules,
            time: time.as_secs_f64(),
            ..Self::default()
        }
    }
}

const USABLE: &str = "ok";

fn word_for(state: ModuleState) -> Option<&'static str> {
    match state {
        ModuleState::NotAsked => None,
        ModuleState::Usable => Some(USABLE),
        ModuleState::Absent => Some("absent"),
        ModuleState::Unusable(reason) => Some(reason),
    }
}
