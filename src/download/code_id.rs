//! Requests by code id.
//!
//! A client that knows no debug id of a Windows module asks for `<code file>/<code id>/<file>.sym`. The headers of the
//! uploaded files name both ids, so the client is redirected to the file of the module, as Tecken does.

use super::{DownloadError, DownloadService};
use crate::catalog::{Lookup, Module, NamedBy};
use symbols::SymbolKey;

/// The suffix of Breakpad's symbol files, the only files that are looked up by code id.
const SYM: &str = ".sym";

/// Returns whether the id of this key may be a code id. A code id has fewer digits than a debug id, so requests by
/// debug id need no database.
pub(super) fn is_by_code_id(key: &SymbolKey) -> bool {
    key.file_name().ends_with(SYM) && !key.id().is_debug_id()
}

/// The key of a module's file, if it can be redirected to.
///
/// A redirect never leads to another one: a key whose id could again be a code id is not used. What the header says of
/// the debug file and debug id does not matter, since the file may have been uploaded under another key.
pub(super) fn key_of(module: &Module) -> Option<&SymbolKey> {
    let key = &module.record.key;
    key.id().is_debug_id().then_some(key)
}

impl DownloadService {
    /// The key of the `.sym` file that was asked for by code id, if a source holds it.
    pub(super) async fn by_code_id(
        &self,
        key: &SymbolKey,
        lookup: Lookup,
    ) -> Result<Option<SymbolKey>, DownloadError> {
        if !is_by_code_id(key) {
            return Ok(None);
        }
        let (code_file, code_id) = (key.debug_file(), key.id());
        let modules = self.catalog.modules();
        let module = modules.find(NamedBy::CodeId, code_file, code_id, lookup);
        let module = Box::pin(module).await?;
        let Some(key) = module.as_ref().and_then(key_of) else {
            return Ok(None);
        };
        let found = Box::pin(self.catalog.find(key, lookup)).await?;
        Ok(found.map(|_| key.clone()))
    }
}
