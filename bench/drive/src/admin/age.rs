//! How far behind a group is in time: when the next record that it has not
//! read was written.

use super::{Admin, Isolation, TopicPartition};
use crate::error::DriveError;
use crate::native::control::text;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use plimsoll_wire::batch::{BatchHeader, Inflater};
use plimsoll_wire::types::{Offset, TimestampMs};

/// How long a broker may wait for the record: it is there already.
const WAIT_MS_MAX: i32 = 500;
/// How much of a partition is asked for. A first batch that is larger comes
/// all the same.
const FETCH_BYTES_MAX: i32 = 64 << 10;
/// The most that a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 256 << 20;

impl Admin {
    /// When the first record at `from` or after it was written, or `None` when
    /// no such record came back.
    pub fn written_at(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        isolation: Isolation,
    ) -> Result<Option<TimestampMs>, DriveError> {
        let leaders = self.by_leader(std::slice::from_ref(partition))?;
        let Some(address) = leaders.into_keys().next() else {
            return Ok(None);
        };
        let (topic, index) = partition;
        let wanted = FetchPartition::default()
            .with_partition(index.get())
            .with_current_leader_epoch(-1)
            .with_fetch_offset(from.get())
            .with_log_start_offset(-1)
            .with_partition_max_bytes(FETCH_BYTES_MAX);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(WAIT_MS_MAX)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES_MAX)
            .with_isolation_level(isolation.code())
            .with_session_epoch(-1)
            .with_topics(vec![
                FetchTopic::default()
                    .with_topic(TopicName(text(topic)))
                    .with_partitions(vec![wanted]),
            ]);
        let response = self.ask_at(&address, &request, (4, 11))?;
        let what = format!("reading {topic}-{}", index.get());
        DriveError::check(response.error_code, &what, None)?;
        let partitions = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions);
        for partition in partitions {
            DriveError::check(partition.error_code, &what, None)?;
            if let Some(records) = &partition.records {
                return Ok(first_from(records, from));
            }
        }
        Ok(None)
    }
}

/// The time of the first data record at `from` or after it.
fn first_from(mut batches: &[u8], from: Offset) -> Option<TimestampMs> {
    let mut inflater = Inflater::default();
    while let Ok(header) = BatchHeader::parse(batches) {
        let (batch, rest) = batches.split_at_checked(header.total_len())?;
        batches = rest;
        if header.is_control() || header.last_offset() < from {
            continue;
        }
        let records = inflater.records(batch, INFLATED_BYTES_MAX).ok()?;
        for record in records {
            let record = record.ok()?;
            if record.offset >= from {
                return Some(record.timestamp);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::batch::{BatchBuilder, BatchSettings};

    /// A batch of one record a second from second `first`, at that offset.
    fn batch(first: i64, count: i64, control: bool) -> Vec<u8> {
        let settings = BatchSettings {
            control,
            ..BatchSettings::default()
        };
        let mut builder = BatchBuilder::new(settings);
        for second in first..first + count {
            builder.push(TimestampMs(second * 1000), Some(b"\0\0\0\0"), Some(b"v"));
        }
        let mut batch = builder.build().unwrap();
        batch[..8].copy_from_slice(&first.to_be_bytes());
        batch
    }

    #[test]
    fn the_first_record_that_counts_gives_the_time() {
        let log = [batch(0, 3, false), batch(3, 1, true), batch(4, 2, false)].concat();
        let check = |bytes: &[u8], from: i64, expected: Option<i64>| {
            let found = first_from(bytes, Offset(from)).map(|time| time.get() / 1000);
            assert_eq!(found, expected, "from {from}");
        };
        check(&log, 0, Some(0));
        check(&log, 2, Some(2));
        check(&log, 3, Some(4));
        check(&log, 5, Some(5));
        check(&log, 6, None);
        check(&log[..log.len() - 1], 4, None);
        check(b"", 0, None);
    }
}
