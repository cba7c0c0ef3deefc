//! Makes up the keys of builds, in place of a list of real ones.
//!
//! The shape is that of a browser's builds: most are for Windows, whose modules have a `.sym`, a compressed `.pdb`
//! under the debug id and a compressed program under the code id; Linux and Android have a `.sym` and a `.dbg.gz`,
//! macOS a `.sym` and a `.dSYM.tar.bz2`. Of 53 044 keys in 473 real uploads of Firefox and Thunderbird in June 2017,
//! 41.6 % ended in `.sym`, 18.7 % in `.gz`, 17.3 % in `.pd_`, 9.6 % in `.ex_`, 7.7 % in `.dl_` and 5.0 % in `.bz2`; the
//! numbers below make the same shares.

use crate::random::Random;

/// Programs of a build; the first ones are in every build.
const PROGRAMS: [&str; 22] = [
    "js",
    "xpcshell",
    "certutil",
    "modutil",
    "pk12util",
    "shlibsign",
    "signmar",
    "ssltunnel",
    "WriteArgument",
    "BadCertServer",
    "OCSPStaplingServer",
    "GenerateOCSPResponse",
    "ShowSSEConfig",
    "fileid",
    "plugin-container",
    "crashreporter",
    "minidump-analyzer",
    "updater",
    "pingsender",
    "firefox",
    "screenshot",
    "maintenanceservice",
];

/// Libraries of a build, without the prefix and the ending of the system; the first ones are in every build.
const LIBRARIES: [&str; 24] = [
    "xul",
    "nss3",
    "softokn3",
    "freebl3",
    "nssckbi",
    "clearkey",
    "fake",
    "fakeopenh264",
    "lgpllibs",
    "mozglue",
    "mozavcodec",
    "mozavutil",
    "nssdbm3",
    "plc4",
    "plds4",
    "nspr4",
    "smime3",
    "ssl3",
    "nssutil3",
    "mozsqlite3",
    "mozsandbox",
    "mozgtk",
    "nsssysinit",
    "replace_malloc",
];

/// How a system's builds look.
struct System {
    /// Builds of a hundred.
    share: u64,
    programs: u64,
    libraries: u64,
    /// The keys of one module.
    keys: fn(&mut Random, name: &str, is_library: bool) -> Vec<String>,
}

const SYSTEMS: [System; 3] = [
    System {
        share: 42,
        programs: 22,
        libraries: 20,
        keys: windows,
    },
    System {
        share: 42,
        programs: 21,
        libraries: 24,
        keys: linux,
    },
    System {
        share: 16,
        programs: 18,
        libraries: 18,
        keys: macos,
    },
];

/// The keys of each of so many builds.
#[must_use]
pub fn make(builds: usize, seed: u64) -> Vec<Vec<String>> {
    let mut random = Random::new(seed);
    (0..builds).map(|_| build(&mut random)).collect()
}

fn build(random: &mut Random) -> Vec<String> {
    let mut place = random.below(100);
    let mut chosen = &SYSTEMS[0];
    for system in &SYSTEMS {
        chosen = system;
        if place < system.share {
            break;
        }
        place -= system.share;
    }
    // Some builds lack a few of the modules.
    let programs = chosen.programs - random.below(4);
    let libraries = chosen.libraries - random.below(4);
    let programs = PROGRAMS.iter().take(usize::try_from(programs).unwrap_or(0));
    let libraries = LIBRARIES
        .iter()
        .take(usize::try_from(libraries).unwrap_or(0));
    let modules = programs
        .map(|name| (name, false))
        .chain(libraries.map(|name| (name, true)));
    let mut keys = Vec::new();
    for (name, is_library) in modules {
        keys.extend((chosen.keys)(random, name, is_library));
    }
    keys
}

fn windows(random: &mut Random, name: &str, is_library: bool) -> Vec<String> {
    // A PDB's age follows its GUID; small numbers are the rule.
    let debug_id = format!("{}{}", random.hexadecimal(32), 1 + random.below(3));
    let (ending, packed) = if is_library {
        ("dll", "dl_")
    } else {
        ("exe", "ex_")
    };
    // A code id is the time stamp and the size of the image, in pages of 4 KiB.
    let code_id = format!(
        "{:08X}{:X}000",
        0x593A_0000 + random.below(0x2_0000),
        4 + random.below(0x800)
    );
    vec![
        format!("{name}.pdb/{debug_id}/{name}.sym"),
        format!("{name}.pdb/{debug_id}/{name}.pd_"),
        format!("{name}.{ending}/{code_id}/{name}.{packed}"),
    ]
}

fn linux(random: &mut Random, name: &str, is_library: bool) -> Vec<String> {
    let file = if is_library {
        format!("lib{name}.so")
    } else {
        name.to_owned()
    };
    unix(random, &file, "dbg.gz")
}

fn macos(random: &mut Random, name: &str, is_library: bool) -> Vec<String> {
    let file = match name {
        "xul" => "XUL".to_owned(),
        _ if is_library => format!("lib{name}.dylib"),
        _ => name.to_owned(),
    };
    unix(random, &file, "dSYM.tar.bz2")
}

fn unix(random: &mut Random, file: &str, debug_ending: &str) -> Vec<String> {
    let debug_id = format!("{}0", random.hexadecimal(32));
    vec![
        format!("{file}/{debug_id}/{file}.sym"),
        format!("{file}/{debug_id}/{file}.{debug_ending}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endings_have_the_shares_of_real_uploads() {
        let keys: Vec<String> = make(500, 1).concat();
        #[expect(clippy::cast_precision_loss, reason = "there are few keys")]
        let share = |ending: &str| {
            let count = keys.iter().filter(|key| key.ends_with(ending)).count();
            100.0 * count as f64 / keys.len() as f64
        };
        for (ending, real) in [
            (".sym", 41.6),
            (".gz", 18.7),
            (".pd_", 17.3),
            (".ex_", 9.6),
            (".dl_", 7.7),
            (".bz2", 5.0),
        ] {
            assert!(
                (share(ending) - real).abs() < 2.0,
                "{ending}: {} and not {real}",
                share(ending)
            );
        }
    }

    #[test]
    fn keys_look_like_real_ones_and_none_comes_twice() {
        let builds = make(50, 2);
        let mean = builds.iter().map(Vec::len).sum::<usize>() / builds.len();
        assert!((90..130).contains(&mean), "{mean}");
        let mut keys = builds.concat();
        for key in &keys {
            let id = key.split('/').nth(1).unwrap();
            assert!(matches!(id.len(), 12..=15 | 33), "{key}");
            assert!(key.len() < 123);
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert_eq!(make(50, 2), builds);
    }
}
