//! The paths of debuginfod: a build, and the file or part of it that is requested.

use percent_encoding::percent_decode_str;

use crate::debuginfod::Kind;
use symbols::BuildId;

/// A path of debuginfod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct BuildPath {
    /// The build.
    pub(in crate::http) build_id: BuildId,
    /// The requested file or part of it.
    pub(in crate::http) wanted: WantedOfBuild,
}

/// A file of a build, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum WantedOfBuild {
    /// A whole file.
    File(Kind),
    /// The section of this name.
    Section(String),
    /// The source file of this path, which begins with a slash.
    Source(String),
}

impl BuildPath {
    /// Reads `/buildid/<build id>/` and `debuginfo`, `executable`, `section/<name>` or `source/<path>`. The first two
    /// may end in a slash, as in elfutils. `None` for any other path, which may still be a symbol's.
    pub(in crate::http) fn read(path: &str) -> Option<Self> {
        let (build_id, wanted) = path.strip_prefix("/buildid/")?.split_once('/')?;
        let wanted = match wanted.split_once('/').unwrap_or((wanted, "")) {
            ("debuginfo", "") => WantedOfBuild::File(Kind::DebugInfo),
            ("executable", "") => WantedOfBuild::File(Kind::Executable),
            ("section", name) if !name.is_empty() => WantedOfBuild::Section(decode(name)),
            ("source", path) if !path.is_empty() => {
                WantedOfBuild::Source(format!("/{}", decode(path).trim_start_matches('/')))
            }
            _ => return None,
        };
        let build_id = BuildId::parse(build_id)?;
        Some(Self { build_id, wanted })
    }
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_builds() {
        let wanted = |path: &str| BuildPath::read(path).map(|path| path.wanted);
        let debug_info = WantedOfBuild::File(Kind::DebugInfo);
        for path in ["/buildid/abcd/debuginfo", "/buildid/abcd/debuginfo/"] {
            assert_eq!(wanted(path), Some(debug_info.clone()), "{path}");
        }
        let executable = WantedOfBuild::File(Kind::Executable);
        for path in ["/buildid/ABCD/executable", "/buildid/abcd/executable/"] {
            assert_eq!(wanted(path), Some(executable.clone()), "{path}");
        }
        let section = WantedOfBuild::Section(".gdb_index".to_owned());
        assert_eq!(wanted("/buildid/abcd/section/.gdb%5Findex"), Some(section));
        let source = Some(WantedOfBuild::Source("/usr/src/a c++.c".to_owned()));
        assert_eq!(wanted("/buildid/abcd/source/usr/src/a%20c%2B%2B.c"), source);
        assert_eq!(wanted("/buildid/abcd/source//usr/src/a%20c++.c"), source);
        for path in [
            "/buildid/abcd",
            "/buildid/abcd/",
            "/buildid/abc/debuginfo",
            "/buildid/xyzw/debuginfo",
            "/buildid/abcd/debuginfo//",
            "/buildid/abcd/debuginfo/x",
            "/buildid/abcd/buildid.sym",
            "/buildid/abcd/section/",
            "/buildid/abcd/source/",
            "/try/buildid/abcd/debuginfo",
        ] {
            assert_eq!(wanted(path), None, "{path}");
        }
    }
}
