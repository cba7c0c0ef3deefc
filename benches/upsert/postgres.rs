//! The table in PostgreSQL, in a database of its own. Each writer has a connection.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use symbold::db::missing::MissingCount;
use symbold::db::{DatabaseConfig, MissingRecords, PostgresDatabase};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls, Statement};

use super::{Table, WRITERS};

/// Rows are locked in one order, so that no two writers wait for each other.
const SELECT: &str = "SELECT identity FROM missing_symbols WHERE identity = ANY($1::bytea[])
    ORDER BY identity FOR UPDATE";

const UPDATE: &str = "UPDATE missing_symbols SET count = count + 1, modified_at = now()
    WHERE identity = ANY($1::bytea[])";

const INSERT: &str = "INSERT INTO missing_symbols AS symbol
        (identity, debug_file, debug_id, file_name, code_file, code_id, count, created_at, modified_at)
    SELECT identity, debug_file, debug_id, file_name, '', '', 1, now(), now()
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[])
        AS asked (identity, debug_file, debug_id, file_name)
    ORDER BY identity";

const UPSERT: &str =
    "ON CONFLICT (identity) DO UPDATE SET count = symbol.count + 1, modified_at = now()";

pub(super) struct PostgresTable {
    database: PostgresDatabase,
    writers: Vec<Writer>,
}

/// A connection with its statements.
struct Writer {
    client: Client,
    select: Statement,
    update: Statement,
    insert: Statement,
    upsert: Statement,
}

impl PostgresTable {
    /// Makes a database on the server.
    pub(super) async fn open(server: &str) -> Self {
        let random = getrandom::u64().expect("the system has randomness");
        let name = format!("bench_{random:016x}");
        let made = connect(server).await;
        let made = made.batch_execute(&format!("CREATE DATABASE {name}")).await;
        made.expect("the server makes databases");
        let (place, parameters) = server.split_once('?').unwrap_or((server, ""));
        let (host, _) = place
            .rsplit_once('/')
            .expect("the address names a database");
        let url = format!("{host}/{name}?{parameters}");
        let config = DatabaseConfig {
            url: url.as_str().into(),
            ..DatabaseConfig::default()
        };
        let database = PostgresDatabase::open(&config).await;
        Self {
            database: database.expect("the database opens"),
            writers: join_all((0..WRITERS).map(|_| Writer::open(&url))).await,
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server is there");
    tokio::spawn(connection);
    client
}

impl Writer {
    async fn open(url: &str) -> Self {
        let client = connect(url).await;
        let upsert = format!("{INSERT} {UPSERT}");
        let mut statements = Vec::new();
        for sql in [SELECT, UPDATE, INSERT, &upsert] {
            statements.push(
                client
                    .prepare(sql)
                    .await
                    .expect("the statement is a good one"),
            );
        }
        let [select, update, insert, upsert] =
            <[Statement; 4]>::try_from(statements).expect("there are four of them");
        Self {
            client,
            select,
            update,
            insert,
            upsert,
        }
    }

    /// A single count needs no transaction: whatever of it is written is all of it.
    async fn try_select_then_write(&self, rows: &Rows) -> Result<(), Error> {
        let is_batch = rows.identities.len() > 1;
        if is_batch {
            self.client.batch_execute("BEGIN").await?;
        }
        let found = self.client.query(&self.select, &[&rows.identities]).await?;
        let known: Vec<Vec<u8>> = found.iter().map(|row| row.get(0)).collect();
        if !known.is_empty() {
            self.client.execute(&self.update, &[&known]).await?;
        }
        let new = rows.without(&known);
        if !new.identities.is_empty() {
            self.insert(&self.insert, &new).await?;
        }
        if is_batch {
            self.client.batch_execute("COMMIT").await?;
        }
        Ok(())
    }

    async fn insert(&self, statement: &Statement, rows: &Rows) -> Result<u64, Error> {
        let Rows {
            identities,
            debug_files,
            debug_ids,
            file_names,
        } = rows;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [identities, debug_files, debug_ids, file_names];
        self.client.execute(statement, &values).await
    }
}

#[async_trait]
impl Table for PostgresTable {
    fn records(&self) -> &dyn MissingRecords {
        &self.database
    }

    async fn select_then_write(&self, writer: usize, counts: &[MissingCount]) {
        let (writer, rows) = (&self.writers[writer], Rows::of(counts));
        while let Err(error) = writer.try_select_then_write(&rows).await {
            // Another writer has made a row between the two statements.
            assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION), "{error}");
            if rows.identities.len() > 1 {
                let rolled_back = writer.client.batch_execute("ROLLBACK").await;
                rolled_back.expect("the transaction is given up");
            }
        }
    }

    async fn upsert(&self, writer: usize, counts: &[MissingCount]) {
        let writer = &self.writers[writer];
        let written = writer.insert(&writer.upsert, &Rows::of(counts)).await;
        written.expect("the counts are written");
    }

    async fn counts(&self) -> BTreeMap<String, u64> {
        let sql = "SELECT debug_file, sum(count)::bigint FROM missing_symbols GROUP BY 1";
        let rows = self.writers[0].client.query(sql, &[]).await;
        let rows = rows.expect("the table is read");
        let count = |count: i64| u64::try_from(count).expect("counts are positive");
        let counts = rows.iter().map(|row| (row.get(0), count(row.get(1))));
        counts.collect()
    }

    async fn clear(&self) {
        let cleared = self.writers[0]
            .client
            .batch_execute("TRUNCATE missing_symbols")
            .await;
        cleared.expect("the table is emptied");
    }
}

/// The values written, by column.
#[derive(Default)]
struct Rows {
    identities: Vec<Vec<u8>>,
    debug_files: Vec<String>,
    debug_ids: Vec<String>,
    file_names: Vec<String>,
}

impl Rows {
    fn of(counts: &[MissingCount]) -> Self {
        let mut rows = Self::default();
        for MissingCount { symbol, .. } in counts {
            let key = [&symbol.debug_file, &symbol.debug_id, &symbol.file_name].map(String::as_str);
            rows.push(Sha256::digest(key.join("/")).to_vec(), key);
        }
        rows
    }

    fn without(&self, known: &[Vec<u8>]) -> Self {
        let mut rows = Self::default();
        for (place, identity) in self.identities.iter().enumerate() {
            // The rows that were found are in the order of their identities.
            if known.binary_search(identity).is_err() {
                let columns = [&self.debug_files, &self.debug_ids, &self.file_names];
                rows.push(
                    identity.clone(),
                    columns.map(|column| column[place].as_str()),
                );
            }
        }
        rows
    }

    fn push(&mut self, identity: Vec<u8>, [debug_file, debug_id, file_name]: [&str; 3]) {
        self.identities.push(identity);
        self.debug_files.push(debug_file.to_owned());
        self.debug_ids.push(debug_id.to_owned());
        self.file_names.push(file_name.to_owned());
    }
}
