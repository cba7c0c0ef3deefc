//! The stamp before each value: the token that it was set with.

use bytes::Bytes;

use super::super::Token;

/// How long a stamp is, in bytes.
pub(super) const LENGTH: usize = 16;

/// The stamp of a token: sixteen hexadecimal digits.
pub(super) fn write(token: Token) -> String {
    format!("{:016x}", token.0)
}

/// The token of a stamp, if it is one.
pub(super) fn read(stamp: &[u8]) -> Option<Token> {
    let is_stamp = stamp.len() == LENGTH && stamp.iter().all(u8::is_ascii_hexdigit);
    let digits = str::from_utf8(stamp).ok().filter(|_| is_stamp)?;
    u64::from_str_radix(digits, 16).ok().map(Token)
}

/// A value with its stamp.
pub(super) fn put_before(token: Token, value: &[u8]) -> Vec<u8> {
    let mut stamped = write(token).into_bytes();
    stamped.extend_from_slice(value);
    stamped
}

/// The token and the value of something that is stamped.
pub(super) fn take_off(stamped: Vec<u8>) -> Option<(Token, Bytes)> {
    let token = read(stamped.get(..LENGTH)?)?;
    Some((token, Bytes::from(stamped).slice(LENGTH..)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_stamp_is_not_read() {
        for junk in [
            &b""[..],
            b"0",
            b"+00000000000000a",
            b"000000000000000g",
            b"00000000000000000",
            "000000000000é0".as_bytes(),
        ] {
            assert_eq!(read(junk), None);
        }
        assert_eq!(take_off(b"000000000000000".to_vec()), None);
    }

    proptest! {
        #[test]
        fn what_was_stamped_is_read_back(token: u64, value: Vec<u8>) {
            let stamped = put_before(Token(token), &value);
            prop_assert_eq!(take_off(stamped), Some((Token(token), Bytes::from(value))));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            match take_off(bytes.clone()) {
                Some((token, value)) => {
                    prop_assert_eq!(Some(token), read(&bytes[..LENGTH]));
                    prop_assert_eq!(value, &bytes[LENGTH..]);
                }
                None => prop_assert!(bytes.len() < LENGTH || read(&bytes[..LENGTH]).is_none()),
            }
        }
    }
}
