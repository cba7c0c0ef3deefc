//! Converts native debug files (ELF, Mach-O, PDB) to symcaches, by symbolic.
//!
//! Their parsers follow offsets wherever these lead and inflate what is compressed, so hostile bytes can cost memory
//! and time without measure, and the stack may end. Run this in a process of its own with limits on both.
//!
//! Two things differ from what symbolic does by itself. Names are demangled, without return types, since that is what
//! `.sym` files hold. And the symbols of 32-bit ARM lose bit 0 of their addresses: it only tells that a function is
//! Thumb code, but would put the symbol behind the function's first line.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, BufWriter, Write};

use symbolic_common::{CpuFamily, Language, Name, NameMangling};
use symbolic_debuginfo::{Archive, FileFormat, Object, ParseObjectOptions};
use symbolic_demangle::{Demangle, DemangleOptions};
use symbolic_symcache::SymCacheConverter;
use symbolic_symcache::transform::{Function, Transformer};
use symbols::DebugId;

/// The largest section that is inflated, in bytes.
const LARGEST_SECTION: usize = 1 << 30;

/// How deep inlined functions may be nested.
const INLINE_DEPTH: u32 = 512;

/// Why a native file was not converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// Neither ELF nor Mach-O nor PDB.
    #[error("the file is neither ELF nor Mach-O nor PDB")]
    Format,
    /// The file, or every one of the files in it, says that it has another debug id.
    #[error("the file has another debug id than {0}")]
    OtherId(DebugId),
    /// The file is damaged, or holds something that symbolic does not know.
    #[error("the file could not be read")]
    Damaged(#[source] Box<dyn Error + Send + Sync>),
    /// The symcache could not be written; nothing is wrong with the file.
    #[error("the symcache could not be written")]
    Write(#[source] io::Error),
}

impl NativeError {
    fn damaged(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Damaged(Box::new(error))
    }
}

/// Converts the native file with this debug id to a symcache. Of a Mach-O file for several architectures, that is one
/// of the files in it.
///
/// # Errors
/// See [`NativeError`]. Nothing has been written unless it is [`NativeError::Write`].
pub fn convert_native<W: Write>(
    bytes: &[u8],
    debug_id: &DebugId,
    target: W,
) -> Result<(), NativeError> {
    let object = find(bytes, debug_id)?;
    let mut converter = SymCacheConverter::new();
    converter.add_transformer(Readable);
    match object.arch().cpu_family() {
        CpuFamily::Arm32 if object.file_format() != FileFormat::Pdb => {
            add_arm(&mut converter, &object)?;
        }
        _ => converter
            .process_object(&object)
            .map_err(NativeError::damaged)?,
    }
    let mut target = BufWriter::new(target);
    converter
        .serialize(&mut target)
        .map_err(NativeError::Write)?;
    target.flush().map_err(NativeError::Write)
}

/// The object with this debug id.
fn find<'data>(bytes: &'data [u8], debug_id: &DebugId) -> Result<Object<'data>, NativeError> {
    let format = Archive::peek(bytes);
    if !matches!(
        format,
        FileFormat::Elf | FileFormat::MachO | FileFormat::Pdb
    ) {
        return Err(NativeError::Format);
    }
    let mut options = ParseObjectOptions::default();
    options.max_inline_depth = Some(INLINE_DEPTH);
    options.max_decompressed_section_size = Some(LARGEST_SECTION);
    let archive = Archive::parse_with_opts(bytes, options).map_err(NativeError::damaged)?;
    for object in archive.objects() {
        let object = object.map_err(NativeError::damaged)?;
        let found = object.debug_id().breakpad().to_string();
        if found.eq_ignore_ascii_case(debug_id.as_str()) {
            return Ok(object);
        }
    }
    Err(NativeError::OtherId(debug_id.clone()))
}

/// Adds what symbolic would, but for bit 0 of the symbols.
fn add_arm(converter: &mut SymCacheConverter<'_>, object: &Object<'_>) -> Result<(), NativeError> {
    converter.set_arch(object.arch());
    converter.set_debug_id(object.debug_id());
    let session = object.debug_session().map_err(NativeError::damaged)?;
    for function in session.functions() {
        converter.process_symbolic_function(&function.map_err(NativeError::damaged)?);
    }
    for mut symbol in object.symbols() {
        symbol.address &= !1;
        converter.process_symbolic_symbol(&symbol);
    }
    Ok(())
}

/// Demangles names.
struct Readable;

impl Transformer for Readable {
    fn transform_function<'f>(&'f mut self, mut function: Function<'f>) -> Function<'f> {
        let options = DemangleOptions::complete().return_type(false);
        let name = Name::new(
            function.name.as_ref(),
            NameMangling::Unknown,
            Language::Unknown,
        );
        if let Some(readable) = name.demangle(options) {
            function.name = Cow::Owned(readable);
        }
        function
    }
}
