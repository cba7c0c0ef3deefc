//! Looks up addresses.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use symbolic_common::{clean_path, join_path};

use super::layout::Sections;
use crate::format::{Location, NONE};

/// The most frames of one address that are looked at. Only damaged symcaches have more, or a circle of them.
const MOST_FRAMES: usize = 1024;

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'data> {
    /// The outer, real function, as it is named in the symbols.
    pub function: &'data str,
    /// How many bytes after the function's start the address is.
    pub function_offset: u32,
    /// The path of the source file, if it is known: of the call, if something is inlined here.
    pub file: Option<Arc<str>>,
    /// The line in the file. There is none without a file.
    pub line: Option<NonZeroU32>,
    /// The functions that are inlined here, innermost first.
    pub inlines: Vec<Inline<'data>>,
}

/// A function that is inlined where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline<'data> {
    /// Its name; empty if the symbols do not tell.
    pub function: &'data str,
    /// The path of the source file, if it is known: of the call, if something is inlined in this function.
    pub file: Option<Arc<str>>,
    /// The line in the file. There is none without a file.
    pub line: Option<NonZeroU32>,
}

/// Looks up addresses of one module, and remembers the paths of its files meanwhile.
///
/// Many addresses are looked up fastest in ascending order, since neighbours are near in memory.
#[derive(Debug)]
pub struct Batch<'data> {
    sections: Sections<'data>,
    paths: HashMap<u32, Option<Arc<str>>>,
}

impl<'data> Batch<'data> {
    pub(super) fn new(sections: Sections<'data>) -> Self {
        Self {
            sections,
            paths: HashMap::new(),
        }
    }

    /// Looks up an offset from the module's base.
    ///
    /// There is no frame where no symbol is, at offsets of 2^32 and above, and where a damaged symcache names a
    /// function that starts behind the offset.
    pub fn lookup(&mut self, offset: u64) -> Option<Frame<'data>> {
        let address = u32::try_from(offset).ok()?;
        let mut location = self.sections.locate(address)?;
        let mut inlines = Vec::new();
        while let Some(caller) = self.caller(&location)
            && inlines.len() < MOST_FRAMES
        {
            let (file, line) = self.place(&location);
            inlines.push(Inline {
                function: self.function(&location).0,
                file,
                line,
            });
            location = caller;
        }
        let (function, start) = self.function(&location);
        let (file, line) = self.place(&location);
        Some(Frame {
            function,
            function_offset: address.checked_sub(start)?,
            file,
            line,
            inlines,
        })
    }

    fn caller(&self, location: &Location) -> Option<Location> {
        match location.inlined_into {
            NONE => None,
            number => self.sections.location(number as usize),
        }
    }

    /// The name and start of a location's function.
    fn function(&self, location: &Location) -> (&'data str, u32) {
        self.sections
            .function(location.function)
            .unwrap_or(("?", NONE))
    }

    fn place(&mut self, location: &Location) -> (Option<Arc<str>>, Option<NonZeroU32>) {
        let file = self.path(location.file);
        let line = file.as_ref().and_then(|_| NonZeroU32::new(location.line));
        (file, line)
    }

    /// The path of a file; `None` if it is not known.
    fn path(&mut self, file: u32) -> Option<Arc<str>> {
        let sections = &self.sections;
        let path = self.paths.entry(file);
        path.or_insert_with(|| sections.file(file).and_then(join))
            .clone()
    }
}

/// The path whose parts these are, without `.` and `..` in it.
fn join([compilation, directory, name]: [&str; 3]) -> Option<Arc<str>> {
    let path = join_path(&join_path(compilation, directory), name);
    let path = clean_path(&path);
    (!path.is_empty()).then(|| Arc::from(path))
}
