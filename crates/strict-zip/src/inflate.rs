//! Inflating a member's deflate stream, with a limit on its blocks.
//!
//! Every block of a deflate stream may bring new Huffman codes (RFC 1951, 3.2.7), and building their tables takes as
//! long as inflating and hashing about a kilobyte. A stream of empty blocks is small, inflates to nothing and takes a
//! hundred times as long as an honest stream of its length. A limit on time would refuse the same archive on a busy
//! machine and accept it on an idle one. So blocks are counted: one is allowed for every so many bytes that the limits
//! on sizes count, which bounds the work of a member and of a whole archive alike.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::entry::Entry;
use super::error::Error;
use super::limits::Limits;

/// How many blocks a member may have beyond those that its bytes allow: small members have small blocks.
const FREE_BLOCKS: u64 = 100;

/// The largest window of a deflate stream: 2 to this power bytes.
const WINDOW_BITS: u8 = 15;

/// The deflate stream of one member, inflated step by step.
pub(super) struct Inflater<'a> {
    /// The member's name.
    name: &'a str,
    stream: Inflate,
    blocks: u64,
    most_blocks: u64,
}

/// The result of one step.
pub(super) struct Step {
    /// How many bytes of the input were used up.
    pub(super) consumed: usize,
    /// How many bytes were written to the output.
    pub(super) produced: usize,
    /// Whether the stream has ended.
    pub(super) has_ended: bool,
}

impl<'a> Inflater<'a> {
    pub(super) fn of<C>(entry: &'a Entry<C>, limits: &Limits) -> Self {
        let bytes = entry.compressed_size.saturating_add(entry.size);
        let most_blocks = bytes
            .checked_div(limits.bytes_per_block)
            .map_or(u64::MAX, |blocks| blocks.saturating_add(FREE_BLOCKS));
        Self {
            name: &entry.name,
            stream: Inflate::new(false, WINDOW_BITS),
            blocks: 0,
            most_blocks,
        }
    }

    /// Inflates to the end of the block, of the input or of the output, whichever comes first.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Error> {
        let before = (self.stream.total_in(), self.stream.total_out());
        let status = self
            .stream
            .decompress(input, output, InflateFlush::Block)
            .map_err(|_| Error::CompressedData(self.name.to_owned()))?;
        // Neither can be more than the length of the slice that was passed.
        let consumed = usize::try_from(self.stream.total_in() - before.0).unwrap_or(input.len());
        let produced = usize::try_from(self.stream.total_out() - before.1).unwrap_or(output.len());
        if consumed < input.len() && produced < output.len() {
            self.count_block()?;
        }
        Ok(Step {
            consumed,
            produced,
            has_ended: status == Status::StreamEnd,
        })
    }

    fn count_block(&mut self) -> Result<(), Error> {
        self.blocks += 1;
        if self.blocks > self.most_blocks {
            return Err(Error::TooManyBlocks {
                name: self.name.to_owned(),
                limit: self.most_blocks,
            });
        }
        Ok(())
    }
}
