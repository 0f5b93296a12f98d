//! A cursor over bytes that came from outside.
//!
//! Every read is checked against the bytes that are left, so a claimed length
//! is refused before anything is allocated for it. It never copies and never
//! panics; what it hands out borrows from the input.

use thiserror::Error;

/// Why bytes could not be read as what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The input ends before the value does.
    #[error("byte {at}: {need} bytes needed, {have} left")]
    Truncated {
        /// Position in the input.
        at: usize,
        /// Bytes that the value takes.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// A variable-length integer has more bits than its type.
    #[error("byte {at}: variable-length integer has more than {bits} bits")]
    Varint {
        /// Position in the input.
        at: usize,
        /// The width of the type that was asked for.
        bits: u32,
    },
    /// A length is negative where the field cannot be null.
    #[error("byte {at}: length {length}, expected 0 or more")]
    NegativeLength {
        /// Position in the input, after the length.
        at: usize,
        /// The length as it was read.
        length: i64,
    },
    /// A string is longer than the protocol's 32 767 bytes.
    #[error("byte {at}: string of {length} bytes, expected at most {}", i16::MAX)]
    StringTooLong {
        /// Position in the input, after the length.
        at: usize,
        /// The string's length in bytes.
        length: usize,
    },
    /// A field has a value that means nothing.
    #[error("byte {at}: {field} {value} is unknown")]
    Value {
        /// Position in the input.
        at: usize,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// A message names more topics, partitions and the like than fit the
    /// decoder's memory.
    #[error("more than {} topics, partitions and other entries", Entries::MAX)]
    TooManyEntries,
    /// Bytes follow the last field.
    #[error("{left} bytes left over after the last field")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A string is not UTF-8.
    #[error("byte {at}: string of {length} bytes is not UTF-8")]
    NotUtf8 {
        /// Position in the input, after the string.
        at: usize,
        /// The string's length in bytes.
        length: usize,
    },
}

impl ReadError {
    /// The same error in an input that began `by` bytes earlier.
    #[must_use]
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        match &mut self {
            Self::Truncated { at, .. }
            | Self::Varint { at, .. }
            | Self::NegativeLength { at, .. }
            | Self::StringTooLong { at, .. }
            | Self::Value { at, .. }
            | Self::NotUtf8 { at, .. } => *at += by,
            Self::TooManyEntries | Self::Trailing { .. } => {}
        }
        self
    }
}

/// How many more entries (topics, partitions, record errors …) a decoder may
/// keep. Each takes at most 160 bytes in memory, so that a message decodes into
/// at most 80 MiB besides its own bytes, whatever it claims.
#[derive(Clone, Copy, Debug)]
pub struct Entries(usize);

impl Entries {
    /// The most entries of one message.
    pub const MAX: usize = 1 << 19;

    /// Takes room for `count` more, and gives `count` back.
    pub fn take(&mut self, count: usize) -> Result<usize, ReadError> {
        match self.0.checked_sub(count) {
            Some(left) => {
                self.0 = left;
                Ok(count)
            }
            None => Err(ReadError::TooManyEntries),
        }
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self(Self::MAX)
    }
}

/// A position in a slice of untrusted bytes. Integers are big-endian.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }

    /// How many bytes have been read.
    pub const fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that are left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.truncated(len));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[cold]
    fn truncated(&self, need: usize) -> ReadError {
        ReadError::Truncated {
            at: self.position(),
            need,
            have: self.rest.len(),
        }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// A signed byte.
    #[inline]
    pub fn i8(&mut self) -> Result<i8, ReadError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// A 16-bit integer.
    #[inline]
    pub fn i16(&mut self) -> Result<i16, ReadError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// A 32-bit integer.
    #[inline]
    pub fn i32(&mut self) -> Result<i32, ReadError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// An unsigned 32-bit integer.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A 64-bit integer.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// The sixteen bytes of a UUID.
    #[inline]
    pub fn uuid(&mut self) -> Result<uuid::Uuid, ReadError> {
        Ok(uuid::Uuid::from_bytes(self.array()?))
    }

    /// An unsigned variable-length integer of up to 32 bits.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, ReadError> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(u32::from(byte));
        }
        let wide = self.unsigned_bits(32)?;
        Ok(wide as u32)
    }

    /// A zigzag variable-length integer of up to 32 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, ReadError> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag variable-length integer of up to 64 bits.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, ReadError> {
        let raw = match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                u64::from(byte)
            }
            _ => self.unsigned_bits(64)?,
        };
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    fn unsigned_bits(&mut self, bits: u32) -> Result<u64, ReadError> {
        let at = self.position();
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            // The last byte may carry only the bits that the type has left.
            if shift >= bits || (bits - shift < 7 && part >> (bits - shift) != 0) {
                return Err(ReadError::Varint { at, bits });
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// Bytes behind a zigzag length, where −1 means null: a record's key or value.
    #[inline]
    pub fn varint_bytes(&mut self) -> Result<Option<&'a [u8]>, ReadError> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(Some),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.negative(i64::from(length))),
        }
    }

    /// A length: a varint of one more where `compact`, else 16 or 32 bits wide. Null is −1, or 0 where compact.
    pub(crate) fn length(
        &mut self,
        compact: bool,
        short: bool,
    ) -> Result<Option<usize>, ReadError> {
        if compact {
            let raw = self.unsigned_varint()?;
            return Ok(raw.checked_sub(1).map(|length| length as usize));
        }
        let raw = match short {
            true => i32::from(self.i16()?),
            false => self.i32()?,
        };
        match usize::try_from(raw) {
            Ok(length) => Ok(Some(length)),
            Err(_) if raw == -1 => Ok(None),
            Err(_) => Err(self.negative(i64::from(raw))),
        }
    }

    /// A string's length, at most the protocol's 32 767 however it is written.
    pub(crate) fn str_length(&mut self, compact: bool) -> Result<Option<usize>, ReadError> {
        match self.length(compact, true)? {
            Some(length) if length > i16::MAX as usize => Err(ReadError::StringTooLong {
                at: self.position(),
                length,
            }),
            length => Ok(length),
        }
    }

    /// A string, which may be null. `compact` as the message's version is
    /// flexible.
    pub fn nullable_str(&mut self, compact: bool) -> Result<Option<&'a str>, ReadError> {
        let Some(length) = self.str_length(compact)? else {
            return Ok(None);
        };
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(string) => Ok(Some(string)),
            Err(_) => Err(ReadError::NotUtf8 {
                at: self.position(),
                length,
            }),
        }
    }

    /// A string.
    pub fn str(&mut self, compact: bool) -> Result<&'a str, ReadError> {
        let string = self.nullable_str(compact)?;
        string.ok_or_else(|| self.negative(-1))
    }

    /// Bytes behind a 32-bit or compact length, which may be null.
    pub fn nullable_bytes(&mut self, compact: bool) -> Result<Option<&'a [u8]>, ReadError> {
        match self.length(compact, false)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// How many elements an array claims, which may be null; never more than
    /// the bytes left hold where each takes `each` or more.
    pub fn nullable_count(
        &mut self,
        compact: bool,
        each: usize,
    ) -> Result<Option<usize>, ReadError> {
        match self.length(compact, false)? {
            Some(count) if count.saturating_mul(each) > self.rest.len() => {
                Err(self.truncated(count.saturating_mul(each)))
            }
            count => Ok(count),
        }
    }

    /// How many elements an array claims; null is an error.
    pub fn count(&mut self, compact: bool, each: usize) -> Result<usize, ReadError> {
        let count = self.nullable_count(compact, each)?;
        count.ok_or_else(|| self.negative(-1))
    }

    /// Reads tagged fields, handing each one's tag and value to `known`.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, Reader<'a>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let count = self.unsigned_varint()?;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let len = self.unsigned_varint()?;
            let value = Self::new(self.take(len as usize)?);
            known(tag, value)?;
        }
        Ok(())
    }

    /// Reads past tagged fields.
    pub fn skip_tagged_fields(&mut self) -> Result<(), ReadError> {
        self.tagged_fields(|_, _| Ok(()))
    }

    /// Reads past what ends a structure: tagged fields, in flexible versions.
    pub fn end(&mut self, flexible: bool) -> Result<(), ReadError> {
        match flexible {
            true => self.skip_tagged_fields(),
            false => Ok(()),
        }
    }

    /// Checks that nothing is left.
    pub fn finish(&self) -> Result<(), ReadError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(ReadError::Trailing { left }),
        }
    }

    #[cold]
    pub(crate) fn negative(&self, length: i64) -> ReadError {
        ReadError::NegativeLength {
            at: self.position(),
            length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_length_integers_keep_their_width() {
        let check = |bytes: &[u8], expected: Result<u32, ReadError>| {
            assert_eq!(
                Reader::new(bytes).unsigned_varint(),
                expected,
                "{bytes:02x?}"
            );
        };
        let too_wide = Err(ReadError::Varint { at: 0, bits: 32 });
        check(&[0x00], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 0x01], Ok(128));
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f], Ok(u32::MAX));
        check(&[0xff, 0xff, 0xff, 0xff, 0x1f], too_wide);
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], too_wide);
        check(
            &[0x80],
            Err(ReadError::Truncated {
                at: 1,
                need: 1,
                have: 0,
            }),
        );
    }

    #[test]
    fn zigzag_integers_carry_their_sign() {
        let check = |bytes: &[u8], expected: i64| {
            assert_eq!(Reader::new(bytes).varlong(), Ok(expected), "{bytes:02x?}");
        };
        check(&[0x00], 0);
        check(&[0x01], -1);
        check(&[0x02], 1);
        check(
            &[0xff; 9].iter().copied().chain([1]).collect::<Vec<_>>(),
            i64::MIN,
        );
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(),
            Ok(i32::MIN)
        );
    }

    #[test]
    fn a_length_beyond_the_input_is_refused() {
        let mut reader = Reader::new(&[0x08, 1, 2]);
        assert_eq!(
            reader.varint_bytes(),
            Err(ReadError::Truncated {
                at: 1,
                need: 4,
                have: 2
            })
        );
        assert_eq!(Reader::new(&[0x01]).varint_bytes(), Ok(None));
        assert_eq!(
            Reader::new(&[0x03]).varint_bytes(),
            Err(ReadError::NegativeLength { at: 1, length: -2 })
        );
    }
}
