//! Collects what a symcache holds and writes it.
//!
//! Strings, files, functions and the locations of calls are kept once each, in the order of their first use, since that
//! order is part of the bytes. [`ranges`] knows which location stays where records contradict each other. Nothing is
//! written before everything is known: the header counts it.

mod interned;
mod ranges;
mod sections;
mod strings;

use symbolic_common::split_path_bytes;

use crate::format::{Location, NONE};

use interned::Interned;
use ranges::Ranges;
use strings::Strings;

pub(crate) use ranges::Range;
pub(crate) use sections::Module;

/// A limit that the source exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    /// What there is too much of.
    pub(crate) what: &'static str,
    /// The most allowed.
    pub(crate) limit: u64,
}

impl Excess {
    pub(crate) fn new(what: &'static str, limit: impl Into<u64>) -> Self {
        Self {
            what,
            limit: limit.into(),
        }
    }
}

/// The offsets of a file's strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct File {
    directory: u32,
    name: u32,
}

/// A function: the offset of its name, its start ([`NONE`] where it was inlined), its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Function {
    name: u32,
    start: u32,
    language: u32,
}

/// The language of functions in `.sym` files: not known.
const LANGUAGE_UNKNOWN: u32 = 0;

/// What will be written.
#[derive(Debug)]
pub(crate) struct Builder {
    strings: Strings,
    files: Interned<File>,
    functions: Interned<Function>,
    calls: Interned<Location>,
    ranges: Ranges,
    /// The offset of the empty string once there is a file: the compilation directory of all of them.
    no_directory: u32,
    limit: u32,
}

impl Builder {
    /// An empty one, of at most so many bytes of strings and so many locations of ranges and calls.
    pub(crate) fn new(strings: u32, locations: u32) -> Self {
        Self {
            strings: Strings::new(strings),
            files: Interned::default(),
            functions: Interned::default(),
            calls: Interned::default(),
            ranges: Ranges::default(),
            no_directory: NONE,
            limit: locations,
        }
    }

    /// The number of a file.
    pub(crate) fn file(&mut self, path: &[u8]) -> Result<u32, Excess> {
        let (directory, name) = split_path_bytes(path);
        let name = self.strings.offset(name)?;
        let directory = self.strings.offset(directory.unwrap_or_default())?;
        self.no_directory = self.strings.offset(b"")?;
        Ok(self.files.position(File { directory, name }))
    }

    /// The number of a function that starts here.
    pub(crate) fn function(&mut self, name: &[u8], start: u32) -> Result<u32, Excess> {
        self.function_in(name, start, LANGUAGE_UNKNOWN)
    }

    /// The number of a function where it was inlined.
    pub(crate) fn inlined_function(&mut self, name: &[u8]) -> Result<u32, Excess> {
        self.function_in(name, NONE, LANGUAGE_UNKNOWN)
    }

    fn function_in(&mut self, name: &[u8], start: u32, language: u32) -> Result<u32, Excess> {
        let name = self.strings.offset(name)?;
        Ok(self.functions.position(Function {
            name,
            start,
            language,
        }))
    }

    /// The number of a location that calls an inlined function.
    pub(crate) fn call(&mut self, location: Location) -> Result<u32, Excess> {
        self.check_locations()?;
        Ok(self.calls.position(location))
    }

    /// Adds the start of a range.
    pub(crate) fn add(&mut self, range: Range) -> Result<(), Excess> {
        self.check_locations()?;
        self.ranges.add(range);
        Ok(())
    }

    /// Adds names of which only the start is known, where no function is. The first of each address counts.
    pub(crate) fn add_symbols<'a>(
        &mut self,
        symbols: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Result<(), Excess> {
        self.ranges.settle();
        let mut named = hashbrown::HashSet::new();
        for (start, name) in symbols {
            // The name is written even if it is not used.
            self.strings.offset(name)?;
            if self.ranges.is_free(start) && named.insert(start) {
                let function = self.function_in(name, start, NONE)?;
                let location = Location::without_file(function);
                self.add(Range { start, location })?;
            }
        }
        self.ranges.settle();
        Ok(())
    }

    fn check_locations(&self) -> Result<(), Excess> {
        if self.ranges.count() + self.calls.values().len() < self.limit as usize {
            return Ok(());
        }
        Err(Excess::new("ranges and calls", self.limit))
    }
}
