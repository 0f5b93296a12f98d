//! Kafka's primitive types, as bytes: the few that coordinator records use.
//!
//! A reader never believes a length before it has seen that many bytes, so a
//! damaged record gives an error and never a panic or a large allocation. The
//! `flexible` mode of KIP-482 (compact lengths, tagged fields) is a property
//! of the whole record, chosen once when the version has been read.

use bytes::Bytes;
use thiserror::Error;
use uuid::Uuid;

/// Why bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The record ends before its field does.
    #[error("{field} needs {wanted} bytes and {left} are left")]
    Short {
        /// What was being read.
        field: &'static str,
        /// How many bytes it needs.
        wanted: usize,
        /// How many bytes remain.
        left: usize,
    },
    /// A length or count is negative where null is not allowed.
    #[error("length {length} of {field} is negative and null is not allowed")]
    Negative {
        /// What was being read.
        field: &'static str,
        /// The length found.
        length: i64,
    },
    /// A variable-length integer runs past its largest size.
    #[error("variable-length integer of {field} is longer than 5 bytes")]
    Varint {
        /// What was being read.
        field: &'static str,
    },
    /// A string is not UTF-8.
    #[error("{field} is not UTF-8")]
    Utf8 {
        /// What was being read.
        field: &'static str,
    },
    /// A number stands for nothing this schema knows.
    #[error("{field} is {value}, which the schema does not define")]
    Undefined {
        /// What was being read.
        field: &'static str,
        /// The value found.
        value: i64,
    },
    /// The version of a key or value is newer than this schema.
    #[error("version {version} of {record} is unknown, 0 to {newest} are accepted")]
    Version {
        /// Which record.
        record: &'static str,
        /// The version found.
        version: i16,
        /// The newest version known.
        newest: i16,
    },
}

type Result<T> = std::result::Result<T, SchemaError>;

/// Reads fields off the front of one record.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    left: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            left: bytes,
            flexible: false,
        }
    }

    /// Switches to compact lengths and tagged fields.
    pub(crate) fn flexible_from(&mut self, version: i16, first_flexible: i16) {
        self.flexible = version >= first_flexible;
    }

    /// The version that opens every key and value.
    pub(crate) fn version(&mut self, record: &'static str, newest: i16) -> Result<i16> {
        let version = self.i16(record)?;
        if (0..=newest).contains(&version) {
            Ok(version)
        } else {
            Err(SchemaError::Version {
                record,
                version,
                newest,
            })
        }
    }

    fn take(&mut self, field: &'static str, wanted: usize) -> Result<&'a [u8]> {
        match self.left.split_at_checked(wanted) {
            Some((taken, left)) => {
                self.left = left;
                Ok(taken)
            }
            None => Err(SchemaError::Short {
                field,
                wanted,
                left: self.left.len(),
            }),
        }
    }

    fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        match self.left.split_first_chunk::<N>() {
            Some((taken, left)) => {
                self.left = left;
                Ok(*taken)
            }
            None => Err(SchemaError::Short {
                field,
                wanted: N,
                left: self.left.len(),
            }),
        }
    }

    pub(crate) fn i8(&mut self, field: &'static str) -> Result<i8> {
        self.fixed(field).map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self, field: &'static str) -> Result<i16> {
        self.fixed(field).map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32> {
        self.fixed(field).map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self, field: &'static str) -> Result<i64> {
        self.fixed(field).map(i64::from_be_bytes)
    }

    pub(crate) fn uuid(&mut self, field: &'static str) -> Result<Uuid> {
        self.fixed(field).map(Uuid::from_bytes)
    }

    fn uvarint(&mut self, field: &'static str) -> Result<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.fixed::<1>(field)?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(SchemaError::Varint { field })
    }

    /// A length in its narrow form (2 bytes for strings, 4 for the rest) or
    /// its compact one; `None` stands for null.
    fn length(&mut self, field: &'static str, narrow: bool) -> Result<Option<usize>> {
        let length = if self.flexible {
            i64::from(self.uvarint(field)?) - 1
        } else if narrow {
            i64::from(self.i16(field)?)
        } else {
            i64::from(self.i32(field)?)
        };
        match length {
            -1 => Ok(None),
            _ => usize::try_from(length)
                .map(Some)
                .map_err(|_| SchemaError::Negative { field, length }),
        }
    }

    pub(crate) fn opt_str(&mut self, field: &'static str) -> Result<Option<&'a str>> {
        let Some(length) = self.length(field, true)? else {
            return Ok(None);
        };
        let raw = self.take(field, length)?;
        std::str::from_utf8(raw)
            .map(Some)
            .map_err(|_| SchemaError::Utf8 { field })
    }

    pub(crate) fn str(&mut self, field: &'static str) -> Result<&'a str> {
        self.opt_str(field)?
            .ok_or(SchemaError::Negative { field, length: -1 })
    }

    pub(crate) fn opt_bytes(&mut self, field: &'static str) -> Result<Option<Bytes>> {
        let Some(length) = self.length(field, false)? else {
            return Ok(None);
        };
        self.take(field, length)
            .map(|raw| Some(Bytes::copy_from_slice(raw)))
    }

    pub(crate) fn bytes(&mut self, field: &'static str) -> Result<Bytes> {
        self.opt_bytes(field)?
            .ok_or(SchemaError::Negative { field, length: -1 })
    }

    /// An array, or `None` for null. The count is believed only as far as one
    /// byte an element is still there.
    pub(crate) fn opt_array<T>(
        &mut self,
        field: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.length(field, false)? else {
            return Ok(None);
        };
        if count > self.left.len() {
            return Err(SchemaError::Short {
                field,
                wanted: count,
                left: self.left.len(),
            });
        }
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    pub(crate) fn array<T>(
        &mut self,
        field: &'static str,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.opt_array(field, element)?
            .ok_or(SchemaError::Negative { field, length: -1 })
    }

    /// The tagged fields that close a flexible structure; unknown ones are
    /// skipped, as KIP-482 asks.
    pub(crate) fn tagged(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<()>,
    ) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint("tagged field count")? {
            let tag = self.uvarint("tag")?;
            let size = self.uvarint("tagged field size")?;
            let body = self.take("tagged field", usize::try_from(size).unwrap_or(usize::MAX))?;
            let mut field = Reader {
                left: body,
                flexible: true,
            };
            known(tag, &mut field)?;
        }
        Ok(())
    }

    /// Tagged fields of which none is known.
    pub(crate) fn no_tagged(&mut self) -> Result<()> {
        self.tagged(|_, _| Ok(()))
    }
}

/// Writes the fields of one record.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// Opens a key or value with its version.
    pub(crate) fn version(version: i16, flexible: bool) -> Self {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&version.to_be_bytes());
        Self { out, flexible }
    }

    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.out)
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.out.extend_from_slice(value.as_bytes());
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the seven low bits are what is meant"
    )]
    fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// Lengths are bounded far below 2³¹ by the frames they came in; a string
    /// longer than its narrow form allows is a caller's error.
    fn length(&mut self, length: Option<usize>, narrow: bool) {
        let length = length.map_or(-1, |l| {
            i32::try_from(l).expect("a record field below 2 GiB")
        });
        if self.flexible {
            self.uvarint((length + 1).unsigned_abs());
        } else if narrow {
            self.i16(i16::try_from(length).expect("a string below 32 KiB"));
        } else {
            self.i32(length);
        }
    }

    pub(crate) fn str(&mut self, value: &str) {
        self.opt_str(Some(value));
    }

    pub(crate) fn opt_str(&mut self, value: Option<&str>) {
        self.length(value.map(str::len), true);
        self.out.extend_from_slice(value.unwrap_or("").as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.length(Some(value.len()), false);
        self.out.extend_from_slice(value);
    }

    pub(crate) fn array<T>(
        &mut self,
        elements: impl ExactSizeIterator<Item = T>,
        mut element: impl FnMut(&mut Self, T),
    ) {
        self.length(Some(elements.len()), false);
        for one in elements {
            element(self, one);
        }
    }

    pub(crate) fn null_array(&mut self) {
        self.length(None, false);
    }

    /// Closes a structure with the tagged fields that are present, in order of
    /// their tags.
    pub(crate) fn tagged(&mut self, fields: Vec<(u32, Vec<u8>)>) {
        if !self.flexible {
            return;
        }
        self.uvarint(u32::try_from(fields.len()).expect("a handful of tags"));
        for (tag, body) in fields {
            self.uvarint(tag);
            self.uvarint(u32::try_from(body.len()).expect("a tagged field below 4 GiB"));
            self.out.extend_from_slice(&body);
        }
    }

    pub(crate) fn no_tagged(&mut self) {
        self.tagged(Vec::new());
    }

    /// The body of a tagged field, written with the same rules.
    pub(crate) fn body(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut field = Self {
            out: Vec::new(),
            flexible: true,
        };
        write(&mut field);
        field.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_length_integer_comes_back_as_it_went() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u32::MAX] {
            let raw = Writer::body(|w| w.uvarint(value));
            assert_eq!(Reader::new(&raw).uvarint("n"), Ok(value));
        }
        assert_eq!(
            Reader::new(&[0xff; 6]).uvarint("n"),
            Err(SchemaError::Varint { field: "n" })
        );
    }

    #[test]
    fn a_count_beyond_the_bytes_present_is_refused_before_allocation() {
        let raw = i32::MAX.to_be_bytes();
        let read = Reader::new(&raw).array("members", |r| r.i8("m"));
        let short = SchemaError::Short {
            field: "members",
            wanted: 2_147_483_647,
            left: 0,
        };
        assert_eq!(read, Err(short));
    }

    #[test]
    fn unknown_tagged_fields_are_skipped() {
        let mut writer = Writer::version(0, true);
        writer.tagged(vec![(3, vec![9; 5]), (7, Writer::body(|w| w.i64(11)))]);
        let raw = writer.finish();
        let mut reader = Reader::new(&raw);
        reader.version("any", 0).unwrap();
        reader.flexible_from(0, 0);
        let mut seen = None;
        let read = reader.tagged(|tag, field| {
            if tag == 7 {
                seen = Some(field.i64("seven")?);
            }
            Ok(())
        });
        assert_eq!((read, seen), (Ok(()), Some(11)));
    }
}
