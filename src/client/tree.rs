//! Finds the files of a directory that can be sent.
//!
//! All of it is surveyed: what belongs to the layout `<debug file>/<debug id>/<file>` (which `dump_syms` and
//! Breakpad's tools write) is kept by its key, what lies elsewhere is counted, and a name that the server would refuse
//! is an error here, before anything is sent.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use walkdir::{DirEntry, WalkDir};

use super::count_of_files;
use symbols::{KeyError, SymbolKey};

/// Where a file of symbols lies below its directory.
const LAYOUT: &str = "<debug file>/<debug id>/<file>";

/// A path of that layout.
const EXAMPLE: &str = "xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";

/// How many bad names an error lists.
const NAMES_LISTED: usize = 10;

/// The files of one directory that are to be sent.
#[derive(Debug)]
pub(super) struct SymbolTree {
    root: PathBuf,
    files: BTreeMap<SymbolKey, PathBuf>,
    left_out: LeftOut,
}

/// The files that lie elsewhere than the layout has it.
#[derive(Debug, Default)]
struct LeftOut {
    count: usize,
    first: Option<PathBuf>,
}

impl SymbolTree {
    /// Looks at everything below the directory, through symbolic links too. A directory that holds no file of the
    /// layout is an error, and so are names that the server would refuse.
    pub(super) fn survey(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
            left_out: LeftOut::default(),
        };
        let mut refused = Vec::new();
        for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => return Err(error).context("cannot look through the directory"),
            };
            if entry.file_type().is_dir() || is_ignored(&entry) {
                continue;
            }
            if let Err(reason) = tree.add(&entry) {
                refused.push(reason);
            }
        }
        if !refused.is_empty() {
            bail!(
                "{} has files that no symbol server takes:{}",
                root.display(),
                list(&refused)
            );
        }
        if tree.files.is_empty() {
            bail!("{}", tree.nothing_found());
        }
        Ok(tree)
    }

    /// The files that are to be sent.
    pub(super) fn files(&self) -> &BTreeMap<SymbolKey, PathBuf> {
        &self.files
    }

    /// The name of its packing.
    pub(super) fn step(&self) -> String {
        format!("zipping {}", self.root.display())
    }

    /// A sentence about the files that lie elsewhere, if there are any.
    pub(super) fn warning(&self) -> Option<String> {
        let elsewhere = self.left_out.shown()?;
        let root = self.root.display();
        Some(format!(
            "left out of {root}, since not at {LAYOUT}: {elsewhere}"
        ))
    }

    /// Keeps one file, or counts it as left out. An error is the reason why the server would refuse it.
    fn add(&mut self, entry: &DirEntry) -> Result<(), String> {
        let path = entry.path();
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        if entry.depth() != 3 || !entry.file_type().is_file() {
            self.left_out.count(relative);
            return Ok(());
        }
        let Some(parts) = relative
            .iter()
            .map(OsStr::to_str)
            .collect::<Option<Vec<_>>>()
        else {
            return Err(format!("{} is not UTF-8", relative.display()));
        };
        let key = match SymbolKey::parse(&parts.join("/")) {
            Ok(key) => key,
            Err(KeyError::Id | KeyError::Shape) => {
                self.left_out.count(relative);
                return Ok(());
            }
            Err(error @ KeyError::Name(_)) => {
                return Err(format!("{} {error}", relative.display()));
            }
        };
        if self.files.contains_key(&key) {
            return Err(format!(
                "{} is there twice, with its id in different letter cases",
                relative.display()
            ));
        }
        self.files.insert(key, path.to_owned());
        Ok(())
    }

    fn nothing_found(&self) -> String {
        let root = self.root.display();
        let elsewhere = self
            .left_out
            .shown()
            .unwrap_or_else(|| "no file".to_owned());
        format!(
            "{root} holds no symbols: expected files at {LAYOUT}, as in {EXAMPLE}; found elsewhere: {elsewhere}"
        )
    }
}

impl LeftOut {
    fn count(&mut self, path: &Path) {
        self.count += 1;
        self.first.get_or_insert_with(|| path.to_owned());
    }

    fn shown(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(format!(
            "{}, the first is {}",
            count_of_files(self.count),
            first.display()
        ))
    }
}

/// What the server leaves out of any archive, too: the list that Breakpad's tools write, and the Finder's notes.
fn is_ignored(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name == ".DS_Store"
        || (entry.depth() == 1 && name.to_ascii_lowercase().ends_with("-symbols.txt"))
}

fn list(reasons: &[String]) -> String {
    let mut text = String::new();
    for reason in reasons.iter().take(NAMES_LISTED) {
        let _ = write!(text, "\n  {reason}");
    }
    if reasons.len() > NAMES_LISTED {
        let _ = write!(text, "\n  and {} more", reasons.len() - NAMES_LISTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SYM, directory_of};
    use super::*;

    fn keys(tree: &SymbolTree) -> Vec<String> {
        tree.files.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn the_layout_is_kept_and_the_rest_is_left_out() {
        let directory = directory_of(&[
            ("xul.pdb/ab12/xul.sym", SYM),
            ("c++ filt/CD34/汉.sym", SYM),
            ("firefox-symbols.txt", "xul.pdb/AB12/xul.sym"),
            ("xul.pdb/.DS_Store", ""),
            ("readme.txt", ""),
            ("xul.pdb/not an id/xul.sym", SYM),
            ("one/too/many/AB/x.sym", SYM),
        ]);
        let tree = SymbolTree::survey(directory.path()).unwrap();
        assert_eq!(
            keys(&tree),
            ["c++ filt/CD34/汉.sym", "xul.pdb/AB12/xul.sym"]
        );
        let warning = tree.warning().unwrap();
        let expected =
            "<debug file>/<debug id>/<file>: 3 files, the first is one/too/many/AB/x.sym";
        assert!(warning.ends_with(expected), "{warning}");
    }

    #[test]
    fn a_directory_without_symbols_is_told_the_layout() {
        let directory = directory_of(&[("bin/xul.sym", SYM)]);
        let error = SymbolTree::survey(directory.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("<debug file>/<debug id>/<file>"), "{error}");
        assert!(
            error.ends_with("found elsewhere: 1 file, the first is bin/xul.sym"),
            "{error}"
        );
    }

    #[test]
    fn bad_names_are_reported_together() {
        let directory = directory_of(&[
            ("a/AB/a.sym", SYM),
            ("a/ab/a.sym", SYM),
            ("b%/AB/b.sym", SYM),
            ("c/AB/c .sym ", SYM),
        ]);
        let error = SymbolTree::survey(directory.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("a/ab/a.sym is there twice"), "{error}");
        assert!(
            error.contains("b%/AB/b.sym has a name that contains the character U+0025"),
            "{error}"
        );
        assert!(
            error.contains("c/AB/c .sym  has a name that starts or ends with a space"),
            "{error}"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let reasons: Vec<_> = (0..12).map(|number| format!("reason {number}")).collect();
        let text = list(&reasons);
        assert!(
            text.contains("reason 9") && !text.contains("reason 10"),
            "{text}"
        );
        assert!(text.ends_with("and 2 more"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;

        let directory = directory_of(&[("a/AB/a.sym", SYM)]);
        let root = directory.path();
        symlink(root.join("a"), root.join("b")).unwrap();
        symlink(root.join("a/AB/a.sym"), root.join("a/AB/linked.sym")).unwrap();
        symlink(root, root.join("a/AB/circle")).unwrap();
        let tree = SymbolTree::survey(root).unwrap();
        assert_eq!(
            keys(&tree),
            [
                "a/AB/a.sym",
                "a/AB/linked.sym",
                "b/AB/a.sym",
                "b/AB/linked.sym"
            ]
        );
        assert_eq!(tree.warning(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf_8_is_a_bad_name() {
        use std::os::unix::ffi::OsStrExt;

        let directory = directory_of(&[("a/AB/a.sym", SYM)]);
        let path = directory
            .path()
            .join("a/AB")
            .join(OsStr::from_bytes(b"\xff.sym"));
        std::fs::write(path, SYM).unwrap();
        let error = SymbolTree::survey(directory.path()).unwrap_err();
        assert!(error.to_string().ends_with(".sym is not UTF-8"), "{error}");
    }
}
