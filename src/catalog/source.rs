//! One place that symbols are looked for in.

use std::sync::Arc;

use crate::storage::Storage;
use symbols::SymbolKey;

/// A storage and the prefix under which the symbols lie there.
#[derive(Clone, Debug)]
pub struct Source {
    storage: Arc<dyn Storage>,
    prefix: String,
}

impl Source {
    /// Makes a source; an empty prefix means the storage's root.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, prefix: &str) -> Self {
        Self {
            storage,
            prefix: prefix.trim_matches('/').to_owned(),
        }
    }

    /// The storage itself.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// The path of a key: `<prefix>/<debug file>/<id>/<file>`, as Tecken has it.
    #[must_use]
    pub fn path(&self, key: &SymbolKey) -> String {
        let key = [key.debug_file(), key.id().as_str(), key.file_name()];
        if self.prefix.is_empty() {
            key.join("/")
        } else {
            let [debug_file, id, file_name] = key;
            [&self.prefix, debug_file, id, file_name].join("/")
        }
    }
}
