//! Shared by the studies: how long they run, in which order, what they print, and where servers are.
//!
//! Criterion measures one function after the other. Which comes first is left to chance, anew in each run, so that it
//! is not always the same one that pays for warming up; `BENCH_SEED` repeats an order. The table at the end of a study
//! quotes medians, the spread around them (median absolute deviation) and ratios to the function that the study names
//! first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use criterion::{Bencher, Criterion, SamplingMode};
use serde::Deserialize;
use tokio::runtime::Handle;

/// A function that is compared with others, and its name.
pub(crate) type Function<'study> = (&'static str, Box<dyn FnMut(&mut Bencher<'_>) + 'study>);

/// Where criterion keeps its numbers.
const OUTPUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/criterion");

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Everything once, on inputs as small as they can be; nothing is measured.
    Check,
    /// Small inputs, a second for each function.
    Short,
    /// Whole inputs and more samples.
    Full,
}

impl Length {
    /// The value for this length.
    pub(crate) fn choose<T>(self, check: T, short: T, full: T) -> T {
        match self {
            Self::Check => check,
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// Runs studies.
pub(crate) struct Bench {
    criterion: Criterion,
    length: Length,
    seed: u64,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
    median_abs_dev: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
}

impl Bench {
    /// Reads the command line and the environment: `BENCH_FULL` and `BENCH_SEED`. Criterion's own options work, too.
    pub(crate) fn from_arguments() -> Self {
        let has = |name: &str| std::env::args().any(|argument| argument == name);
        let length = if !has("--bench") || has("--test") {
            Length::Check
        } else if variable("BENCH_FULL").is_some_and(|value| !value.is_empty()) {
            Length::Full
        } else {
            Length::Short
        };
        let seed = variable("BENCH_SEED").and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| getrandom::u64().expect("the system has randomness"));
        println!("{length:?} run; BENCH_SEED={seed} repeats the order of the functions");
        let seconds = length.choose(1, 1, 10);
        let criterion = Criterion::default()
            .output_directory(Path::new(OUTPUT))
            .sample_size(length.choose(10, 15, 50))
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(seconds))
            .configure_from_args();
        Self {
            criterion,
            length,
            seed,
        }
    }

    /// How much is to be done.
    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// Measures the functions in any order and prints a table of them. Whatever they need is best made by the first of
    /// them that is called, since a filter on the command line may leave out all.
    pub(crate) fn compare(&mut self, study: &str, functions: Vec<Function<'_>>) {
        let names: Vec<&str> = functions.iter().map(|(name, _)| *name).collect();
        let ran = RefCell::new(BTreeSet::new());
        let mut functions = functions;
        functions.sort_by_cached_key(|(name, _)| {
            let mut hasher = DefaultHasher::new();
            (self.seed, name).hash(&mut hasher);
            hasher.finish()
        });
        let mut group = self.criterion.benchmark_group(study);
        group.sampling_mode(SamplingMode::Flat);
        for (name, mut function) in functions {
            group.bench_function(name, |bencher| {
                ran.borrow_mut().insert(name);
                function(bencher);
            });
        }
        group.finish();
        if self.length != Length::Check {
            let ran = ran.into_inner();
            print_table(study, names.into_iter().filter(|name| ran.contains(name)));
        }
    }
}

/// Prints the medians of what was just measured, in the form that docs/benchmarks.md keeps.
fn print_table<'names>(study: &str, names: impl Iterator<Item = &'names str>) {
    let mut first = None;
    for name in names {
        let Estimates {
            median,
            median_abs_dev,
        } = estimates(study, name);
        let median = median.point_estimate;
        if first.is_none() {
            println!("\n| {study} | median | spread | ratio |\n|---|---|---|---|");
        }
        let ratio = median / *first.get_or_insert(median);
        let spread = 100.0 * median_abs_dev.point_estimate / median;
        let time = Duration::from_secs_f64(median / 1e9);
        println!("| {name} | {time:.3?} | {spread:.0} % | {ratio:.2} |");
    }
    println!();
}

fn estimates(study: &str, name: &str) -> Estimates {
    let path = Path::new(OUTPUT).join(format!("{study}/{name}/new/estimates.json"));
    let file = File::open(&path).expect("criterion wrote its estimates");
    serde_json::from_reader(file).expect("the estimates are JSON")
}

/// The address of a server that a study needs; a line says that the study is left out if there is none.
pub(crate) fn service(name: &str, study: &str) -> Option<String> {
    let address = variable(name);
    if address.is_none() {
        eprintln!("left out: {study} ({name} is not set; make bench runs it)");
    }
    address
}

/// Waits for a future on the runtime that all studies share.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    Handle::current().block_on(future)
}

#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks are configured by the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
