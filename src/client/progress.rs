//! Progress on standard error: bars on a terminal, one plain line for each step elsewhere, nothing when quiet.

use std::io::{self, IsTerminal};
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};

use super::count_of_files;

/// How often a sign of life moves.
const TICK: Duration = Duration::from_millis(100);

const FILES: &str = "{msg} [{bar:30}] {pos} of {len}";
const BYTES: &str = "{msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";

/// The place where progress is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    quiet: bool,
    terminal: bool,
}

impl Progress {
    /// Looks whether stderr is a terminal.
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { quiet, terminal }
    }

    /// A bar that counts files, or the plain line. The bar vanishes when dropped.
    pub(super) fn files(self, step: String, files: usize) -> ProgressBar {
        let line = format!("{step}, {}", count_of_files(files));
        self.bar(step, &line, files as u64, FILES)
    }

    /// A bar that counts bytes, with speed and time left, or the plain line. The bar vanishes when dropped.
    pub(super) fn bytes(self, step: String, bytes: u64) -> ProgressBar {
        let line = format!("{step}, {}", ByteSize(bytes).display().si());
        self.bar(step, &line, bytes, BYTES)
    }

    /// A sign of life while something is waited for. It vanishes when dropped.
    pub(super) fn waiting(self, step: String) -> ProgressBar {
        if self.quiet || !self.terminal {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(step);
        spinner.enable_steady_tick(TICK);
        spinner
    }

    /// Prints a line, unless quiet. No bar may be alive.
    pub(super) fn say(self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    fn bar(self, step: String, line: &str, length: u64, template: &str) -> ProgressBar {
        if self.quiet || !self.terminal {
            self.say(line);
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template(template).expect("the templates above are well formed");
        ProgressBar::new(length)
            .with_style(style)
            .with_message(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        let progress = Progress {
            quiet: false,
            terminal: true,
        };
        let files = progress.files("zipping".to_owned(), 3);
        let bytes = progress.bytes("sending".to_owned(), 1_000);
        assert_eq!((files.length(), bytes.length()), (Some(3), Some(1_000)));
    }

    #[test]
    fn no_bar_without_a_terminal() {
        let progress = Progress {
            quiet: true,
            terminal: true,
        };
        assert!(progress.files("zipping".to_owned(), 3).is_hidden());
    }
}
