//! Names for archives that will be unpacked.

use super::error::Error;
use super::names::Names;

/// Accepts names that stay below the directory in which the archive is unpacked, on every system.
///
/// Each part between slashes must be non-empty, neither `.` nor `..`, and free of backslashes, colons and control
/// characters. Names may begin with `./`, and a directory may be `./`: so bsdtar archives the directory `.`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainPaths;

/// Why an archive is refused whose names must be [`PlainPaths`].
#[derive(Debug, thiserror::Error)]
pub enum PlainPathError {
    /// The archive breaks a rule of the format.
    #[error(transparent)]
    Zip(#[from] Error),
    /// A member's name is not a plain relative path.
    #[error("The name of the member {0:?} is not a plain relative path.")]
    Name(String),
}

impl Names for PlainPaths {
    type Content = ();
    type Error = PlainPathError;

    fn check_directory(&self, name: &str) -> Result<(), PlainPathError> {
        if name == "./" {
            return Ok(());
        }
        self.classify(name.strip_suffix('/').unwrap_or(name))
            .map_err(|_| PlainPathError::Name(name.to_owned()))
    }

    fn classify(&self, name: &str) -> Result<(), PlainPathError> {
        let path = name.strip_prefix("./").unwrap_or(name);
        if path.split('/').all(is_plain) {
            Ok(())
        } else {
            Err(PlainPathError::Name(name.to_owned()))
        }
    }
}

fn is_plain(part: &str) -> bool {
    !["", ".", ".."].contains(&part)
        && !part.contains(['\\', ':'])
        && !part.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_stay_below_their_directory() {
        for name in [
            "a",
            "a/b.c",
            "a/..b",
            "a b/汉.txt",
            ".hidden",
            "./a",
            "./a/b",
        ] {
            assert!(PlainPaths.classify(name).is_ok(), "{name}");
            assert!(
                PlainPaths.check_directory(&format!("{name}/")).is_ok(),
                "{name}"
            );
        }
        for name in [
            "", "/a", "a//b", "././a", ".//a", "a/./b", "./..", "a/../b", "..", "a\\b", "C:",
            "a\0", "a\n/b",
        ] {
            assert!(PlainPaths.classify(name).is_err(), "{name:?}");
            let error = PlainPaths.check_directory(&format!("{name}/")).unwrap_err();
            assert!(matches!(error, PlainPathError::Name(it) if it == format!("{name}/")));
        }
        assert!(PlainPaths.classify(".").is_err() && PlainPaths.check_directory("./").is_ok());
    }
}
