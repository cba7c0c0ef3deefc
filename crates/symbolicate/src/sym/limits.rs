//! How much a `.sym` file may hold.

/// The limits on one `.sym` file.
///
/// They are far above what compilers write; a small file that asks for a lot of memory or time reaches them soon.
/// Together with the size of the source they bound what converting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line in bytes. A line is in memory once as a whole, and its name once more.
    pub line_length: usize,
    /// How deep inlined functions may be nested. Deeper ones are left out, as if they had not been inlined. Readers
    /// follow at most 1,024 frames.
    pub inline_depth: u32,
    /// The most ranges of inlined functions in one function, counting the pieces into which they are cut where they
    /// cross the ends of others.
    pub inline_ranges: u32,
    /// The most line records in one function.
    pub function_lines: u32,
    /// The most ranges of addresses and places of calls in the file.
    pub locations: u32,
    /// The most bytes of names and paths in the symcache, and the most bytes of names that are not used yet.
    pub strings: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_length: 16 << 20,
            inline_depth: 512,
            inline_ranges: 1 << 20,
            function_lines: 1 << 22,
            locations: 1 << 26,
            strings: 1 << 30,
        }
    }
}
