//! What a client sees of a keyed log, and what it makes of it.

use plimsoll_log::{AbortedTxn, PartitionLog};
use plimsoll_wire::batch::{self, BatchHeader};
use std::collections::BTreeMap;

/// A record that a reader sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub aborted: bool,
}

/// Everything in the log by offset, read as a client reads.
pub fn view(log: &PartitionLog) -> BTreeMap<i64, Seen> {
    let mut bytes = Vec::new();
    let mut from = log.log_start();
    while from < log.log_end() {
        let slices = log.read(from, 700, true, log.log_end()).unwrap();
        slices
            .iter()
            .for_each(|range| range.read_into(&mut bytes).unwrap());
        assert!(slices.next_offset() > from, "stuck at {from}");
        from = slices.next_offset();
    }
    let aborted = log
        .aborted_transactions(log.log_start(), log.log_end())
        .unwrap();
    let mut view = BTreeMap::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest).unwrap();
        let (batch, after) = rest.split_at(header.total_len());
        batch::verify_crc(batch).unwrap();
        if !header.is_control() {
            see(&header, batch, &aborted, &mut view);
        }
        rest = after;
    }
    view
}

fn see(header: &BatchHeader, batch: &[u8], aborted: &[AbortedTxn], view: &mut BTreeMap<i64, Seen>) {
    let within = |txn: &AbortedTxn| {
        txn.producer_id == header.producer_id
            && (txn.first_offset..txn.last_offset).contains(&header.base_offset)
    };
    let aborted = header.is_transactional() && aborted.iter().any(within);
    let mut scratch = Vec::new();
    for record in batch::records(batch, &mut scratch, 1 << 20).unwrap() {
        let record = record.unwrap();
        let seen = Seen {
            key: record.key.unwrap().to_vec(),
            value: record.value.map(<[u8]>::to_vec),
            timestamp: record.timestamp.get(),
            aborted,
        };
        assert_eq!(view.insert(record.offset.get(), seen), None);
    }
}

/// The latest committed record of each key that is not a tombstone.
pub fn table(view: &BTreeMap<i64, Seen>) -> BTreeMap<Vec<u8>, (i64, Vec<u8>)> {
    let mut table = BTreeMap::new();
    for (offset, seen) in view.iter().filter(|(_, seen)| !seen.aborted) {
        match &seen.value {
            Some(value) => table.insert(seen.key.clone(), (*offset, value.clone())),
            None => table.remove(&seen.key),
        };
    }
    table
}
