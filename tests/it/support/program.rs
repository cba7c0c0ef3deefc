//! A small program built here, with its debug information split off.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The program's source.
pub(crate) const SOURCE: &str = "#include <stdio.h>\n\
    static int twice(int number) { return number * 2; }\n\
    int main(int count, char **words) {\n    \
        printf(\"%s %d\\n\", words[0], twice(count));\n    \
        return 0;\n\
    }\n";

/// A program for this machine.
pub(crate) struct Program {
    folder: TempDir,
    /// The build id, in lower-case hexadecimal.
    pub(crate) build_id: String,
    /// The debug id that `dump_syms` makes of it.
    pub(crate) debug_id: String,
}

impl Program {
    /// Builds it: `whole`, of which `split` has the debug information and `stripped` the rest.
    pub(crate) fn build() -> Self {
        Self::build_from("main.c", ".", "main.c")
    }

    /// Builds it of `src/main.c` in the folder `build`, as most build systems do.
    pub(crate) fn build_out_of_tree() -> Self {
        Self::build_from("src/main.c", "build", "../src/main.c")
    }

    /// Compiles a source in a folder, from where the source has this name.
    fn build_from(source: &str, compile_in: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run_in = |place: &str, command: &[&str]| {
            let output = Command::new(command[0])
                .args(&command[1..])
                .current_dir(folder.path().join(place))
                .output()
                .unwrap();
            assert!(output.status.success(), "{command:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let run = |command: &[&str]| run_in(".", command);
        for place in [compile_in, source.strip_suffix("main.c").unwrap()] {
            fs::create_dir_all(folder.path().join(place)).unwrap();
        }
        fs::write(folder.path().join(source), SOURCE).unwrap();
        let whole = folder.path().join("whole");
        let whole = whole.to_str().unwrap();
        run_in(
            compile_in,
            &["cc", "-g", "-O0", "-Wl,--build-id", "-o", whole, name],
        );
        run(&["objcopy", "--only-keep-debug", "whole", "split"]);
        run(&["strip", "-o", "stripped", "whole"]);
        let notes = run(&["readelf", "-n", "whole"]);
        let (_, rest) = notes.split_once("Build ID: ").unwrap();
        let build_id = rest.split_whitespace().next().unwrap().to_owned();
        let debug_id = debug_id(&hex::decode(&build_id).unwrap());
        Self {
            folder,
            build_id,
            debug_id,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The debug information without the note that names the build.
    pub(crate) fn split_without_build_id(&self) -> Vec<u8> {
        self.copied("split", &["--remove-section=.note.gnu.build-id"])
    }

    /// The whole program, with its DWARF and without its symbol table.
    pub(crate) fn dwarf_without_symbols(&self) -> Vec<u8> {
        self.copied("whole", &["--strip-all", "--keep-section=.debug_*"])
    }

    /// What `objcopy` makes of a file.
    fn copied(&self, file: &str, options: &[&str]) -> Vec<u8> {
        let status = Command::new("objcopy")
            .args(options)
            .args([file, "copied"])
            .current_dir(&self.folder)
            .status();
        assert!(status.unwrap().success());
        self.bytes("copied")
    }

    /// The key of a file of the program.
    pub(crate) fn key(&self, file: &str) -> String {
        format!("program/{}/{file}", self.debug_id)
    }

    /// A path of debuginfod.
    pub(crate) fn url(&self, wanted: &str) -> String {
        format!("/buildid/{}/{wanted}", self.build_id)
    }
}

/// The first 16 bytes of a build id as a GUID, whose first three numbers are little-endian, and an age of 0.
fn debug_id(build_id: &[u8]) -> String {
    let mut guid = build_id[..16].to_vec();
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    format!("{}0", hex::encode_upper(guid))
}
