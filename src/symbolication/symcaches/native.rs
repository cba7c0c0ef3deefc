//! Converts ELF and PDB files, in a child process.
//!
//! Their parsers follow whatever offsets a file holds, so a hostile file can take memory and time without measure, or
//! end the process. The child is this same program with a hidden command. It sets its own limits before it reads the
//! first byte, and the parent kills it at a deadline. It gets nothing but two open files: the symbols on its standard
//! input, and on its standard output the file that takes the symcache.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, setpriority_process, setrlimit};
use symbolic_common::ByteView;
use symbolicate::{NativeError, convert_native};
use symbols::DebugId;

use super::file::{HEADER, Summed};
use super::module::UnusableReason;

/// The name of the hidden command.
pub const COMMAND: &str = "convert-native";

/// How much memory the child may take beside its input, in bytes.
const MEMORY: u64 = 2 << 30;

/// How long the child may compute, in seconds.
const CPU_SECONDS: u64 = 60;

/// How long the child may take in all, while others want the cores too.
const DEADLINE: Duration = Duration::from_mins(10);

/// How often the parent looks whether the child has ended.
const STEP: Duration = Duration::from_millis(10);

/// The nice value of the child.
const NICENESS: i32 = 10;

/// The exit codes by which the child tells how it ended, as in `sysexits.h`. The command line's own is 2.
const REFUSED: u8 = 65;
const NOT_WRITTEN: u8 = 74;

/// The exit code of a program that panicked.
const PANICKED: i32 = 101;

/// The signals that end a child at its limits: no memory, no stack, no time.
const AT_A_LIMIT: [Signal; 3] = [Signal::ABORT, Signal::SEGV, Signal::XCPU];

/// Converts the symbols in `source` and writes the symcache to `target` behind the place of the header. Returns its
/// length and CRC-32, or what is wrong with the symbols. Blocks until the child has ended.
///
/// # Errors
/// The child cannot be started, did not end in time or was ended from outside, or the symcache cannot be written.
pub(super) fn convert(
    program: &Path,
    source: File,
    debug_id: &DebugId,
    mut target: &File,
) -> io::Result<Result<(u64, u32), UnusableReason>> {
    // The child writes on from here: a position belongs to the open file, which both share.
    target.seek(SeekFrom::Start(HEADER as u64))?;
    let mut child = Command::new(program)
        .args([COMMAND, debug_id.as_str()])
        .env_clear()
        .stdin(source)
        .stdout(target.try_clone()?)
        .stderr(Stdio::null())
        .spawn()?;
    let status = wait(&mut child)?;
    if status.success() {
        return sum(target).map(Ok);
    }
    let unusable = reason(status).ok_or_else(|| {
        io::Error::other(format!(
            "the process that converts ended unexpectedly: {status}"
        ))
    });
    unusable.map(Err)
}

/// What is wrong with symbols whose child ended so; `None` if the end says nothing of them.
fn reason(status: ExitStatus) -> Option<UnusableReason> {
    let at_a_limit = |number| AT_A_LIMIT.iter().any(|signal| signal.as_raw() == number);
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(REFUSED) || code == PANICKED => {
            Some(UnusableReason::Damaged)
        }
        (_, Some(number)) if at_a_limit(number) => Some(UnusableReason::TooComplex),
        _ => None,
    }
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    for _ in 0..DEADLINE.as_millis() / STEP.as_millis() {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        sleep(STEP);
    }
    child.kill()?;
    child.wait()?;
    Err(io::ErrorKind::TimedOut.into())
}

/// The length and the CRC-32 of what the child wrote.
fn sum(mut target: &File) -> io::Result<(u64, u32)> {
    target.seek(SeekFrom::Start(HEADER as u64))?;
    let mut summed = Summed::new(io::sink());
    io::copy(&mut target.take(u64::MAX), &mut summed)?;
    summed.finish()
}

/// What the child does: it converts the file on its standard input, and returns its exit code.
#[must_use]
pub fn child(debug_id: &str) -> u8 {
    let converting = || -> Result<(), NativeError> {
        let input = File::from(
            io::stdin()
                .as_fd()
                .try_clone_to_owned()
                .map_err(NativeError::Write)?,
        );
        limit(&input).map_err(NativeError::Write)?;
        let output = File::from(
            io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map_err(NativeError::Write)?,
        );
        let bytes = ByteView::map_file(input).map_err(NativeError::Write)?;
        let debug_id = DebugId::parse(debug_id).ok_or(NativeError::Format)?;
        convert_native(&bytes, &debug_id, output)
    };
    match converting() {
        Ok(()) => 0,
        Err(NativeError::Write(_)) => NOT_WRITTEN,
        Err(_) => REFUSED,
    }
}

/// Limits this process before it reads what may be hostile.
fn limit(input: &File) -> io::Result<()> {
    let both = |limit| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    let memory = MEMORY + input.metadata()?.len();
    setrlimit(Resource::As, both(memory))?;
    setrlimit(Resource::Cpu, both(CPU_SECONDS))?;
    setrlimit(Resource::Core, both(0))?;
    // Only fairness, not safety: without permission it computes at the usual priority.
    let _ = setpriority_process(None, NICENESS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_that_the_symbols_caused_count_against_them() {
        let exited = |code: u8| reason(ExitStatus::from_raw(i32::from(code) << 8));
        let killed_by = |signal: Signal| reason(ExitStatus::from_raw(signal.as_raw()));
        assert_eq!(exited(REFUSED), Some(UnusableReason::Damaged));
        assert_eq!(exited(101), Some(UnusableReason::Damaged));
        assert_eq!(killed_by(Signal::XCPU), Some(UnusableReason::TooComplex));
        assert_eq!(killed_by(Signal::ABORT), Some(UnusableReason::TooComplex));
        for code in [1, 2, NOT_WRITTEN, 127] {
            assert_eq!(exited(code), None, "{code}");
        }
        for signal in [Signal::KILL, Signal::TERM] {
            assert_eq!(killed_by(signal), None, "{signal:?}");
        }
    }
}
