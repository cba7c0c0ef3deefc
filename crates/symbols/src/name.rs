//! The grammar of a debug file's or a file's name: one function for every door.

/// The longest name in bytes of UTF-8: a file system's 255 less room for temporary suffixes.
const LONGEST: usize = 200;

/// Which rule a name breaks. The texts complete the sentence "a name that …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between two slashes.
    #[error("is empty")]
    Empty,
    /// More than 200 bytes.
    #[error("is longer than 200 bytes")]
    TooLong,
    /// `.` or `..`.
    #[error("is . or ..")]
    Dots,
    /// A space at the start or the end.
    #[error("starts or ends with a space")]
    OuterSpace,
    /// A character that has no place in a name.
    #[error("contains the character U+{:04X}, which is not allowed", *.0 as u32)]
    Character(char),
}

/// Checks one name: 1 to 200 bytes, Tecken's character class, neither `.` nor `..`, no control, bidirectional or
/// other invisible format characters, no space at either end.
///
/// # Errors
/// The first rule that the name breaks.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > LONGEST {
        return Err(NameError::TooLong);
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    if let Some(character) = name.chars().find(|character| !is_allowed(*character)) {
        return Err(NameError::Character(character));
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err(NameError::OuterSpace);
    }
    Ok(())
}

/// Which characters of ASCII are allowed. Every lookup checks two names, which seldom have others.
static ASCII: [bool; 128] = {
    let mut allowed = [false; 128];
    let mut code = 0_u8;
    while code < 128 {
        allowed[code as usize] = is_in_class(code as char);
        code += 1;
    }
    allowed
};

fn is_allowed(character: char) -> bool {
    let in_ascii = ASCII.get(character as usize).copied();
    in_ascii.unwrap_or_else(|| is_in_class(character))
}

/// Tecken's class (`tecken/base/utils.py`), and none of Unicode's controls, format
/// characters, line or paragraph separators. U+FFFD stands for bytes that were no UTF-8, so it never names a file.
const fn is_in_class(character: char) -> bool {
    let refused_by_tecken = matches!(
        character,
        '\0'..='\x1f' | '\u{80}'..='\u{ff}' | '\\' | '^' | '`' | '>' | '<' | '{' | '}' | '[' | ']' | '#' | '%' | '"'
            | '\'' | '|' | '/'
    );
    let invisible = matches!(
        character,
        '\x7f'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffd}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !refused_by_tecken && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_character_is_named() {
        for character in
            "\0\x1f\x7f\u{80}ÿ\\^`><{}[]#%\"'|/\u{202e}\u{2028}\u{feff}\u{e0041}".chars()
        {
            assert_eq!(
                check_name(&format!("a{character}b")),
                Err(NameError::Character(character))
            );
        }
    }

    #[test]
    fn lengths_count_bytes() {
        assert_eq!(check_name(&"x".repeat(200)), Ok(()));
        assert_eq!(check_name(&"x".repeat(201)), Err(NameError::TooLong));
        assert_eq!(check_name(&"汉".repeat(67)), Err(NameError::TooLong));
    }

    #[test]
    fn dots_and_spaces() {
        assert_eq!(check_name("."), Err(NameError::Dots));
        assert_eq!(check_name(".."), Err(NameError::Dots));
        assert_eq!(check_name("..."), Ok(()));
        assert_eq!(check_name(" a"), Err(NameError::OuterSpace));
        assert_eq!(check_name("a\u{3000}"), Err(NameError::OuterSpace));
        assert_eq!(check_name("a b"), Ok(()));
    }

    #[test]
    fn the_sentence_names_the_character() {
        assert_eq!(
            NameError::Character('<').to_string(),
            "contains the character U+003C, which is not allowed"
        );
    }
}
