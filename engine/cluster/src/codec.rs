//! The flexible encoding of metadata records: fixed integers in network order,
//! compact strings and arrays, tagged fields.
//!
//! A length read from the bytes is compared with what is left before anything
//! is reserved for it.

use crate::error::ClusterError;
use uuid::Uuid;

/// Writes the fields of one record.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// The bytes written so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// An unsigned variable-length integer.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A length or count plus one, as compact types store it.
    fn compact_len(&mut self, len: usize) {
        self.uvarint(u32::try_from(len).map_or(u32::MAX, |len| len.saturating_add(1)));
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// An 8-bit integer.
    pub fn i8(&mut self, value: i8) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A compact string.
    pub fn string(&mut self, value: &str) {
        self.compact_len(value.len());
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A compact string that may be null.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.uvarint(0),
        }
    }

    /// Compact bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.compact_len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// A compact array, each element written by `write`.
    pub fn array<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.compact_len(items.len());
        for item in items {
            write(self, item);
        }
    }

    /// The tagged fields that end a structure, in ascending order of tag.
    pub fn tagged(&mut self, fields: Vec<(u32, Writer)>) {
        self.uvarint(u32::try_from(fields.len()).unwrap_or(u32::MAX));
        for (tag, field) in fields {
            self.uvarint(tag);
            self.uvarint(u32::try_from(field.bytes.len()).unwrap_or(u32::MAX));
            self.bytes.extend_from_slice(&field.bytes);
        }
    }

    /// No tagged fields.
    pub fn no_tags(&mut self) {
        self.uvarint(0);
    }

    /// One field's bytes, for [`Writer::tagged`].
    pub fn field(write: impl FnOnce(&mut Self)) -> Self {
        let mut field = Self::default();
        write(&mut field);
        field
    }
}

/// Reads the fields of one record.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes have not been read.
    pub const fn left(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self, field: &'static str, needed: usize) -> Result<&'a [u8], ClusterError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(needed) else {
            return Err(ClusterError::Truncated {
                field,
                needed,
                left: self.bytes.len(),
            });
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ClusterError> {
        let taken = self.take(field, N)?;
        let mut out = [0; N];
        out.copy_from_slice(taken);
        Ok(out)
    }

    /// An unsigned variable-length integer of at most 32 bits.
    pub fn uvarint(&mut self, field: &'static str) -> Result<u32, ClusterError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.fixed::<1>(field)?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ClusterError::Malformed {
            field,
            reason: "the variable-length integer is too long",
        })
    }

    /// A boolean.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, ClusterError> {
        Ok(self.i8(field)? != 0)
    }

    /// An 8-bit integer.
    pub fn i8(&mut self, field: &'static str) -> Result<i8, ClusterError> {
        self.fixed(field).map(i8::from_be_bytes)
    }

    /// A 16-bit integer.
    pub fn i16(&mut self, field: &'static str) -> Result<i16, ClusterError> {
        self.fixed(field).map(i16::from_be_bytes)
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, ClusterError> {
        self.fixed(field).map(u16::from_be_bytes)
    }

    /// A 32-bit integer.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, ClusterError> {
        self.fixed(field).map(i32::from_be_bytes)
    }

    /// A 64-bit integer.
    pub fn i64(&mut self, field: &'static str) -> Result<i64, ClusterError> {
        self.fixed(field).map(i64::from_be_bytes)
    }

    /// A UUID.
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, ClusterError> {
        self.fixed(field).map(Uuid::from_bytes)
    }

    /// A compact length: `None` for null.
    fn compact_len(&mut self, field: &'static str) -> Result<Option<usize>, ClusterError> {
        let Some(len) = self.uvarint(field)?.checked_sub(1) else {
            return Ok(None);
        };
        let len = len as usize;
        if len > self.bytes.len() {
            return Err(ClusterError::Truncated {
                field,
                needed: len,
                left: self.bytes.len(),
            });
        }
        Ok(Some(len))
    }

    /// Compact bytes; null reads as empty.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], ClusterError> {
        let len = self.compact_len(field)?.unwrap_or(0);
        self.take(field, len)
    }

    /// A compact string that may be null.
    pub fn nullable_string(&mut self, field: &'static str) -> Result<Option<String>, ClusterError> {
        let Some(len) = self.compact_len(field)? else {
            return Ok(None);
        };
        let bytes = self.take(field, len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(ClusterError::Malformed {
                field,
                reason: "it is not UTF-8",
            }),
        }
    }

    /// A compact string.
    pub fn string(&mut self, field: &'static str) -> Result<String, ClusterError> {
        self.nullable_string(field)?.ok_or(ClusterError::Malformed {
            field,
            reason: "it may not be null",
        })
    }

    /// A compact array; null reads as empty. Every element takes at least a
    /// byte, so the count is bounded by the bytes left.
    pub fn array<T>(
        &mut self,
        field: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, ClusterError>,
    ) -> Result<Vec<T>, ClusterError> {
        let count = self.compact_len(field)?.unwrap_or(0);
        (0..count).map(|_| read(self)).collect()
    }

    /// The tagged fields that end a structure: `read` is given each tag and its bytes.
    pub fn tagged(
        &mut self,
        mut read: impl FnMut(u32, &mut Reader<'a>) -> Result<(), ClusterError>,
    ) -> Result<(), ClusterError> {
        let count = self.uvarint("tagged fields")?;
        for _ in 0..count {
            let tag = self.uvarint("tag")?;
            let len = self.uvarint("tagged field's length")? as usize;
            let mut field = Reader::new(self.take("tagged field", len)?);
            read(tag, &mut field)?;
        }
        Ok(())
    }

    /// Skips the tagged fields that end a structure.
    pub fn skip_tags(&mut self) -> Result<(), ClusterError> {
        self.tagged(|_, _| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_variable_length_integer_reads_back(value: u32) {
            let mut writer = Writer::default();
            writer.uvarint(value);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.uvarint("value"), Ok(value));
            prop_assert_eq!(reader.left(), 0);
        }
    }

    #[test]
    fn lengths_beyond_the_bytes_present_are_refused() {
        let check = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            assert!(
                reader.array("items", |r| r.i32("item")).is_err(),
                "{bytes:?}"
            );
            assert!(Reader::new(bytes).string("name").is_err(), "{bytes:?}");
        };
        check(&[]);
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        check(&[5, b'a', b'b']);
    }
}
