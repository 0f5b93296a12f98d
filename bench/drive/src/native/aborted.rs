//! Which batches a reader of committed records passes over.
//!
//! A fetch lists the aborted transactions in its range by producer and first
//! offset; each lasts until its producer's next marker. Pure, and made anew for
//! each partition of each response.

use super::fetch_codec::AbortedTransaction;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::ProducerId;
use std::collections::BTreeSet;

/// Follows the aborted transactions through the batches of one partition.
#[derive(Debug)]
pub struct Aborted {
    /// Those still ahead, the first one last.
    ahead: Vec<AbortedTransaction>,
    open: BTreeSet<ProducerId>,
}

impl Aborted {
    /// The transactions that a response lists.
    pub fn new(listed: &[AbortedTransaction]) -> Self {
        let mut ahead = listed.to_vec();
        ahead.sort_by_key(|transaction| std::cmp::Reverse(transaction.first));
        Self {
            ahead,
            open: BTreeSet::new(),
        }
    }

    /// Whether the next batch holds nothing for the reader: markers and records
    /// of aborted transactions. Batches must come in order.
    pub fn passes_over(&mut self, header: &BatchHeader) -> bool {
        while let Some(next) = self
            .ahead
            .last()
            .filter(|t| t.first <= header.last_offset())
        {
            self.open.insert(next.producer);
            self.ahead.pop();
        }
        let producer = header.producer_id;
        if header.is_control() {
            self.open.remove(&producer);
            return true;
        }
        header.is_transactional() && self.open.contains(&producer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::batch::{BatchBuilder, BatchSettings, Headers, Producer, Record};
    use plimsoll_wire::types::{Offset, ProducerEpoch, Sequence, TimestampMs};

    fn header(producer: i64, offset: i64, control: bool) -> BatchHeader {
        let mut builder = BatchBuilder::new(BatchSettings {
            base_offset: Offset(offset),
            producer: Producer {
                id: ProducerId(producer),
                epoch: ProducerEpoch(0),
                base_sequence: Sequence(0),
            },
            transactional: true,
            control,
            ..BatchSettings::default()
        });
        builder.append(&Record {
            offset: Offset(offset),
            timestamp: TimestampMs(0),
            key: None,
            value: Some(b"v"),
            headers: Headers::listed(&[]),
        });
        let bytes = builder.build().expect("nothing is compressed");
        BatchHeader::parse(&bytes).expect("it was just built")
    }

    #[test]
    fn records_are_passed_over_from_the_first_to_the_marker() {
        let listed = [(7, 2), (7, 9), (8, 4)].map(|(producer, first)| AbortedTransaction {
            producer: ProducerId(producer),
            first: Offset(first),
        });
        let mut aborted = Aborted::new(&listed);
        let batches = [
            // producer, offset, marker, passed over
            (7, 0, false, false),
            (7, 1, true, true),
            (7, 2, false, true),
            (8, 3, false, false),
            (8, 4, false, true),
            (7, 5, true, true),
            (7, 6, false, false),
            (8, 7, true, true),
            (7, 8, true, true),
            (7, 9, false, true),
            (7, 10, true, true),
            (7, 11, false, false),
        ];
        for (producer, offset, control, expected) in batches {
            let header = header(producer, offset, control);
            assert_eq!(aborted.passes_over(&header), expected, "offset {offset}");
        }
    }
}
