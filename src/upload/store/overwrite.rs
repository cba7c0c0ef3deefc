//! Whether an upload may change files that are stored already.
//!
//! If it may not, it is refused as a whole before its first file is stored. The upload has claimed its keys in the
//! database, so no other upload stores one of them meanwhile. Two kinds of writers can still interfere, since not all
//! object stores have a conditional put: clients that write to the bucket directly, and a server that was considered
//! dead and goes on storing (see [`crate::upload::AbandonedUploads`]).

use serde::{Deserialize, Serialize};

/// Which files an upload may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overwrite {
    /// All files, as in Tecken.
    #[default]
    Allow,
    /// Files that the same user stored last.
    SameUploader,
    /// None.
    Never,
}
