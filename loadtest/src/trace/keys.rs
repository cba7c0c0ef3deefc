//! Reads lists of symbol keys.
//!
//! A list is a text with one key a line, or one upload a line as JSON, `{"added": [key, …], "existed": [key, …]}`, as
//! symbol servers log what an upload brought and what was there before. Either may be gzipped. A key may be preceded by
//! a bucket and a folder (`bucket,v1/xul.pdb/…`). What has fewer than three parts, as the lists of files that builds
//! put at the root of their archives, is left out, and so is a key that comes again.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use super::TraceError;

/// The most keys of a list.
const MAX_KEYS: usize = 5_000_000;

/// The longest line: an upload of many thousand files.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// The first bytes of a gzip stream (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The files of an upload.
#[derive(Debug, Deserialize)]
struct Upload {
    #[serde(default)]
    added: Vec<String>,
    #[serde(default)]
    existed: Vec<String>,
}

/// The keys in a file, without repetition, in their order.
pub(crate) fn read(path: &Path) -> Result<Vec<String>, TraceError> {
    let mut reader = BufReader::new(File::open(path)?);
    if reader.fill_buf()?.starts_with(&GZIP) {
        return parse(BufReader::new(MultiGzDecoder::new(reader)));
    }
    parse(reader)
}

fn parse(mut reader: impl BufRead) -> Result<Vec<String>, TraceError> {
    let mut keys = Vec::new();
    let mut seen = HashSet::new();
    for line in 1.. {
        let Some(text) = read_line(&mut reader)? else {
            break;
        };
        let found = if text.starts_with('{') {
            let upload: Upload = serde_json::from_str(&text)
                .map_err(|source| TraceError::Upload { line, source })?;
            [upload.added, upload.existed].concat()
        } else {
            vec![text]
        };
        for key in found.iter().filter_map(|text| last_three_parts(text)) {
            if keys.len() == MAX_KEYS {
                return Err(TraceError::TooLarge("list has more than 5 million keys"));
            }
            if seen.insert(key.clone()) {
                keys.push(key);
            }
        }
    }
    if keys.is_empty() {
        return Err(TraceError::Empty);
    }
    Ok(keys)
}

/// The next line, trimmed; `None` at the end.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.take(MAX_LINE).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end().len());
    Ok(Some(line))
}

fn last_three_parts(text: &str) -> Option<String> {
    let mut parts = text.rsplit('/');
    let (file, id, debug_file) = (parts.next()?, parts.next()?, parts.next()?);
    // A bucket's name stands before a comma.
    let debug_file = debug_file.rsplit(',').next()?;
    let is_whole = ![file, id, debug_file].contains(&"");
    is_whole.then(|| format!("{debug_file}/{id}/{file}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const UPLOADS: &str = concat!(
        r#"{"date":"2017-06-08T23:49:02+00:00","zip_bytes":460007344,"#,
        r#""added":["js/3CEDB81AD8161A0A03C98271C3D6B02F0/js.sym","firefox-54.0-Linux-symbols.txt"],"#,
        r#""existed":["js/3CEDB81AD8161A0A03C98271C3D6B02F0/js.dbg.gz"]}"#,
        "\n",
        r#"{"added":["bucket,v1/js/3CEDB81AD8161A0A03C98271C3D6B02F0/js.sym"],"#,
        r#""existed":["xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym"]}"#,
        "\n",
    );

    const KEYS: [&str; 3] = [
        "js/3CEDB81AD8161A0A03C98271C3D6B02F0/js.sym",
        "js/3CEDB81AD8161A0A03C98271C3D6B02F0/js.dbg.gz",
        "xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym",
    ];

    #[test]
    fn uploads_become_a_list_of_keys() {
        assert_eq!(parse(UPLOADS.as_bytes()).unwrap(), KEYS);
    }

    #[test]
    fn a_list_of_keys_is_read_as_it_is() {
        assert_eq!(parse(KEYS.join("\n").as_bytes()).unwrap(), KEYS);
    }

    #[test]
    fn a_gzipped_list_is_read_too() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut encoder = GzEncoder::new(&mut file, Compression::fast());
        encoder.write_all(UPLOADS.as_bytes()).unwrap();
        encoder.finish().unwrap();
        assert_eq!(read(file.path()).unwrap(), KEYS);
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = parse(format!("{UPLOADS}{{\"added\": 7}}\n").as_bytes()).unwrap_err();
        assert!(
            error.to_string().starts_with("line 3 is not an upload"),
            "{error}"
        );
        assert!(matches!(
            parse(&b"\n\nreadme.txt\n"[..]),
            Err(TraceError::Empty)
        ));
    }
}
