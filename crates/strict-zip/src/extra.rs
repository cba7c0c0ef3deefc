//! Extra fields (4.5), of which three kinds change what an entry means.

use super::error::Error;
use super::le_reader::LeReader;

const ZIP64: u16 = 0x0001;
const STRONG_ENCRYPTION: u16 = 0x0017;
const UNICODE_PATH: u16 = 0x7075;
const AES_ENCRYPTION: u16 = 0x9901;

/// The id and the length with which every field begins, in bytes.
const FIELD_HEADER: usize = 4;

/// Checks the extra fields of one header with this name and returns the data of the zip64 one. All others (time stamps,
/// owners) are skipped, as long as they and padding fill the space exactly.
pub(super) fn find_zip64<'a>(bytes: &'a [u8], name: &str) -> Result<Option<LeReader<'a>>, Error> {
    let mut fields = LeReader(bytes);
    let mut zip64 = None;
    while !is_padding(fields.0) {
        let (id, data) = next(&mut fields).ok_or_else(|| Error::Extra(name.to_owned()))?;
        match id {
            ZIP64 if zip64.is_some() => return Err(Error::Zip64Extra(name.to_owned())),
            ZIP64 => zip64 = Some(LeReader(data)),
            UNICODE_PATH if !repeats_name(data, name) => {
                return Err(Error::UnicodePath(name.to_owned()));
            }
            STRONG_ENCRYPTION | AES_ENCRYPTION => {
                return Err(Error::Encrypted(name.to_owned()));
            }
            _ => {}
        }
    }
    Ok(zip64)
}

fn next<'a>(fields: &mut LeReader<'a>) -> Option<(u16, &'a [u8])> {
    let id = fields.u16()?;
    let length = fields.u16()?;
    Some((id, fields.take(length.into())?))
}

/// Whether this is the end of the fields: nothing, or zeros that are too few for a field. Programs that align the data
/// write such zeros, and readers skip them.
fn is_padding(rest: &[u8]) -> bool {
    rest.len() < FIELD_HEADER && rest.iter().all(|byte| *byte == 0)
}

/// Whether a Unicode Path field (4.6.9) says what the header says: version 1, the CRC-32 of the header's name, and that
/// very name. `JSZip` writes one for every name that is not ASCII.
fn repeats_name(data: &[u8], name: &str) -> bool {
    let Some(([1, crc32 @ ..], second_name)) = data.split_first_chunk::<5>() else {
        return false;
    };
    // The comparison comes first, so that a header full of fields takes no more time than reading it.
    second_name == name.as_bytes() && *crc32 == crc32fast::hash(second_name).to_le_bytes()
}
