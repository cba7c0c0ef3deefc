//! What to ask for, how often, and what to expect.
//!
//! A [`Trace`] is a list of paths with counts, in the CSV form of Tecken's load tests ([`Trace::read`]); those were
//! made of the access logs of a public bucket. Where there is no log, [`popularity`] makes a trace of a list of keys,
//! with a few paths that most requests ask for and a share of missing ones. [`keys`] reads such lists, and [`builds`]
//! makes up one that looks like some weeks of a browser's builds. [`Questions`] replays a trace in an order that a seed
//! decides.

pub mod builds;
pub(crate) mod keys;
pub(crate) mod popularity;

use std::io::{Read, Write};

use http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::random::Random;

/// The most rows of a trace.
const MAX_ROWS: usize = 5_000_000;

/// The most requests of a trace, each row as often as its count says.
pub(crate) const MAX_REQUESTS: u64 = 50_000_000;

/// A trace or a list that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum TraceError {
    /// The CSV is broken, or a column is missing.
    #[error("not a trace of the form URI,STATUS CODE,PRIVATE,COUNT: {0}")]
    Csv(#[from] csv::Error),
    /// A URI does not end with the three parts of a symbol's path.
    #[error("{0:?} is not the path of a symbol: /<debug file>/<id>/<file>")]
    Path(String),
    /// More than this program takes.
    #[error("the {0}: make a smaller one")]
    TooLarge(&'static str),
    /// Nothing to ask for.
    #[error("there is nothing to ask for in it")]
    Empty,
    /// The list of keys cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A line of a list of uploads is not of its form.
    #[error("line {line} is not an upload with the lists `added` and `existed`: {source}")]
    Upload {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A path, with how often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Percent-encoded. Of a URI in a bucket's log, only the last three parts matter.
    #[serde(rename = "URI")]
    pub(crate) path: String,
    /// The status that the log has.
    #[serde(rename = "STATUS CODE")]
    pub(crate) status: u16,
    /// Whether the bucket was a private one, as Tecken's scripts spell it: `True` or `False`. Of no meaning here.
    #[serde(rename = "PRIVATE")]
    pub(crate) private: String,
    /// Requests.
    #[serde(rename = "COUNT")]
    pub(crate) count: u64,
}

/// Paths with counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    rows: Vec<Row>,
}

impl Trace {
    /// A trace of these rows, each of which has a path.
    pub(crate) fn new(rows: Vec<Row>) -> Result<Self, TraceError> {
        let requests = rows
            .iter()
            .try_fold(0_u64, |sum, row| sum.checked_add(row.count));
        match requests {
            Some(0) => Err(TraceError::Empty),
            Some(1..=MAX_REQUESTS) => Ok(Self { rows }),
            _ => Err(TraceError::TooLarge(
                "counts add up to more than 50 million requests",
            )),
        }
    }

    /// Reads the CSV form.
    pub(crate) fn read(reader: impl Read) -> Result<Self, TraceError> {
        let mut rows = Vec::new();
        for row in csv::Reader::from_reader(reader).into_deserialize() {
            let mut row: Row = row?;
            row.path = symbol_path(&row.path).ok_or(TraceError::Path(row.path))?;
            if rows.len() == MAX_ROWS {
                return Err(TraceError::TooLarge("trace has more than 5 million rows"));
            }
            rows.push(row);
        }
        Self::new(rows)
    }

    /// Writes the CSV form.
    pub(crate) fn write(&self, writer: impl Write) -> Result<(), TraceError> {
        let mut writer = csv::Writer::from_writer(writer);
        for row in &self.rows {
            writer.serialize(row)?;
        }
        Ok(writer.flush()?)
    }

    /// The rows, in the order of the file.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All requests in an order that the seed decides; without an end, since the last one is followed by the first.
    pub(crate) fn questions(&self, seed: u64) -> Questions<'_> {
        let mut order = Vec::new();
        for (index, row) in (0_u32..).zip(&self.rows) {
            order.extend((0..row.count).map(|_| index));
        }
        Random::new(seed).shuffle(&mut order);
        Questions {
            rows: &self.rows,
            order,
            next: 0,
        }
    }
}

/// The requests of a trace, one after the other.
#[derive(Debug)]
pub(crate) struct Questions<'a> {
    rows: &'a [Row],
    /// Never empty.
    order: Vec<u32>,
    next: usize,
}

impl<'a> Questions<'a> {
    /// The next row to ask for.
    pub(crate) fn ask(&mut self) -> &'a Row {
        let row = &self.rows[self.order[self.next] as usize];
        self.next = (self.next + 1) % self.order.len();
        row
    }
}

/// Whether an answer is the one that a log led to expect. A bucket says 403 for what it does not have, and a symbol
/// server may send the file or the way to it; Tecken's load tests compare in the same way.
pub(crate) fn is_expected(logged: u16, answered: u16) -> bool {
    let kind = |status| match status {
        301 | 302 | 303 | 307 | 308 => 200,
        403 => 404,
        other => other,
    };
    kind(logged) == kind(answered)
}

/// The path of the symbol that a URI ends with; `None` if that cannot stand in a request.
fn symbol_path(uri: &str) -> Option<String> {
    let uri: PathAndQuery = uri.parse().ok()?;
    let mut parts = uri.path().rsplit('/');
    let (file, id, debug_file) = (parts.next()?, parts.next()?, parts.next()?);
    if [file, id, debug_file].contains(&"") {
        return None;
    }
    Some(format!("/{debug_file}/{id}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
URI,STATUS CODE,PRIVATE,COUNT
/v1/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym,200,False,3
/gone.pdb/AB0/gone%20too.sym,403,True,2
";

    #[test]
    fn a_trace_survives_the_round_trip() {
        let trace = Trace::read(LOG.as_bytes()).unwrap();
        assert_eq!(
            trace.rows()[0].path,
            "/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym"
        );
        assert_eq!(trace.rows()[1].path, "/gone.pdb/AB0/gone%20too.sym");
        let mut written = Vec::new();
        trace.write(&mut written).unwrap();
        assert!(written.starts_with(b"URI,STATUS CODE,PRIVATE,COUNT\n"));
        assert_eq!(Trace::read(written.as_slice()).unwrap(), trace);
    }

    #[test]
    fn every_row_is_asked_for_as_often_as_it_says_and_then_again() {
        let trace = Trace::read(LOG.as_bytes()).unwrap();
        let mut questions = trace.questions(7);
        for _ in 0..2 {
            let found = (0..5).filter(|_| questions.ask().status == 200).count();
            assert_eq!(found, 3);
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_named() {
        let error = |text: &str| Trace::read(text.as_bytes()).unwrap_err().to_string();
        let header = "URI,STATUS CODE,PRIVATE,COUNT\n";
        assert_eq!(error(header), "there is nothing to ask for in it");
        assert!(
            error(&format!("{header}/xul.sym,200,False,1\n")).starts_with("\"/xul.sym\" is not")
        );
        assert!(error(&format!("{header}/a b/AB/c,200,False,1\n")).contains("is not the path"));
        assert!(error("URI,STATUS CODE\n/a/b/c,200\n").contains("missing field"));
        assert!(error(&format!("{header}/a/b/c,200,False,50000001\n")).contains("50 million"));
        let overflowing = format!(
            "{header}/a/b/c,200,False,{0}\n/a/b/d,200,False,{0}\n",
            u64::MAX
        );
        assert!(error(&overflowing).contains("50 million"));
    }

    #[test]
    fn a_redirect_is_as_good_as_the_file_and_forbidden_as_absent() {
        assert!(is_expected(200, 302) && is_expected(302, 200) && is_expected(403, 404));
        assert!(!is_expected(200, 404) && !is_expected(404, 503) && is_expected(400, 400));
    }
}
