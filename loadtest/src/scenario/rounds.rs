//! Runs the rounds of the scenario `hot` and counts.
//!
//! A run is divided into rounds, and a round into turns of equal length, one for each target. A machine that slows down
//! for a second therefore slows every target down alike, and their ratio stays honest. The first round is not counted:
//! it opens the connections and fills the server's caches. All connections share one task, so that a tally needs no
//! lock and the generator no second core.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::http::{Client, ClientError};

/// How long a turn waits for the answers that are still due at its end.
const GRACE: Duration = Duration::from_secs(5);

/// The longest latency that the histograms tell apart, in microseconds; a turn ends before that.
const MAX_LATENCY: u64 = 60_000_000;

/// Why a run ended early.
#[derive(Debug, Error)]
pub(crate) enum RoundsError {
    /// The server does not accept connections, or no longer.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where the server should be.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The server took a request and did not answer.
    #[error("{path} had no answer {} seconds after the end of its turn", GRACE.as_secs())]
    Stalled {
        /// What was asked for.
        path: String,
    },
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// `host:port` for the `Host` header.
    pub(crate) authority: String,
    /// Where to connect.
    pub(crate) address: SocketAddr,
}

/// A path to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// The server that is asked.
    pub(crate) server: Peer,
    /// Absolute, percent-encoded.
    pub(crate) path: String,
    /// The statuses of a healthy answer; any other one means that something else was measured.
    pub(crate) expected: &'static [u16],
}

impl Target {
    /// The request as the crash processors send it: gzip is accepted, the connection stays open.
    fn request(&self) -> Vec<u8> {
        let (path, authority) = (&self.path, &self.server.authority);
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept-Encoding: gzip\r\n\r\n")
            .into_bytes()
    }
}

/// How to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Connections, each with one request in flight.
    pub(crate) connections: u16,
    /// The whole run, the uncounted round included.
    pub(crate) duration: Duration,
    /// Counted rounds.
    pub(crate) rounds: u32,
}

impl Plan {
    /// Turns in the whole run, the uncounted round included.
    pub(crate) fn turns(&self, targets: usize) -> u32 {
        let targets = u32::try_from(targets).unwrap_or(u32::MAX);
        (self.rounds + 1).saturating_mul(targets)
    }
}

/// The answers of one target.
#[derive(Debug)]
pub(crate) struct Tally {
    /// From the first byte sent to the last byte read, in microseconds; answered requests only.
    pub(crate) latencies: Histogram<u64>,
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Exchanges that brought no answer.
    pub(crate) failures: u64,
    /// Time that the target's turns took.
    pub(crate) elapsed: Duration,
    /// Answers per second of each round.
    pub(crate) rates: Vec<f64>,
}

impl Tally {
    /// A tally of nothing.
    pub(crate) fn new() -> Self {
        Self {
            latencies: Histogram::new_with_max(MAX_LATENCY, 3).expect("the bounds are constants"),
            statuses: BTreeMap::new(),
            failures: 0,
            elapsed: Duration::ZERO,
            rates: Vec::new(),
        }
    }

    /// Counts one answer.
    pub(crate) fn record(&mut self, status: u16, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(microseconds);
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Adds a turn to the target's earlier ones.
    pub(crate) fn absorb(&mut self, turn: &Self) {
        self.latencies += &turn.latencies;
        for (status, count) in &turn.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.failures += turn.failures;
        self.elapsed += turn.elapsed;
        self.rates.push(turn.rate());
    }

    /// Answers.
    pub(crate) fn answers(&self) -> u64 {
        self.latencies.len()
    }

    /// Answers per second.
    #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 answers")]
    pub(crate) fn rate(&self) -> f64 {
        if self.elapsed.is_zero() {
            return 0.0;
        }
        self.answers() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Measures every target and returns their tallies in the same order.
pub(crate) async fn run(
    plan: &Plan,
    targets: &[Target],
    progress: &ProgressBar,
) -> Result<Vec<Tally>, RoundsError> {
    let mut clients: BTreeMap<SocketAddr, Vec<Client>> = BTreeMap::new();
    for Target { server, .. } in targets {
        let connections = 0..plan.connections;
        let of_server = || connections.map(|_| Client::new(server.address)).collect();
        clients.entry(server.address).or_insert_with(of_server);
    }
    let mut tallies: Vec<Tally> = targets.iter().map(|_| Tally::new()).collect();
    let length = plan.duration / plan.turns(targets.len()).max(1);
    for round in 0..=plan.rounds {
        for (target, tally) in targets.iter().zip(&mut tallies) {
            progress.set_message(target.name);
            let of_server = clients.entry(target.server.address).or_default();
            let turn = measure_turn(target, of_server, length).await?;
            if round > 0 {
                tally.absorb(&turn);
            }
            progress.inc(1);
        }
    }
    Ok(tallies)
}

async fn measure_turn(
    target: &Target,
    clients: &mut [Client],
    length: Duration,
) -> Result<Tally, RoundsError> {
    let request = target.request();
    let tally = RefCell::new(Tally::new());
    let start = Instant::now();
    let end = start + length;
    let loops = clients
        .iter_mut()
        .map(|client| ask_until(end, client, &request, &tally));
    match timeout_at(end + GRACE, try_join_all(loops)).await {
        Ok(Ok(_)) => {}
        Ok(Err(source)) => {
            return Err(RoundsError::Connect {
                address: target.server.address,
                source,
            });
        }
        Err(_) => {
            return Err(RoundsError::Stalled {
                path: target.path.clone(),
            });
        }
    }
    let mut tally = tally.into_inner();
    tally.elapsed = start.elapsed();
    Ok(tally)
}

/// Asks on one connection, at least once and then again until the turn ends. A broken exchange is counted; a server
/// that is gone ends the run.
async fn ask_until(
    end: Instant,
    client: &mut Client,
    request: &[u8],
    tally: &RefCell<Tally>,
) -> io::Result<()> {
    loop {
        let asked = Instant::now();
        match client.exchange(request, 0).await {
            Ok(answer) => tally.borrow_mut().record(answer.status, asked.elapsed()),
            Err(ClientError::Connect(source)) => return Err(source),
            Err(_) => tally.borrow_mut().failures += 1,
        }
        if Instant::now() >= end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const HEARTBEAT: &str = "/__lbheartbeat__";

    /// A server with three answers: the heartbeat, a closed connection for `/broken`, "not found" for the rest.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        address
    }

    async fn serve(stream: TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        loop {
            let request = lines.next_line().await.ok()??;
            while !lines.next_line().await.ok()??.is_empty() {}
            let answer: &[u8] = match request.split(' ').nth(1)? {
                HEARTBEAT => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                "/broken" => return None,
                _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            };
            writer.write_all(answer).await.ok()?;
        }
    }

    fn plan() -> Plan {
        Plan {
            connections: 3,
            duration: Duration::from_millis(60),
            rounds: 2,
        }
    }

    fn target(address: SocketAddr, path: &str) -> Target {
        Target {
            name: "test",
            server: Peer {
                authority: address.to_string(),
                address,
            },
            path: path.to_owned(),
            expected: &[200],
        }
    }

    #[tokio::test]
    async fn every_target_has_its_own_tally_and_every_round_its_rate() {
        let (one, other) = (server().await, server().await);
        let targets = [target(one, HEARTBEAT), target(other, "/a.pdb/AB/file.ptr")];
        let tallies = run(&plan(), &targets, &ProgressBar::hidden())
            .await
            .unwrap();
        let statuses: Vec<Vec<u16>> = tallies
            .iter()
            .map(|tally| tally.statuses.keys().copied().collect())
            .collect();
        assert_eq!(statuses, [[200], [404]]);
        for tally in &tallies {
            assert_eq!((tally.rates.len(), tally.failures), (2, 0));
            assert_eq!(tally.answers(), tally.statuses.values().sum::<u64>());
            assert!(tally.elapsed >= Duration::from_millis(20));
        }
    }

    #[tokio::test]
    async fn a_broken_exchange_is_counted_and_the_run_goes_on() {
        let server = server().await;
        let targets = [target(server, "/broken"), target(server, HEARTBEAT)];
        let tallies = run(&plan(), &targets, &ProgressBar::hidden())
            .await
            .unwrap();
        assert_eq!(tallies[0].answers(), 0);
        assert!(tallies[0].failures > 0);
        assert_eq!(tallies[1].failures, 0);
    }

    #[tokio::test]
    async fn a_server_that_is_gone_ends_the_run() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(listener.local_addr().unwrap(), HEARTBEAT);
        drop(listener);
        let error = run(&plan(), &[target], &ProgressBar::hidden())
            .await
            .unwrap_err();
        assert!(matches!(error, RoundsError::Connect { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_ends_the_run() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(listener.local_addr().unwrap(), "/stalled");
        let error = run(&plan(), &[target], &ProgressBar::hidden())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "/stalled had no answer 5 seconds after the end of its turn"
        );
    }

    #[test]
    fn a_turn_that_took_no_time_has_no_rate() {
        assert!(Tally::new().rate().abs() < f64::EPSILON);
    }
}
