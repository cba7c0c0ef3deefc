//! Sets the pace of a load and counts what comes back.
//!
//! [`pace`] says when each request is due, [`tally`] counts the answers by status, with their latencies in histograms
//! of constant size. A latency begins when the request was due, not when a connection was free to send it: a server
//! that stalls for a second therefore owes that second to every request of the second, not to one request of each
//! connection (Gil Tene calls the mistake coordinated omission).

mod pace;
mod tally;

pub(crate) use pace::{Limit, Pace, Tickets};
pub(crate) use tally::{Latencies, Status, StatusTally, Tally};
