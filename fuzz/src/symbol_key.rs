//! Symbol keys and the names in them.

use std::path::{Component, Path};

use symbols::{SymbolKey, check_name};

/// Parses the bytes as a symbol key.
///
/// # Panics
/// A key is not three plain path components, or is another one when it is written and parsed again.
pub fn symbol_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(key) = SymbolKey::parse(text) else {
        return;
    };
    let written = key.to_string();
    assert!(written.eq_ignore_ascii_case(text));
    assert_eq!(SymbolKey::parse(&written), Ok(key.clone()));

    let parts = [key.debug_file(), key.id().as_str(), key.file_name()];
    let components: Vec<_> = Path::new(&written).components().collect();
    assert_eq!(
        components,
        parts.map(|part| Component::Normal(part.as_ref()))
    );
    for name in [key.debug_file(), key.file_name()] {
        assert_eq!(check_name(name), Ok(()));
        assert!(name.len() <= 200 && name.trim() == name);
        assert!(!name.contains(['\\', '/', '%', '"', '\'', '<', '>']));
        assert!(!name.contains(char::is_control));
    }
    let id = key.id().as_str();
    assert!((1..=64).contains(&id.len()));
    let is_upper_hex = |digit: u8| digit.is_ascii_digit() || (b'A'..=b'F').contains(&digit);
    assert!(id.bytes().all(is_upper_hex));
}
