//! The deadlines of a call to PostgreSQL, all derived from the one setting `database.timeout`.
//!
//! The server has to give up before the caller does, and waiting for a connection must not use up the time of a call,
//! so each deadline is a fixed share of the setting.

use std::time::Duration;

/// How long the parts of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadlines {
    /// A call as a whole, with all its attempts.
    pub(super) call: Duration,
}

impl Deadlines {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { call: timeout }
    }

    /// Waiting for one of the pool's connections to become free.
    pub(super) fn free_connection(self) -> Duration {
        self.call / 6
    }

    /// Opening a connection.
    pub(super) fn connect(self) -> Duration {
        self.call / 2
    }

    /// One statement on the server.
    fn statement(self) -> Duration {
        self.call * 5 / 6
    }

    /// Waiting for one lock on the server.
    fn lock(self) -> Duration {
        self.call / 3
    }

    /// The settings of every session, as options of a connection: the server itself ends statements that take too long
    /// or wait too long for a lock, and transactions that stay open.
    pub(super) fn session(self) -> String {
        format!(
            "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={}",
            self.statement().as_millis(),
            self.lock().as_millis(),
            (self.call * 5 / 3).as_millis()
        )
    }
}
