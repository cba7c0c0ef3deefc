//! Logs: to standard error, as text for people or as JSON lines for machines.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::section::Section;
use crate::server::SILENCED;

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, or a list of directives such as `info,symbold::upload=debug`.
    pub level: String,
    /// Whether every request is logged.
    pub requests: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info,actix_server=warn".to_owned(),
            requests: false,
        }
    }
}

impl Section for LogConfig {}

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The filter of a level. A directive of the configuration for the silenced target overrules the silence.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("{SILENCED}=off,{level}"))
}

/// Starts to write logs. Only the first call of a process counts.
///
/// # Errors
/// The level is invalid.
pub fn start(config: &LogConfig) -> Result<(), ParseError> {
    let filter = filter(&config.level)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call happens only in tests, where the first one's subscriber serves all.
    let _ = match config.format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_the_library_cannot_read_is_no_error_in_the_log() {
        let written = |level: &str| {
            let log = Written::default();
            let sink = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter(level).unwrap())
                .with_writer(move || sink.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(target: SILENCED, "stream error");
                tracing::error!(target: "symbold::server", "our own");
            });
            let bytes = log.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap()
        };
        for level in ["info", "info,actix_http=debug", "trace"] {
            let text = written(level);
            assert!(
                text.contains("our own") && !text.contains("stream error"),
                "{text}"
            );
        }
        assert!(written(&format!("info,{SILENCED}=error")).contains("stream error"));
    }
}
