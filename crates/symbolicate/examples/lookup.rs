//! Converts a `.sym` file and looks addresses up in it: `cargo run --release -p symbolicate --example lookup -- xul.sym
//! 1010 1ff0`. Addresses are hexadecimal offsets from the module's base. What it took is written to stderr.
//!
//! `--random COUNT` looks so many addresses up that are spread over the module, first in ascending order and then in
//! disorder. `--symbolic` converts the file by symbolic, too, and compares time and bytes.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use symbolic_debuginfo::{Object, ParseObjectOptions};
use symbolic_symcache::SymCacheConverter;
use symbolicate::{Batch, Limits, Symcache, convert_sym};

/// What goes wrong here is told, and ends the program.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: lookup FILE.sym [--random COUNT] [--symbolic] [ADDRESS]...");
        return ExitCode::from(2);
    };
    match run(&path, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str, mut arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let bytes = convert(path)?;
    let symcache = Symcache::new(bytes.as_slice())?;
    let mut batch = symcache.batch();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--random" => {
                let count = arguments.next().ok_or("--random needs a number")?;
                look_many_up(&symcache, count.parse()?);
            }
            "--symbolic" => compare(path, &bytes)?,
            address => {
                let address = u64::from_str_radix(address.trim_start_matches("0x"), 16)?;
                print(&mut batch, address);
            }
        }
    }
    Ok(())
}

/// Converts a file to a temporary one, so that neither is in memory meanwhile, and reads the symcache.
fn convert(path: &str) -> Outcome<Vec<u8>> {
    let source = File::open(path)?;
    let length = source.metadata()?.len();
    let mut target = tempfile::tempfile()?;
    let source = BufReader::with_capacity(1 << 16, source);
    let (converted, time) = measure(|| convert_sym(source, &Limits::default(), &target));
    let converted = converted?;
    eprintln!(
        "{} {}: {} lines, {length} bytes to {} in {time:.1?}, {}; peak of the process: {}",
        converted.debug_file,
        converted.debug_id,
        converted.lines,
        converted.size,
        rate(length, time),
        peak()?,
    );
    let mut bytes = Vec::new();
    target.rewind()?;
    target.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Converts a file by symbolic.
fn compare(path: &str, bytes: &[u8]) -> Outcome<()> {
    let text = std::fs::read(path)?;
    let (symcache, time) = measure(|| convert_by_symbolic(&text));
    let is_same = if symcache? == bytes {
        "the same bytes"
    } else {
        "OTHER BYTES"
    };
    let length = text.len() as u64;
    eprintln!("symbolic: {is_same} in {time:.1?}, {}", rate(length, time));
    Ok(())
}

fn convert_by_symbolic(text: &[u8]) -> Outcome<Vec<u8>> {
    let mut options = ParseObjectOptions::default();
    options.max_inline_depth = Some(512);
    let object = Object::parse_with_opts(text, options)?;
    let mut converter = SymCacheConverter::new();
    converter.process_object(&object)?;
    let mut symcache = Vec::new();
    converter.serialize(&mut symcache)?;
    Ok(symcache)
}

/// Looks up addresses of the first 16 MiB, all of which are code in large modules.
fn look_many_up(symcache: &Symcache<&[u8]>, count: u64) {
    let mut addresses: Vec<u64> = (0..count)
        .map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40)
        .collect();
    for order in ["in disorder", "in ascending order"] {
        let mut batch = symcache.batch();
        let look_up = |address: &u64| batch.lookup(*address).map(|frame| 1 + frame.inlines.len());
        let (frames, time) = measure(|| addresses.iter().filter_map(look_up).sum::<usize>());
        eprintln!("{count} addresses {order}: {frames} frames in {time:.1?}");
        addresses.sort_unstable();
    }
}

fn print(batch: &mut Batch<'_>, address: u64) {
    let Some(frame) = batch.lookup(address) else {
        println!("{address:#x}: no symbol");
        return;
    };
    println!(
        "{address:#x}: {} + {:#x}",
        frame.function, frame.function_offset
    );
    let place = |file: Option<&str>, line: Option<std::num::NonZeroU32>| {
        format!("{}:{}", file.unwrap_or("?"), line.map_or(0, Into::into))
    };
    for inline in &frame.inlines {
        println!(
            "    {} {}",
            inline.function,
            place(inline.file.as_deref(), inline.line)
        );
    }
    println!(
        "    {} {}",
        frame.function,
        place(frame.file.as_deref(), frame.line)
    );
}

/// What a job returns, and the time that the processor spends on it.
fn measure<T>(job: impl FnOnce() -> T) -> (T, Duration) {
    let now = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default();
    let before = now();
    let result = job();
    (result, now().saturating_sub(before))
}

fn rate(bytes: u64, time: Duration) -> String {
    let per_second = u128::from(bytes) * 1_000 / time.as_micros().max(1);
    format!("{}.{} MB/s", per_second / 1_000, per_second / 100 % 10)
}

/// The most memory that the process has had so far, as Linux counts it.
fn peak() -> Outcome<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}
