//! One pass over a member's data: is it what the headers say?

use std::io;

use super::entry::{Entry, Method};
use super::error::Error;
use super::inflate::Inflater;
use super::limits::Limits;
use super::read_at::ReadAt;

/// Bytes read, and bytes inflated, at once.
const BUFFER_LENGTH: usize = 128 * 1024;

/// Reads a member of an archive that [`inspect`](super::inspect) accepted, hands its uncompressed data to the sink in
/// pieces, and checks that it has exactly the declared length and CRC-32 and, if deflated, that its stream ends where
/// its compressed data does.
///
/// Never inflates more than one byte above the declared size, nor more blocks than the limits allow. The sink never
/// gets more than the declared size. What it got is proved only when this returns `Ok`.
///
/// # Errors
/// The first rule that the data breaks, [`Error::Read`], or the sink's own error.
pub fn verify<R, C, S, E>(archive: &R, entry: &Entry<C>, limits: &Limits, sink: S) -> Result<(), E>
where
    R: ReadAt + ?Sized,
    S: FnMut(&[u8]) -> Result<(), E>,
    E: From<Error>,
{
    let mut data = CompressedData::of(archive, entry);
    let mut output = CheckedOutput::new(&entry.name, entry.size, sink);
    match entry.method {
        Method::Stored => copy(&mut data, &mut output)?,
        Method::Deflated => inflate(&mut data, &mut output, Inflater::of(entry, limits))?,
    }
    output.finish(entry.crc32)
}

fn copy<R, S, E>(
    data: &mut CompressedData<'_, R>,
    output: &mut CheckedOutput<'_, S>,
) -> Result<(), E>
where
    R: ReadAt + ?Sized,
    S: FnMut(&[u8]) -> Result<(), E>,
    E: From<Error>,
{
    loop {
        let chunk = data.next_chunk().map_err(Error::from)?;
        if chunk.is_empty() {
            return Ok(());
        }
        output.write(chunk)?;
    }
}

fn inflate<R, S, E>(
    data: &mut CompressedData<'_, R>,
    output: &mut CheckedOutput<'_, S>,
    mut inflater: Inflater<'_>,
) -> Result<(), E>
where
    R: ReadAt + ?Sized,
    S: FnMut(&[u8]) -> Result<(), E>,
    E: From<Error>,
{
    let mut buffer = vec![0; BUFFER_LENGTH];
    loop {
        let chunk = data.next_chunk().map_err(Error::from)?;
        let is_over = chunk.is_empty();
        let name = output.name;
        if let Some(unused) = inflate_chunk(&mut inflater, chunk, &mut buffer, output)? {
            return match data.left + unused as u64 {
                0 => Ok(()),
                bytes => Err(E::from(Error::BytesAfterStream {
                    name: name.to_owned(),
                    bytes,
                })),
            };
        }
        if is_over {
            return Err(E::from(Error::Truncated(name.to_owned())));
        }
    }
}

/// Inflates as much as the chunk gives. If that ends the stream, returns how many bytes of the chunk come after it.
fn inflate_chunk<S, E>(
    inflater: &mut Inflater<'_>,
    mut chunk: &[u8],
    buffer: &mut [u8],
    output: &mut CheckedOutput<'_, S>,
) -> Result<Option<usize>, E>
where
    S: FnMut(&[u8]) -> Result<(), E>,
    E: From<Error>,
{
    loop {
        let room = output.room().min(buffer.len());
        let step = inflater.step(chunk, &mut buffer[..room])?;
        output.write(&buffer[..step.produced])?;
        chunk = &chunk[step.consumed..];
        if step.has_ended {
            return Ok(Some(chunk.len()));
        }
        if (step.consumed, step.produced) == (0, 0) {
            return Ok(None);
        }
    }
}

/// A member's bytes in the archive, chunk by chunk.
struct CompressedData<'a, R: ?Sized> {
    archive: &'a R,
    offset: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl<'a, R: ReadAt + ?Sized> CompressedData<'a, R> {
    fn of<C>(archive: &'a R, entry: &Entry<C>) -> Self {
        let length = usize::try_from(entry.compressed_size)
            .unwrap_or(BUFFER_LENGTH)
            .min(BUFFER_LENGTH);
        Self {
            archive,
            offset: entry.data_offset,
            left: entry.compressed_size,
            buffer: vec![0; length],
        }
    }

    /// The next bytes; none at the end.
    fn next_chunk(&mut self) -> io::Result<&[u8]> {
        let length = usize::try_from(self.left)
            .unwrap_or(BUFFER_LENGTH)
            .min(self.buffer.len());
        let chunk = &mut self.buffer[..length];
        self.archive.read_exact_at(chunk, self.offset)?;
        self.offset += length as u64;
        self.left -= length as u64;
        Ok(chunk)
    }
}

/// Counts the uncompressed data and computes its CRC-32 on the way to the sink.
struct CheckedOutput<'a, S> {
    name: &'a str,
    declared_size: u64,
    size: u64,
    crc32: crc32fast::Hasher,
    sink: S,
}

impl<'a, S> CheckedOutput<'a, S> {
    fn new(name: &'a str, declared_size: u64, sink: S) -> Self {
        Self {
            name,
            declared_size,
            size: 0,
            crc32: crc32fast::Hasher::new(),
            sink,
        }
    }

    /// How many bytes are worth inflating: as many as were declared, and one that proves that there are more.
    fn room(&self) -> usize {
        let left = self.declared_size.saturating_sub(self.size);
        usize::try_from(left.saturating_add(1)).unwrap_or(usize::MAX)
    }

    fn write<E>(&mut self, bytes: &[u8]) -> Result<(), E>
    where
        S: FnMut(&[u8]) -> Result<(), E>,
        E: From<Error>,
    {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.declared_size {
            return Err(E::from(self.wrong_size()));
        }
        self.crc32.update(bytes);
        (self.sink)(bytes)
    }

    fn finish<E: From<Error>>(self, declared_crc32: u32) -> Result<(), E> {
        if self.size != self.declared_size {
            return Err(E::from(self.wrong_size()));
        }
        if self.crc32.finalize() != declared_crc32 {
            return Err(E::from(Error::Crc(self.name.to_owned())));
        }
        Ok(())
    }

    fn wrong_size(&self) -> Error {
        Error::WrongSize {
            name: self.name.to_owned(),
            declared: self.declared_size,
        }
    }
}
