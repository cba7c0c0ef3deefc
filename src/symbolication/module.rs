//! What is asked of each module, and what it answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::frames::Symbols;
use super::job::{Address, Frame, Job, JobAnswer, ModuleName, ModuleState, Symbol};

/// The offsets that are looked up in each module.
pub(super) type Asked = HashMap<ModuleName, Vec<u64>>;

/// What a module answers.
#[derive(Debug)]
pub(super) struct ModuleAnswer {
    pub(super) state: ModuleState,
    /// The name of the program's file, if the symbols tell.
    pub(super) program_file: Option<Arc<str>>,
    pub(super) symbols: Symbols,
}

impl ModuleAnswer {
    /// The answer of a module that has no usable symbols.
    pub(super) fn without_symbols(state: ModuleState) -> Self {
        Self {
            state,
            program_file: None,
            symbols: Symbols::new(),
        }
    }

    fn symbol(&self, offset: u64) -> Option<Arc<Symbol>> {
        let place = self.symbols.binary_search_by_key(&offset, |(at, _)| *at);
        place.ok().map(|index| Arc::clone(&self.symbols[index].1))
    }
}

/// Frames by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// A symbol was found.
    pub(super) named: u64,
    /// The module's symbols have none at the address.
    pub(super) unnamed: u64,
    /// The address lies in no module with usable symbols.
    pub(super) no_module: u64,
}

/// What jobs ask of the modules in which their addresses lie: offsets in ascending order, each once.
pub(super) fn asked(jobs: &[Job]) -> Asked {
    let mut asked = Asked::new();
    for job in jobs {
        let mut offsets: Vec<Option<Vec<u64>>> = vec![None; job.modules.len()];
        for address in job.stacks.iter().flatten() {
            if let Some(module) = address.module {
                let offsets = offsets[module].get_or_insert_default();
                offsets.extend(address.offset);
            }
        }
        for (module, offsets) in job.modules.iter().zip(offsets) {
            if let Some(offsets) = offsets.filter(|_| module.is_complete()) {
                asked.entry(module.clone()).or_default().extend(offsets);
            }
        }
    }
    for offsets in asked.values_mut() {
        offsets.sort_unstable();
        offsets.dedup();
    }
    asked
}

/// Puts the answer to a job together, and counts its frames.
pub(super) fn job_answer(
    job: Job,
    answers: &HashMap<ModuleName, ModuleAnswer>,
    tally: &mut Tally,
) -> JobAnswer {
    let modules = job.modules.iter();
    let modules: Vec<_> = modules
        .map(|module| {
            let answer = answers.get(module);
            (shown_name(module, answer), answer)
        })
        .collect();
    let mut frame = |address: Address| {
        let (name, answer) = match address.module {
            Some(module) => (modules[module].0.clone(), modules[module].1),
            None => (None, None),
        };
        let symbol = answer.and_then(|answer| answer.symbol(address.offset?));
        let is_usable = answer.is_some_and(|answer| answer.state == ModuleState::Usable);
        *match (&symbol, is_usable) {
            (Some(_), _) => &mut tally.named,
            (None, true) => &mut tally.unnamed,
            (None, false) => &mut tally.no_module,
        } += 1;
        Frame {
            module: name,
            offset: address.offset,
            symbol,
        }
    };
    let stacks = job.stacks.into_iter();
    let stacks = stacks.map(|stack| stack.into_iter().map(&mut frame).collect());
    let stacks = stacks.collect();
    let states = modules.into_iter();
    let states = states.map(|(_, answer)| answer.map_or(ModuleState::NotAsked, |it| it.state));
    let states: Vec<_> = states.collect();
    JobAnswer {
        modules: job.modules.into_iter().zip(states).collect(),
        stacks,
    }
}

/// The name that a module's frames show.
fn shown_name(module: &ModuleName, answer: Option<&ModuleAnswer>) -> Option<Arc<str>> {
    let program_file = answer.and_then(|answer| answer.program_file.clone());
    let is_named = !module.debug_file.is_empty();
    program_file.or_else(|| is_named.then(|| Arc::from(module.debug_file.as_str())))
}
