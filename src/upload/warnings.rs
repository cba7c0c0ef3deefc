//! The warnings about an upload: members that are stored as they are, and that clients cannot use.

use std::collections::BTreeMap;

use symbols::header::HeadFault;
use symbols::{Store, SuffixList, SymbolKey, plain_name};

use super::verify::{Content, Entry, MemberFacts};
use crate::db::warnings::{Warning, WarningKind, Warnings};

/// How many members a warning names.
const NAMED: usize = 20;

/// The suffixes with which debuginfod makes the names of files beside a `.sym` file from that of the debug file.
const BESIDE_SYM: [&str; 3] = [".dbg.gz", ".debug", ".src.tar.gz"];

/// The warnings about these members, which go to this store of a server that serves files with these endings.
pub(super) fn warnings_about(
    members: &[(Entry, MemberFacts)],
    store: Store,
    serve: &SuffixList,
) -> Warnings {
    let mut warnings: BTreeMap<WarningKind, Warning> = BTreeMap::new();
    for (entry, facts) in members {
        let Content::Symbol(key) = &entry.content else {
            continue;
        };
        let is_answered = is_found_by_path(key, serve) || is_found_by_build_id(key, facts, store);
        let not_served = (!is_answered).then_some(WarningKind::NotServed);
        for kind in not_served.into_iter().chain(facts.head_fault.map(of_head)) {
            let warning = warnings.entry(kind).or_insert_with(|| Warning {
                kind,
                count: 0,
                keys: Vec::new(),
            });
            warning.count += 1;
            if warning.keys.len() < NAMED {
                warning.keys.push(entry.name.clone());
            }
        }
    }
    Warnings(warnings.into_values().collect())
}

/// What a warning of this kind means and what to do about it, for the uploader.
#[must_use]
pub fn sentence_of(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::NotServed => {
            "These files are stored, but this server answers no request with them. Ask for their endings to be added \
             to the setting download.serve, or leave them out of the upload"
        }
        WarningKind::HeadUtf16 => {
            "These .sym files are UTF-16, which clients cannot read. Write them as UTF-8; in PowerShell, `>` writes \
             UTF-16, so let dump_syms write the file itself"
        }
        WarningKind::HeadByteOrderMark => {
            "These .sym files begin with a byte order mark, so clients cannot read them. Write them as UTF-8 without \
             it"
        }
        WarningKind::HeadNoModule => {
            "These .sym files do not begin with a MODULE line that has a debug id and a debug file, so clients cannot \
             read them. Make them with dump_syms"
        }
    }
}

/// Returns whether a request by path can be answered with the file, as it is or unpacked from the cabinet that it is.
fn is_found_by_path(key: &SymbolKey, serve: &SuffixList) -> bool {
    let is_served = |name: &str| serve.matches_ignoring_case(name);
    let is_unpacked = || plain_name(key.file_name()).is_some_and(|plain| is_served(&plain));
    !key.id().is_zero() && (is_served(key.file_name()) || is_unpacked())
}

/// Returns whether a request by build id may be answered with the file, or with what is in it.
fn is_found_by_build_id(key: &SymbolKey, facts: &MemberFacts, store: Store) -> bool {
    let suffix = key.file_name().strip_prefix(key.debug_file());
    let is_beside_sym = suffix.is_some_and(|suffix| BESIDE_SYM.contains(&suffix));
    !store.is_try() && (facts.elf.is_some() || is_beside_sym)
}

fn of_head(fault: HeadFault) -> WarningKind {
    match fault {
        HeadFault::Utf16 => WarningKind::HeadUtf16,
        HeadFault::ByteOrderMark => WarningKind::HeadByteOrderMark,
        HeadFault::NoModule => WarningKind::HeadNoModule,
    }
}

#[cfg(test)]
mod tests {
    use symbols::BuildId;
    use symbols::elf::ElfFile;

    use super::*;
    use crate::upload::verify::{ArchiveLimits, single_file};

    fn member(key: &str) -> (Entry, MemberFacts) {
        let key = SymbolKey::parse(key).unwrap();
        let entry = single_file(&b""[..], key, &ArchiveLimits::default()).unwrap();
        let facts = MemberFacts {
            sha256: [0; 32],
            md5: None,
            header: None,
            head_fault: None,
            elf: None,
        };
        (entry, facts)
    }

    fn elf(key: &str) -> (Entry, MemberFacts) {
        let (entry, facts) = member(key);
        let elf = ElfFile {
            build_id: BuildId::parse("abcd").unwrap(),
            has_code: true,
            has_debug_info: false,
            is_gzipped: false,
            size: None,
        };
        let facts = MemberFacts {
            elf: Some(elf),
            ..facts
        };
        (entry, facts)
    }

    fn keys(members: &[(Entry, MemberFacts)], store: Store) -> Vec<String> {
        let serve = SuffixList::new(&[".sym", ".pdb"]);
        let Warnings(warnings) = warnings_about(members, store, &serve);
        assert!(warnings.len() <= 1);
        warnings
            .into_iter()
            .flat_map(|warning| warning.keys)
            .collect()
    }

    #[test]
    fn members_that_no_request_is_answered_with_are_named() {
        let members = [
            member("oak.pdb/AB1/oak.sym"),
            member("oak.pdb/AB1/OAK.PDB"),
            member("oak.pdb/AB1/oak.pd_"),
            member("oak.pdb/AB1/oak.dl_"),
            member("oak.dll/AB1/oak.dll"),
            member("oak.so/AB1/oak.so.src.tar.gz"),
            member("oak.so/AB1/elm.so.src.tar.gz"),
            member("oak.pdb/000000000000000000000000000000000/oak.sym"),
            elf("oak/AB1/oak"),
        ];
        let useless = [
            "oak.pdb/AB1/oak.dl_",
            "oak.dll/AB1/oak.dll",
            "oak.so/AB1/elm.so.src.tar.gz",
            "oak.pdb/000000000000000000000000000000000/oak.sym",
        ];
        assert_eq!(keys(&members, Store::Regular), useless);
        let of_build_ids = [elf("oak/AB1/oak"), member("oak/AB1/oak.debug")];
        assert_eq!(keys(&of_build_ids, Store::Regular).len(), 0);
        assert_eq!(keys(&of_build_ids, Store::Try).len(), 2);
    }

    #[test]
    fn a_warning_counts_all_members_and_names_the_first() {
        let members: Vec<_> = (0..50)
            .map(|number| member(&format!("elm.dll/AB1/elm{number}.dll")))
            .collect();
        let serve = SuffixList::new(&[".sym"]);
        let Warnings(warnings) = warnings_about(&members, Store::Regular, &serve);
        let [warning] = &warnings[..] else {
            panic!("{warnings:?}")
        };
        assert_eq!((warning.kind, warning.count), (WarningKind::NotServed, 50));
        assert_eq!(warning.keys.len(), NAMED);
        assert_eq!(warning.keys[0], "elm.dll/AB1/elm0.dll");
    }
}
