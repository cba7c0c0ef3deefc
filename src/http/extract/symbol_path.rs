//! The paths and queries of requests for symbols.
//!
//! The raw path is read, so that each part is percent-decoded exactly once and a `%2F` in a part never becomes a
//! separator. Invalid UTF-8 becomes U+FFFD, which no name may contain.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::catalog::Lookup;
use crate::download::Wanted;
use crate::missing::CodeInfo;
use symbols::{DebugId, Stores};

/// The path of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct SymbolPath<'path> {
    /// The requested symbol.
    pub(in crate::http) wanted: Wanted<'path>,
    /// The stores to search: a path that begins with `/try/` includes try symbols.
    pub(in crate::http) stores: Stores,
}

/// Products that once had their symbols under paths of their own. Tecken serves these paths like the plain ones.
const LEGACY_PRODUCTS: [&str; 7] = [
    "firefox",
    "seamonkey",
    "sunbird",
    "thunderbird",
    "xulrunner",
    "fennec",
    "b2g",
];

impl<'path> SymbolPath<'path> {
    /// Reads `/<debug file>/<hexadecimal id>/<file>`, with or without `/try` or the name of an old product before it.
    /// `None` for anything else.
    pub(in crate::http) fn read(path: &'path str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
        let (prefix, [debug_file, id, file_name]) = match (parts.next(), parts.next()) {
            (None, _) => (None, [first, second, third]),
            (Some(fourth), None) => (Some(first), [second, third, fourth]),
            (Some(_), Some(_)) => return None,
        };
        let stores = match prefix {
            Some("try") => Stores::RegularAndTry,
            Some(product) if !LEGACY_PRODUCTS.contains(&product) => return None,
            Some(_) | None => Stores::Regular,
        };
        if debug_file.is_empty() || file_name.is_empty() {
            return None;
        }
        let wanted = Wanted {
            debug_file: decode(debug_file),
            id: DebugId::parse(id)?,
            file_name: decode(file_name),
        };
        Some(Self { wanted, stores })
    }
}

/// A path that names a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct ModulePath {
    /// The debug file or the code file, decoded but not checked.
    pub(in crate::http) file: String,
    /// The debug id or the code id.
    pub(in crate::http) id: DebugId,
}

impl ModulePath {
    /// Reads `/<file>/<hexadecimal id>`. `None` for anything else.
    pub(in crate::http) fn read(path: &str) -> Option<Self> {
        let (file, id) = path.strip_prefix('/')?.split_once('/')?;
        Some(Self {
            file: decode(file).into_owned(),
            id: DebugId::parse(id)?,
        })
    }
}

/// The query of a request for a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct SymbolQuery {
    /// The stores to search: `try` includes try symbols, whatever its value.
    pub(in crate::http) stores: Stores,
    /// Whether `_refresh` is present, whatever its value.
    pub(in crate::http) refreshes: bool,
    /// What the client knows of the module.
    pub(in crate::http) code: CodeInfo,
}

impl SymbolQuery {
    /// Reads a query; unknown parameters are ignored.
    pub(in crate::http) fn read(query: &str) -> Self {
        let mut result = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "try" => result.stores = Stores::RegularAndTry,
                "_refresh" => result.refreshes = true,
                "code_file" => result.code.code_file = text(&value),
                "code_id" => result.code.code_id = text(&value),
                _ => {}
            }
        }
        result
    }

    /// The options of the lookup.
    pub(in crate::http) fn lookup(&self) -> Lookup {
        Lookup {
            stores: self.stores,
            refreshes: self.refreshes,
        }
    }

    /// The first of the module's parameters that contains a NUL, which databases cannot store.
    pub(in crate::http) fn with_nul(&self) -> Option<&'static str> {
        let has_nul =
            |value: &Option<String>| value.as_deref().is_some_and(|value| value.contains('\0'));
        if has_nul(&self.code.code_file) {
            return Some("code_file");
        }
        has_nul(&self.code.code_id).then_some("code_id")
    }
}

fn decode(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    percent_decode_str(part).decode_utf8_lossy()
}

fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use symbols::Store;

    use super::*;

    fn read(path: &str) -> Option<(String, String, bool)> {
        let path = SymbolPath::read(path)?;
        let asks_try = path.stores.includes(Store::Try);
        let names = (path.wanted.debug_file, path.wanted.file_name);
        Some((names.0.into_owned(), names.1.into_owned(), asks_try))
    }

    #[test]
    fn symbol_paths() {
        assert_eq!(
            read("/a.pdb/AB/a.sym"),
            Some(("a.pdb".into(), "a.sym".into(), false))
        );
        assert_eq!(
            read("/try/a.pdb/ab/a.sym"),
            Some(("a.pdb".into(), "a.sym".into(), true))
        );
        assert_eq!(
            read("/try/AB/a.sym"),
            Some(("try".into(), "a.sym".into(), false))
        );
        for product in LEGACY_PRODUCTS {
            assert_eq!(
                read(&format!("/{product}/a.pdb/AB/a.sym")),
                Some(("a.pdb".into(), "a.sym".into(), false))
            );
        }
        assert_eq!(
            read("/firefox/AB/a.sym"),
            Some(("firefox".into(), "a.sym".into(), false))
        );
        assert_eq!(
            read("/c%2B%2B/AB/c++"),
            Some(("c++".into(), "c++".into(), false))
        );
        assert_eq!(
            read("/a%252F/AB/b%2F%2e"),
            Some(("a%2F".into(), "b/.".into(), false))
        );
        assert_eq!(
            read("/%ff/AB/x"),
            Some(("\u{fffd}".into(), "x".into(), false))
        );
    }

    #[test]
    fn other_paths() {
        for path in [
            "/",
            "",
            "/a.pdb/AB",
            "/a.pdb/AB/",
            "//AB/a",
            "/a/b/AB/c",
            "/a.pdb/XY/a.sym",
            "/a/%41B/c",
            "/a//b",
            "/chrome/a.pdb/AB/a.sym",
            "/Firefox/a.pdb/AB/a.sym",
            "/try/firefox/a.pdb/AB/a.sym",
            "/firefox/a.pdb/AB/a.sym/",
            "/try//AB/a.sym",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn queries() {
        let query = SymbolQuery::read("try=0&_refresh&code_file=+xul.dll%20&code_id=&x=y&&=");
        assert!(query.stores == Stores::RegularAndTry && query.refreshes);
        assert_eq!(
            query.code,
            CodeInfo {
                code_file: Some("xul.dll".into()),
                code_id: None
            }
        );
        assert_eq!(
            SymbolQuery::read("code_id=a%00b").with_nul(),
            Some("code_id")
        );
        assert_eq!(SymbolQuery::read(""), SymbolQuery::default());
    }
}
