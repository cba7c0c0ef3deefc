//! The JSON of answers, in the shape and the order of Eliot's.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU32;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::debug::DebugJson;
use crate::symbolication::{Frame, Inline, JobAnswer, ModuleName, ModuleState};

/// The largest answer, in bytes.
pub(super) const LARGEST: usize = 64 << 20;

/// What frames outside of all modules have as the name of their module.
const UNKNOWN: &str = "<unknown>";

/// The answer of version 5.
#[derive(serde::Serialize)]
pub(super) struct AnswerJson<'answer> {
    results: Vec<ResultJson<'answer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<DebugJson>,
}

#[derive(serde::Serialize)]
struct ResultJson<'answer> {
    stacks: Vec<StackJson<'answer>>,
    found_modules: FoundModules<'answer>,
}

impl<'answer> AnswerJson<'answer> {
    pub(super) fn new(jobs: &'answer [JobAnswer], debug: Option<DebugJson>) -> Self {
        let results = jobs.iter().map(|job| ResultJson {
            stacks: job.stacks.iter().map(|stack| StackJson(stack)).collect(),
            found_modules: FoundModules(&job.modules),
        });
        Self {
            results: results.collect(),
            debug,
        }
    }
}

/// Modules by name and id; one that a map has twice stands here once.
struct FoundModules<'answer>(&'answer [(ModuleName, ModuleState)]);

impl Serialize for FoundModules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut written = HashSet::new();
        for (module, state) in self.0 {
            if written.insert(module) {
                map.serialize_entry(&module.to_string(), &is_found(*state))?;
            }
        }
        map.end()
    }
}

fn is_found(state: ModuleState) -> Option<bool> {
    match state {
        ModuleState::NotAsked => None,
        ModuleState::Usable => Some(true),
        ModuleState::Absent | ModuleState::Unusable(_) => Some(false),
    }
}

struct StackJson<'answer>(&'answer [Frame]);

impl Serialize for StackJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let frames = self.0.iter().enumerate();
        serializer.collect_seq(frames.map(|(index, frame)| FrameJson::new(index, frame)))
    }
}

#[derive(serde::Serialize)]
struct FrameJson<'answer> {
    frame: usize,
    module: &'answer str,
    module_offset: Hex,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'answer str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_offset: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'answer str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inlines: Vec<InlineJson<'answer>>,
}

impl<'answer> FrameJson<'answer> {
    fn new(index: usize, frame: &'answer Frame) -> Self {
        let symbol = frame.symbol.as_deref();
        let place = symbol.map(|symbol| &symbol.place);
        let inlines = symbol.map_or(&[][..], |symbol| &symbol.inlines);
        Self {
            frame: index,
            module: module_of(frame),
            module_offset: Hex(frame.offset),
            function: symbol.map(|symbol| &*symbol.function),
            function_offset: symbol.map(|symbol| Hex(Some(symbol.function_offset.into()))),
            file: place.and_then(|place| place.file.as_deref()),
            line: place.and_then(|place| place.line),
            inlines: inlines.iter().map(InlineJson::new).collect(),
        }
    }
}

#[derive(serde::Serialize)]
struct InlineJson<'answer> {
    function: &'answer str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'answer str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<NonZeroU32>,
}

impl<'answer> InlineJson<'answer> {
    fn new(inline: &'answer Inline) -> Self {
        Self {
            function: &inline.function,
            file: inline.place.file.as_deref(),
            line: inline.place.line,
        }
    }
}

/// The answer of version 4: one job, in lines of text.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OldAnswerJson<'answer> {
    symbolicated_stacks: Vec<Vec<FrameText<'answer>>>,
    known_modules: Vec<Option<bool>>,
}

impl<'answer> OldAnswerJson<'answer> {
    pub(super) fn new(jobs: &'answer [JobAnswer]) -> Self {
        let stacks = jobs.iter().flat_map(|job| &job.stacks);
        let modules = jobs.iter().flat_map(|job| &job.modules);
        Self {
            symbolicated_stacks: stacks
                .map(|stack| stack.iter().map(FrameText).collect())
                .collect(),
            known_modules: modules.map(|(_, state)| is_found(*state)).collect(),
        }
    }
}

struct FrameText<'answer>(&'answer Frame);

impl fmt::Display for FrameText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.symbol {
            Some(symbol) => f.write_str(&symbol.function)?,
            None => Hex(self.0.offset).fmt(f)?,
        }
        write!(f, " (in {})", module_of(self.0))
    }
}

impl Serialize for FrameText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn module_of(frame: &Frame) -> &str {
    frame.module.as_deref().unwrap_or(UNKNOWN)
}

/// An offset as Python's `hex` writes it; `None` is -1.
struct Hex(Option<u64>);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(offset) => write!(f, "{offset:#x}"),
            None => f.write_str("-0x1"),
        }
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes an answer; `None` if it would be too large.
pub(super) fn write(answer: &impl Serialize) -> Option<Vec<u8>> {
    let mut bounded = Bounded(Vec::new());
    serde_json::to_writer(&mut bounded, answer).ok()?;
    Some(bounded.0)
}

/// Bytes that do not become more than an answer may have.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
