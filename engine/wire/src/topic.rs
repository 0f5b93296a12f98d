//! Which topic a part of a request or response is about.

use crate::read::{ReadError, Reader};
use crate::write::Writer;
use uuid::Uuid;

/// A topic, by name or, in newer versions, by id (KIP-516).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic<'a> {
    /// By name.
    Name(&'a str),
    /// By id.
    Id(Uuid),
}

impl<'a> Topic<'a> {
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        by_id: bool,
        flexible: bool,
    ) -> Result<Self, ReadError> {
        match by_id {
            true => reader.uuid().map(Self::Id),
            false => reader.str(flexible).map(Self::Name),
        }
    }

    /// Writes the topic as the version has it.
    ///
    /// # Panics
    /// When the version has the other form: the caller chose the version.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, by_id: bool) {
        match (self, by_id) {
            (Self::Name(name), false) => writer.str(name),
            (Self::Id(id), true) => writer.uuid(*id),
            (topic, _) => panic!("{topic:?} in a version that has topics by id: {by_id}"),
        }
    }
}
