//! What members may be called.

use super::super::{ArchiveLimits, Content, inspect};
use super::{KEY, archive, check, rule};

fn rule_of_name(name: &str) -> &'static str {
    rule(&[(name, b"")])
}

#[test]
fn names() {
    for name in [
        "xul.sym",
        "/xul.pdb/AB/xul.sym",
        "a/xul.pdb/AB/xul.sym",
        "xul.pdb/xyz/xul.sym",
        "xul.pdb\\AB\\xul.sym",
        "xul.pdb//xul.sym",
        "",
        "a/x-symbols.txt",
        ".DS_Store/AB",
        "./AB/x.sym",
        "././x.pdb/AB/x.sym",
    ] {
        assert_eq!(rule_of_name(name), "unrecognized_pattern", "{name}");
    }
    for name in [
        "../AB/x.sym",
        "./../AB/x.sym",
        "./x.pdb/AB/..",
        "x.pdb/AB/..",
        "x.pdb/AB/..\\x.sym",
        "x\0.pdb/AB/x.sym",
        "x.pdb/AB/x\n.sym",
        "x.pdb/AB/x\x7f.sym",
        "x.pdb/AB/\u{202e}mys.x",
        "x.pdb/AB/x\u{2028}.sym",
        " x.pdb/AB/x.sym",
        "x.pdb/AB/x<.sym",
        "a/../.DS_Store",
        "a\x1b-symbols.txt",
    ] {
        assert_eq!(rule_of_name(name), "bad_name", "{name:?}");
    }
    let long = format!("x.pdb/AB/{}", "x".repeat(201));
    assert_eq!(rule_of_name(&long), "bad_name");
    assert_eq!(rule_of_name(&"x".repeat(513)), "name_too_long");
    assert_eq!(rule_of_name("汉.pdb/AB/汉.sym"), "none");
}

#[test]
fn names_that_only_windows_minds() {
    for name in [
        "CON/AB/NUL",
        "C:/AB/C:x.sym",
        "x.pdb/AB/x.sym.",
        "x?.pdb/AB/*",
    ] {
        assert_eq!(rule_of_name(name), "none", "{name}");
    }
}

#[test]
fn directories_have_legal_names_and_are_left_out() {
    for name in [
        "/",
        "../",
        "a/../b/",
        "a//b/",
        "././",
        ".//",
        "a\\b/",
        "a/\u{202e}/",
    ] {
        assert_eq!(rule_of_name(name), "bad_name", "{name}");
    }
    assert!(check(&archive(&[("a/b c/d/", b"")])).unwrap().is_empty());
}

#[test]
fn the_sentences_name_the_member() {
    let sentence = |name: &str| check(&archive(&[(name, b"")])).unwrap_err().to_string();
    assert_eq!(
        sentence("foo.txt"),
        "Unrecognized file pattern. Should only be <module>/<hex>/<file> or <name>-symbols.txt and nothing else. \
         (First unrecognized pattern was foo.txt)"
    );
    assert!(sentence("\x1b[2J").ends_with("(First unrecognized pattern was \u{fffd}[2J)"));
    assert_eq!(
        sentence("x.pdb/AB/<x>.sym"),
        "The member \"x.pdb/AB/<x>.sym\" has a part in its name that contains the character U+003C, which is not \
         allowed."
    );
}

#[test]
fn snippets() {
    let error = check(&archive(&[("a/qcom/proprietary/b.sym", b"")])).unwrap_err();
    assert_eq!(error.code(), "disallowed_snippet");
    assert_eq!(
        error.to_string(),
        "Content of archive file contains the snippet 'qcom/proprietary' which is not allowed"
    );
    let limits = ArchiveLimits {
        disallowed_snippets: vec!["xul".to_owned()],
        ..ArchiveLimits::default()
    };
    let error = inspect(&archive(&[(KEY, b"")])[..], &limits).unwrap_err();
    assert_eq!(error.code(), "disallowed_snippet");
}

/// A snippet is refused before any other rule, a pattern after those on the record before it.
#[test]
fn the_first_broken_rule_is_told() {
    for (name, expected) in [
        ("a/qcom/proprietary/b.sym", "disallowed_snippet"),
        ("no key", "encrypted"),
    ] {
        let mut bytes = archive(&[(name, b"")]);
        let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02");
        // The flags, eight bytes into the record.
        bytes[directory.unwrap() + 8] = 1;
        assert_eq!(check(&bytes).unwrap_err().code(), expected);
    }
}

#[test]
fn duplicates() {
    for (first, second, expected) in [
        (KEY, KEY, "duplicate_member"),
        ("a/ab/c", "a/AB/c", "duplicate_member"),
        ("a-symbols.txt", "a-symbols.txt", "duplicate_member"),
        ("a/AB/\u{e5}", "a/AB/a\u{30a}", "bad_name"),
        ("a/AB/\u{1e69}", "a/AB/s\u{323}\u{307}", "duplicate_member"),
        (
            "\u{d55c}/AB/c",
            "\u{1112}\u{1161}\u{11ab}/AB/c",
            "duplicate_member",
        ),
        ("a/AB/c", "a/AB/c..", "duplicate_member"),
        ("a./AB/c", "a/ab/c", "duplicate_member"),
        ("a/AB/c", "./a/AB/c", "duplicate_member"),
        (".DS_Store", "./.DS_Store", "duplicate_member"),
        ("a/AB/c", "a/AB/c.d", "none"),
        ("a/AB/c", "A/AB/c", "none"),
        ("a/AB/c", "a/AB/c.gz", "none"),
    ] {
        let members: [(&str, &[u8]); 2] = [(first, b"1"), (second, b"1")];
        assert_eq!(rule(&members), expected, "{first} {second}");
    }
    assert_eq!(rule(&[("a/", b""), ("a/", b"")]), "duplicate_member");
    let bytes = archive(&[("a/ab/c", b""), ("a/AB/c", b"")]);
    assert_eq!(
        check(&bytes).unwrap_err().to_string(),
        "The members \"a/ab/c\" and \"a/AB/c\" have the same name."
    );
}

#[test]
fn an_archive_of_the_directory_dot_is_one_of_what_is_in_it() {
    let key = "./elm.pdb/ab12/elm.sym";
    let members = [
        "./",
        "./elm.pdb/",
        "./elm.pdb/ab12/",
        key,
        "./elm-symbols.txt",
    ];
    let checked = check(&archive(&members.map(|name| (name, &b""[..])))).unwrap();
    let [(symbol, _), (ignored, _)] = &checked[..] else {
        panic!("two files")
    };
    let expected = Content::Symbol("elm.pdb/AB12/elm.sym".parse().unwrap());
    assert_eq!((symbol.name.as_str(), &symbol.content), (key, &expected));
    assert_eq!(ignored.content, Content::Ignored);
}

#[test]
fn ignored_members_are_told_apart() {
    let names = [
        ".DS_Store",
        "a/.DS_Store",
        "a/AB/.DS_Store",
        "xul-symbols.txt",
        "XUL-Symbols.TXT",
    ];
    let members = names.map(|name| (name, &b"x"[..]));
    let checked = check(&archive(&members)).unwrap();
    assert_eq!(checked.len(), names.len());
    for (entry, facts) in checked {
        assert_eq!((entry.content, facts.header), (Content::Ignored, None));
    }
}
