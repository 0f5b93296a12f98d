//! Finding offsets by timestamp, as ListOffsets asks.

use super::{PartitionLog, home};
use crate::disk::FileRange;
use crate::error::LogError;
use crate::names::Kind;
use crate::segment::Segment;
use crate::walk::Found;
use plimsoll_wire::batch;
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::sync::Arc;

/// What a batch may inflate to while a record is looked for in it. A larger
/// one answers with its first offset.
const INFLATED_BYTES_MAX: usize = 128 << 20;

/// A record's offset and what a client needs with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// The record's timestamp.
    pub timestamp: TimestampMs,
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch that wrote it.
    pub leader_epoch: LeaderEpoch,
}

impl PartitionLog {
    /// The first record that is as new as `timestamp` or newer. Looks inside
    /// compressed batches.
    pub fn offset_by_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let mut at = self.segment_at(self.log_start);
        while let Some((segment, _)) = self.segment_and_end(at) {
            let newest = segment.newest(home!(self))?;
            if newest.is_some_and(|newest| newest.timestamp >= timestamp)
                && let Some(found) = self.first_since(segment, timestamp)?
            {
                return Ok(Some(found));
            }
            at += 1;
        }
        Ok(None)
    }

    /// The first of the records with the newest timestamp.
    pub fn max_timestamp(&self) -> Result<Option<TimestampedOffset>, LogError> {
        let mut best = None;
        let mut at = self.segment_at(self.log_start);
        while let Some((segment, _)) = self.segment_and_end(at) {
            let newest = self.newest_readable(segment)?;
            if let Some(newest) = newest
                && best.is_none_or(|(_, timestamp)| newest > timestamp)
            {
                best = Some((segment, newest));
            }
            at += 1;
        }
        match best {
            Some((segment, timestamp)) => self.first_since(segment, timestamp),
            None => Ok(None),
        }
    }

    /// The newest timestamp of a segment's records from the log start on.
    fn newest_readable(&self, segment: &Segment) -> Result<Option<TimestampMs>, LogError> {
        let home = home!(self);
        if segment.base >= self.log_start {
            return Ok(segment.newest(home)?.map(|newest| newest.timestamp));
        }
        let Some(first) = segment.locate(home, self.log_start)? else {
            return Ok(None);
        };
        let mut newest = self.records_of(segment, &first, |records| {
            let readable = records.filter(|(_, offset)| *offset >= self.log_start);
            readable.map(|(timestamp, _)| timestamp).max()
        })?;
        let mut walk = segment.walk(home, first.end())?;
        while let Some(found) = walk.next().map_err(|stop| segment.broken(home, stop))? {
            newest = newest.max(Some(found.header.max_timestamp));
        }
        Ok(newest)
    }

    fn first_since(
        &self,
        segment: &Segment,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let home = home!(self);
        let older = segment
            .times
            .before(home.file(segment.base, Kind::TimeIndex), timestamp)?;
        let from = older
            .map_or(segment.base, |entry| entry.last_offset)
            .max(self.log_start);
        let floor = segment
            .index
            .floor(home.file(segment.base, Kind::Index), from)?;
        let mut walk = segment.walk(home, floor.map_or(0, |entry| entry.pos))?;
        while let Some(found) = walk.next().map_err(|stop| segment.broken(home, stop))? {
            let header = &found.header;
            if header.max_timestamp < timestamp || header.last_offset() < self.log_start {
                continue;
            }
            if let Some((timestamp, offset)) = self.record_since(segment, &found, timestamp)? {
                let leader_epoch = header.partition_leader_epoch;
                return Ok(Some(TimestampedOffset {
                    timestamp,
                    offset,
                    leader_epoch,
                }));
            }
        }
        Ok(None)
    }

    /// The first record of a batch that is as new as `timestamp`.
    fn record_since(
        &self,
        segment: &Segment,
        found: &Found,
        timestamp: TimestampMs,
    ) -> Result<Option<(TimestampMs, Offset)>, LogError> {
        self.records_of(segment, found, |mut records| {
            Iterator::find(&mut records, |(at, offset)| {
                *at >= timestamp && *offset >= self.log_start
            })
        })
    }

    /// What `of` makes of a batch's timestamps and offsets; a batch that does
    /// not inflate is taken for one record.
    fn records_of<T>(
        &self,
        segment: &Segment,
        found: &Found,
        of: impl FnOnce(&mut dyn Iterator<Item = (TimestampMs, Offset)>) -> T,
    ) -> Result<T, LogError> {
        let bytes = batch_bytes(self, segment, found)?;
        let mut scratch = Vec::new();
        let Ok(records) = batch::records(&bytes, &mut scratch, INFLATED_BYTES_MAX) else {
            let offset = found.header.base_offset.max(self.log_start);
            return Ok(of(&mut std::iter::once((
                found.header.max_timestamp,
                offset,
            ))));
        };
        let mut records = records
            .filter_map(Result::ok)
            .map(|record| (record.timestamp, record.offset));
        Ok(of(&mut records))
    }
}

/// The bytes of one batch.
pub(super) fn batch_bytes(
    log: &PartitionLog,
    segment: &Segment,
    found: &Found,
) -> Result<Vec<u8>, LogError> {
    let home = home!(log);
    let file = Arc::clone(segment.file(home)?);
    let mut bytes = Vec::new();
    let len = found.header.total_len() as u64;
    FileRange {
        file,
        pos: found.pos,
        len,
    }
    .read_into(&mut bytes)
    .map_err(home.file(segment.base, Kind::Log).failed("read"))?;
    Ok(bytes)
}
