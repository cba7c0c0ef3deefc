//! The places where symbols are looked for, and where uploads store them.

use std::sync::Arc;

use crate::storage::{ObjectSource, Storage};
use symbols::{Sha256, SymbolKey};

/// The folder of the symcaches, below the prefix of the symbols.
const SYMCACHES: &str = ".symcache";

/// How a symbol key becomes the path of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `<prefix>/<debug file>/<id>/<file>`, as Breakpad and Tecken lay them out.
    Breakpad {
        /// Without slashes at either end; empty for the root.
        prefix: String,
    },
}

impl Layout {
    /// Breakpad's layout below a prefix, which is empty for the root.
    #[must_use]
    pub fn breakpad(prefix: &str) -> Self {
        Self::Breakpad {
            prefix: prefix.trim_matches('/').to_owned(),
        }
    }

    /// The path of a key.
    #[must_use]
    pub fn path(&self, key: &SymbolKey) -> String {
        let Self::Breakpad { prefix } = self;
        let (debug_file, id, file_name) = (key.debug_file(), key.id().as_str(), key.file_name());
        if prefix.is_empty() {
            [debug_file, id, file_name].join("/")
        } else {
            [prefix, debug_file, id, file_name].join("/")
        }
    }

    /// The key whose path this is; `None` for what no lookup reaches.
    #[must_use]
    pub fn key(&self, path: &str) -> Option<SymbolKey> {
        let Self::Breakpad { prefix } = self;
        let below = match prefix.as_str() {
            "" => path,
            prefix => path.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        let key = SymbolKey::parse(below).ok()?;
        (self.path(&key) == path).then_some(key)
    }

    /// The folder below which all symbols lie; empty for the root.
    #[must_use]
    pub fn folder(&self) -> &str {
        let Self::Breakpad { prefix } = self;
        prefix
    }

    /// Returns whether a symcache may lie at this path.
    #[must_use]
    pub fn is_symcache(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.folder());
        let below = below.map(|below| below.trim_start_matches('/'));
        below
            .and_then(|below| below.strip_prefix(SYMCACHES))
            .is_some_and(|below| below.starts_with('/'))
    }

    /// The path of the symcache that was made from the file with this key and digest. The versions are those of the
    /// symcache. No key has such a path: `.symcache` is followed by what is no id.
    #[must_use]
    pub fn symcache_path(&self, key: &SymbolKey, versions: &str, digest: &Sha256) -> String {
        let Self::Breakpad { prefix } = self;
        let (debug_file, id, digest) = (key.debug_file(), key.id().as_str(), digest.to_string());
        let file = format!("{}.symc", &digest[..32]);
        let path = [SYMCACHES, versions, debug_file, id, &file].join("/");
        if prefix.is_empty() {
            path
        } else {
            format!("{prefix}/{path}")
        }
    }
}

/// Objects and the layout of the symbols among them.
#[derive(Clone, Debug)]
pub struct SymbolSource {
    objects: Arc<dyn ObjectSource>,
    layout: Layout,
}

impl SymbolSource {
    /// Makes a source of these objects.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectSource>, layout: Layout) -> Self {
        Self { objects, layout }
    }

    /// The objects themselves.
    #[must_use]
    pub fn objects(&self) -> &dyn ObjectSource {
        self.objects.as_ref()
    }

    /// The path of a key.
    #[must_use]
    pub fn path(&self, key: &SymbolKey) -> String {
        self.layout.path(key)
    }
}

impl SymbolSource {
    /// The path of the symcache of a file; see [`Layout::symcache_path`].
    #[must_use]
    pub fn symcache_path(&self, key: &SymbolKey, versions: &str, digest: &Sha256) -> String {
        self.layout.symcache_path(key, versions, digest)
    }
}

/// A symbol source that uploads are stored in.
#[derive(Clone, Debug)]
pub struct UploadTarget {
    storage: Arc<dyn Storage>,
    source: Arc<SymbolSource>,
}

impl UploadTarget {
    /// Makes a target that stores symbols in this storage and looks for them there.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, layout: Layout) -> Self {
        let objects: Arc<dyn ObjectSource> = Arc::clone(&storage) as _;
        Self {
            storage,
            source: Arc::new(SymbolSource::new(objects, layout)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_below_the_prefix_or_at_the_root() {
        let key = SymbolKey::new("a.pdb", "AB0", "a.sym").unwrap();
        assert_eq!(
            Layout::breakpad("/try/v1/").path(&key),
            "try/v1/a.pdb/AB0/a.sym"
        );
        assert_eq!(Layout::breakpad("").path(&key), "a.pdb/AB0/a.sym");
        let digest = Sha256::new([0xab; 32]);
        let symcache = format!(".symcache/1-9/a.pdb/AB0/{}.symc", "ab".repeat(16));
        let path = |prefix| Layout::breakpad(prefix).symcache_path(&key, "1-9", &digest);
        assert_eq!(path(""), symcache);
        assert_eq!(path("try/v1"), format!("try/v1/{symcache}"));
        for prefix in ["", "try/v1"] {
            let layout = Layout::breakpad(prefix);
            assert!(layout.is_symcache(&path(prefix)));
            assert!(!layout.is_symcache("v1/a.pdb/AB0/.symcache"));
            assert!(!layout.is_symcache(".symcaches/a"));
        }
    }

    #[test]
    fn a_path_leads_back_to_its_key_and_no_other_path_does() {
        let key = SymbolKey::new("a.pdb", "AB0", "a.sym").unwrap();
        for layout in [Layout::breakpad("try/v1"), Layout::breakpad("")] {
            assert_eq!(layout.key(&layout.path(&key)).as_ref(), Some(&key));
        }
        let layout = Layout::breakpad("v1");
        for path in [
            "v1",
            "v1/a.pdb/AB0",
            "v1/a.pdb/ab0/a.sym",
            "v1/a.pdb/AB0/a.sym/b",
            "v1/a.pdb/AB0/a.sym#0123",
            "v11/a.pdb/AB0/a.sym",
            "a.pdb/AB0/a.sym",
        ] {
            assert_eq!(layout.key(path), None, "{path}");
        }
    }
}
