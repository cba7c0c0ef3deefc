//! Inflates gzip as programs write it: one member or several, and zeros behind them.
//!
//! `bsdtar` pads what it writes to a pipe with zeros, tapes do the same to everything, and parallel compressors write a
//! member for each block. Like gzip(1) and Python, [`Gunzip`] skips zeros behind a member. Anything else there has to
//! be a further member (RFC 1952, 2.2).

use std::io::{self, Write};
use std::mem;

use flate2::write::GzDecoder;

/// Inflates a gzip file that is passed to it piece by piece.
#[derive(Debug)]
pub struct Gunzip {
    place: Place,
}

/// Where in the file the next byte lies.
#[derive(Debug)]
enum Place {
    /// In a member, or at the start of the first one.
    Member(Box<GzDecoder<Vec<u8>>>),
    /// Behind a member.
    Behind,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self {
            place: Place::member(),
        }
    }
}

impl Place {
    fn member() -> Self {
        Self::Member(Box::new(GzDecoder::new(Vec::new())))
    }
}

impl Gunzip {
    /// Takes bytes off the front of `input`, and returns what they inflate to: tens of kilobytes at most, whatever the
    /// input says. Callers call it until the input is empty, and [`Self::finish`] at the end of the file.
    ///
    /// # Errors
    /// The bytes are not those of a gzip file, or a member differs from its checksum or its length.
    pub fn inflate(&mut self, input: &mut &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.place {
            Place::Behind => {
                let zeros = input.iter().take_while(|byte| **byte == 0).count();
                *input = &input[zeros..];
                if !input.is_empty() {
                    self.place = Place::member();
                }
                Ok(Vec::new())
            }
            Place::Member(member) => {
                let taken = member.write(input)?;
                if taken == 0 && !input.is_empty() {
                    return self.end_member();
                }
                *input = &input[taken..];
                Ok(mem::take(member.get_mut()))
            }
        }
    }

    /// Ends the file, and returns the rest of what it inflates to: nothing, if it was ended before.
    ///
    /// # Errors
    /// The file ends within a member, or before the first one; or the last member differs from its checksum or its
    /// length.
    pub fn finish(&mut self) -> io::Result<Vec<u8>> {
        self.end_member()
    }

    fn end_member(&mut self) -> io::Result<Vec<u8>> {
        match mem::replace(&mut self.place, Place::Behind) {
            Place::Member(member) => member.finish(),
            Place::Behind => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(file: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let (mut gunzip, mut inflated) = (Gunzip::default(), Vec::new());
        for mut piece in file.chunks(piece) {
            while !piece.is_empty() {
                let bytes = gunzip.inflate(&mut piece)?;
                assert!(bytes.len() <= 64 << 10, "{}", bytes.len());
                inflated.extend(bytes);
            }
        }
        let rest = gunzip.finish()?;
        assert!(rest.len() <= 64 << 10, "{}", rest.len());
        inflated.extend(rest);
        Ok(inflated)
    }

    #[test]
    fn members_and_zeros_are_read_and_nothing_else() {
        let twos = vec![b'2'; 100_000];
        let (one, two) = (gzip(b"one"), gzip(&twos));
        let text = [&b"one"[..], &twos].concat();
        for piece in [1, 7, 4096, usize::MAX] {
            for (file, expected) in [
                (vec![&one[..]], &text[..3]),
                (vec![&one, &[0; 10_240]], &text[..3]),
                (vec![&one, &two], &text),
                (vec![&one, &[0; 3], &two, &[0]], &text),
                (vec![&gzip(b""), &one], &text[..3]),
            ] {
                let file = file.concat();
                assert_eq!(gunzip(&file, piece).unwrap(), expected, "{piece}");
            }
            for file in [
                vec![],
                vec![&one[..one.len() - 1]],
                vec![&two[..40]],
                vec![&one, b"junk"],
                vec![&one, &[0; 9], b"x"],
                vec![&one, &one[..one.len() - 3]],
                vec![&[0; 10], &one],
                vec![b"no gzip"],
            ] {
                assert!(gunzip(&file.concat(), piece).is_err(), "{file:?}");
            }
        }
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        for back in [1, 5] {
            let mut file = gzip(b"text");
            let at = file.len() - back;
            file[at] ^= 1;
            assert!(
                gunzip(&file, 3).is_err() && gunzip(&[&file[..], &[0; 9]].concat(), 64).is_err()
            );
        }
    }

    #[test]
    fn what_inflates_to_much_comes_in_small_pieces() {
        let bomb = gzip(&vec![0; 8 << 20]);
        for piece in [1000, usize::MAX] {
            assert_eq!(gunzip(&bomb, piece).unwrap().len(), 8 << 20);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            is_gzip: bool,
            piece in 1_usize..50,
        ) {
            let mut bytes = bytes;
            if is_gzip {
                bytes.splice(0..0, gzip(b"some text, some text"));
            }
            let _ = gunzip(&bytes, piece);
        }
    }
}
