//! Text in the form of Breakpad's symbol files.
//!
//! The records come in the order and with the shares of the files that Mozilla's `dump_syms` 2.3 writes: of 2.8 MB of
//! real symbols 36 % of the bytes are lines of code, 25 % names of inlined functions (`INLINE_ORIGIN`), 23 % places
//! where these are inlined (`INLINE`), 10 % unwinding rules (`STACK CFI`), 4 % functions, 2 % source files. Real
//! symbols of 100 to 300 kB shrink to between a fourth and a sixth of their size by deflate, and so does this text; a
//! test holds it to that.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::random::Random;

/// Words that types and functions are made of.
const WORDS: [&str; 48] = [
    "Vector", "Array", "Hash", "Table", "Map", "String", "Buffer", "Stream", "Channel", "Request",
    "Response", "Cache", "Entry", "Index", "Layout", "Frame", "Style", "Node", "Element", "Event",
    "Target", "Listener", "Observer", "Runnable", "Thread", "Atomic", "Mutex", "Lock", "Guard",
    "Promise", "Script", "Module", "Context", "Compiler", "Parser", "Token", "Image", "Decoder",
    "Surface", "Texture", "Layer", "Audio", "Video", "Media", "Network", "Socket", "Storage",
    "Policy",
];

/// What functions do.
const VERBS: [&str; 24] = [
    "Get", "Set", "Init", "Begin", "End", "Append", "Remove", "Find", "Create", "Destroy",
    "Update", "Notify", "Handle", "Process", "Read", "Write", "Encode", "Decode", "Reserve",
    "Clear", "Compare", "Visit", "Trace", "Dispatch",
];

/// Types of arguments.
const ARGUMENTS: [&str; 12] = [
    "int",
    "unsigned int",
    "bool",
    "char const*",
    "unsigned char*",
    "unsigned long long",
    "void*",
    "double",
    "std::__ndk1::basic_string<char> const&",
    "mozilla::MallocAllocPolicy",
    "nsTSubstring<char16_t> const&",
    "JSContext*",
];

const SPACES: [&str; 6] = [
    "mozilla",
    "mozilla::detail",
    "mozilla::dom",
    "js",
    "std::__ndk1",
    "mozilla::layers",
];

/// Writes a symbol file of at least `size` bytes, which ends with a whole line, and returns its length. The same
/// arguments always make the same text.
pub fn write_symbols(
    target: &mut impl Write,
    debug_file: &str,
    debug_id: &str,
    size: u64,
    seed: u64,
) -> io::Result<u64> {
    let mut text = Text {
        target,
        random: Random::new(seed),
        written: 0,
        line: String::new(),
    };
    text.header(debug_file, debug_id)?;
    let files = text.source_files(size * 2 / 100)?;
    let origins = text.inlined_functions(size * 27 / 100)?;
    text.functions(seed, size * 90 / 100, files, origins)?;
    text.unwinding_rules(seed, size)?;
    Ok(text.written)
}

/// The places of functions in the module: a sequence of its own, so that the unwinding rules can go through it again.
struct Places {
    random: Random,
    address: u64,
}

impl Places {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(!seed),
            address: 0x1000,
        }
    }

    /// The address and the length of the next function.
    fn next(&mut self) -> (u64, u64) {
        let length = (16 + self.random.below(40) * (1 + self.random.below(40))) & !3;
        let address = self.address;
        self.address += (length + 15) & !15;
        (address, length)
    }
}

struct Text<'a, W> {
    target: &'a mut W,
    random: Random,
    written: u64,
    /// The line or the few lines that are being made.
    line: String,
}

impl<W: Write> Text<'_, W> {
    /// Ends what has been put together since the last time, and writes it.
    fn end_line(&mut self) -> io::Result<()> {
        self.line.push('\n');
        self.target.write_all(self.line.as_bytes())?;
        self.written += self.line.len() as u64;
        self.line.clear();
        Ok(())
    }

    fn header(&mut self, debug_file: &str, debug_id: &str) -> io::Result<()> {
        self.line = format!(
            "MODULE Linux x86_64 {debug_id} {debug_file}\nINFO CODE_ID {}{}\nINFO GENERATOR symbold-loadtest",
            self.random.hexadecimal(32),
            self.random.hexadecimal(8),
        );
        self.end_line()
    }

    /// Writes source files up to this length of the text and returns how many there are, at least one.
    fn source_files(&mut self, end: u64) -> io::Result<u64> {
        let revision = format!(
            "{}{}",
            self.random.hexadecimal(32),
            self.random.hexadecimal(8)
        )
        .to_lowercase();
        let mut count = 0;
        while count == 0 || self.written < end {
            let folder = self.random.pick(&WORDS).to_lowercase();
            let (one, two) = (self.random.pick(&WORDS), self.random.pick(&WORDS));
            self.line = format!(
                "FILE {count} hg:hg.mozilla.org/mozilla-central:{folder}/{one}{two}.cpp:{revision}"
            );
            self.end_line()?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes the names of inlined functions up to this length of the text and returns how many there are, at least
    /// one.
    fn inlined_functions(&mut self, end: u64) -> io::Result<u64> {
        let mut class = self.class();
        let mut count = 0;
        while count == 0 || self.written < end {
            if self.random.below(20) == 0 {
                class = self.class();
            }
            let method = self.method();
            self.line = format!("INLINE_ORIGIN {count} {class}::{method}");
            self.end_line()?;
            count += 1;
        }
        Ok(count)
    }

    fn functions(&mut self, seed: u64, end: u64, files: u64, origins: u64) -> io::Result<()> {
        let mut places = Places::new(seed);
        let mut class = self.class();
        while self.written < end {
            if self.random.below(10) == 0 {
                class = self.class();
            }
            let (address, length) = places.next();
            let method = self.method();
            self.line = format!("FUNC {address:x} {length:x} 0 {class}::{method}");
            self.end_line()?;
            self.body(address, length, files, origins)?;
        }
        Ok(())
    }

    /// The lines of one function, with what is inlined into it before them.
    fn body(&mut self, start: u64, length: u64, files: u64, origins: u64) -> io::Result<()> {
        let (mut line, file) = (20 + self.random.below(1500), self.random.below(files));
        let origin = self.random.below(origins);
        let mut address = start;
        let mut lines = String::new();
        while address < start + length {
            let step = (2 + 2 * self.random.below(4)).min(start + length - address);
            let is_inlined = self.random.below(3) == 0;
            if is_inlined {
                let depth = self.random.below(3);
                let origin = (origin + self.random.below(5)) % origins;
                self.line = format!("INLINE {depth} {line} {file} {origin} {address:x} {step:x}");
                if self.random.below(3) == 0 {
                    let (again, length) = (address + 2 * step, 2 + 2 * self.random.below(4));
                    let _ = write!(self.line, " {again:x} {length:x}");
                }
                self.end_line()?;
            }
            let (shown, shown_file) = match self.random.below(4) {
                0 => (0, file),
                1 if is_inlined => (30 + 7 * (origin % 40), (file + 1) % files),
                _ => (line, file),
            };
            let _ = writeln!(lines, "{address:x} {step:x} {shown} {shown_file}");
            address += step;
            line += self.random.below(3);
        }
        lines.truncate(lines.trim_end().len());
        self.line = lines;
        self.end_line()
    }

    fn unwinding_rules(&mut self, seed: u64, end: u64) -> io::Result<()> {
        let mut places = Places::new(seed);
        while self.written < end {
            let (address, length) = places.next();
            self.line = format!(
                "STACK CFI INIT {address:x} {length:x} .cfa: $rsp 8 + .ra: .cfa -8 + ^\n\
                 STACK CFI {:x} .cfa: $rsp 16 + $rbp: .cfa -16 + ^\n\
                 STACK CFI {:x} .cfa: $rbp 16 +",
                address + 1,
                address + 4,
            );
            if self.random.below(2) == 0 {
                let offset = 24 + 8 * self.random.below(5);
                let place = address + 8;
                let _ = write!(self.line, "\nSTACK CFI {place:x} $rbx: .cfa -{offset} + ^");
            }
            self.end_line()?;
        }
        Ok(())
    }

    fn class(&mut self) -> String {
        let random = &mut self.random;
        let (space, one, two) = (
            random.pick(&SPACES),
            random.pick(&WORDS),
            random.pick(&WORDS),
        );
        match random.below(3) {
            0 => format!(
                "{space}::{one}{two}<{}, {}ul>",
                random.pick(&ARGUMENTS),
                random.below(32)
            ),
            1 => format!("{space}::{one}<{space}::{two}{}>", random.pick(&WORDS)),
            _ => format!("{space}::{one}{two}"),
        }
    }

    fn method(&mut self) -> String {
        let random = &mut self.random;
        let (verb, noun) = (random.pick(&VERBS), random.pick(&WORDS));
        match random.below(3) {
            0 => format!("{verb}{noun}() const"),
            1 => format!("{verb}{noun}({})", random.pick(&ARGUMENTS)),
            _ => format!(
                "{verb}{noun}({}, {})",
                random.pick(&ARGUMENTS),
                random.pick(&ARGUMENTS)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    fn symbols(size: u64, seed: u64) -> String {
        let mut text = Vec::new();
        let length = write_symbols(&mut text, "libxul.so", "AB0", size, seed).unwrap();
        assert_eq!(text.len() as u64, length);
        String::from_utf8(text).unwrap()
    }

    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    fn ratio(text: &str) -> f64 {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        text.len() as f64 / encoder.finish().unwrap().len() as f64
    }

    #[test]
    fn it_compresses_as_real_symbols_do() {
        for seed in 0..4 {
            // Twelve real files of 90 to 262 kB: 3.5 to 6.0, all of them together 4.8; a file of 28 kB: 3.65.
            let (large, small) = (
                ratio(&symbols(200_000, seed)),
                ratio(&symbols(28_000, seed)),
            );
            assert!(
                (3.8..5.2).contains(&large) && (3.2..4.2).contains(&small),
                "{large} {small}"
            );
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "texts are short")]
    fn the_records_have_the_shares_of_real_symbols() {
        let text = symbols(400_000, 1);
        let share = |is_one: fn(&str) -> bool| {
            let bytes: usize = text
                .lines()
                .filter(|line| is_one(line))
                .map(|line| line.len() + 1)
                .sum();
            100.0 * bytes as f64 / text.len() as f64
        };
        let is_line = |line: &str| {
            line.starts_with(|first: char| first.is_ascii_hexdigit() && !first.is_uppercase())
        };
        assert!((28.0..44.0).contains(&share(is_line)), "{}", share(is_line));
        let inlined = share(|line| line.starts_with("INLINE "));
        assert!((15.0..30.0).contains(&inlined), "{inlined}");
        let origins = share(|line| line.starts_with("INLINE_ORIGIN "));
        assert!((22.0..28.0).contains(&origins), "{origins}");
        let functions = share(|line| line.starts_with("FUNC "));
        assert!((2.0..8.0).contains(&functions), "{functions}");
    }

    #[test]
    fn a_tiny_file_is_complete_too() {
        let text = symbols(0, 1);
        for record in ["MODULE ", "INFO CODE_ID ", "FILE 0 ", "INLINE_ORIGIN 0 "] {
            assert!(text.lines().any(|line| line.starts_with(record)), "{text}");
        }
        assert!(text.ends_with('\n'));
    }
}
