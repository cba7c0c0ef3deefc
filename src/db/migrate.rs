//! How a schema grows: an ordered list of SQL files, each applied once.
//!
//! A database remembers the number, the name and the checksum of every migration it has seen. Before an engine applies
//! what is missing, [`plan`] compares that memory with the program's own list. Only a database whose past is a
//! beginning of the program's list is touched: one that a newer program has changed, or that another build has made,
//! is refused, since neither reading nor writing it would be safe.

use sha2::{Digest, Sha256};

use super::DbError;

/// One step of a schema, compiled into the program. Once released it never changes: a correction is the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its place in the list: 1, 2, 3 and so on.
    pub number: u32,
    /// Its name: what it does, in a word or two.
    pub name: &'static str,
    /// The statements, in the engine's dialect.
    pub sql: &'static str,
}

impl Migration {
    /// The migration of a file called `<number of four digits>_<name>`.
    pub(super) const fn of_file(file: &'static str, sql: &'static str) -> Self {
        let (digits, name) = file.split_at(4);
        let (_, name) = name.split_at(1);
        let mut number = 0;
        let mut position = 0;
        while position < digits.len() {
            let digit = digits.as_bytes()[position];
            assert!(digit.is_ascii_digit(), "a migration begins with its number");
            number = 10 * number + (digit - b'0') as u32;
            position += 1;
        }
        Self { number, name, sql }
    }

    /// SHA-256 of the statements, in lower-case hexadecimal.
    #[must_use]
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.sql))
    }
}

/// A step that a database has behind it, as the database remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Checksum of the statements that were run.
    pub checksum: String,
}

/// Returns the migrations that are still to be applied, in order.
///
/// `known` is the program's list, `applied` the database's memory; both are ordered by number.
///
/// # Errors
/// [`DbError::Schema`] when the database is newer than the program, or when its history is not the program's.
pub fn plan<'known>(
    known: &'known [Migration],
    applied: &[Applied],
) -> Result<&'known [Migration], DbError> {
    let newest_known = known.last().map_or(0, |migration| migration.number);
    if let Some(newest) = applied.last()
        && newest.number > newest_known
    {
        return Err(DbError::Schema(format!(
            "The database is newer than this program: it is at migration {} ({}), and this program knows only {}. \
             Start the newer version of symbold, or restore a backup from before the upgrade.",
            newest.number, newest.name, newest_known
        )));
    }
    for (position, step) in applied.iter().enumerate() {
        let is_same = known.get(position).is_some_and(|migration| {
            migration.number == step.number && migration.checksum() == step.checksum
        });
        if !is_same {
            return Err(DbError::Schema(format!(
                "The history of the database is not this program's: its migration {} ({}) differs. \
                 Start the version of symbold that made the database, or point database.url at another one.",
                step.number, step.name
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration {
            number: 1,
            name: "start",
            sql: "CREATE TABLE a (x INTEGER);",
        },
        Migration {
            number: 2,
            name: "more",
            sql: "CREATE TABLE b (y INTEGER);",
        },
    ];

    fn applied(count: usize) -> Vec<Applied> {
        KNOWN[..count]
            .iter()
            .map(|migration| Applied {
                number: migration.number,
                name: migration.name.to_owned(),
                checksum: migration.checksum(),
            })
            .collect()
    }

    fn refusal(applied: &[Applied]) -> String {
        match plan(KNOWN, applied) {
            Err(DbError::Schema(sentence)) => sentence,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn the_rest_of_the_list_is_planned() {
        assert_eq!(plan(KNOWN, &applied(0)).unwrap(), KNOWN);
        assert_eq!(plan(KNOWN, &applied(1)).unwrap(), &KNOWN[1..]);
        assert_eq!(plan(KNOWN, &applied(2)).unwrap(), &[]);
        assert_eq!(plan(&[], &[]).unwrap(), &[]);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let mut history = applied(2);
        history.push(Applied {
            number: 3,
            name: "later".to_owned(),
            checksum: "0".repeat(64),
        });
        let sentence = refusal(&history);
        assert!(
            sentence.contains("at migration 3 (later), and this program knows only 2"),
            "{sentence}"
        );
        assert!(
            sentence.contains("Start the newer version of symbold"),
            "{sentence}"
        );
    }

    #[test]
    fn a_changed_migration_is_refused() {
        let mut history = applied(2);
        history[0].checksum = "0".repeat(64);
        let sentence = refusal(&history);
        assert!(
            sentence.contains("its migration 1 (start) differs"),
            "{sentence}"
        );
        assert!(
            sentence.contains("Start the version of symbold that made the database"),
            "{sentence}"
        );
    }

    #[test]
    fn a_history_with_a_gap_is_refused() {
        let sentence = refusal(&applied(2)[1..]);
        assert!(
            sentence.contains("its migration 2 (more) differs"),
            "{sentence}"
        );
    }

    #[test]
    fn a_checksum_is_the_sha256_of_the_statements() {
        let nothing = Migration {
            number: 1,
            name: "nothing",
            sql: "",
        };
        assert_eq!(
            nothing.checksum(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(KNOWN[0].checksum(), KNOWN[1].checksum());
    }
}
