//! Symcaches of good, bad and hostile files, held against symbolic's and against a naive reader.

mod against_symbolic;
mod hostile;
mod lookups;
mod native;
mod properties;
mod second_opinion;
mod sources;

use symbolic_debuginfo::{Object, ParseObjectOptions};
use symbolic_symcache::SymCacheConverter;

use super::{ConvertedSym, Limits, SymError, convert_sym};

/// The first line of files that are made here.
const MODULE: &str = "MODULE Linux x86_64 00E1107000000000000000000000000D1 a.so\n";

/// Converts a file with the default limits.
fn convert(text: &[u8]) -> Result<(Vec<u8>, ConvertedSym), SymError> {
    convert_with(text, &Limits::default())
}

fn convert_with(text: &[u8], limits: &Limits) -> Result<(Vec<u8>, ConvertedSym), SymError> {
    let mut symcache = Vec::new();
    let converted = convert_sym(text, limits, &mut symcache)?;
    Ok((symcache, converted))
}

/// What symbolic makes of a file; `None` if it refuses it.
fn convert_by_symbolic(text: &[u8]) -> Option<Vec<u8>> {
    let mut options = ParseObjectOptions::default();
    options.max_inline_depth = Some(512);
    let object = Object::parse_with_opts(text, options).ok()?;
    let mut converter = SymCacheConverter::new();
    converter.process_object(&object).ok()?;
    let mut symcache = Vec::new();
    converter.serialize(&mut symcache).unwrap();
    Some(symcache)
}
