//! Headers of `.sym` files.

use std::fmt::Write;

use symbols::check_name;
use symbols::header::{SCAN_LENGTH, SymHeader};

/// Reads the bytes as the start of a `.sym` file.
///
/// # Panics
/// The header has an illegal name, depends on bytes that are not looked at, or is another one when it is written and
/// read again.
pub fn sym_header(bytes: &[u8]) {
    let header = SymHeader::parse(bytes);
    for name in [&header.debug_file, &header.code_file]
        .into_iter()
        .flatten()
    {
        assert_eq!(check_name(name), Ok(()));
    }
    if let Some(generator) = &header.generator {
        assert!(generator.len() <= 200 && !generator.contains(char::is_control));
    }
    let scanned = &bytes[..bytes.len().min(SCAN_LENGTH)];
    assert_eq!(SymHeader::parse(scanned), header);
    assert_eq!(SymHeader::parse(write(&header).as_bytes()), header);
}

/// A file with this header; where a field is missing, it has an invalid one.
fn write(header: &SymHeader) -> String {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "..".to_owned());
    let id = |id: Option<&_>| id.map_or_else(|| "?".to_owned(), ToString::to_string);
    let mut text = format!(
        "MODULE Linux x86_64 {} {}\nINFO CODE_ID {} {}\n",
        id(header.debug_id.as_ref()),
        name(&header.debug_file),
        id(header.code_id.as_ref()),
        name(&header.code_file),
    );
    if let Some(generator) = &header.generator {
        writeln!(text, "INFO GENERATOR {generator}").expect("a String takes every text");
    }
    text
}
