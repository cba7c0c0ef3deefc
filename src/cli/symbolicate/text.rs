//! Text with addresses, as profilers, logs and crash reporters print them.
//!
//! A line names at most one address: a module, `+` and an offset. `0x` stands before hexadecimal offsets, as in
//! `libxul.so+0x1234`; others are decimal. A blank or a parenthesis may stand before the `+`, as in
//! `libc.so.6(+0x29d90)`. Of a path the last part counts. The debug id stands behind the module, as in
//! `xul.pdb/44E4…C2+0x1064`, or in another line of the text, or on the command line.

use std::collections::HashMap;

use serde::Serialize;
use symbols::DebugId;

/// What may stand before a module's name.
const BEFORE: &[char] = &['[', '(', '<', '{', '"', '\'', '`', '=', ',', ';', '|', '!'];

/// A module with its debug id, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedModule {
    name: String,
    id: DebugId,
}

impl NamedModule {
    /// Reads `name/id`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('/');
        let module = parts.and_then(|(name, id)| Some((name, debug_id(id)?)));
        match module {
            Some((name, id)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                id,
            }),
            _ => Err("expected a module and its debug id, as in xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2".into()),
        }
    }
}

/// A text and its addresses.
#[derive(Debug)]
pub(super) struct Text {
    lines: Vec<Line>,
    /// Each once, in order.
    modules: Vec<(String, DebugId)>,
}

/// A line, as it was read.
#[derive(Debug)]
pub(super) struct Line {
    /// What was read.
    pub(super) text: String,
    /// The number of its frame in the request, if it names an address whose module has an id.
    pub(super) frame: Option<usize>,
    address: Option<Address>,
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    module: String,
    id: Option<DebugId>,
    offset: u64,
}

/// The request for the addresses of a text: one stack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'text> {
    memory_map: Vec<(&'text str, &'text str)>,
    stacks: [Vec<(usize, u64)>; 1],
}

impl Text {
    /// Reads a text. Modules without an id take that of `given`, or of another line.
    pub(super) fn read(text: &str, given: Vec<NamedModule>) -> Self {
        let mut lines: Vec<Line> = text.lines().map(Line::read).collect();
        let mut known: HashMap<String, (String, DebugId)> = HashMap::new();
        for address in lines.iter().filter_map(|line| line.address.as_ref()) {
            if let Some(id) = &address.id {
                let module = (address.module.clone(), id.clone());
                known.insert(stem(&address.module).to_owned(), module);
            }
        }
        for NamedModule { name, id } in given {
            known.insert(stem(&name).to_owned(), (name, id));
        }
        let mut modules = Vec::new();
        let mut frames = 0;
        for line in &mut lines {
            let Some(address) = &mut line.address else {
                continue;
            };
            if address.id.is_none()
                && let Some((name, id)) = known.get(stem(&address.module))
            {
                address.module.clone_from(name);
                address.id = Some(id.clone());
            }
            if let Some(id) = &address.id {
                line.frame = Some(frames);
                frames += 1;
                modules.push((address.module.clone(), id.clone()));
            }
        }
        modules.sort_unstable();
        modules.dedup();
        Self { lines, modules }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(super) fn has_addresses(&self) -> bool {
        self.lines.iter().any(|line| line.address.is_some())
    }

    /// The modules whose debug id is not known, each once.
    pub(super) fn without_id(&self) -> Vec<&str> {
        let addresses = self.lines.iter().filter_map(|line| line.address.as_ref());
        let unknown = addresses.filter(|address| address.id.is_none());
        let mut names: Vec<&str> = unknown.map(|address| address.module.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The request for every frame.
    pub(super) fn request(&self) -> Request<'_> {
        let modules = self.modules.iter();
        let memory_map = modules.map(|(name, id)| (name.as_str(), id.as_str()));
        let addresses = self.lines.iter().filter_map(|line| line.address.as_ref());
        let frames = addresses.filter_map(|Address { module, id, offset }| {
            let wanted = (module, id.as_ref()?);
            let modules = &self.modules;
            let index = modules.binary_search_by(|(name, id)| (name, id).cmp(&wanted));
            Some((index.ok()?, *offset))
        });
        Request {
            memory_map: memory_map.collect(),
            stacks: [frames.collect()],
        }
    }
}

impl Line {
    fn read(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            frame: None,
            address: text
                .match_indices('+')
                .find_map(|(at, _)| address(&text[..at], &text[at + 1..])),
        }
    }
}

/// The address that stands around a `+`.
fn address(before: &str, after: &str) -> Option<Address> {
    let before = before.strip_suffix('(').unwrap_or(before);
    let before = before.strip_suffix(' ').unwrap_or(before);
    let start = before.rfind(|c: char| c.is_whitespace() || BEFORE.contains(&c));
    let path = start.map_or(before, |start| {
        let length = before[start..].chars().next().map_or(0, char::len_utf8);
        &before[start + length..]
    });
    let mut parts = path.rsplit(['/', '\\']);
    let last = parts.next().filter(|last| !last.is_empty())?;
    let (module, id) = match debug_id(last).zip(parts.next()) {
        Some((id, module)) if !module.is_empty() => (module, Some(id)),
        _ => (last, None),
    };
    Some(Address {
        module: module.to_owned(),
        id,
        offset: offset(after)?,
    })
}

/// The number at the start of a text, behind which no letter stands.
fn offset(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    match text[..end].strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text[..end].parse().ok(),
    }
}

/// A debug id or an ELF build id; other names have no 33 hexadecimal digits.
fn debug_id(text: &str) -> Option<DebugId> {
    DebugId::parse(text).filter(DebugId::is_debug_id)
}

/// The part of a name that `xul.dll` and `xul.pdb` share.
fn stem(name: &str) -> &str {
    let ends = [".dll", ".exe", ".pdb"];
    ends.iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

    fn read(line: &str) -> Option<(String, bool, u64)> {
        let address = Line::read(line).address?;
        Some((address.module, address.id.is_some(), address.offset))
    }

    #[test]
    fn addresses_as_programs_print_them() {
        let with_id = format!("  3: xul.pdb/{ID}+0x1064 (deleted)");
        for (line, module, has_id, offset) in [
            ("libxul.so+0x1234", "libxul.so", false, 0x1234),
            (with_id.as_str(), "xul.pdb", true, 0x1064),
            (
                "#01: ???[/opt/firefox/libxul.so +0x2e4cbe6]",
                "libxul.so",
                false,
                0x02e4_cbe6,
            ),
            (
                "/lib/libc.so.6(+0x29d90) [0x7f3e44029d90]",
                "libc.so.6",
                false,
                0x29d90,
            ),
            ("rip=C:\\app\\app.exe+4196,", "app.exe", false, 4196),
            ("a+b at libm.so.6+0x10", "libm.so.6", false, 0x10),
        ] {
            assert_eq!(
                read(line),
                Some((module.to_owned(), has_id, offset)),
                "{line}"
            );
        }
        for line in [
            "",
            "+0x10",
            "1 + 2",
            "x+y",
            "lib.so+0x",
            "lib.so+0xfffffffffffffffff",
            "lib.so+12ab",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn ids_come_from_other_lines_and_from_the_command_line() {
        let text = format!("a.so/{ID}+0x10\nhead\na.so+0x20\nxul.dll+0x30\nb.so+0x40\na.so+0x10");
        let given = vec![NamedModule::parse(&format!("xul.pdb/{ID}")).unwrap()];
        let text = Text::read(&text, given);
        assert_eq!(text.without_id(), ["b.so"]);
        let frames: Vec<_> = text.lines().iter().map(|line| line.frame).collect();
        assert_eq!(frames, [Some(0), None, Some(1), Some(2), None, Some(3)]);
        let request = serde_json::to_value(text.request()).unwrap();
        let expected = serde_json::json!({
            "memoryMap": [["a.so", ID], ["xul.pdb", ID]],
            "stacks": [[[0, 0x10], [0, 0x20], [1, 0x30], [0, 0x10]]],
        });
        assert_eq!(request, expected);
    }

    #[test]
    fn modules_of_the_command_line() {
        for wrong in ["", "xul.pdb", "/", "xul.pdb/12", &format!("/{ID}")] {
            assert!(NamedModule::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "[a-f0-9x+/ .(\\[é\\n]{0,80}") {
            let text = Text::read(&text, Vec::new());
            let frames = text.lines().iter().filter(|line| line.frame.is_some()).count();
            proptest::prop_assert_eq!(text.request().stacks[0].len(), frames);
        }
    }
}
