//! Symbolication: addresses in, functions, files and lines out.
//!
//! A request names many addresses of few modules. So each module is opened once, its offsets are looked up in ascending
//! order, and then every frame takes what was found at its offset. Modules are opened a few at a time, and closed once
//! they have been asked. [`symcaches`] finds the symbols of a module and opens them as a symcache.

mod config;
mod error;
mod frames;
mod job;
mod module;
mod prebuild;
pub mod symcaches;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cpu::CpuPool;
use crate::metrics::{Metrics, ResultLabel};
use crate::missing::{CodeInfo, MissingLog};

use frames::{NoRoom, Room, Symbols};
use module::{ModuleAnswer, Tally};
use symcaches::{ModuleSymbols, Symcaches};

pub use config::SymbolicationConfig;
pub use error::SymbolicationError;
pub use job::{Address, Frame, Inline, Job, JobAnswer, ModuleName, ModuleState, Place, Symbol};
pub use prebuild::PrebuildQueue;

/// How many modules of a request are opened and asked at once.
const MODULES_AT_ONCE: usize = 8;

/// The most frames that are looked up at once on the thread that serves the request; it takes a few milliseconds.
const FRAMES_AT_ONCE: usize = 1000;

/// The most text in the symbols of an answer, in bytes.
const MOST_TEXT: usize = 64 << 20;

/// The room for requests in progress, and the least that each of them takes, in KiB.
const REQUEST_ROOM: usize = 256 << 10;
const LEAST_ROOM: u32 = 64;

/// How much there is to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// So little that it is done at once.
    Small,
    /// So much that the pool does it.
    Large,
}

impl Effort {
    /// What it takes to look up the frames of jobs, and to write them.
    #[must_use]
    pub fn of(jobs: &[Job]) -> Self {
        let stacks = jobs.iter().flat_map(|job| &job.stacks);
        if stacks.map(Vec::len).sum::<usize>() > FRAMES_AT_ONCE {
            return Self::Large;
        }
        Self::Small
    }
}

/// The room that a request takes; it is given back when this is dropped.
#[derive(Debug)]
pub struct Admission {
    _room: OwnedSemaphorePermit,
}

/// Symbolicates stacks. Clones share everything.
#[derive(Clone, Debug)]
pub struct SymbolicationService {
    symcaches: Symcaches,
    missing: MissingLog,
    cpu: CpuPool,
    metrics: Metrics,
    deadline: Duration,
    room: Arc<Semaphore>,
}

impl SymbolicationService {
    /// Makes the service.
    #[must_use]
    pub fn new(
        config: &SymbolicationConfig,
        symcaches: Symcaches,
        missing: MissingLog,
        cpu: CpuPool,
        metrics: Metrics,
    ) -> Self {
        Self {
            symcaches,
            missing,
            cpu,
            metrics,
            deadline: config.deadline,
            room: Arc::new(Semaphore::new(REQUEST_ROOM)),
        }
    }

    /// Takes the room for a request of so many bytes, before it is received.
    ///
    /// # Errors
    /// There is none left.
    pub fn admit(&self, bytes: usize) -> Result<Admission, SymbolicationError> {
        let kib = u32::try_from(bytes >> 10)
            .unwrap_or(u32::MAX)
            .max(LEAST_ROOM);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib);
        room.map(|room| Admission { _room: room })
            .map_err(|_| SymbolicationError::Busy)
    }

    /// Reads a request or writes an answer: at once if that takes little, otherwise on the pool.
    ///
    /// # Errors
    /// The job panicked.
    pub async fn compute<T: Send + 'static>(
        &self,
        effort: Effort,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SymbolicationError> {
        match effort {
            Effort::Small => Ok(job()),
            Effort::Large => Ok(self.cpu.run(job).await?),
        }
    }

    /// Symbolicates the stacks of jobs, whose addresses lie in modules of their own jobs. Modules without symbols are
    /// counted as missing ones, as if their `.sym` files had been asked for.
    ///
    /// # Errors
    /// Symbols could not be had, or not in time, or the answer is too large.
    pub async fn symbolicate(&self, jobs: Vec<Job>) -> Result<Vec<JobAnswer>, SymbolicationError> {
        let effort = Effort::of(&jobs);
        let answers = tokio::time::timeout(self.deadline, self.ask(&jobs, effort)).await;
        let answers = answers.map_err(|_| SymbolicationError::Late)??;
        let assemble = move || {
            let mut tally = Tally::default();
            let jobs = jobs.into_iter();
            let jobs = jobs.map(|job| module::job_answer(job, &answers, &mut tally));
            (jobs.collect(), tally)
        };
        let (answers, tally) = self.compute(effort, assemble).await?;
        self.count(&tally);
        Ok(answers)
    }

    /// Opens the symbols of every module that jobs ask for, one after the other, and tells before each of them how many
    /// are done and how many there are. Failures are left for the question itself.
    pub async fn prepare(&self, jobs: &[Job], mut tell: impl FnMut(&ModuleName, usize, usize)) {
        let asked = module::asked(jobs);
        for (done, (module, _)) in asked.iter().enumerate() {
            tell(module, done, asked.len());
            drop(
                self.symcaches
                    .open(&module.debug_file, &module.debug_id)
                    .await,
            );
        }
    }

    /// Asks every module in which an address lies.
    async fn ask(
        &self,
        jobs: &[Job],
        effort: Effort,
    ) -> Result<HashMap<ModuleName, ModuleAnswer>, SymbolicationError> {
        let room = Arc::new(Room::new(MOST_TEXT));
        let asked = module::asked(jobs).into_iter();
        let answers = stream::iter(asked).map(|(module, offsets)| {
            let room = Arc::clone(&room);
            async move {
                let answer = self.ask_module(&module, offsets, effort, room).await?;
                Ok((module, answer))
            }
        });
        answers
            .buffer_unordered(MODULES_AT_ONCE)
            .try_collect()
            .await
    }

    async fn ask_module(
        &self,
        module: &ModuleName,
        offsets: Vec<u64>,
        effort: Effort,
        room: Arc<Room>,
    ) -> Result<ModuleAnswer, SymbolicationError> {
        let ModuleName {
            debug_file,
            debug_id,
        } = module;
        let symcache = match self.symcaches.open(debug_file, debug_id).await? {
            ModuleSymbols::Usable(symcache) => symcache,
            ModuleSymbols::Absent => {
                self.note_missing(module);
                return Ok(ModuleAnswer::without_symbols(ModuleState::Absent));
            }
            ModuleSymbols::Unusable(unusable) => {
                let state = ModuleState::Unusable(unusable.reason.name());
                return Ok(ModuleAnswer::without_symbols(state));
            }
        };
        let mut symbols = Symbols::new();
        for slice in offsets.chunks(FRAMES_AT_ONCE) {
            let (symcache, room, slice) =
                (Arc::clone(&symcache), Arc::clone(&room), slice.to_vec());
            let look_up = move || frames::look_up(symcache.batch(), &slice, &room);
            let found = self.compute(effort, look_up).await?;
            symbols.extend(found.map_err(|NoRoom| SymbolicationError::TooLarge)?);
        }
        Ok(ModuleAnswer {
            state: ModuleState::Usable,
            program_file: symcache.program_file.as_deref().map(Arc::from),
            symbols,
        })
    }

    /// Notes that the `.sym` file of a module is missing, as if it had been asked for.
    fn note_missing(&self, module: &ModuleName) {
        let key = symcaches::sym_key(&module.debug_file, &module.debug_id);
        if let Some(key) = key.filter(|key| !key.id().is_zero()) {
            self.missing.note(&key, &CodeInfo::default());
        }
    }

    fn count(&self, tally: &Tally) {
        let Tally {
            named,
            unnamed,
            no_module,
        } = *tally;
        for (result, count) in [
            ("named", named),
            ("unnamed", unnamed),
            ("no_module", no_module),
        ] {
            let counter = self.metrics.frames.get_or_create(&ResultLabel { result });
            counter.inc_by(count);
        }
    }
}
