//! What is to be symbolicated, and what comes of it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// Stacks of addresses, and the modules that the addresses lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The modules that were mapped.
    pub modules: Vec<ModuleName>,
    /// The stacks.
    pub stacks: Vec<Vec<Address>>,
}

/// A module as the client names it. Either part may be empty, and neither has been checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName {
    /// The debug file's name.
    pub debug_file: String,
    /// The debug id, in either case.
    pub debug_id: String,
}

impl ModuleName {
    /// Returns whether both parts are there. Otherwise no symbols can have this name.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.debug_file.is_empty() && !self.debug_id.is_empty()
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.debug_file, self.debug_id)
    }
}

/// An address of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The index of its module in [`Job::modules`], where it lies in one.
    pub module: Option<usize>,
    /// The bytes from the module's base; `None` for the client's -1, which no symbol has.
    pub offset: Option<u64>,
}

/// What came of a [`Job`].
#[derive(Clone, Debug)]
pub struct JobAnswer {
    /// The job's modules, in order, with their symbols.
    pub modules: Vec<(ModuleName, ModuleState)>,
    /// The job's stacks, frame by frame.
    pub stacks: Vec<Vec<Frame>>,
}

/// Whether a module has symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    /// It was not looked up: its name is not complete, or no address of any job lies in it.
    NotAsked,
    /// Its symbols answer.
    Usable,
    /// No source holds its symbols.
    Absent,
    /// Its symbols cannot be used, for the reason with this short name.
    Unusable(&'static str),
}

/// An address of a stack, with what its symbols say.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The name of the module: the program's file name if the symbols tell, otherwise the debug file's; `None` outside
    /// of all modules and in one without a name.
    pub module: Option<Arc<str>>,
    /// As in [`Address::offset`].
    pub offset: Option<u64>,
    /// The symbol at the address, if there is one.
    pub symbol: Option<Arc<Symbol>>,
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The outer, real function.
    pub function: Arc<str>,
    /// How many bytes after the function's start the address is.
    pub function_offset: u32,
    /// Where in the source it is: at a call, if something is inlined here.
    pub place: Place,
    /// The functions that are inlined here, innermost first.
    pub inlines: Vec<Inline>,
}

/// A function that is inlined where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline {
    /// Its name; empty if the symbols do not tell.
    pub function: Arc<str>,
    /// Where in the source it is: at a call, if something is inlined in this function.
    pub place: Place,
}

/// A place in the source, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path of the file.
    pub file: Option<Arc<str>>,
    /// The line in the file. There is none without a file.
    pub line: Option<NonZeroU32>,
}
