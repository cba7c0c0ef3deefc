//! Native files that are built here.

use std::fs;
use std::process::Command;

use object::write::{Object as Writer, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};
use symbolic_debuginfo::Object;
use symbols::DebugId;

use super::MODULE;
use crate::{Frame, NativeError, Symcache, convert_native};

/// A program whose function has the name that a C++ compiler gives to `space::twice<int>(int)`, which returns an int.
const SOURCE: &str = "__attribute__((noinline)) int _ZN5space5twiceIiEEiT_(int number)\n\
    { return number * 2; }\n\
    int main(int count, char **words) { return _ZN5space5twiceIiEEiT_(count); }\n";

/// The debug id in a file, and the address of one of its symbols.
fn look_into(bytes: &[u8], symbol: &str) -> (DebugId, u64) {
    let object = Object::parse(bytes).unwrap();
    let address = object.symbols().find(|found| found.name() == Some(symbol));
    let id = object.debug_id().breakpad().to_string();
    (DebugId::parse(&id).unwrap(), address.unwrap().address)
}

/// Converts a file and looks an address up in it, then checks what it is.
fn check_frame(bytes: &[u8], id: &DebugId, address: u64, check: impl FnOnce(Frame<'_>)) {
    let mut symcache = Vec::new();
    convert_native(bytes, id, &mut symcache).unwrap();
    let symcache = Symcache::new(symcache).unwrap();
    check(symcache.batch().lookup(address).unwrap());
}

#[test]
fn program_with_debug_information() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.c"), SOURCE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args([
        "-g",
        "-gz=zlib",
        "-Wl,--build-id",
        "-o",
        "program",
        "main.c",
    ]);
    assert!(
        compiler
            .current_dir(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let bytes = fs::read(folder.path().join("program")).unwrap();
    let (id, address) = look_into(&bytes, "_ZN5space5twiceIiEEiT_");
    let lower = DebugId::parse(&id.as_str().to_lowercase()).unwrap();
    check_frame(&bytes, &lower, address + 1, |frame| {
        // Readable, and without the return type.
        assert_eq!(frame.function, "space::twice<int>(int)");
        assert_eq!(frame.function_offset, 1);
        let path = folder.path().join("main.c");
        assert_eq!(frame.file.as_deref(), path.canonicalize().unwrap().to_str());
        assert!((1..=2).contains(&frame.line.unwrap().get()));
        assert!(frame.inlines.is_empty());
    });
}

/// An ELF file for ARM with a symbol at an address.
fn arm(name: &str, address: u64) -> Vec<u8> {
    let mut file = Writer::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little);
    let text = file.section_id(StandardSection::Text);
    file.append_section_data(text, &[7; 64], 4);
    file.add_symbol(Symbol {
        name: name.as_bytes().to_vec(),
        value: address,
        size: 16,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(text),
        flags: SymbolFlags::None,
    });
    file.write().unwrap()
}

#[test]
fn symbols_of_thumb_code_start_at_even_addresses() {
    let bytes = arm("thumb", 0x11);
    let (id, address) = look_into(&bytes, "thumb");
    assert_eq!(address, 0x11);
    check_frame(&bytes, &id, 0x10, |frame| {
        assert_eq!((frame.function, frame.function_offset), ("thumb", 0));
        assert_eq!((frame.file, frame.line), (None, None));
    });
}

#[test]
fn other_files_are_refused() {
    let refusal = |bytes: &[u8], id: &str| {
        let id = DebugId::parse(id).unwrap();
        let mut target = Vec::new();
        let error = convert_native(bytes, &id, &mut target).unwrap_err();
        assert_eq!(target, b"");
        error
    };
    let file = arm("name", 0x10);
    let other = refusal(&file, "00E1107000000000000000000000000D1");
    assert!(matches!(other, NativeError::OtherId(_)), "{other:?}");
    for bytes in [
        b"".as_slice(),
        MODULE.as_bytes(),
        b"PK\x03\x04 and so on, to be long enough",
        b"MZ",
    ] {
        let error = refusal(bytes, "00E1107000000000000000000000000D1");
        assert!(matches!(error, NativeError::Format), "{error:?}");
    }
    let cut = refusal(&file[..40], "00E1107000000000000000000000000D1");
    assert!(matches!(cut, NativeError::Damaged(_)), "{cut:?}");
}
