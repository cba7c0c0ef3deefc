//! symbold

pub mod clock;
pub mod db;
pub mod symbol;
