//! How far the walk has come, on standard error: a moving line on a terminal, a plain one now and then elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::summary;
use crate::verification::Report;

/// How often a line is printed where there is no terminal.
const LINES: Duration = Duration::from_secs(30);

/// How often the moving line moves.
const MOVES: Duration = Duration::from_millis(100);

const LINE: &str = "{spinner} {msg}, {elapsed} so far";

/// The place where progress is shown.
pub(super) enum Progress {
    Terminal(ProgressBar),
    Plain { next: Instant },
}

impl Progress {
    /// Looks whether stderr is a terminal.
    pub(super) fn new() -> Self {
        if !io::stderr().is_terminal() {
            let next = Instant::now() + LINES;
            return Self::Plain { next };
        }
        let style = ProgressStyle::with_template(LINE).expect("the template above is well formed");
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_message("listing objects");
        bar.enable_steady_tick(MOVES);
        Self::Terminal(bar)
    }

    pub(super) fn tell(&mut self, report: &Report) {
        let line = || format!("{}, {} damaged", summary(report), report.damaged());
        match self {
            Self::Terminal(bar) => bar.set_message(line()),
            Self::Plain { next } if *next <= Instant::now() => {
                eprintln!("{}", line());
                *next = Instant::now() + LINES;
            }
            Self::Plain { .. } => {}
        }
    }

    /// Makes room for the report.
    pub(super) fn end(self) {
        if let Self::Terminal(bar) = self {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        ProgressStyle::with_template(LINE).unwrap();
    }
}
