//! The types of files that Breakpad's tools upload.

/// The type of an uploaded file, by Breakpad's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SymbolType {
    /// Breakpad's own text format, as `dump_syms` writes it.
    #[default]
    Breakpad,
    /// An ELF file.
    Elf,
    /// A Windows program or library.
    Pe,
    /// A Mach-O file.
    MachO,
    /// An ELF file with debug information only.
    DebugOnly,
    /// A DWARF package.
    Dwp,
    /// The DWARF file of a dSYM bundle.
    Dsym,
    /// A Windows program database.
    Pdb,
}

impl SymbolType {
    /// The names of all types, for messages.
    pub const NAMES: &'static str = "BREAKPAD, ELF, PE, MACHO, DEBUG_ONLY, DWP, DSYM, PDB";

    /// Reads a type's name in any letter case.
    ///
    /// # Errors
    /// No type has this name.
    pub fn parse(name: &str) -> Result<Self, UnknownType> {
        match name.to_ascii_uppercase().as_str() {
            "BREAKPAD" => Ok(Self::Breakpad),
            "ELF" => Ok(Self::Elf),
            "PE" => Ok(Self::Pe),
            "MACHO" => Ok(Self::MachO),
            "DEBUG_ONLY" => Ok(Self::DebugOnly),
            "DWP" => Ok(Self::Dwp),
            "DSYM" => Ok(Self::Dsym),
            "PDB" => Ok(Self::Pdb),
            _ => Err(UnknownType(name.chars().take(40).collect())),
        }
    }

    /// Whether files of this type are found by their build id, whatever their name (debuginfod).
    pub(super) fn has_build_id(self) -> bool {
        matches!(self, Self::Elf | Self::DebugOnly)
    }

    /// The name of a file of this type in the module of a debug file. Programs and program databases keep their names.
    pub(super) fn file_name(self, debug_file: &str) -> String {
        let suffix = match self {
            Self::Breakpad => return sym_name(debug_file),
            Self::Elf | Self::Pe | Self::MachO | Self::Pdb => "",
            Self::DebugOnly => ".debug",
            Self::Dwp => ".dwp",
            Self::Dsym => ".dwarf",
        };
        format!("{debug_file}{suffix}")
    }
}

/// The name that clients of Breakpad's symbols ask for: `.sym` replaces `.pdb`, and follows any other name.
fn sym_name(debug_file: &str) -> String {
    let stem = debug_file
        .len()
        .checked_sub(4)
        .filter(|at| *at > 0 && debug_file.is_char_boundary(*at))
        .filter(|at| debug_file[*at..].eq_ignore_ascii_case(".pdb"));
    format!("{}.sym", &debug_file[..stem.unwrap_or(debug_file.len())])
}

/// The name of a type that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a type of symbols. The types are {names}", names = SymbolType::NAMES)]
pub struct UnknownType(String);
