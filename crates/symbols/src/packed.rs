//! Windows files in the form in which symbol servers keep them compressed.

/// The end of a name: a dot and three letters, lower case.
type Ending = [u8; 4];

/// Endings of files, and of the cabinets that hold one such file each. Microsoft's tools replace the last character by
/// an underscore.
const PACKED: [(&Ending, &Ending); 3] =
    [(b".pdb", b".pd_"), (b".dll", b".dl_"), (b".exe", b".ex_")];

/// The name of the cabinet in which a symbol server keeps this file compressed, as in `xul.pd_` for `xul.pdb`. `None`
/// for files that are not kept so.
#[must_use]
pub fn packed_name(name: &str) -> Option<String> {
    replace_end(name, PACKED)
}

/// The name of the file in such a cabinet, as in `xul.pdb` for `xul.pd_`. `None` for other names.
#[must_use]
pub fn plain_name(name: &str) -> Option<String> {
    replace_end(name, PACKED.map(|(plain, packed)| (packed, plain)))
}

/// Replaces the last character of a name with one of these endings, whatever the case of its letters.
fn replace_end(name: &str, endings: [(&Ending, &Ending); 3]) -> Option<String> {
    let end: &Ending = name.as_bytes().last_chunk()?;
    let end = end.map(|byte| byte.to_ascii_lowercase());
    let (_, to) = endings.into_iter().find(|(from, _)| **from == end)?;
    let last = char::from(to[to.len() - 1]);
    Some(format!("{}{last}", &name[..name.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_character_is_replaced() {
        let names = |name| (packed_name(name), plain_name(name));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(names("xul.pdb"), (text("xul.pd_"), None));
        assert_eq!(names("xul.DLL"), (text("xul.DL_"), None));
        assert_eq!(names("a.ex_"), (None, text("a.exe")));
        assert_eq!(names("xul.sym"), (None, None));
        assert_eq!(names("汉pd"), (None, None));
        assert_eq!(names("é.pdb"), (text("é.pd_"), None));
    }
}
