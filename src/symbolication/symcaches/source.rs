//! Which file gives the symbols of a module: its `.sym` file or, where there is none and the setting allows it, the
//! file with the debug information itself.

use std::sync::Arc;

use sha2::{Digest, Sha256 as Hasher};
use symbols::{Sha256, Store, Stores, SymbolKey, packed_name};

use crate::catalog::{Catalog, CatalogError, Found, Lookup};
use crate::storage::ObjectInfo;

/// How the names of PDB files end.
const PDB: &str = ".pdb";

/// Whether files with debug information give symbols, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Natives {
    /// They do where there is no `.sym` file.
    Used,
    /// Only `.sym` files do.
    Ignored,
}

/// What has to be done to a file before it can be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing: it is a `.sym` file.
    Sym,
    /// Nothing: it is an ELF or PDB file.
    Native,
    /// It is a gzip file of an ELF file.
    GzippedNative,
    /// It is a cabinet with a PDB file.
    PackedNative,
}

/// A stored file that gives the symbols of a module.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its key.
    pub(super) key: SymbolKey,
    /// What has to be done to it.
    pub(super) form: Form,
    /// Where it is stored.
    pub(super) found: Found,
    /// The store that holds it.
    pub(super) store: Store,
    /// Which bytes it has.
    pub(super) digest: Sha256,
}

impl Source {
    /// The first file that a source holds; regular ones come before those of try builds.
    pub(super) async fn find(
        catalog: &Catalog,
        debug_file: &str,
        debug_id: &str,
        natives: Natives,
    ) -> Result<Option<Self>, CatalogError> {
        let lookup = Lookup {
            stores: Stores::RegularAndTry,
            refreshes: false,
        };
        for (file_name, form) in candidates(debug_file, natives) {
            // A name that is no part of a key cannot have been uploaded.
            let Ok(key) = SymbolKey::new(debug_file, debug_id, &file_name) else {
                continue;
            };
            let found = catalog.find(&key, lookup).await?;
            let found = found.and_then(|found| match form {
                Form::GzippedNative => found.unwrapped(),
                _ => Some(found),
            });
            if let Some(found) = found {
                return Ok(Some(Self {
                    digest: digest(&found, &found.info),
                    store: store(catalog, &found),
                    key,
                    form,
                    found,
                }));
            }
        }
        Ok(None)
    }

    /// The name of its symcache, which no other file shares.
    pub(super) fn name(&self) -> Arc<str> {
        let Self { key, digest, .. } = self;
        format!("{}/{}/{digest}", key.debug_file(), key.id().as_str()).into()
    }

    /// The name of the file that has its symcache.
    pub(super) fn file_name(&self) -> String {
        let name = Hasher::digest(self.name().as_bytes());
        format!("{}.symc", hex::encode(&name[..16]))
    }

    /// The digest of this file in the version that has been opened, which may be newer than the one that was found.
    pub(super) fn digest_of(&self, info: &ObjectInfo) -> Sha256 {
        digest(&self.found, info)
    }
}

/// The key of a module's `.sym` file; `None` if no file can have it.
pub(in crate::symbolication) fn sym_key(debug_file: &str, debug_id: &str) -> Option<SymbolKey> {
    SymbolKey::new(debug_file, debug_id, &sym_name(debug_file)).ok()
}

/// The name of a module's `.sym` file.
pub(in crate::symbolication) fn sym_name(debug_file: &str) -> String {
    let stem = debug_file.strip_suffix(PDB).unwrap_or(debug_file);
    format!("{stem}.sym")
}

/// The names of the files that may give the symbols, best first.
fn candidates(debug_file: &str, natives: Natives) -> Vec<(String, Form)> {
    let mut names = vec![(sym_name(debug_file), Form::Sym)];
    if natives == Natives::Ignored {
        return names;
    }
    if debug_file.ends_with(PDB) {
        names.push((debug_file.to_owned(), Form::Native));
        let packed = packed_name(debug_file);
        names.extend(packed.map(|packed| (packed, Form::PackedNative)));
    } else {
        for (suffix, form) in [
            (".dbg.gz", Form::GzippedNative),
            (".dbg", Form::Native),
            (".debug", Form::Native),
        ] {
            names.push((format!("{debug_file}{suffix}"), form));
        }
    }
    names
}

/// The store that holds a file.
fn store(catalog: &Catalog, found: &Found) -> Store {
    let try_source = catalog.upload_target(Store::Try).source();
    Store::of(Arc::ptr_eq(&found.source, try_source))
}

/// The digest of the original bytes. A file that another program stored may have none; then it is a digest of all that
/// tells this version of the file from others: place, size, time and the storage's own name for the bytes.
fn digest(found: &Found, info: &ObjectInfo) -> Sha256 {
    if let Some(known) = info.meta.original_sha256 {
        return known;
    }
    let version = format!(
        "{}\n{}\n{}\n{}\n{}",
        found.source.objects().location(),
        found.path,
        info.stored_size,
        // As exactly as remembered answers tell it.
        info.modified_at.unix_timestamp_nanos() / 1000,
        info.version.as_deref().unwrap_or_default(),
    );
    Sha256::new(Hasher::digest(version).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sym_file_is_named_as_eliot_names_it() {
        assert_eq!(sym_name("xul.pdb"), "xul.sym");
        assert_eq!(sym_name("libxul.so"), "libxul.so.sym");
        assert_eq!(sym_name("a.PDB"), "a.PDB.sym");
    }

    #[test]
    fn native_files_come_after_the_sym_file() {
        let names = |debug_file, natives| -> Vec<String> {
            let candidates = candidates(debug_file, natives);
            candidates.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names("a.pdb", Natives::Ignored), ["a.sym"]);
        assert_eq!(names("a.pdb", Natives::Used), ["a.sym", "a.pdb", "a.pd_"]);
        let elf = ["a.so.sym", "a.so.dbg.gz", "a.so.dbg", "a.so.debug"];
        assert_eq!(names("a.so", Natives::Used), elf);
    }
}
