//! Patterns of file names, as SQLite's GLOB has them, which elfutils' debuginfod uses.

/// The longest pattern, in bytes; no key is longer.
const LONGEST: usize = 512;

/// A pattern: `*` is any text, with slashes too, `?` any one character, `[a-z]` one of these and `[^a-z]` one of the
/// others. `[*]` is an asterisk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    AnyOne,
    AnyText,
    OneOf(Set),
}

/// The characters between two brackets, as ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Set {
    is_negated: bool,
    ranges: Vec<(char, char)>,
}

impl Glob {
    /// Reads a pattern; `None` if it is too long or has a bracket that is not closed.
    #[must_use]
    pub fn parse(pattern: &str) -> Option<Self> {
        if pattern.len() > LONGEST {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = pattern.chars();
        while let Some(next) = rest.next() {
            parts.push(match next {
                '*' if parts.last() == Some(&Part::AnyText) => continue,
                '*' => Part::AnyText,
                '?' => Part::AnyOne,
                '[' => Part::OneOf(Set::parse(&mut rest)?),
                one => Part::One(one),
            });
        }
        Some(Self(parts))
    }

    /// The text that every match begins with.
    pub(super) fn prefix(&self) -> String {
        let literal = |part: &Part| match part {
            Part::One(one) => Some(*one),
            _ => None,
        };
        self.0.iter().map_while(literal).collect()
    }

    /// Whether the pattern matches the whole text. Takes at most as many steps as pattern times text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut part, mut at) = (0, 0);
        // Where to go on if the rest does not match: behind the last `*`, with one more character taken by it.
        let mut retry = None;
        loop {
            match self.0.get(part) {
                Some(Part::AnyText) => {
                    part += 1;
                    retry = Some((part, at));
                    continue;
                }
                Some(Part::One(one)) if text.get(at) == Some(one) => {}
                Some(Part::AnyOne) if at < text.len() => {}
                Some(Part::OneOf(set)) if text.get(at).is_some_and(|one| set.has(*one)) => {}
                None if at == text.len() => return true,
                _ => match retry {
                    Some((behind, taken)) if taken < text.len() => {
                        (part, at) = (behind, taken + 1);
                        retry = Some((part, at));
                        continue;
                    }
                    _ => return false,
                },
            }
            part += 1;
            at += 1;
        }
    }
}

impl Set {
    /// Reads what follows an opening bracket, with the closing one. A bracket that comes first is a character.
    fn parse(rest: &mut std::str::Chars<'_>) -> Option<Self> {
        let mut set = Self::default();
        let mut next = rest.next()?;
        if next == '^' {
            set.is_negated = true;
            next = rest.next()?;
        }
        loop {
            let mut ahead = rest.clone();
            match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) if last != ']' => {
                    set.ranges.push((next, last));
                    *rest = ahead;
                }
                _ => set.ranges.push((next, next)),
            }
            next = rest.next()?;
            if next == ']' {
                return Some(set);
            }
        }
    }

    fn has(&self, one: char) -> bool {
        let is_in = |(first, last): &(char, char)| (*first..=*last).contains(&one);
        self.ranges.iter().any(is_in) != self.is_negated
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_sqlite() {
        for (pattern, text, matches) in [
            ("/a.so/AB0/a.so", "/a.so/AB0/a.so", true),
            ("/a.so/AB0/a.so", "/a.so/AB0/a.so.debug", false),
            ("*", "/a/b", true),
            ("*", "", true),
            ("/*.so", "/usr/lib/a.so", true),
            ("/*.so", "/usr/lib/a.so.1", false),
            ("*lib*a?so*", "/usr/lib/a.so.1", true),
            ("/?", "/", false),
            ("/?", "/汉", true),
            ("/[a-c]x", "/bx", true),
            ("/[a-c]x", "/dx", false),
            ("/[^a-c]x", "/dx", true),
            ("/[]x]", "/]", true),
            ("/[a-]", "/-", true),
            ("/[*]", "/*", true),
            ("/[*]", "/a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let glob = Glob::parse(pattern).unwrap();
            assert_eq!(glob.matches(text), matches, "{pattern} {text}");
        }
        for pattern in ["[", "[a", "[^", "[]", &"a".repeat(513)] {
            assert_eq!(Glob::parse(pattern), None, "{pattern}");
        }
        let prefix = |pattern| Glob::parse(pattern).unwrap().prefix();
        assert_eq!(
            (prefix("/a.so/*"), prefix("*/a")),
            ("/a.so/".into(), String::new())
        );
    }

    #[test]
    fn many_asterisks_cost_no_more_than_pattern_times_text() {
        let glob = Glob::parse(&"a*".repeat(200)).unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(150))));
        assert!(glob.matches(&"a".repeat(5000)));
    }

    proptest! {
        #[test]
        fn any_pattern_is_read_without_panic(pattern in "[\\[\\]^*?a-c-]{0,20}", text in "[a-c]{0,20}") {
            if let Some(glob) = Glob::parse(&pattern) {
                let _ = glob.matches(&text);
            }
        }

        #[test]
        fn every_text_matches_itself(text in "[a-z./]{0,40}") {
            prop_assert!(Glob::parse(&text).unwrap().matches(&text));
        }
    }
}
