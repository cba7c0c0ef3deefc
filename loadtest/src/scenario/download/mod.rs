//! The scenario `download`: asks for the symbols of a trace.
//!
//! Each connection takes a ticket, asks the trace's next question, reads the whole answer and counts it. Tickets make
//! it a closed or an open loop; see [`crate::measure`]. A redirect is an answer, as it was in Tecken's load tests,
//! unless it is to be followed.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep, timeout_at};

use super::server_metrics::{between, cache_use};
use crate::cli::{self, Load};
use crate::http::{Answer, Client, ClientError, Follower};
use crate::measure::{Limit, Pace, Tally, Tickets};
use crate::report::{CacheUse, Report, Setting};
use crate::trace::popularity::Popularity;
use crate::trace::{self, Questions, Row, Trace, keys};

/// Requests of a trace that is made of keys, unless fewer are to be sent; then it begins again.
const TRACE_LENGTH: u64 = 1_000_000;

/// How long a connection rests when the server does not accept it.
const REST: Duration = Duration::from_millis(100);

/// How often the progress bar moves.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Runs the scenario, prints the report, and fails when too few answers are as expected.
pub(crate) async fn run(options: &cli::Download) -> anyhow::Result<()> {
    let trace = read_trace(&options.questions, options.load.requests)?;
    let downloads = Downloads::new(
        &options.server,
        &options.load,
        &trace,
        options.questions.spread.seed,
    )
    .await?;
    let report = downloads.run("download").await;
    print!("{report}");
    super::write(
        &options.output,
        &report,
        &report.headline(),
        &report.curves(),
    )?;
    super::check(&options.output, report.expected())
}

/// The trace that was given, or one that is made of the keys that were given.
pub(super) fn read_trace(options: &cli::Questions, requests: Option<u64>) -> anyhow::Result<Trace> {
    if let Some(path) = &options.trace {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        return Trace::read(BufReader::new(file)).with_context(|| path.display().to_string());
    }
    let path = options
        .keys
        .as_deref()
        .context("a trace or a list of keys is needed")?;
    let requests = requests.unwrap_or(TRACE_LENGTH).min(TRACE_LENGTH);
    make_trace(
        &read_keys(path, &options.spread)?,
        &options.spread,
        requests,
    )
}

/// The keys of a list that have the right ending.
pub(super) fn read_keys(
    path: &std::path::Path,
    spread: &cli::Spread,
) -> anyhow::Result<Vec<String>> {
    let mut keys = keys::read(path).with_context(|| path.display().to_string())?;
    keys.retain(|key| key.ends_with(&spread.only));
    Ok(keys)
}

/// A trace of these keys, as the options want it spread.
pub(super) fn make_trace(
    keys: &[String],
    spread: &cli::Spread,
    requests: u64,
) -> anyhow::Result<Trace> {
    let popularity = Popularity {
        exponent: spread.zipf,
        missing: spread.missing,
        requests,
        seed: spread.seed,
    };
    Ok(popularity.trace(keys)?)
}

/// A load of downloads.
#[derive(Debug)]
pub(super) struct Downloads<'a> {
    address: SocketAddr,
    authority: String,
    load: &'a Load,
    trace: &'a Trace,
    seed: u64,
}

impl<'a> Downloads<'a> {
    /// Finds the server.
    pub(super) async fn new(
        server: &cli::ServerOptions,
        load: &'a Load,
        trace: &'a Trace,
        seed: u64,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            address: super::connect(&server.url).await?,
            authority: server.url.authority.clone(),
            load,
            trace,
            seed,
        })
    }

    /// Downloads until the time is over.
    pub(super) async fn run(&self, name: &'static str) -> Report {
        let limit = Limit {
            duration: Duration::from_secs(self.load.duration),
            requests: self.load.requests.unwrap_or(u64::MAX),
        };
        let before = cache_use(self.address, &self.authority).await;
        // Putting a long trace in order takes time, so it is done before the first request is due.
        let questions = RefCell::new(self.trace.questions(self.seed));
        let tickets = Tickets::start(self.pace(), limit, self.seed);
        let tally = RefCell::new(Tally::default());
        let progress = super::progress_bar(self.load.duration, "{bar:40} {pos} of {len} s, {msg}");
        tokio::select! {
            () = self.ask_all(&tickets, &questions, &tally) => {}
            () = show(&tickets, &tally, &progress) => {}
        }
        progress.finish_and_clear();
        self.report(name, &tickets, &tally.into_inner(), before)
            .await
    }

    /// Downloads as long as something else takes; a day at most.
    pub(super) async fn run_beside(
        &self,
        name: &'static str,
        other: impl Future<Output = ()>,
    ) -> Report {
        let limit = Limit {
            duration: Duration::from_hours(24),
            requests: u64::MAX,
        };
        let before = cache_use(self.address, &self.authority).await;
        let questions = RefCell::new(self.trace.questions(self.seed));
        let tickets = Tickets::start(self.pace(), limit, self.seed);
        let tally = RefCell::new(Tally::default());
        let ending = async {
            other.await;
            tickets.stop();
        };
        tokio::join!(self.ask_all(&tickets, &questions, &tally), ending);
        self.report(name, &tickets, &tally.into_inner(), before)
            .await
    }

    async fn report(
        &self,
        name: &'static str,
        tickets: &Tickets,
        tally: &Tally,
        before: Option<CacheUse>,
    ) -> Report {
        let after = cache_use(self.address, &self.authority).await;
        Report::new(self.setting(name), tally, tickets).with_cache(between(before, after))
    }

    fn pace(&self) -> Pace {
        match self.load.rate {
            None => Pace::Closed,
            Some(rate) if self.load.poisson => Pace::Poisson(rate),
            Some(rate) => Pace::Steady(rate),
        }
    }

    fn setting(&self, scenario: &'static str) -> Setting {
        Setting {
            scenario,
            server: self.authority.clone(),
            pace: match self.pace() {
                Pace::Closed => "closed loop".to_owned(),
                Pace::Steady(rate) => format!("open loop, {rate} requests/s"),
                Pace::Poisson(rate) => format!("open loop, {rate} requests/s on average"),
            },
            connections: self.load.connections,
        }
    }

    /// Asks until there are no more tickets, or until the timeout after the end of the run: what is owed then has no
    /// answer.
    async fn ask_all(
        &self,
        tickets: &Tickets,
        questions: &RefCell<Questions<'_>>,
        tally: &RefCell<Tally>,
    ) {
        let connections =
            (0..self.load.connections).map(|_| self.ask_on_one(tickets, questions, tally));
        join_all(connections).await;
        for due in tickets.untaken() {
            let sentence = "never sent, because no connection was free until the end".to_owned();
            note(
                &mut tally.borrow_mut(),
                sentence,
                due,
                tickets.started().elapsed(),
            );
        }
    }

    async fn ask_on_one(
        &self,
        tickets: &Tickets,
        questions: &RefCell<Questions<'_>>,
        tally: &RefCell<Tally>,
    ) {
        let timeout = Duration::from_secs(self.load.timeout);
        let mut connection = Connection {
            client: Client::new(self.address),
            follower: Follower::default(),
        };
        while let Some(due) = tickets.take().await {
            let row = questions.borrow_mut().ask();
            let last_moment = tickets.end() + timeout;
            let deadline = last_moment.min(Instant::now() + timeout);
            let answer = timeout_at(deadline, self.ask(&mut connection, row)).await;
            let since_start = tickets.started().elapsed();
            let failure = match answer {
                Ok(Ok(answer)) => {
                    count(
                        &mut tally.borrow_mut(),
                        row,
                        &answer,
                        due.elapsed(),
                        since_start,
                    );
                    None
                }
                Ok(Err(failure)) => Some(failure),
                Err(_) => Some(Failure::new("no answer in time")),
            };
            if let Some(failure) = failure {
                note(&mut tally.borrow_mut(), failure.sentence, due, since_start);
                if failure.is_refusal {
                    sleep(REST).await;
                }
            }
            if Instant::now() >= last_moment {
                return;
            }
        }
    }

    async fn ask(&self, connection: &mut Connection, row: &Row) -> Result<Answer, Failure> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: gzip\r\nDebug: true\r\n\r\n",
            row.path, self.authority
        );
        let answer = connection.client.exchange(request.as_bytes(), 0).await?;
        let Some(location) = answer.location.as_ref().filter(|_| self.load.follow) else {
            return Ok(answer);
        };
        let fetched = connection.follower.follow(location).await;
        let fetched = fetched.map_err(|error| Failure::new(&error.to_string()))?;
        Ok(Answer {
            debug_time: answer.debug_time,
            ..fetched
        })
    }
}

/// The state of one connection.
struct Connection {
    client: Client,
    follower: Follower,
}

/// A request without an answer.
struct Failure {
    sentence: String,
    /// The server did not even accept the connection, so it does not help to try again at once.
    is_refusal: bool,
}

impl Failure {
    fn new(sentence: &str) -> Self {
        Self {
            sentence: sentence.to_owned(),
            is_refusal: false,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self {
            is_refusal: matches!(error, ClientError::Connect(_)),
            sentence: format!("{:#}", anyhow::Error::from(error)),
        }
    }
}

fn count(tally: &mut Tally, row: &Row, answer: &Answer, latency: Duration, since_start: Duration) {
    let status = Some(answer.status);
    let is_expected = trace::is_expected(row.status, answer.status);
    tally.record(status, latency, is_expected, since_start);
    tally.bytes += answer.body_length;
    if let Some(time) = answer.debug_time {
        tally.record_debug_time(status, time);
    }
}

/// Counts a request without an answer.
fn note(tally: &mut Tally, sentence: String, due: Instant, since_start: Duration) {
    tally.record(None, due.elapsed(), false, since_start);
    tally.note_failure(sentence);
}

/// Moves the progress bar, for ever.
async fn show(tickets: &Tickets, tally: &RefCell<Tally>, progress: &ProgressBar) {
    loop {
        progress.set_position(tickets.started().elapsed().as_secs());
        progress.set_message(format!("{} requests", tally.borrow().requests()));
        sleep(SHOW_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
