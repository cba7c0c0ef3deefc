//! How is a file name matched against a list of endings?
//!
//! The server asks it of every download and of every member of an upload. The list is that of the files served by
//! default; the names are those of builds, with a fourth whose ending is not on it, as in Tecken's study of 2017.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::hint::black_box;

use aho_corasick::AhoCorasick;
use regex::Regex;
use symbold_loadtest::builds;
use symbols::SuffixList;

use crate::support::{Bench, Function};

const ENDINGS: [&str; 6] = [".sym", ".dl_", ".ex_", ".pd_", ".dbg.gz", ".tar.bz2"];

/// The ways to match, each made once.
struct Matchers {
    list: SuffixList,
    regex: Regex,
    /// The endings by what follows their last dot.
    by_last_dot: HashMap<&'static str, Vec<&'static str>>,
    automaton: AhoCorasick,
}

impl Matchers {
    fn new() -> Self {
        let pattern = ENDINGS.map(regex::escape).join("|");
        let mut by_last_dot: HashMap<_, Vec<_>> = HashMap::new();
        for ending in ENDINGS {
            let (_, last) = ending.rsplit_once('.').expect("every ending has a dot");
            by_last_dot.entry(last).or_default().push(ending);
        }
        Self {
            list: SuffixList::new(&ENDINGS),
            regex: Regex::new(&format!("(?:{pattern})$")).expect("the pattern is one"),
            by_last_dot,
            automaton: AhoCorasick::new(ENDINGS).expect("the endings are few"),
        }
    }

    fn matches_by_last_dot(&self, name: &str) -> bool {
        let last = name.rsplit_once('.').map(|(_, last)| last);
        let endings = last.and_then(|last| self.by_last_dot.get(last));
        endings.is_some_and(|endings| endings.iter().any(|ending| name.ends_with(ending)))
    }

    fn matches_by_automaton(&self, name: &str) -> bool {
        let mut found = self.automaton.find_overlapping_iter(name);
        found.any(|found| found.end() == name.len())
    }
}

/// A way to match a name.
type Way = fn(&Matchers, &str) -> bool;

const WAYS: [(&str, Way); 4] = [
    ("ends_with", |matchers, name| matchers.list.matches(name)),
    ("regex", |matchers, name| matchers.regex.is_match(name)),
    ("last_dot", Matchers::matches_by_last_dot),
    ("aho_corasick", Matchers::matches_by_automaton),
];

pub(crate) fn study(bench: &mut Bench) {
    let count = bench.length().choose(400, 40_000, 40_000);
    let prepared = LazyCell::new(|| {
        let (matchers, names) = (Matchers::new(), names(count));
        check(&matchers, &names);
        (matchers, names)
    });
    let functions = WAYS.map(|(name, way)| -> Function<'_> {
        let prepared = &prepared;
        let measure = Box::new(move |bencher: &mut criterion::Bencher<'_>| {
            let (matchers, names) = &**prepared;
            bencher.iter(|| {
                let matching = names.iter().filter(|name| way(matchers, black_box(name)));
                matching.count()
            });
        });
        (name, measure)
    });
    bench.compare("suffix", functions.into());
}

/// Names of files of builds; of every fourth the debug file's instead, which is not served.
fn names(count: usize) -> Vec<String> {
    let keys = builds::make(count / 80 + 1, 1).concat();
    let names = keys.iter().enumerate().map(|(place, key)| {
        let part = if place % 4 == 0 {
            key.split('/').next()
        } else {
            key.rsplit('/').next()
        };
        part.unwrap_or(key).to_owned()
    });
    let names: Vec<String> = names.take(count).collect();
    assert_eq!(names.len(), count, "there are too few builds");
    names
}

fn check(matchers: &Matchers, names: &[String]) {
    let mut served = 0;
    for name in names {
        let expected = matchers.list.matches(name);
        served += usize::from(expected);
        for (way, matches) in WAYS {
            assert_eq!(matches(matchers, name), expected, "{way}: {name}");
        }
    }
    assert_eq!(served, names.len() / 4 * 3, "three of four are served");
}
