//! Appending a message's fields to a buffer: the reverse of [`crate::read`].

use bytes::{BufMut, BytesMut};
use uuid::Uuid;

/// Writes one message's fields. Flexible versions have compact lengths and
/// tagged fields.
pub(crate) struct Writer<'b> {
    out: &'b mut BytesMut,
    flexible: bool,
}

/// A structure's tagged fields, in the order of their tags.
#[derive(Default)]
pub(crate) struct Tags {
    count: u32,
    bytes: BytesMut,
}

impl<'b> Writer<'b> {
    pub const fn new(out: &'b mut BytesMut, flexible: bool) -> Self {
        Self { out, flexible }
    }

    pub fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    pub fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.out.put_slice(value.as_bytes());
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    /// A string.
    ///
    /// # Panics
    /// Past 32 767 bytes, the protocol's limit, which no string that was read
    /// from it passes.
    pub fn str(&mut self, value: &str) {
        let Ok(len) = i16::try_from(value.len()) else {
            panic!("string of {} bytes, expected at most 32767", value.len());
        };
        match self.flexible {
            true => self.unsigned_varint(u32::from(len.unsigned_abs()) + 1),
            false => self.i16(len),
        }
        self.out.put_slice(value.as_bytes());
    }

    /// A string that may be null.
    pub fn nullable_str(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.str(value),
            None if self.flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
    }

    /// The count before an array's elements, or the length before bytes.
    ///
    /// # Panics
    /// Past 2³¹ − 2.
    pub fn length(&mut self, length: usize) {
        let Some(length) = i32::try_from(length).ok().filter(|&len| len < i32::MAX) else {
            panic!("length {length}, expected at most {}", i32::MAX - 1);
        };
        match self.flexible {
            true => self.unsigned_varint(length.unsigned_abs() + 1),
            false => self.i32(length),
        }
    }

    /// What stands before an array that is null.
    pub fn null_length(&mut self) {
        match self.flexible {
            true => self.unsigned_varint(0),
            false => self.i32(-1),
        }
    }

    /// Ends a structure that has no tagged fields.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.out.put_u8(0);
        }
    }

    /// Ends a structure of a flexible version with its tagged fields.
    pub fn tags(&mut self, tags: &Tags) {
        debug_assert!(self.flexible, "tagged fields in a version that has none");
        self.unsigned_varint(tags.count);
        self.out.put_slice(&tags.bytes);
    }
}

impl Tags {
    /// Adds a field that `value` writes. Tags must ascend.
    pub fn add(&mut self, tag: u32, value: impl FnOnce(&mut Writer<'_>)) {
        let mut bytes = BytesMut::new();
        value(&mut Writer::new(&mut bytes, true));
        let mut writer = Writer::new(&mut self.bytes, true);
        writer.unsigned_varint(tag);
        writer.unsigned_varint(bytes.len() as u32);
        writer.out.put_slice(&bytes);
        self.count += 1;
    }
}
