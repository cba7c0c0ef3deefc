//! Nodes and their pending uploads in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, ToSql, Transaction, named_params};
use time::OffsetDateTime;

use super::SqliteDatabase;
use super::values::Time;
use crate::db::nodes::{NodeBeat, NodeRecords};
use crate::db::{DbError, sqlite::uploads};

#[async_trait]
impl NodeRecords for SqliteDatabase {
    async fn beat(&self, node: &str, at: OffsetDateTime) -> Result<(), DbError> {
        let node = node.to_owned();
        self.write(move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO nodes (id, beat, seen_at) VALUES (?1, 1, ?2)
                     ON CONFLICT (id) DO UPDATE SET beat = beat + 1, seen_at = excluded.seen_at",
                )?
                .execute((node, Time(at)))?;
            Ok(())
        })
        .await
    }

    async fn nodes(&self) -> Result<Vec<NodeBeat>, DbError> {
        self.read(|transaction| {
            let nodes = transaction
                .prepare_cached(
                    "SELECT known.id, coalesce(nodes.beat, 0)
                     FROM (SELECT id FROM nodes UNION
                           SELECT node FROM uploads
                           WHERE completed_at IS NULL AND failure IS NULL AND node IS NOT NULL) AS known
                         LEFT JOIN nodes ON nodes.id = known.id
                     ORDER BY known.id",
                )?
                .query_map([], |row| {
                    Ok(NodeBeat {
                        node: row.get(0)?,
                        beat: row.get(1)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(nodes)
        })
        .await
    }

    async fn end_node(&self, last_seen: &NodeBeat, reason: &str) -> Result<u64, DbError> {
        let (NodeBeat { node, beat }, reason) = (last_seen.clone(), reason.to_owned());
        self.write(move |transaction| {
            let current: Option<i64> = transaction
                .query_row("SELECT beat FROM nodes WHERE id = ?1", [&node], |row| {
                    row.get(0)
                })
                .optional()?;
            if current.is_some_and(|current| current != beat) {
                return Ok(0);
            }
            transaction.execute("DELETE FROM nodes WHERE id = ?1", [&node])?;
            fail(
                transaction,
                "node = :node",
                named_params! {":node": node, ":reason": reason},
            )
        })
        .await
    }

    async fn fail_dropped(
        &self,
        node: &str,
        before: i64,
        held: &[i64],
        reason: &str,
    ) -> Result<u64, DbError> {
        let (node, reason, held) = (node.to_owned(), reason.to_owned(), format!("{held:?}"));
        self.write(move |transaction| {
            fail(
                transaction,
                "node = :node AND ticket < :before AND ticket NOT IN (SELECT value FROM json_each(:held))",
                named_params! {":node": node, ":before": before, ":held": held, ":reason": reason},
            )
        })
        .await
    }
}

/// Marks pending uploads as failed and gives back what they claimed.
fn fail(
    transaction: &Transaction<'_>,
    which: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> Result<u64, DbError> {
    let failed = transaction
        .prepare_cached(&format!(
            "UPDATE uploads SET failure = :reason
             WHERE completed_at IS NULL AND failure IS NULL AND {which} RETURNING id"
        ))?
        .query_map(parameters, |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for id in &failed {
        uploads::give_back_claims(transaction, *id)?;
    }
    Ok(failed.len() as u64)
}
