//! Where a partition's leader went: what newer responses add so that a client
//! need not ask for metadata (KIP-951).

use crate::read::{ReadError, Reader};
use crate::types::{LeaderEpoch, NodeId};
use crate::write::{Tags, Writer};

/// A partition's leader as the answering broker knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentLeader {
    /// The leader, −1 when unknown.
    pub id: NodeId,
    /// Its epoch, −1 when unknown.
    pub epoch: LeaderEpoch,
}

impl CurrentLeader {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let leader = Self {
            id: NodeId(reader.i32()?),
            epoch: LeaderEpoch(reader.i32()?),
        };
        reader.skip_tagged_fields()?;
        Ok(leader)
    }

    pub(crate) fn add_to(self, tags: &mut Tags, tag: u32) {
        tags.add(tag, |writer| {
            writer.i32(self.id.get());
            writer.i32(self.epoch.get());
            writer.no_tags();
        });
    }
}

/// How to reach a leader that a response names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEndpoint<'a> {
    /// The node.
    pub id: NodeId,
    /// Its host name or address.
    pub host: &'a str,
    /// Its port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<&'a str>,
}

impl<'a> NodeEndpoint<'a> {
    /// Bytes of the shortest on the wire.
    const LEN_MIN: usize = 11;

    pub(crate) fn read_all(reader: &mut Reader<'a>) -> Result<Vec<Self>, ReadError> {
        let count = reader.count(true, Self::LEN_MIN)?;
        let mut endpoints = Vec::with_capacity(count);
        for _ in 0..count {
            endpoints.push(Self {
                id: NodeId(reader.i32()?),
                host: reader.str(true)?,
                port: reader.i32()?,
                rack: reader.nullable_str(true)?,
            });
            reader.skip_tagged_fields()?;
        }
        Ok(endpoints)
    }

    pub(crate) fn add_all_to(endpoints: &[Self], tags: &mut Tags, tag: u32) {
        if endpoints.is_empty() {
            return;
        }
        let write = |writer: &mut Writer<'_>| {
            writer.length(endpoints.len());
            for endpoint in endpoints {
                writer.i32(endpoint.id.get());
                writer.str(endpoint.host);
                writer.i32(endpoint.port);
                writer.nullable_str(endpoint.rack);
                writer.no_tags();
            }
        };
        tags.add(tag, write);
    }
}
