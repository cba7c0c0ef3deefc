//! Extra fields (4.5), of which three kinds change what an entry means.

use super::error::Error;
use super::le_reader::LeReader;

const ZIP64: u16 = 0x0001;
const STRONG_ENCRYPTION: u16 = 0x0017;
const UNICODE_PATH: u16 = 0x7075;
const AES_ENCRYPTION: u16 = 0x9901;

/// Checks the extra fields of one header and returns the data of the zip64 one. All others (time stamps, owners) are
/// skipped, as long as they fill the space exactly.
pub(super) fn find_zip64<'a>(bytes: &'a [u8], name: &str) -> Result<Option<LeReader<'a>>, Error> {
    let mut fields = LeReader(bytes);
    let mut zip64 = None;
    while !fields.is_empty() {
        let (id, data) = next(&mut fields).ok_or_else(|| Error::Extra(name.to_owned()))?;
        match id {
            ZIP64 if zip64.is_some() => return Err(Error::Zip64Extra(name.to_owned())),
            ZIP64 => zip64 = Some(LeReader(data)),
            UNICODE_PATH => return Err(Error::UnicodePath(name.to_owned())),
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
