//! The places where symbols are looked for, and where uploads store them.

use std::sync::Arc;

use crate::storage::{ObjectSource, Storage};
use symbols::SymbolKey;

/// Objects and the prefix under which the symbols lie.
#[derive(Clone, Debug)]
pub struct SymbolSource {
    objects: Arc<dyn ObjectSource>,
    prefix: String,
}

impl SymbolSource {
    /// Looks for symbols among these objects; an empty prefix means the root.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectSource>, prefix: &str) -> Self {
        Self {
            objects,
            prefix: prefix.trim_matches('/').to_owned(),
        }
    }

    /// The objects themselves.
    #[must_use]
    pub fn objects(&self) -> &dyn ObjectSource {
        self.objects.as_ref()
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

/// A symbol source that uploads are stored in.
#[derive(Clone, Debug)]
pub struct UploadTarget {
    storage: Arc<dyn Storage>,
    source: Arc<SymbolSource>,
}

impl UploadTarget {
    /// Stores and looks for symbols in this storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, prefix: &str) -> Self {
        let objects: Arc<dyn ObjectSource> = Arc::clone(&storage) as _;
        Self {
            storage,
            source: Arc::new(SymbolSource::new(objects, prefix)),
        }
    }

    /// The storage itself.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// The reading side.
    #[must_use]
    pub fn source(&self) -> &Arc<SymbolSource> {
        &self.source
    }

    /// The path of a key.
    #[must_use]
    pub fn path(&self, key: &SymbolKey) -> String {
        self.source.path(key)
    }
}
