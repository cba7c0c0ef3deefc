//! Good and bad archives, made field by field.

mod accepted;
mod arriving;
mod builder;
mod data;
mod end_records;
mod layout;
mod members;
mod names;
mod properties;
mod seeds;
mod work;

use super::{Entry, Error, Limits, PlainPathError, PlainPaths, inspect, verify};

/// A member with its uncompressed data.
type Checked = (Entry<()>, Vec<u8>);

/// Inspects an archive and verifies every member, with the default limits.
fn check(bytes: &[u8]) -> Result<Vec<Checked>, Error> {
    check_with(bytes, &Limits::default())
}

fn check_with(bytes: &[u8], limits: &Limits) -> Result<Vec<Checked>, Error> {
    read(bytes, limits).map_err(broken_rule)
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Checked>, PlainPathError> {
    let mut checked = Vec::new();
    for entry in inspect(bytes, limits, &PlainPaths)? {
        let mut content = Vec::new();
        verify(bytes, &entry, limits, |piece| {
            content.extend_from_slice(piece);
            Ok::<_, Error>(())
        })?;
        checked.push((entry, content));
    }
    Ok(checked)
}

/// The error of an archive whose names are plain paths.
fn broken_rule(error: PlainPathError) -> Error {
    match error {
        PlainPathError::Zip(error) => error,
        PlainPathError::Name(name) => panic!("{name:?} is a plain path"),
    }
}

/// The rule that an archive breaks.
fn rule(bytes: &[u8]) -> &'static str {
    match read(bytes, &Limits::default()) {
        Ok(_) => "none",
        Err(PlainPathError::Zip(error)) => error.code(),
        Err(PlainPathError::Name(_)) => "not_a_plain_path",
    }
}

/// Verifies a member whose data is of no interest.
fn verify_alone<R: super::ReadAt + ?Sized>(
    archive: &R,
    entry: &Entry<()>,
    limits: &Limits,
) -> Result<(), Error> {
    verify(archive, entry, limits, |_| Ok(()))
}

/// Limits so low that small archives reach them.
fn low_limits() -> Limits {
    Limits {
        entries: 2,
        directory: 300,
        name_length: 100,
        member_size: 1000,
        total_size: 1500,
        ratio: 10,
        ratio_from: 500,
        bytes_per_block: 0,
    }
}
