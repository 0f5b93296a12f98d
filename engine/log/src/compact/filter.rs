//! What of one batch stays.

use super::offset_map::OffsetMap;
use super::transactions::Transactions;
use super::{CleanPlan, INFLATED_BYTES_MAX};
use crate::producers::LastWritten;
use plimsoll_wire::batch::{
    self, BatchBuilder, BatchError, BatchHeader, BatchSettings, Producer, Record, TimestampType,
};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::types::TimestampMs;

pub(super) struct Filter<'a> {
    pub(super) plan: &'a CleanPlan,
    pub(super) map: &'a OffsetMap,
    pub(super) scratch: Vec<u8>,
    pub(super) keyless: u64,
}

/// What is left of a batch.
pub(super) enum Kept {
    Whole,
    Part(Vec<u8>),
    Nothing,
}

/// What becomes of a batch's records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Those without a later one stay.
    Latest,
    /// All stay: a marker.
    All,
    /// None stays.
    None,
}

impl Filter<'_> {
    pub(super) fn batch(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        transactions: &mut Transactions,
    ) -> Result<Kept, BatchError> {
        let mut clock_starts = false;
        let rule = if header.is_control() {
            let spent = transactions.marker(header, bytes);
            clock_starts = spent && header.delete_horizon().is_none();
            if spent && self.is_past(header) {
                Rule::None
            } else {
                Rule::All
            }
        } else if transactions.is_aborted(header) {
            Rule::None
        } else {
            Rule::Latest
        };
        let empty = header.record_count == 0;
        if rule == Rule::None || empty {
            return self.emptied(header);
        }
        self.select(header, bytes, rule, clock_starts)
    }

    fn select(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        rule: Rule,
        clock_starts: bool,
    ) -> Result<Kept, BatchError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut left = 0;
        let mut tombstones = false;
        for record in batch::records(bytes, &mut scratch, INFLATED_BYTES_MAX)? {
            let record = record?;
            if self.stays(header, &record, rule) {
                left += 1;
                tombstones |= record.value.is_none() && rule == Rule::Latest;
            }
        }
        let clock_starts = clock_starts || (tombstones && header.delete_horizon().is_none());
        let kept = if left == 0 {
            self.emptied(header)
        } else if left == header.record_count && !clock_starts {
            Ok(Kept::Whole)
        } else {
            self.rewrite(header, bytes, &mut scratch, rule, clock_starts)
        };
        self.scratch = scratch;
        kept
    }

    fn rewrite(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        scratch: &mut Vec<u8>,
        rule: Rule,
        clock_starts: bool,
    ) -> Result<Kept, BatchError> {
        let horizon = clock_starts.then(|| {
            let stay = i64::try_from(self.plan.config.delete_retention_ms.as_millis());
            TimestampMs(self.plan.now.get().saturating_add(stay.unwrap_or(i64::MAX)))
        });
        let mut settings = settings(header);
        settings.delete_horizon = header.delete_horizon().or(horizon);
        let mut builder = BatchBuilder::new(settings);
        builder.reserve(bytes.len());
        for record in batch::records(bytes, scratch, INFLATED_BYTES_MAX)? {
            let record = record?;
            if self.stays(header, &record, rule) {
                builder.append(&record);
            } else if record.key.is_none() {
                self.keyless += 1;
            }
        }
        builder.cover_through(header.last_offset(), TimestampMs::NONE);
        Ok(Kept::Part(builder.build()?))
    }

    fn stays(&self, header: &BatchHeader, record: &Record<'_>, rule: Rule) -> bool {
        match (rule, record.key) {
            (Rule::All, _) => true,
            (Rule::None, _) | (Rule::Latest, None) => false,
            (Rule::Latest, Some(key)) => {
                let latest = self
                    .map
                    .latest(key)
                    .is_none_or(|latest| record.offset >= latest)
                    && !mutation::is(Mutation::DropLatest);
                latest && (record.value.is_some() || !self.is_past(header))
            }
        }
    }

    /// Whether tombstones and markers of a batch have stayed long enough.
    fn is_past(&self, header: &BatchHeader) -> bool {
        header
            .delete_horizon()
            .is_some_and(|horizon| horizon <= self.plan.now)
    }

    /// A batch without records stays while it has its producer's last sequence.
    fn emptied(&self, header: &BatchHeader) -> Result<Kept, BatchError> {
        let last = self.plan.last_written.get(&header.producer_id);
        let needed = last.is_some_and(|last| match last {
            LastWritten::Data(offset) => *offset == header.last_offset(),
            LastWritten::Marker(epoch) => header.is_control() && *epoch == header.producer_epoch,
        });
        if !needed {
            return Ok(Kept::Nothing);
        }
        let settings = BatchSettings {
            compression: Compression::None,
            // It opens no transaction, for its marker may go.
            transactional: header.is_control(),
            delete_horizon: None,
            ..settings(header)
        };
        let mut builder = BatchBuilder::new(settings);
        builder.cover_through(header.last_offset(), header.max_timestamp);
        Ok(Kept::Part(builder.build()?))
    }
}

/// What a batch says besides its records.
fn settings(header: &BatchHeader) -> BatchSettings {
    let stamped = header.timestamp_type() == TimestampType::LogAppendTime;
    BatchSettings {
        base_offset: header.base_offset,
        leader_epoch: header.partition_leader_epoch,
        compression: header.compression(),
        level: None,
        producer: Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
        transactional: header.is_transactional(),
        control: header.is_control(),
        log_append_time: stamped.then_some(header.max_timestamp),
        delete_horizon: header.delete_horizon(),
    }
}
