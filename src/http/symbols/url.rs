//! The URLs of symbols on this server.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use symbols::{Stores, SymbolKey};

/// The characters that are encoded in a part of a path: all that RFC 3986 does not allow there. The others must stay as
/// they are, since minidump-stackwalk takes names from such a path without decoding them.
const NOT_IN_A_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The path of a symbol, encoded, as in `/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym`; with `/try` before it
/// where the store of try symbols is asked too.
pub(super) fn path_of(key: &SymbolKey, stores: Stores) -> String {
    let part = |text| utf8_percent_encode(text, NOT_IN_A_PART);
    format!(
        "{}/{}/{}/{}",
        match stores {
            Stores::Regular => "",
            Stores::RegularAndTry => "/try",
        },
        part(key.debug_file()),
        key.id(),
        part(key.file_name()),
    )
}

/// The query of a redirect, written as HTML forms do: `?_refresh&a=b%20c` becomes `?_refresh=&a=b+c`, as in Tecken.
/// Empty if there is none.
pub(super) fn query_of(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_path_allows_is_encoded() {
        let path = |text| path_of(&SymbolKey::parse(text).unwrap(), Stores::Regular);
        assert_eq!(
            path("c++filt/AB12/c++filt.sym"),
            "/c++filt/AB12/c++filt.sym"
        );
        assert_eq!(
            path("a b?.pdb/AB12/汉.sym"),
            "/a%20b%3F.pdb/AB12/%E6%B1%89.sym"
        );
        assert_eq!(path("~(a,b):@!.so/AB12/x"), "/~(a,b):@!.so/AB12/x");
    }

    #[test]
    fn queries_are_kept() {
        assert_eq!(query_of(""), "");
        assert_eq!(query_of("_refresh&a=b%20c"), "?_refresh=&a=b+c");
        assert_eq!(query_of("x=%0d%0aSet-Cookie:a"), "?x=%0D%0ASet-Cookie%3Aa");
    }
}
