//! Writes a large `.sym` file to stdout, in the shape of a browser's main library: 84 MB, 197,403 functions, 473,728
//! `INLINE` records, 1.8 million lines. `cargo run --release -p symbolicate --example generate > big.sym`.

use std::io::{self, BufWriter, Write};

const FILES: u64 = 6_000;
const ORIGINS: u64 = 60_000;
const FUNCTIONS: u64 = 197_403;
const INLINES: u64 = 473_728;
const LINES: u64 = 1_800_000;
const PUBLICS: u64 = 2_000;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    writeln!(
        out,
        "MODULE Linux x86_64 00E1107000000000000000000000000D1 libbig.so"
    )?;
    for file in 0..FILES {
        let folder = numbers.below(300);
        writeln!(
            out,
            "FILE {file} hg:hg.mozilla.org/mozilla-central:folder{folder}/Source{file}.cpp:{:040x}",
            0x55c6_3a6c_547f_u64
        )?;
    }
    for origin in 0..ORIGINS {
        writeln!(
            out,
            "INLINE_ORIGIN {origin} {}",
            name(&mut numbers, "inlined", origin)
        )?;
    }
    let mut address = 0x1000;
    for function in 0..FUNCTIONS {
        address = write_function(&mut out, &mut numbers, function, address)?;
    }
    for public in 0..PUBLICS {
        writeln!(
            out,
            "PUBLIC {:x} 0 exported_{public}",
            address + public * 16
        )?;
    }
    out.flush()
}

/// Writes a function and returns where the next one starts.
fn write_function(
    out: &mut impl Write,
    numbers: &mut Numbers,
    function: u64,
    start: u64,
) -> io::Result<u64> {
    let share = |of: u64| (function + 1) * of / FUNCTIONS - function * of / FUNCTIONS;
    let (inlines, lines) = (share(INLINES), share(LINES));
    let step = 4 + numbers.below(12);
    let size = lines * step;
    writeln!(
        out,
        "FUNC {start:x} {size:x} 0 {}",
        name(numbers, "function", function)
    )?;
    // Each is inlined into the one before, and once more behind it.
    for depth in 0..inlines {
        let inner = size.saturating_sub(2 * depth * step) / 2;
        let (line, file, origin) = (
            numbers.below(5_000),
            numbers.below(FILES),
            numbers.below(ORIGINS),
        );
        write!(
            out,
            "INLINE {depth} {line} {file} {origin} {:x} {inner:x}",
            start + depth * step
        )?;
        if numbers.below(2) == 0 && depth == 0 {
            write!(out, " {:x} {step:x}", start + size - step)?;
        }
        writeln!(out)?;
    }
    for line in 0..lines {
        let at = start + line * step;
        writeln!(
            out,
            "{at:x} {step:x} {} {}",
            numbers.below(5_000),
            numbers.below(FILES)
        )?;
    }
    Ok(start + size + numbers.below(2) * 16)
}

/// A name as long as those of C++ are.
fn name(numbers: &mut Numbers, kind: &str, number: u64) -> String {
    let (class, parameter) = (numbers.below(4_000), numbers.below(4_000));
    let parameters =
        "unsigned int, ".repeat(usize::try_from(numbers.below(8)).expect("it is small"));
    format!(
        "mozilla::Class{class}<Type{parameter}*>::{kind}{number}({parameters}Type{parameter} const&)"
    )
}

/// Numbers that look random and are the same each time: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
