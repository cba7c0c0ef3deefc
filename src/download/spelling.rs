//! Files of Windows that are held under another spelling of their name.
//!
//! A minidump names the module `KERNEL32.DLL` whose file was uploaded as `kernel32.dll`. The exact name always wins:
//! other spellings are looked for only after no source holds the file under any of its names.
//!
//! While the database cannot be asked, files are found by their exact names alone. That is what storages can say by
//! themselves, so neither the answers to exact names nor the counts of missing symbols depend on the database.

use std::time::Duration;

use super::{DownloadError, DownloadService, Place, alternatives};
use crate::catalog::Lookup;
use symbols::SymbolKey;

/// How long a request waits for the database. It has an answer without it.
const PATIENCE: Duration = Duration::from_secs(1);

impl DownloadService {
    /// The place of a file under another spelling of one of its names; `None` for files of other systems too.
    pub(super) async fn in_another_spelling(
        &self,
        key: &SymbolKey,
        lookup: Lookup,
    ) -> Result<Option<Place>, DownloadError> {
        for candidate in alternatives::of(key) {
            let Some(other) = self.spelling(&candidate.key, lookup).await else {
                continue;
            };
            if let Some(found) = self.catalog.find(&other, lookup).await? {
                return Ok(Some(candidate.place(found)));
            }
        }
        Ok(None)
    }

    /// The other spelling under which a key was uploaded, if the database says so in time.
    async fn spelling(&self, key: &SymbolKey, lookup: Lookup) -> Option<SymbolKey> {
        let asking = self.catalog.spellings().find(key, lookup);
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(other)) => other,
            Ok(Err(error)) => {
                tracing::debug!(event = "spelling_unknown", %key, %error, "only the exact name was looked up");
                None
            }
            Err(_) => {
                tracing::debug!(event = "spelling_unknown", %key, "only the exact name was looked up in time");
                None
            }
        }
    }
}
