//! When each request is due.
//!
//! In a **closed loop** a connection asks again as soon as it has its answer, so the server decides the pace. In an
//! **open loop** requests are due at times that were fixed beforehand, whatever the server does. A thread of its own
//! keeps these times, because it sleeps more exactly than the timers of the async runtime, whose step is a millisecond.
//! It hands out a ticket at each; a connection that is free takes the next one. When no connection is free the tickets
//! wait, and none is ever left out: each carries the time at which it was due, and the time that it waited counts.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::Latencies;
use crate::random::Random;

/// Tickets that may wait in memory; the thread that makes them waits with the others.
const WAITING: usize = 1024;

/// How the requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Each connection asks again when it has its answer.
    Closed,
    /// So many requests in a second, at equal distances.
    Steady(f64),
    /// So many requests in a second on average, independent of each other: distances follow the exponential law
    /// (a Poisson process), as those of many clients do.
    Poisson(f64),
}

/// When the run ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    /// No request is due later than this after the start.
    pub(crate) duration: Duration,
    /// No more requests than these.
    pub(crate) requests: u64,
}

/// The times at which requests are due, counted from the start.
#[derive(Debug, Clone)]
struct Schedule {
    pace: Pace,
    limit: Limit,
    made: u64,
    next: Duration,
    random: Random,
}

impl Iterator for Schedule {
    type Item = Duration;

    #[expect(
        clippy::cast_precision_loss,
        reason = "a millionth of a second is exact enough for 2^53 requests"
    )]
    fn next(&mut self) -> Option<Duration> {
        let due = self.next;
        if self.made >= self.limit.requests || due >= self.limit.duration {
            return None;
        }
        self.made += 1;
        self.next = match self.pace {
            Pace::Closed => Duration::ZERO,
            // From the start each time, so that errors of rounding do not add up.
            Pace::Steady(rate) => Duration::from_secs_f64(self.made as f64 / rate),
            Pace::Poisson(rate) => {
                due + Duration::from_secs_f64(-(1.0 - self.random.unit()).ln() / rate)
            }
        };
        Some(due)
    }
}

/// Permissions to send one request each.
#[derive(Debug)]
pub(crate) struct Tickets {
    start: Instant,
    /// Requests that would be due later are not sent.
    end: Cell<Duration>,
    source: Source,
    /// By how much tickets came late to a connection that was waiting for one.
    lateness: RefCell<Latencies>,
    /// Tickets that found no free connection.
    queued: Cell<u64>,
    taken: Cell<u64>,
}

#[derive(Debug)]
enum Source {
    Closed(RefCell<Schedule>),
    Open {
        schedule: Schedule,
        tickets: Mutex<mpsc::Receiver<Instant>>,
    },
}

impl Tickets {
    /// Starts the clock.
    pub(crate) fn start(pace: Pace, limit: Limit, seed: u64) -> Self {
        let start = Instant::now();
        let schedule = Schedule {
            pace,
            limit,
            made: 0,
            next: Duration::ZERO,
            random: Random::new(seed),
        };
        let source = if pace == Pace::Closed {
            Source::Closed(RefCell::new(schedule))
        } else {
            let (sender, receiver) = mpsc::channel(WAITING);
            let times = schedule.clone();
            thread::spawn(move || hand_out(start, times, &sender));
            Source::Open {
                schedule,
                tickets: Mutex::new(receiver),
            }
        };
        Self {
            start,
            end: Cell::new(limit.duration),
            source,
            lateness: RefCell::new(Latencies::new()),
            queued: Cell::new(0),
            taken: Cell::new(0),
        }
    }

    /// When the run began.
    pub(crate) fn started(&self) -> Instant {
        self.start
    }

    /// Waits for the next ticket and returns when its request was due; `None` at the end of the run.
    pub(crate) async fn take(&self) -> Option<Instant> {
        let due = match &self.source {
            Source::Closed(schedule) => schedule.borrow_mut().next().map(|_| Instant::now()),
            Source::Open { tickets, .. } => self.wait(tickets).await,
        }?;
        if due - self.start >= self.end.get() {
            return None;
        }
        self.taken.set(self.taken.get() + 1);
        Some(due)
    }

    /// Ends the run now.
    pub(crate) fn stop(&self) {
        self.end.set(self.end.get().min(self.start.elapsed()));
    }

    /// When the run ends: no request is due then or later.
    pub(crate) fn end(&self) -> Instant {
        self.start + self.end.get()
    }

    async fn wait(&self, tickets: &Mutex<mpsc::Receiver<Instant>>) -> Option<Instant> {
        let free_since = Instant::now();
        let due = tickets.lock().await.recv().await?;
        if due < free_since {
            // A connection that was free earlier would have taken it.
            self.queued.set(self.queued.get() + 1);
        } else {
            self.lateness.borrow_mut().record(due.elapsed());
        }
        Some(due)
    }

    /// When the requests were due for which no ticket has been taken: what a run that is ended early owes.
    pub(crate) fn untaken(&self) -> impl Iterator<Item = Instant> {
        let schedule = match &self.source {
            Source::Closed(_) => None,
            Source::Open { schedule, .. } => Some(schedule.clone()),
        };
        let taken = usize::try_from(self.taken.get()).unwrap_or(usize::MAX);
        let owed = schedule.into_iter().flatten().skip(taken);
        owed.take_while(|due| *due < self.end.get())
            .map(|due| self.start + due)
    }

    /// By how much the generator itself was late, when a connection was free; empty in a closed loop.
    pub(crate) fn lateness(&self) -> Latencies {
        self.lateness.borrow().clone()
    }

    /// Requests that were due when no connection was free; their waiting counts as the server's.
    pub(crate) fn queued(&self) -> u64 {
        self.queued.get()
    }
}

/// Sends each time when it has come; ends when no connection takes tickets any more.
fn hand_out(start: Instant, times: Schedule, tickets: &mpsc::Sender<Instant>) {
    for time in times {
        let due = start + time;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if tickets.blocking_send(due).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(pace: Pace, seconds: u64, requests: u64) -> Schedule {
        Schedule {
            pace,
            limit: Limit {
                duration: Duration::from_secs(seconds),
                requests,
            },
            made: 0,
            next: Duration::ZERO,
            random: Random::new(1),
        }
    }

    #[test]
    fn a_steady_pace_has_equal_distances_and_both_limits() {
        let times: Vec<Duration> = schedule(Pace::Steady(4.0), 1, u64::MAX).collect();
        assert_eq!(times, [0, 250, 500, 750].map(Duration::from_millis));
        assert_eq!(schedule(Pace::Steady(4.0), 1, 2).count(), 2);
    }

    #[test]
    fn a_poisson_pace_has_its_rate_and_its_spread() {
        let times: Vec<Duration> = schedule(Pace::Poisson(1000.0), 20, u64::MAX).collect();
        assert!((19_400..20_600).contains(&times.len()), "{}", times.len());
        // Of exponential distances the share e^-2, 13.5 %, is longer than twice their mean.
        let long = times
            .windows(2)
            .filter(|pair| pair[1] > pair[0] + Duration::from_millis(2))
            .count();
        assert!((2300..3100).contains(&long), "{long}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_ends_by_time_and_by_count() {
        let limit = Limit {
            duration: Duration::from_secs(1),
            requests: 3,
        };
        let tickets = Tickets::start(Pace::Closed, limit, 0);
        assert_eq!(tickets.take().await, Some(tickets.started()));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(tickets.take().await.is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(tickets.take().await, None);

        let tickets = Tickets::start(Pace::Closed, limit, 0);
        for _ in 0..3 {
            assert!(tickets.take().await.is_some());
        }
        assert_eq!(tickets.take().await, None);
    }

    #[tokio::test]
    async fn a_run_can_be_ended_before_its_time() {
        let limit = Limit {
            duration: Duration::from_hours(1),
            requests: u64::MAX,
        };
        let tickets = Tickets::start(Pace::Steady(1000.0), limit, 0);
        assert!(tickets.take().await.is_some());
        tickets.stop();
        while tickets.take().await.is_some() {}
        assert!(tickets.end() <= Instant::now());
        assert_eq!(tickets.untaken().next(), None);
    }

    #[tokio::test]
    async fn tickets_that_are_taken_late_keep_the_time_they_were_due() {
        let limit = Limit {
            duration: Duration::from_mins(1),
            requests: 3000,
        };
        // More requests than may wait in memory, all due within 30 microseconds.
        let tickets = Tickets::start(Pace::Steady(1e8), limit, 0);
        assert_eq!(tickets.take().await, Some(tickets.started()));
        assert_eq!(tickets.untaken().count(), 2999);
        let mut last = tickets.started();
        let mut taken = 1;
        while let Some(due) = tickets.take().await {
            assert!(due >= last);
            last = due;
            taken += 1;
        }
        assert_eq!(taken, 3000);
        assert_eq!(last - tickets.started(), Duration::from_nanos(29_990));
        assert_eq!(tickets.untaken().next(), None);
    }
}
