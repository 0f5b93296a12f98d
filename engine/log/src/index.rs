//! The three indexes of a segment, in Kafka's formats.
//!
//! - `.index`: relative offset (u32), position (u32). An entry says that the
//!   batch at the position ends with the offset.
//! - `.timeindex`: timestamp (i64), relative offset (u32). An entry says that
//!   no record up to the offset is newer than the timestamp, and that the batch
//!   that ends with the offset holds it. Timestamps rise strictly.
//! - `.txnindex`: one aborted transaction an entry, see [`AbortedTxn`].
//!
//! All integers are big-endian.

use crate::entries::Entries;
use crate::error::LogError;
use crate::place::Place;
use plimsoll_wire::types::{Offset, ProducerId, TimestampMs};

/// Bytes of an entry of the offset index.
const OFFSET_ENTRY: usize = 8;
/// Bytes of an entry of the time index.
const TIME_ENTRY: usize = 12;
/// Bytes of an entry of the transaction index.
const TXN_ENTRY: usize = 34;

/// Where batches begin in the log file.
#[derive(Debug, Default)]
pub(crate) struct OffsetIndex(pub(crate) Entries<OFFSET_ENTRY>);

/// A batch that the index points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// The last offset of the batch.
    pub(crate) last_offset: Offset,
    /// Where it begins.
    pub(crate) pos: u64,
}

impl OffsetIndex {
    #[inline]
    pub(crate) fn push(&mut self, place: Place<'_>, entry: Indexed) -> Result<(), LogError> {
        let mut bytes = [0; OFFSET_ENTRY];
        let (offset, pos) = bytes.split_at_mut(4);
        offset.copy_from_slice(&relative(place.base, entry.last_offset).to_be_bytes());
        pos.copy_from_slice(&u32::try_from(entry.pos).unwrap_or(u32::MAX).to_be_bytes());
        self.0.push(place, bytes)
    }

    /// The last indexed batch that ends at or before `offset`.
    pub(crate) fn floor(
        &self,
        place: Place<'_>,
        offset: Offset,
    ) -> Result<Option<Indexed>, LogError> {
        let wanted = offset.get().saturating_sub(place.base.get());
        self.before(place, |entry| i64::from(u32_at(entry, 0)) <= wanted)
    }

    /// The last indexed batch that begins at or before `pos`.
    pub(crate) fn floor_of_pos(
        &self,
        place: Place<'_>,
        pos: u64,
    ) -> Result<Option<Indexed>, LogError> {
        self.before(place, |entry| u64::from(u32_at(entry, 4)) <= pos)
    }

    pub(crate) fn last(&self, place: Place<'_>) -> Result<Option<Indexed>, LogError> {
        Ok(self.0.last(place)?.map(|entry| indexed(place, &entry)))
    }

    /// Keeps the entries of batches that end before `offset`.
    pub(crate) fn cut(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        let wanted = offset.get().saturating_sub(place.base.get());
        let count = self
            .0
            .partition_point(place, |entry| i64::from(u32_at(entry, 0)) < wanted)?;
        self.0.truncate(place, count)
    }

    /// Keeps the entries that rise and whose batches end before `offset`.
    pub(crate) fn keep_sound(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        self.0.keep_while(place, |last, entry| {
            let entry = indexed(place, entry);
            let last = last.map(|last| indexed(place, last));
            entry.last_offset < offset
                && last.is_none_or(|l| l.last_offset < entry.last_offset && l.pos < entry.pos)
        })
    }

    fn before(
        &self,
        place: Place<'_>,
        before: impl Fn(&[u8; OFFSET_ENTRY]) -> bool,
    ) -> Result<Option<Indexed>, LogError> {
        let entry = self.0.floor(place, before)?;
        Ok(entry.map(|entry| indexed(place, &entry)))
    }
}

fn indexed(place: Place<'_>, entry: &[u8; OFFSET_ENTRY]) -> Indexed {
    Indexed {
        last_offset: place.base.plus(i64::from(u32_at(entry, 0))),
        pos: u64::from(u32_at(entry, 4)),
    }
}

/// The newest timestamp up to an offset.
#[derive(Debug, Default)]
pub(crate) struct TimeIndex(pub(crate) Entries<TIME_ENTRY>);

/// The newest timestamp so far, and the last offset of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) timestamp: TimestampMs,
    pub(crate) last_offset: Offset,
}

impl TimeIndex {
    /// Adds `newest` unless the index already reaches its timestamp.
    #[inline]
    pub(crate) fn push(&mut self, place: Place<'_>, newest: Newest) -> Result<(), LogError> {
        if newest.timestamp.get() < 0
            || self
                .last(place)?
                .is_some_and(|last| last.timestamp >= newest.timestamp)
        {
            return Ok(());
        }
        let mut bytes = [0; TIME_ENTRY];
        let (timestamp, offset) = bytes.split_at_mut(8);
        timestamp.copy_from_slice(&newest.timestamp.get().to_be_bytes());
        offset.copy_from_slice(&relative(place.base, newest.last_offset).to_be_bytes());
        self.0.push(place, bytes)
    }

    /// The last entry whose timestamp is before `timestamp`: no record up to
    /// its offset is as new as that.
    pub(crate) fn before(
        &self,
        place: Place<'_>,
        timestamp: TimestampMs,
    ) -> Result<Option<Newest>, LogError> {
        let entry = self
            .0
            .floor(place, |entry| i64_at(entry, 0) < timestamp.get())?;
        Ok(entry.map(|entry| newest(place, &entry)))
    }

    pub(crate) fn last(&self, place: Place<'_>) -> Result<Option<Newest>, LogError> {
        Ok(self.0.last(place)?.map(|entry| newest(place, &entry)))
    }

    /// Keeps the entries of batches that end before `offset`.
    pub(crate) fn cut(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        let wanted = offset.get().saturating_sub(place.base.get());
        let count = self
            .0
            .partition_point(place, |entry| i64::from(u32_at(entry, 8)) < wanted)?;
        self.0.truncate(place, count)
    }

    /// Keeps the entries that rise and whose batches end before `offset`.
    pub(crate) fn keep_sound(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        self.0.keep_while(place, |last, entry| {
            let entry = newest(place, entry);
            let last = last.map(|last| newest(place, last));
            entry.last_offset < offset
                && last.is_none_or(|l| {
                    l.last_offset < entry.last_offset && l.timestamp < entry.timestamp
                })
        })
    }
}

fn newest(place: Place<'_>, entry: &[u8; TIME_ENTRY]) -> Newest {
    Newest {
        timestamp: TimestampMs(i64_at(entry, 0)),
        last_offset: place.base.plus(i64::from(u32_at(entry, 8))),
    }
}

/// The transactions that were aborted by a marker in the segment.
#[derive(Debug, Default)]
pub(crate) struct TxnIndex(pub(crate) Entries<TXN_ENTRY>);

/// An aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Who aborted.
    pub producer_id: ProducerId,
    /// The first offset of the transaction.
    pub first_offset: Offset,
    /// The offset of its abort marker.
    pub last_offset: Offset,
    /// Where the last stable offset stood after the marker: every transaction
    /// that ends later lies at or after it.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    /// Version, always 0.
    const VERSION: i16 = 0;

    fn encode(&self) -> [u8; TXN_ENTRY] {
        let mut bytes = [0; TXN_ENTRY];
        let fields = [
            self.producer_id.get(),
            self.first_offset.get(),
            self.last_offset.get(),
            self.last_stable_offset.get(),
        ];
        let (version, rest) = bytes.split_at_mut(2);
        version.copy_from_slice(&Self::VERSION.to_be_bytes());
        for (place, field) in rest.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8; TXN_ENTRY]) -> Self {
        Self {
            producer_id: ProducerId(i64_at(bytes, 2)),
            first_offset: Offset(i64_at(bytes, 10)),
            last_offset: Offset(i64_at(bytes, 18)),
            last_stable_offset: Offset(i64_at(bytes, 26)),
        }
    }
}

impl TxnIndex {
    pub(crate) fn push(&mut self, place: Place<'_>, txn: &AbortedTxn) -> Result<(), LogError> {
        self.0.push(place, txn.encode())
    }

    /// Calls `each` with every aborted transaction in the order of their
    /// markers until it returns `false`.
    pub(crate) fn for_each(
        &self,
        place: Place<'_>,
        mut each: impl FnMut(AbortedTxn) -> bool,
    ) -> Result<(), LogError> {
        self.0
            .for_each(place, |entry| each(AbortedTxn::decode(entry)))
    }

    /// Keeps the transactions whose marker lies before `offset`.
    pub(crate) fn cut(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        let count = self
            .0
            .partition_point(place, |entry| i64_at(entry, 18) < offset.get())?;
        self.0.truncate(place, count)
    }

    /// Keeps the entries that rise and whose marker lies before `offset`.
    pub(crate) fn keep_sound(&mut self, place: Place<'_>, offset: Offset) -> Result<(), LogError> {
        self.0.keep_while(place, |last, entry| {
            let marker = i64_at(entry, 18);
            marker < offset.get() && last.is_none_or(|last| i64_at(last, 18) < marker)
        })
    }
}

/// How far `offset` lies from the segment's base. The segment rolls before it
/// would not fit.
fn relative(base: Offset, offset: Offset) -> u32 {
    u32::try_from(offset.get().saturating_sub(base.get())).unwrap_or(u32::MAX)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |b| u32::from_be_bytes(*b))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |b| i64::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;
    use crate::disk::{Disk, read_whole};
    use crate::names::Kind;
    use crate::place::Home;
    use std::path::Path;

    fn disk() -> MemDisk {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk
    }

    #[test]
    fn an_offset_is_found_at_the_last_batch_that_ends_at_or_before_it() {
        let disk = disk();
        let place = Home::live(&disk, Path::new("/d")).file(Offset(100), Kind::Index);
        let mut index = OffsetIndex::default();
        for (last_offset, pos) in [(109, 5000), (119, 9999)] {
            index
                .push(
                    place,
                    Indexed {
                        last_offset: Offset(last_offset),
                        pos,
                    },
                )
                .unwrap();
        }
        let check = |offset: i64, expected: Option<u64>| {
            let found = index.floor(place, Offset(offset)).unwrap();
            assert_eq!(found.map(|entry| entry.pos), expected, "offset {offset}");
        };
        check(100, None);
        check(108, None);
        check(109, Some(5000));
        check(118, Some(5000));
        check(400, Some(9999));
        index.0.save(place).unwrap();
        let bytes = read_whole(&disk, &place.path()).unwrap().unwrap();
        assert_eq!(
            bytes,
            [0, 0, 0, 9, 0, 0, 0x13, 0x88, 0, 0, 0, 19, 0, 0, 0x27, 0x0f]
        );
    }

    #[test]
    fn only_a_newer_timestamp_enters_the_time_index() {
        let disk = disk();
        let place = Home::live(&disk, Path::new("/d")).file(Offset(7), Kind::TimeIndex);
        let mut index = TimeIndex::default();
        for (timestamp, last_offset) in [(50, 9), (50, 12), (40, 15), (60, 20), (-1, 30)] {
            let newest = Newest {
                timestamp: TimestampMs(timestamp),
                last_offset: Offset(last_offset),
            };
            index.push(place, newest).unwrap();
        }
        assert_eq!(index.0.count(), 2);
        let check = |timestamp: i64, expected: Option<i64>| {
            let found = index.before(place, TimestampMs(timestamp)).unwrap();
            assert_eq!(
                found.map(|entry| entry.last_offset.get()),
                expected,
                "time {timestamp}"
            );
        };
        check(50, None);
        check(51, Some(9));
        check(61, Some(20));
    }

    #[test]
    fn an_aborted_transaction_comes_back_as_it_was_stored() {
        let txn = AbortedTxn {
            producer_id: ProducerId(1),
            first_offset: Offset(2),
            last_offset: Offset(i64::MAX),
            last_stable_offset: Offset(4),
        };
        let bytes = txn.encode();
        assert_eq!(bytes[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(AbortedTxn::decode(&bytes), txn);
    }
}
