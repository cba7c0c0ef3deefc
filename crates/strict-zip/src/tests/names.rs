//! What callers say of names, and when they are asked.

use std::borrow::Cow;
use std::cell::RefCell;

use super::builder::{Header, Member, NAME, archive, poke};
use super::{Error, Limits, check, inspect, rule};
use crate::Names;

/// Takes words for what they are worth, and writes down what was asked.
#[derive(Default)]
struct Words {
    asked: RefCell<Vec<String>>,
}

#[derive(Debug, thiserror::Error)]
enum WordsError {
    #[error(transparent)]
    Zip(#[from] Error),
    #[error("screened {0}")]
    Screened(String),
    #[error("{0} is no word")]
    NoWord(String),
}

impl Words {
    fn note(&self, question: &str, name: &str) {
        self.asked.borrow_mut().push(format!("{question} {name}"));
    }
}

impl Names for Words {
    type Content = usize;
    type Error = WordsError;

    fn screen(&self, name: &str) -> Result<(), WordsError> {
        self.note("screen", name);
        if name.contains("secret") {
            return Err(WordsError::Screened(name.to_owned()));
        }
        Ok(())
    }

    fn check_directory(&self, name: &str) -> Result<(), WordsError> {
        self.note("directory", name);
        Ok(())
    }

    fn classify(&self, name: &str) -> Result<usize, WordsError> {
        self.note("classify", name);
        if name.contains(' ') {
            return Err(WordsError::NoWord(name.to_owned()));
        }
        Ok(name.len())
    }

    fn identity<'a>(&self, name: &'a str, _: &usize) -> Cow<'a, str> {
        Cow::Owned(name.to_ascii_uppercase())
    }
}

fn inspect_words(members: &[Member]) -> Result<Vec<usize>, String> {
    let entries = inspect(&archive(members)[..], &Limits::default(), &Words::default());
    let entries = entries.map_err(|error| error.to_string())?;
    Ok(entries.into_iter().map(|entry| entry.content).collect())
}

#[test]
fn entries_carry_what_the_caller_made_of_their_names() {
    let words = Words::default();
    let bytes = archive(&[Member::directory("a/"), Member::stored("a/word", b"")]);
    let entries = inspect(&bytes[..], &Limits::default(), &words).unwrap();
    assert_eq!((entries.len(), entries[0].content), (1, 6));
    let asked = [
        "screen a/",
        "directory a/",
        "screen a/word",
        "classify a/word",
    ];
    assert_eq!(*words.asked.borrow(), asked);
}

#[test]
fn the_first_broken_rule_is_told_whosever_it_is() {
    let encrypted = |name: &str| Member::stored(name, b"").both(|header| header.flags = 1);
    for (name, expected) in [
        ("secret", "screened secret"),
        (
            "two words",
            "The member \"two words\" is encrypted; make the archive without a password.",
        ),
    ] {
        assert_eq!(inspect_words(&[encrypted(name)]).unwrap_err(), expected);
    }
    let with_mode = Member::stored("two words", b"").central(|header| header.attributes = 0x10);
    assert_eq!(
        inspect_words(&[with_mode]).unwrap_err(),
        "two words is no word"
    );
}

#[test]
fn identities_are_the_callers() {
    let members = [Member::stored("word", b""), Member::stored("WORD", b"")];
    assert_eq!(rule(&archive(&members)), "none");
    let expected = "The members \"word\" and \"WORD\" have the same name.";
    assert_eq!(inspect_words(&members).unwrap_err(), expected);
}

#[test]
fn duplicates() {
    for (first, second, expected) in [
        (NAME, NAME, "duplicate_member"),
        ("a/\u{e5}", "a/a\u{30a}", "duplicate_member"),
        ("a/\u{1e69}", "a/s\u{323}\u{307}", "duplicate_member"),
        (
            "\u{d55c}/c",
            "\u{1112}\u{1161}\u{11ab}/c",
            "duplicate_member",
        ),
        ("a/c", "a/c..", "duplicate_member"),
        ("a./c", "a/c", "duplicate_member"),
        ("./a/c", "a/c", "duplicate_member"),
        ("a/c", "a/c.d", "none"),
        ("a/c", "A/c", "none"),
    ] {
        let bytes = archive(&[Member::stored(first, b"1"), Member::stored(second, b"1")]);
        assert_eq!(rule(&bytes), expected, "{first} {second}");
    }
    let of_dot = [
        Member::directory("./"),
        Member::directory("./a/"),
        Member::stored("./a/c", b"1"),
    ];
    assert_eq!(rule(&archive(&of_dot)), "none");
    let twice = [Member::directory("a/"), Member::directory("a/")];
    assert_eq!(rule(&archive(&twice)), "duplicate_member");
}

#[test]
fn names_are_utf8_whatever_the_flag_says() {
    for flags in [0, 1 << 11] {
        let named = |name: &[u8]| {
            let change = |header: &mut Header| {
                (header.name, header.flags) = (name.to_vec(), flags);
            };
            rule(&archive(&[Member::stored(NAME, b"").both(change)]))
        };
        assert_eq!(named(b"a/\xff.txt"), "name_not_utf8");
        assert_eq!(named("汉/汉.txt".as_bytes()), "none");
    }
}

#[test]
fn names_have_a_limit() {
    let named = |length| rule(&archive(&[Member::stored(&"x".repeat(length), b"")]));
    assert_eq!(named(512), "none");
    assert_eq!(named(513), "name_too_long");
}

#[test]
fn the_directory_is_counted_before_names_are_read() {
    let words = Words::default();
    let mut bytes = archive(&[Member::stored("secret", b"")]);
    poke(&mut bytes, 14, &[0xff, 0xff]);
    poke(&mut bytes, 12, &[0xff, 0xff]);
    let error = inspect(&bytes[..], &Limits::default(), &words).unwrap_err();
    assert!(matches!(
        error,
        WordsError::Zip(Error::TooManyEntries { .. })
    ));
    assert!(words.asked.borrow().is_empty());
    assert_eq!(check(&bytes).unwrap_err().code(), "too_many_entries");
}
