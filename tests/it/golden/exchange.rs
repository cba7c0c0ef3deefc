//! The recordings: what was asked, what Tecken answered, and what it stored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One recorded exchange.
pub(super) struct Exchange {
    pub(super) name: String,
    /// The request line and the headers.
    pub(super) request_head: Vec<String>,
    pub(super) request_body: Vec<u8>,
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// The objects that Tecken stored, as the recording lists them.
    pub(super) stored: Vec<Value>,
}

impl Exchange {
    pub(super) fn is_by_url(&self) -> bool {
        self.name[4..].starts_with("url-")
    }

    /// Puts our own address in the place of one of the recording.
    pub(super) fn replace(&mut self, theirs: &str, ours: &str) {
        let body = String::from_utf8(self.request_body.clone()).unwrap();
        self.request_body = body.replace(theirs, ours).into_bytes();
        self.body = self.body.replace(theirs, ours);
    }
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The exchanges of a folder below `tests/golden`, in the order in which they were recorded; there are at least so
/// many.
pub(super) fn exchanges(below: &str, at_least: usize) -> Vec<Exchange> {
    let mut paths: Vec<_> = fs::read_dir(folder().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(paths.len() >= at_least, "the recordings are there");
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Exchange {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (_, exchange) = text.split_once(">>> REQUEST\n").unwrap();
    let (request, response) = exchange.split_once("\n<<< RESPONSE\n").unwrap();
    let (response, effects) = response
        .split_once("\n=== EFFECTS")
        .unwrap_or((response, ""));
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (status_line, rest) = response.split_once('\n').unwrap();
    let (headers, answer) = rest.split_once("\n\n").unwrap_or((rest, ""));
    Exchange {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        request_head: head.lines().map(str::to_owned).collect(),
        request_body: body_bytes(body.trim_end_matches('\n')),
        status: status_line.split(' ').nth(1).unwrap().parse().unwrap(),
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: answer.trim().to_owned(),
        stored: effects
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    }
}

/// The body on the wire: lines end in CRLF, and a file stands where it is named.
fn body_bytes(text: &str) -> Vec<u8> {
    if !text.contains('\n') {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::new();
    for line in text.split('\n') {
        match line.strip_prefix("<<binary: ") {
            Some(rest) => {
                let file = rest.split(',').next().unwrap();
                bytes.extend(fs::read(folder().join(file)).unwrap());
            }
            None => bytes.extend_from_slice(line.as_bytes()),
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
