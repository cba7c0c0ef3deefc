//! The records of `.sym` files, one line each.
//!
//! Fields stand between one or more blanks, tabs and carriage returns, and white space around a record does not count.
//! Numbers are below 2^64: addresses and sizes hexadecimal, everything else decimal. A record that breaks these rules
//! is `None`. Source: Breakpad's symbol file format, and what symbolic-debuginfo 13.9 makes of it.

/// What a function or symbol without a name is called.
const UNNAMED: &[u8] = b"<unknown>";

/// A record's text: UTF-8 without white space at its ends.
pub(super) fn text_of(line: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(line).ok()?.trim())
}

/// The fields of a record that are not yet read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields after a keyword, of a record that must be UTF-8.
    pub(super) fn after(keyword: &str, line: &'a [u8]) -> Option<Self> {
        let mut fields = Self(text_of(line)?.strip_prefix(keyword)?.as_bytes());
        fields.blanks()?;
        Some(fields)
    }

    /// The fields of a record of numbers. Its text is looked at only if there may be white space around it: in what is
    /// neither white space nor a number, no number is found.
    fn of_numbers(line: &'a [u8]) -> Option<Self> {
        match line {
            [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => {
                Some(Self(line))
            }
            _ => text_of(line).map(|text| Self(text.as_bytes())),
        }
    }

    fn blanks(&mut self) -> Option<()> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let count = self.0.iter().take_while(|byte| is_blank(byte)).count();
        self.0 = &self.0[count..];
        (count > 0).then_some(())
    }

    fn blanks_or_end(&mut self) -> Option<()> {
        if self.0.is_empty() {
            Some(())
        } else {
            self.blanks()
        }
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// A number of hexadecimal digits, of either case.
    fn hexadecimal(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut digits = 0;
        for byte in self.0 {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ => break,
            };
            if value > u64::MAX >> 4 {
                return None;
            }
            value = value << 4 | u64::from(digit);
            digits += 1;
        }
        self.0 = &self.0[digits..];
        (digits > 0).then_some(value)
    }

    fn decimal(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut digits = 0;
        for byte in self.0 {
            if !byte.is_ascii_digit() {
                break;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            digits += 1;
        }
        self.0 = &self.0[digits..];
        (digits > 0).then_some(value)
    }

    /// Hexadecimal, and followed by another field.
    fn hexadecimal_field(&mut self) -> Option<u64> {
        let value = self.hexadecimal()?;
        self.blanks().map(|()| value)
    }

    /// Decimal, and followed by another field.
    fn decimal_field(&mut self) -> Option<u64> {
        let value = self.decimal()?;
        self.blanks().map(|()| value)
    }

    /// The mark `m` of a function that the linker has merged with others. It means nothing here.
    fn skip_mark(&mut self) -> Option<()> {
        match self.0.strip_prefix(b"m") {
            Some(rest) => {
                self.0 = rest;
                self.blanks()
            }
            None => Some(()),
        }
    }

    /// The size of the parameters, which means nothing here, and after it the name.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.hexadecimal()?;
        self.blanks_or_end()?;
        Some(if self.0.is_empty() { UNNAMED } else { self.0 })
    }
}

/// `FUNC [m] <address> <size> <size of parameters> [<name>]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FunctionRecord<'a> {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) name: &'a [u8],
}

impl<'a> FunctionRecord<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::after("FUNC", line)?;
        fields.skip_mark()?;
        Some(Self {
            address: fields.hexadecimal_field()?,
            size: fields.hexadecimal_field()?,
            name: fields.name()?,
        })
    }
}

/// `PUBLIC [m] <address> <size of parameters> [<name>]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicRecord<'a> {
    pub(super) address: u64,
    pub(super) name: &'a [u8],
}

impl<'a> PublicRecord<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::after("PUBLIC", line)?;
        fields.skip_mark()?;
        Some(Self {
            address: fields.hexadecimal_field()?,
            name: fields.name()?,
        })
    }
}

/// `FILE <number> [<path>]` or `INLINE_ORIGIN <number> <name>`: a text that others refer to by its number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NumberedRecord<'a> {
    pub(super) number: u64,
    pub(super) text: &'a [u8],
}

impl<'a> NumberedRecord<'a> {
    pub(super) fn parse_file(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::after("FILE", line)?;
        let number = fields.decimal()?;
        fields.blanks_or_end()?;
        Some(Self {
            number,
            text: fields.0,
        })
    }

    pub(super) fn parse_origin(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::after("INLINE_ORIGIN", line)?;
        let number = fields.decimal_field()?;
        Some(Self {
            number,
            text: fields.0,
        })
    }
}

/// `<address> <size> <line> <file>`; negative lines are 0, that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineRecord {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) line: u64,
    pub(super) file: u64,
}

impl LineRecord {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = Fields::of_numbers(line)?;
        let address = fields.hexadecimal_field()?;
        let size = fields.hexadecimal_field()?;
        let is_negative = fields.0.first() == Some(&b'-');
        fields.0 = &fields.0[usize::from(is_negative)..];
        let line = fields.decimal_field()?;
        let file = fields.decimal()?;
        fields.end()?;
        Some(Self {
            address,
            size,
            line: if is_negative { 0 } else { line },
            file,
        })
    }
}

/// `INLINE <depth> <line of the call> <file of the call> <origin> (<address> <size>)+`.
#[derive(Debug)]
pub(super) struct InlineRecord<'a> {
    pub(super) depth: u64,
    pub(super) call_line: u64,
    pub(super) call_file: u64,
    pub(super) origin: u64,
    ranges: Fields<'a>,
}

impl<'a> InlineRecord<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of_numbers(line)?;
        fields.0 = fields.0.strip_prefix(b"INLINE")?;
        fields.blanks()?;
        Some(Self {
            depth: fields.decimal_field()?,
            call_line: fields.decimal_field()?,
            call_file: fields.decimal_field()?,
            origin: fields.decimal_field()?,
            ranges: fields,
        })
    }

    /// The addresses and sizes, of which there is at least one pair. A pair that is none ends them.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Option<(u64, u64)>> + use<'a> {
        let mut fields = self.ranges;
        let mut is_first = true;
        std::iter::from_fn(move || {
            if fields.0.is_empty() && !is_first {
                return None;
            }
            is_first = false;
            let address = fields.hexadecimal_field();
            let size = fields.hexadecimal();
            let is_followed = fields.blanks_or_end().is_some();
            Some(address.zip(size).filter(|_| is_followed))
        })
    }
}
