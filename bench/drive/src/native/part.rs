//! The batches of one partition: one open, others sealed and waiting.
//!
//! A batch gets its sequence when it is sealed and its place in the order when
//! it is begun; both stay with it through every retry.

use crate::record::Mark;
use plimsoll_wire::batch::{BatchBuilder, BatchSettings};
use plimsoll_wire::compression::CompressionError;
use plimsoll_wire::types::Sequence;
use std::collections::VecDeque;

/// A finished batch.
#[derive(Debug)]
pub struct Batch {
    /// Where it goes.
    pub partition: u32,
    /// As it goes over the wire.
    pub bytes: Vec<u8>,
    /// Its records' times.
    pub marks: Vec<Mark>,
    /// The lane number of its first record.
    pub first: u64,
    /// Bytes of its records before compression.
    pub plain_bytes: usize,
    /// Which of its partition's batches it is.
    pub(super) order: u64,
}

#[cfg(test)]
impl Batch {
    /// A batch of these bytes, without records.
    pub fn sealed(partition: u32, bytes: Vec<u8>) -> Self {
        Self {
            partition,
            bytes,
            marks: Vec::new(),
            first: 0,
            plain_bytes: 0,
            order: 0,
        }
    }
}

/// One partition's batches that are not in flight.
#[derive(Debug)]
pub(super) struct Part {
    pub builder: BatchBuilder,
    pub marks: Vec<Mark>,
    pub first: u64,
    /// The open batch's linger is over.
    pub due: bool,
    pub sealed: VecDeque<Batch>,
    pub in_flight: u32,
    /// A batch came back; wait until none is in flight.
    pub held: bool,
    /// Stands in the ready list.
    pub listed: bool,
    pub sequence: Sequence,
    pub order: u64,
}

impl Part {
    pub fn new(batch: BatchSettings) -> Self {
        Self {
            builder: BatchBuilder::new(batch),
            marks: Vec::new(),
            first: 0,
            due: false,
            sealed: VecDeque::new(),
            in_flight: 0,
            held: false,
            listed: false,
            sequence: Sequence(0),
            order: 0,
        }
    }

    pub fn is_ready(&self) -> bool {
        !self.sealed.is_empty() || (self.due && !self.builder.is_empty())
    }

    pub fn front_bytes(&self) -> usize {
        self.sealed
            .front()
            .map_or(self.builder.uncompressed_len(), |batch| batch.bytes.len())
    }

    pub fn seal(
        &mut self,
        partition: u32,
        idempotent: bool,
        marks: Option<Vec<Mark>>,
    ) -> Result<(), CompressionError> {
        let count = self.builder.count();
        let plain_bytes = self.builder.uncompressed_len();
        if idempotent {
            self.builder.set_base_sequence(self.sequence);
            self.sequence = self.sequence.plus(count);
        }
        let bytes = self.builder.build()?;
        let marks = std::mem::replace(&mut self.marks, marks.unwrap_or_default());
        let (first, order) = (self.first, self.order);
        self.sealed.push_back(Batch {
            partition,
            bytes,
            marks,
            first,
            plain_bytes,
            order,
        });
        self.order += 1;
        self.due = false;
        Ok(())
    }
}
