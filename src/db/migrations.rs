//! The list of migrations, the same for every engine.
//!
//! A migration is one line here and one SQL file in the `migrations/` folder of each engine. The file's name begins
//! with the migration's number, of four digits.

use super::migrate::Migration;

/// Makes one list an engine out of the names of files.
macro_rules! migrations {
    ($($file:literal,)*) => {
        /// The migrations of PostgreSQL.
        pub(super) const POSTGRES: &[Migration] = &[
            $(Migration::of_file($file, include_str!(concat!("postgres/migrations/", $file, ".sql"))),)*
        ];

        /// The migrations of SQLite.
        pub(super) const SQLITE: &[Migration] = &[
            $(Migration::of_file($file, include_str!(concat!("sqlite/migrations/", $file, ".sql"))),)*
        ];
    };
}

migrations! {
    "0001_records",
    "0002_nodes",
    "0003_waiting_files",
    "0004_build_ids",
    "0005_held_files",
    "0006_folded_names",
    "0007_build_ids_by_key",
    "0008_upload_warnings",
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::db::windows_endings::windows_endings;

    /// The names of an engine's SQL files, by number.
    fn files(engine: &str) -> Vec<String> {
        let folder = format!("src/db/{engine}/migrations");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.strip_suffix(".sql").map(str::to_owned)
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_file_of_every_engine_is_in_the_list() {
        for (engine, list) in [("postgres", POSTGRES), ("sqlite", SQLITE)] {
            let listed: Vec<_> = list
                .iter()
                .map(|migration| format!("{:04}_{}", migration.number, migration.name))
                .collect();
            assert_eq!(files(engine), listed, "{engine}");
        }
    }

    #[test]
    fn queries_and_indexes_of_folded_names_list_all_endings_of_windows() {
        let list = symbols::WINDOWS_ENDINGS
            .map(|ending| format!("'{ending}'"))
            .join(", ");
        assert_eq!(windows_endings!(), format!("({list})"));
        for list_of_engine in [POSTGRES, SQLITE] {
            let folded = list_of_engine
                .iter()
                .rfind(|migration| migration.name == "folded_names");
            assert!(folded.unwrap().sql.matches(&list).count() >= 2);
        }
    }

    #[test]
    fn migrations_count_from_one() {
        for list in [POSTGRES, SQLITE] {
            for (migration, number) in list.iter().zip(1..) {
                assert_eq!(migration.number, number);
            }
        }
    }
}
