//! Windows files in the form in which symbol servers keep them compressed.

/// How long an ending is, in bytes.
const LENGTH: usize = 4;

/// Endings of files, and of the cabinets that hold one such file each. Microsoft's tools replace the last character by
/// an underscore.
const PACKED: [(&str, &str); 3] = [(".pdb", ".pd_"), (".dll", ".dl_"), (".exe", ".ex_")];

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

/// Replaces an ending, whatever the case of its letters.
fn replace_end(name: &str, endings: [(&str, &str); 3]) -> Option<String> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(LENGTH)?)?;
    let (_, to) = endings
        .into_iter()
        .find(|(from, _)| end.eq_ignore_ascii_case(from))?;
    Some(format!("{stem}{}{}", &end[..LENGTH - 1], &to[LENGTH - 1..]))
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
