//! Tests of the whole server, over the wire.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, with the place where it stopped"
)]

mod support;
mod symcaches;

mod abandoned;
mod addresses;
mod architecture;
mod cabinets;
mod cli;
mod cli_symbolicate;
mod clients_breakpad;
mod clients_mozilla;
mod code_ids;
mod conditions;
mod damage;
mod debuginfod;
mod downloads;
mod explain;
mod golden;
mod golden_eliot;
mod hostile_downloads;
mod missing;
mod missing_floods;
mod native_symbols;
mod nodes;
mod operations;
mod overwriting;
mod panics;
mod postgres;
mod private_files;
mod refusals;
mod resilience;
mod services;
mod spellings;
mod stackwalk;
mod storage_faults;
mod storages;
mod symbolication;
mod tokens;
mod try_symbols;
mod upload_faults;
mod uploads;
mod uploads_admission;
mod uploads_by_url;
mod uploads_early;
mod uploads_refused;
mod uploads_warnings;
mod uploads_wire;
mod verify;
mod windows;
