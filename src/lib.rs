//! symbold

pub mod blocking;
pub mod clock;
pub mod cpu;
pub mod db;
pub mod scratch;
pub mod storage;
pub mod symbol;
