//! The walk of a body along its shape.

use super::shape::{Field, Kind, Shape, Struct};
use super::{DECODED_MAX_BYTES, Fault};
use crate::read::Reader;

/// What the library keeps for an unknown tagged field: an entry of a map.
const UNKNOWN_TAG_LEN: usize = 64;
/// What the library keeps for the first of a structure: a node of the map.
const UNKNOWN_TAGS_LEN: usize = 640;

/// The innermost field's name, and what is wrong with it.
type Refusal = (&'static str, Fault);

pub(super) struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    /// The field being read, for the error.
    field: &'static str,
    /// What the decoded structures take so far.
    decoded: usize,
}

impl<'a> Walk<'a> {
    pub const fn new(body: &'a [u8], version: i16, flexible: bool) -> Self {
        Self {
            reader: Reader::new(body),
            version,
            flexible,
            field: "body",
            decoded: 0,
        }
    }

    /// Walks a body up to its last field.
    pub fn request(&mut self, shape: &Shape) -> Result<(), Refusal> {
        let end = self.structure(&shape.root);
        end.map_err(|fault| (self.field, fault))
    }

    fn structure(&mut self, shape: &Struct) -> Result<(), Fault> {
        for field in &shape.fields {
            if field.is_in(self.version) {
                self.field(field)?;
            }
        }
        if self.flexible {
            self.tagged_fields(&shape.tagged)?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<(), Fault> {
        self.field = field.name;
        let nullable = field.is_nullable(self.version);
        match &field.kind {
            Kind::Struct(inner) if nullable => self.optional(inner),
            kind => self.value(kind, nullable),
        }
    }

    fn optional(&mut self, inner: &Struct) -> Result<(), Fault> {
        match self.reader.i8()? {
            -1 => Ok(()),
            1 => self.structure(inner),
            byte => Err(Fault::Presence { byte }),
        }
    }

    fn value(&mut self, kind: &Kind, nullable: bool) -> Result<(), Fault> {
        match kind {
            Kind::Fixed(len) => {
                self.reader.take(*len)?;
                Ok(())
            }
            Kind::Str => {
                let length = self.reader.str_length(self.flexible)?;
                self.contents(length, nullable)
            }
            Kind::Bytes => {
                let length = self.reader.length(self.flexible, false)?;
                self.contents(length, nullable)
            }
            Kind::Array(element) => match self.reader.length(self.flexible, false)? {
                Some(count) => self.elements(element, count),
                None if nullable => Ok(()),
                None => Err(Fault::Null),
            },
            Kind::Struct(inner) => self.structure(inner),
        }
    }

    fn contents(&mut self, length: Option<usize>, nullable: bool) -> Result<(), Fault> {
        match length {
            Some(length) => {
                self.reader.take(length)?;
                Ok(())
            }
            None if nullable => Ok(()),
            None => Err(Fault::Null),
        }
    }

    fn elements(&mut self, element: &Kind, count: usize) -> Result<(), Fault> {
        let left = self.reader.remaining();
        // No element takes less than a byte.
        if count > left {
            return Err(Fault::Count { count, left });
        }
        self.charge(count.saturating_mul(element.decoded_len()))?;
        if let Kind::Fixed(len) = element {
            let whole = count.checked_mul(*len);
            self.reader
                .take(whole.ok_or(Fault::Count { count, left })?)?;
            return Ok(());
        }
        let field = self.field;
        for _ in 0..count {
            self.field = field;
            self.value(element, false)?;
        }
        Ok(())
    }

    fn tagged_fields(&mut self, known: &[Field]) -> Result<(), Fault> {
        self.field = "tagged fields";
        let count = self.reader.unsigned_varint()?;
        let mut unknown = false;
        for _ in 0..count {
            let tag = self.reader.unsigned_varint()?;
            let len = self.reader.unsigned_varint()?;
            let value = self.reader.take(len as usize)?;
            match known.iter().find(|field| field.tag == Some(tag)) {
                Some(field) if field.is_in(self.version) => self.tagged_field(field, tag, value)?,
                Some(field) => {
                    self.field = field.name;
                    return Err(Fault::TagVersion { tag });
                }
                None => {
                    let first = if unknown { 0 } else { UNKNOWN_TAGS_LEN };
                    unknown = true;
                    self.charge(first + UNKNOWN_TAG_LEN)?;
                }
            }
        }
        Ok(())
    }

    /// Walks a tagged field's value, which must fill its length: the library
    /// reads on where the value ends, whatever the length says.
    fn tagged_field(&mut self, field: &Field, tag: u32, value: &'a [u8]) -> Result<(), Fault> {
        let after = std::mem::replace(&mut self.reader, Reader::new(value));
        self.field(field)?;
        match self.reader.remaining() {
            0 => {
                self.reader = after;
                Ok(())
            }
            left => Err(Fault::TagLength { tag, left }),
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.decoded = self.decoded.saturating_add(bytes);
        if self.decoded > DECODED_MAX_BYTES {
            return Err(Fault::Memory);
        }
        Ok(())
    }
}
