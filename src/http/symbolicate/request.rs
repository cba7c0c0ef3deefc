//! Reads requests, and says what is wrong with one in the words of Mozilla's Eliot, in the order of its checks.
//!
//! A list is taken apart into slices of the text, which are read one by one: so a wrong element is found before the
//! ones after it are looked at, and nothing is built that is larger than the request.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::symbolication::{Address, Job, ModuleName};

/// The most jobs of a request.
const MOST_JOBS: usize = 10;

/// The most stacks, and the most frames, of a request. The profiler of Firefox sends up to 10,000 frames at once.
const MOST_FRAMES: usize = 250_000;

/// The most modules of a request.
const MOST_MODULES: usize = 50_000;

/// How deeply the lists and objects of a request may be nested. A frame is at the sixth level.
const DEEPEST: usize = 16;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("Payload is not valid JSON")]
    Json,
    #[error("jobs must be a list")]
    Jobs,
    #[error("please limit number of jobs in a single request to <= {MOST_JOBS}")]
    TooManyJobs,
    #[error("job {0} is invalid{1}")]
    Job(usize, JobProblem),
    #[error("job {0} has invalid modules: {1}")]
    Modules(usize, ModulesProblem),
    #[error("job {0} has invalid stacks: {1}")]
    Stacks(usize, StacksProblem),
    #[error("please limit number of {0} in a single request to <= {1}")]
    TooMany(&'static str, usize),
}

impl RequestError {
    /// The error's stable name.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Json => "bad_json",
            Self::TooManyJobs => "too_many_jobs",
            Self::Jobs | Self::Job(..) => "invalid_job",
            Self::Modules(..) => "invalid_modules",
            Self::Stacks(..) => "invalid_stacks",
            Self::TooMany(..) => "too_large",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JobProblem {
    #[error("")]
    NotAnObject,
    #[error(": no stacks specified")]
    NoStacks,
    #[error(": no memoryMap specified")]
    NoModules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModulesProblem {
    #[error("modules must be a list")]
    NotAList,
    #[error("module index {0} does not have a debug_filename and debug_id")]
    NotAPair(usize),
    #[error("module index {0} has an invalid debug_filename")]
    DebugFile(usize),
    #[error("module index {0} has an invalid debug_id")]
    DebugId(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StacksProblem {
    #[error("stacks must be a list of lists")]
    NotAList,
    #[error("no stacks specified")]
    Empty,
    #[error("stack {0} is not a list")]
    Stack(usize),
    #[error("stack {0} frame {1} {2}")]
    Frame(usize, usize, FrameProblem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameProblem {
    #[error("is not a list of two items")]
    NotAPair,
    #[error("has an invalid module_index")]
    ModuleIndex,
    #[error("has a module_index that isn't in modules")]
    NotInModules,
    #[error("has an invalid module_offset")]
    ModuleOffset,
}

/// Reads a request of version 5: several jobs, or a bare one.
pub(super) fn jobs(body: &[u8]) -> Result<Vec<Job>, RequestError> {
    let payload = payload(body)?;
    let Some(jobs) = object(payload).and_then(|members| members.jobs) else {
        return read_all(&[payload]);
    };
    let jobs = list(jobs).ok_or(RequestError::Jobs)?;
    if jobs.len() > MOST_JOBS {
        return Err(RequestError::TooManyJobs);
    }
    read_all(&jobs)
}

/// Reads a request of version 4: one bare job.
pub(super) fn bare_job(body: &[u8]) -> Result<Vec<Job>, RequestError> {
    read_all(&[payload(body)?])
}

/// The one value of the text, which is JSON as a whole. A byte order mark may stand before it.
fn payload(body: &[u8]) -> Result<&RawValue, RequestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| RequestError::Json)?;
    if !is_shallow(text) {
        return Err(RequestError::Json);
    }
    serde_json::from_str(text).map_err(|_| RequestError::Json)
}

/// Returns whether no list or object is nested too deeply.
fn is_shallow(text: &str) -> bool {
    let (mut depth, mut is_in_string) = (0_usize, false);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_in_string = !is_in_string,
            b'\\' if is_in_string => drop(bytes.next()),
            _ if is_in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

/// Reads jobs in order, and counts what all of them hold together.
fn read_all(jobs: &[&RawValue]) -> Result<Vec<Job>, RequestError> {
    let (mut modules, mut stacks, mut frames) = (0, 0, 0);
    let mut read = Vec::with_capacity(jobs.len());
    for (number, raw) in jobs.iter().enumerate() {
        let problem = |problem| RequestError::Job(number, problem);
        let members = object(raw).ok_or(problem(JobProblem::NotAnObject))?;
        let raw_stacks = members.stacks.ok_or(problem(JobProblem::NoStacks))?;
        let raw_modules = members.modules.ok_or(problem(JobProblem::NoModules))?;
        let job_modules =
            self::modules(raw_modules).map_err(|problem| RequestError::Modules(number, problem))?;
        let job_stacks = self::stacks(raw_stacks, job_modules.len())
            .map_err(|problem| RequestError::Stacks(number, problem))?;
        modules += job_modules.len();
        stacks += job_stacks.len();
        frames += job_stacks.iter().map(Vec::len).sum::<usize>();
        check(modules, "modules", MOST_MODULES)?;
        check(stacks, "stacks", MOST_FRAMES)?;
        check(frames, "frames", MOST_FRAMES)?;
        read.push(Job {
            modules: job_modules,
            stacks: job_stacks,
        });
    }
    Ok(read)
}

fn check(count: usize, what: &'static str, most: usize) -> Result<(), RequestError> {
    if count > most {
        return Err(RequestError::TooMany(what, most));
    }
    Ok(())
}

fn modules(raw: &RawValue) -> Result<Vec<ModuleName>, ModulesProblem> {
    let modules = list(raw).ok_or(ModulesProblem::NotAList)?;
    let modules = modules.iter().enumerate();
    modules
        .map(|(index, module)| {
            let [debug_file, debug_id] = pair(module).ok_or(ModulesProblem::NotAPair(index))?;
            let debug_file = string(debug_file).filter(|name| name.chars().all(is_of_name));
            let debug_file = debug_file.ok_or(ModulesProblem::DebugFile(index))?;
            let debug_id = string(debug_id).filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit()));
            let debug_id = debug_id.ok_or(ModulesProblem::DebugId(index))?;
            Ok(ModuleName {
                debug_file: debug_file.into_owned(),
                debug_id: debug_id.into_owned(),
            })
        })
        .collect()
}

/// The characters that Eliot allows in a debug file's name, and those of `[kernel.kallsyms]`, which samply asks for.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_.+{}@<> ~-[]:".contains(character)
}

fn stacks(raw: &RawValue, modules: usize) -> Result<Vec<Vec<Address>>, StacksProblem> {
    let stacks = list(raw).ok_or(StacksProblem::NotAList)?;
    if stacks.is_empty() {
        return Err(StacksProblem::Empty);
    }
    let stacks = stacks.iter().enumerate();
    stacks
        .map(|(number, stack)| {
            let frames = list(stack).ok_or(StacksProblem::Stack(number))?;
            let frames = frames.iter().enumerate();
            frames
                .map(|(index, frame)| {
                    let problem = |problem| StacksProblem::Frame(number, index, problem);
                    address(frame, modules).map_err(problem)
                })
                .collect()
        })
        .collect()
}

fn address(raw: &RawValue, modules: usize) -> Result<Address, FrameProblem> {
    let [index, offset] = pair(raw).ok_or(FrameProblem::NotAPair)?;
    let module = match integer(index).ok_or(FrameProblem::ModuleIndex)? {
        Integer::MinusOne => None,
        Integer::Natural(index) => Some(usize::try_from(index).unwrap_or(usize::MAX)),
    };
    if module.is_some_and(|module| module >= modules) {
        return Err(FrameProblem::NotInModules);
    }
    let offset = match integer(offset).ok_or(FrameProblem::ModuleOffset)? {
        Integer::MinusOne => None,
        Integer::Natural(offset) => Some(offset),
    };
    Ok(Address { module, offset })
}

/// A number that an index or an offset may be.
enum Integer {
    MinusOne,
    Natural(u64),
}

/// The number, if it is written as an integer and may be an index or an offset.
fn integer(raw: &RawValue) -> Option<Integer> {
    match raw.get() {
        "-1" => Some(Integer::MinusOne),
        "-0" => Some(Integer::Natural(0)),
        digits => digits.parse().ok().map(Integer::Natural),
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    /// Borrows a string without escapes, which a bare [`Cow`] does not.
    #[derive(serde::Deserialize)]
    struct Text<'text>(#[serde(borrow)] Cow<'text, str>);
    let text: Text<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(text.0)
}

fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

fn pair(raw: &RawValue) -> Option<[&RawValue; 2]> {
    serde_json::from_str(raw.get()).ok()
}

fn object(raw: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// The members of an object that matter. Of equal ones the last counts.
#[derive(Default)]
struct Members<'text> {
    jobs: Option<&'text RawValue>,
    modules: Option<&'text RawValue>,
    stacks: Option<&'text RawValue>,
}

impl<'text> Deserialize<'text> for Members<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'text> Visitor<'text> for Reader {
            type Value = Members<'text>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'text>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    let member = match &*name {
                        "jobs" => &mut members.jobs,
                        "memoryMap" => &mut members.modules,
                        "stacks" => &mut members.stacks,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *member = Some(map.next_value()?);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
