//! The names under which a wanted file may be stored.
//!
//! Debuggers do not agree on names. A Windows file may be stored as it is, or compressed in a cabinet whose name ends
//! in an underscore. A debug id consists of a GUID and an age; LLDB writes the age in decimal, all other clients in
//! hexadecimal.

use super::Place;
use crate::catalog::Found;
use symbols::{SymbolKey, packed_name};

/// A name under which a wanted file may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name.
    pub key: SymbolKey,
    /// Whether the name is that of a cabinet with the wanted file in it.
    pub is_packed: bool,
}

impl Candidate {
    /// The place of the wanted file, if some source holds this name.
    pub(super) fn place(&self, found: Found) -> Place {
        if self.is_packed {
            Place::Packed(found)
        } else {
            Place::Held(found)
        }
    }
}

/// The name that was asked for and its alternatives, in the order in which they are tried.
pub(super) fn of(key: &SymbolKey) -> impl Iterator<Item = Candidate> {
    let itself = Candidate {
        key: key.clone(),
        is_packed: false,
    };
    std::iter::once(itself).chain(others(key))
}

/// The alternatives of a name, if it has any: with the age read as decimal, and each of the two in a cabinet.
pub(super) fn others(key: &SymbolKey) -> Vec<Candidate> {
    let by_age = decimal_age(key);
    let packed = in_cabinet(key);
    let packed_by_age = by_age.as_ref().and_then(in_cabinet);
    let names = [(by_age, false), (packed, true), (packed_by_age, true)];
    let candidates = names.into_iter().filter_map(|(key, is_packed)| {
        let key = key?;
        Some(Candidate { key, is_packed })
    });
    candidates.collect()
}

/// The key with its age read as decimal, for files that belong to a PDB.
fn decimal_age(key: &SymbolKey) -> Option<SymbolKey> {
    const SUFFIXES: [&str; 3] = [".pdb", ".pd_", ".sym"];
    let name = key.file_name().as_bytes();
    let belongs_to_pdb = SUFFIXES.iter().any(|suffix| {
        let start = name.len().checked_sub(suffix.len());
        start.is_some_and(|start| name[start..].eq_ignore_ascii_case(suffix.as_bytes()))
    });
    let id = key.id().with_decimal_age().filter(|_| belongs_to_pdb)?;
    SymbolKey::with_id(key.debug_file(), id, key.file_name()).ok()
}

fn in_cabinet(key: &SymbolKey) -> Option<SymbolKey> {
    let name = packed_name(key.file_name())?;
    SymbolKey::with_id(key.debug_file(), key.id().clone(), &name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "44E4EC8C2F41492B9369D6B9A059577C";

    fn candidates(id: &str, name: &str) -> Vec<String> {
        let key = SymbolKey::new("x.pdb", id, name).unwrap();
        let text = |candidate: Candidate| {
            format!(
                "{} {}",
                candidate.key,
                if candidate.is_packed {
                    "packed"
                } else {
                    "plain"
                }
            )
        };
        of(&key).map(text).collect()
    }

    #[test]
    fn most_names_have_one_candidate() {
        assert_eq!(
            candidates(&format!("{GUID}2"), "x.sym"),
            [format!("x.pdb/{GUID}2/x.sym plain")]
        );
        assert_eq!(candidates(&format!("{GUID}A"), "x.sym").len(), 1);
        assert_eq!(candidates(&format!("{GUID}10"), "x.dbg.gz").len(), 1);
    }

    #[test]
    fn a_pdb_may_be_in_a_cabinet_and_its_age_decimal() {
        assert_eq!(
            candidates(&format!("{GUID}18"), "x.pdb"),
            [
                format!("x.pdb/{GUID}18/x.pdb plain"),
                format!("x.pdb/{GUID}12/x.pdb plain"),
                format!("x.pdb/{GUID}18/x.pd_ packed"),
                format!("x.pdb/{GUID}12/x.pd_ packed"),
            ]
        );
        assert_eq!(
            candidates(&format!("{GUID}2"), "x.pd_"),
            [format!("x.pdb/{GUID}2/x.pd_ plain")]
        );
    }
}
