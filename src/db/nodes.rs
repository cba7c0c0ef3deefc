//! The nodes that share the records, and the uploads that each of them is processing.
//!
//! Only the node that began a pending upload can finish it. A node shows that it is alive by raising its beat; another
//! node that sees the beat stand still ends it. Beats are counted, not timed, so that no two clocks have
//! to agree.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::DbError;

/// A node as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBeat {
    /// The node's name.
    pub node: String,
    /// How often it has shown that it is alive; 0 if it never did, or has been ended since.
    pub beat: i64,
}

/// The nodes table, and the pending uploads of nodes.
#[async_trait]
pub trait NodeRecords: Debug + Send + Sync {
    /// Shows that a node is alive: raises its beat, which begins with 1. The time is only for operators.
    async fn beat(&self, node: &str, at: OffsetDateTime) -> Result<(), DbError>;

    /// All nodes that have a beat or pending uploads, ordered by name.
    async fn nodes(&self) -> Result<Vec<NodeBeat>, DbError>;

    /// Forgets a node and marks its pending uploads as failed, for a reason that a person can read; returns how many
    /// there were. A node whose beat has moved is alive, and is left alone.
    async fn end_node(&self, last_seen: &NodeBeat, reason: &str) -> Result<u64, DbError>;

    /// Marks as failed the pending uploads that a node itself has dropped: those whose ticket is lower than `before`
    /// and not among the tickets held. Returns how many there were.
    async fn fail_dropped(
        &self,
        node: &str,
        before: i64,
        held: &[i64],
        reason: &str,
    ) -> Result<u64, DbError>;
}
