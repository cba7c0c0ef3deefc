//! Nodes and their pending uploads in PostgreSQL.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::PostgresDatabase;
use super::values::{column, parameters};
use crate::db::DbError;
use crate::db::nodes::{NodeBeat, NodeRecords};

/// A beat that moves meanwhile is seen by the deletion, which waits for it; one that begins meanwhile is not, and then
/// the uploads of the node are failed although it has just come back.
const END: &str = "
    WITH ended AS (
        DELETE FROM nodes WHERE id = $1 AND beat = $2 RETURNING id
    ), failed AS (
        UPDATE uploads SET failure = $3
        WHERE node = $1 AND completed_at IS NULL AND failure IS NULL
          AND (EXISTS (SELECT FROM ended) OR NOT EXISTS (SELECT FROM nodes WHERE nodes.id = $1))
        RETURNING id
    ), given_back AS (
        DELETE FROM upload_claims USING failed WHERE upload_claims.upload_id = failed.id
    )
    SELECT id FROM failed";

const FAIL_DROPPED: &str = "
    WITH failed AS (
        UPDATE uploads SET failure = $4
        WHERE node = $1 AND ticket < $2 AND ticket <> ALL ($3) AND completed_at IS NULL AND failure IS NULL
        RETURNING id
    ), given_back AS (
        DELETE FROM upload_claims USING failed WHERE upload_claims.upload_id = failed.id
    )
    SELECT id FROM failed";

#[async_trait]
impl NodeRecords for PostgresDatabase {
    async fn beat(&self, node: &str, at: OffsetDateTime) -> Result<(), DbError> {
        // One beat too many does no harm.
        self.query(
            "INSERT INTO nodes AS node (id, beat, seen_at) VALUES ($1, 1, $2)
             ON CONFLICT (id) DO UPDATE SET beat = node.beat + 1, seen_at = EXCLUDED.seen_at",
            parameters![node.to_owned(), at],
        )
        .await?;
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeBeat>, DbError> {
        let rows = self
            .query(
                "SELECT known.id, coalesce(nodes.beat, 0) AS beat
                 FROM (SELECT id FROM nodes UNION
                       SELECT node FROM uploads
                       WHERE completed_at IS NULL AND failure IS NULL AND node IS NOT NULL) AS known
                     LEFT JOIN nodes ON nodes.id = known.id
                 ORDER BY known.id COLLATE \"C\"",
                parameters![],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(NodeBeat {
                    node: column(row, "id")?,
                    beat: column(row, "beat")?,
                })
            })
            .collect()
    }

    async fn end_node(&self, last_seen: &NodeBeat, reason: &str) -> Result<u64, DbError> {
        let parameters = parameters![last_seen.node.clone(), last_seen.beat, reason.to_owned()];
        Ok(self.query(END, parameters).await?.len() as u64)
    }

    async fn fail_dropped(
        &self,
        node: &str,
        before: i64,
        held: &[i64],
        reason: &str,
    ) -> Result<u64, DbError> {
        let parameters = parameters![node.to_owned(), before, held.to_vec(), reason.to_owned()];
        Ok(self.query(FAIL_DROPPED, parameters).await?.len() as u64)
    }
}
