//! Batches written by the builder, read back; and the library's codec as a
//! second opinion.

use super::*;
use crate::compression::Compression;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use proptest::prelude::*;

const CAP: usize = 1 << 20;

/// A record that owns its bytes, for comparing.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Owned {
    fn of(record: &Record<'_>) -> Self {
        Self {
            offset: record.offset.get(),
            timestamp: record.timestamp.get(),
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers
                .iter()
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    fn append_to(&self, builder: &mut BatchBuilder) {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(key, value)| Header {
                key,
                value: value.as_deref(),
            })
            .collect();
        builder.append(&Record {
            offset: Offset(self.offset),
            timestamp: TimestampMs(self.timestamp),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: Headers::listed(&headers),
        });
    }
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

/// Records with gaps between their offsets, timestamps in any order.
fn some_records() -> impl Strategy<Value = Vec<Owned>> {
    let header = (bytes(8), prop::option::of(bytes(8)));
    let record = (
        1i64..1000,
        0i64..1 << 50,
        prop::option::of(bytes(20)),
        prop::option::of(bytes(200)),
        prop::collection::vec(header, 0..3),
    );
    prop::collection::vec(record, 1..20).prop_map(|records| {
        let mut offset = -1;
        let mut next = |gap| {
            offset += gap;
            offset
        };
        records
            .into_iter()
            .map(|(gap, timestamp, key, value, headers)| Owned {
                offset: next(gap),
                timestamp,
                key,
                value,
                headers,
            })
            .collect()
    })
}

fn codec() -> impl Strategy<Value = Compression> {
    prop::sample::select(&Compression::ALL[..])
}

fn read_all(batch: &[u8]) -> Vec<Owned> {
    records(batch, &mut Vec::new(), CAP)
        .unwrap()
        .map(|record| Owned::of(&record.unwrap()))
        .collect()
}

fn settings_of(compression: Compression) -> BatchSettings {
    BatchSettings {
        compression,
        ..BatchSettings::default()
    }
}

proptest! {
    #[test]
    fn a_value_in_two_pieces_is_the_same_record(
        front in proptest::collection::vec(any::<u8>(), 0..200),
        rest in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
    ) {
        let record = |value| Record {
            offset: Offset(0),
            timestamp: TimestampMs(1),
            key: Some(&b"key"[..]),
            value,
            headers: Headers::NONE,
        };
        let (mut pieces, mut whole) = (
            BatchBuilder::new(BatchSettings::default()),
            BatchBuilder::new(BatchSettings::default()),
        );
        pieces.append_behind(&front, &record(rest.as_deref()));
        let joined = [&front[..], rest.as_deref().unwrap_or_default()].concat();
        let is_null = front.is_empty() && rest.is_none();
        whole.append(&record((!is_null).then_some(&joined)));
        prop_assert_eq!(pieces.build(), whole.build());
    }

    #[test]
    fn records_read_back_as_written(wrote in some_records(), codec in codec(), shift in 0i64..1 << 40) {
        let mut builder = BatchBuilder::new(BatchSettings {
            base_offset: Offset(shift),
            ..settings_of(codec)
        });
        let wrote: Vec<_> = wrote
            .into_iter()
            .map(|record| Owned { offset: record.offset + shift, ..record })
            .collect();
        for record in &wrote {
            record.append_to(&mut builder);
        }
        let batch = builder.build().unwrap();
        verify_crc(&batch).unwrap();
        let header = BatchHeader::parse(&batch).unwrap();
        prop_assert_eq!(header.total_len(), batch.len());
        prop_assert_eq!(header.record_count as usize, wrote.len());
        prop_assert_eq!(header.last_offset().get(), wrote.last().unwrap().offset);
        prop_assert_eq!(header.base_timestamp.get(), wrote[0].timestamp);
        prop_assert_eq!(header.max_timestamp.get(), wrote.iter().map(|r| r.timestamp).max().unwrap());
        prop_assert_eq!(read_all(&batch), wrote);
    }

    #[test]
    fn any_byte_flipped_after_the_crc_is_noticed(wrote in some_records(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        wrote.iter().for_each(|record| record.append_to(&mut builder));
        let mut batch = builder.build().unwrap();
        let at = at::CRC + at.index(batch.len() - at::CRC);
        batch[at] ^= 1 << bit;
        prop_assert!(verify_crc(&batch).is_err());
    }
}

#[test]
fn a_batch_keeps_all_that_its_settings_say() {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: Offset(100),
        leader_epoch: LeaderEpoch(7),
        compression: Compression::Zstd,
        level: Some(1),
        producer: Producer {
            id: ProducerId(9),
            epoch: ProducerEpoch(2),
            base_sequence: Sequence(i32::MAX),
        },
        transactional: true,
        control: true,
        log_append_time: Some(TimestampMs(50)),
        delete_horizon: Some(TimestampMs(1000)),
    });
    builder.push(TimestampMs(10), Some(b"k"), None);
    builder.cover_through(Offset(105), TimestampMs(20));
    let batch = builder.build().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    assert_eq!(header.partition_leader_epoch, LeaderEpoch(7));
    assert_eq!(header.compression(), Compression::Zstd);
    assert_eq!(header.producer_id, ProducerId(9));
    assert_eq!(header.producer_epoch, ProducerEpoch(2));
    assert_eq!(header.last_sequence(), Sequence(4));
    assert_eq!(header.last_offset(), Offset(105));
    assert_eq!(header.next_offset(), Offset(106));
    assert!(header.is_transactional() && header.is_control());
    assert_eq!(header.delete_horizon(), Some(TimestampMs(1000)));
    assert_eq!(header.max_timestamp, TimestampMs(50));
    assert_eq!(read_all(&batch)[0].timestamp, 50);
}

#[test]
fn a_delete_horizon_leaves_record_timestamps_as_they_were() {
    let mut builder = BatchBuilder::new(BatchSettings {
        delete_horizon: Some(TimestampMs(1000)),
        ..BatchSettings::default()
    });
    builder.push(TimestampMs(10), Some(b"k"), None);
    assert_eq!(read_all(&builder.build().unwrap())[0].timestamp, 10);
}

#[test]
fn an_emptied_batch_keeps_its_range_and_sequence() {
    for codec in Compression::ALL {
        let mut builder = BatchBuilder::new(BatchSettings {
            base_offset: Offset(10),
            producer: Producer {
                id: ProducerId(1),
                epoch: ProducerEpoch(0),
                base_sequence: Sequence(5),
            },
            ..settings_of(codec)
        });
        builder.cover_through(Offset(14), TimestampMs(33));
        let batch = builder.build().unwrap();
        verify_crc(&batch).unwrap();
        assert_eq!(batch.len(), HEADER_LEN);
        let header = BatchHeader::parse(&batch).unwrap();
        assert_eq!(header.last_sequence(), Sequence(9));
        assert_eq!(header.next_offset(), Offset(15));
        assert_eq!(
            (header.base_timestamp, header.max_timestamp),
            (TimestampMs(33), TimestampMs(33))
        );
        assert!(read_all(&batch).is_empty());
    }
}

#[test]
fn the_builder_starts_afresh_after_each_batch() {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    builder.push(TimestampMs(1), None, Some(b"first"));
    let first = builder.build().unwrap();
    assert!(builder.is_empty());
    builder.push(TimestampMs(1), None, Some(b"first"));
    assert_eq!(builder.build().unwrap(), first);
}

#[test]
fn a_level_that_is_refused_leaves_the_builder_empty() {
    let mut builder = BatchBuilder::new(BatchSettings {
        level: Some(99),
        ..settings_of(Compression::Zstd)
    });
    for _ in 0..2 {
        builder.push(TimestampMs(1), None, Some(b"value"));
        assert!(builder.build().is_err());
        assert!(builder.is_empty());
        assert_eq!(builder.uncompressed_len(), HEADER_LEN);
    }
}

#[test]
fn an_inflater_reads_batches_of_any_codec_one_after_another() {
    let mut inflater = Inflater::default();
    for (number, codec) in (1..).zip(Compression::ALL.into_iter().chain(Compression::ALL)) {
        let mut builder = BatchBuilder::new(settings_of(codec));
        for _ in 0..number {
            builder.push(TimestampMs(1), None, Some(&[number; 100]));
        }
        let batch = builder.build().unwrap();
        let records = inflater.records(&batch, CAP).unwrap();
        let values: Vec<_> = records
            .map(|record| record.unwrap().value.unwrap().to_vec())
            .collect();
        assert_eq!(values, vec![vec![number; 100]; usize::from(number)]);
    }
}

#[test]
#[should_panic(expected = "next offset delta is 2")]
fn an_offset_twice_is_a_programmers_error() {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    builder.push(TimestampMs(1), None, None);
    builder.push(TimestampMs(1), None, None);
    builder.append(&Record {
        offset: Offset(1),
        timestamp: TimestampMs(1),
        key: None,
        value: None,
        headers: Headers::NONE,
    });
}

#[test]
fn the_library_reads_what_the_builder_wrote() {
    use kafka_protocol::records::RecordBatchDecoder;
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: Offset(40),
        producer: Producer {
            id: ProducerId(3),
            epoch: ProducerEpoch(1),
            base_sequence: Sequence(8),
        },
        transactional: true,
        ..BatchSettings::default()
    });
    builder.push(TimestampMs(70), Some(b"key"), Some(b"value"));
    builder.push(TimestampMs(69), None, None);
    let batch = builder.build().unwrap();
    let set = RecordBatchDecoder::decode(&mut bytes::Bytes::from(batch)).unwrap();
    let read: Vec<_> = set
        .records
        .iter()
        .map(|r| {
            (
                r.offset,
                r.timestamp,
                r.key.as_deref(),
                r.value.as_deref(),
                r.sequence,
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            (40, 70, Some(&b"key"[..]), Some(&b"value"[..]), 8),
            (41, 69, None, None, 9)
        ]
    );
    assert!(
        set.records
            .iter()
            .all(|r| r.transactional && r.producer_id == 3 && r.producer_epoch == 1)
    );
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let check = |at: usize, with: &[u8], expected: BatchError| {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.push(TimestampMs(1), None, Some(b"v"));
        let mut batch = builder.build().unwrap();
        batch[at..at + with.len()].copy_from_slice(with);
        assert_eq!(BatchHeader::parse(&batch), Err(expected));
    };
    let negative = |field| BatchError::Negative { field, value: -1 };
    check(at::MAGIC, &[1], BatchError::Magic { magic: 1 });
    check(
        at::BATCH_LENGTH,
        &48i32.to_be_bytes(),
        BatchError::Length { length: 48 },
    );
    check(
        at::BATCH_LENGTH,
        &[0xff; 4],
        BatchError::Length { length: -1 },
    );
    check(
        at::ATTRIBUTES,
        &5i16.to_be_bytes(),
        BatchError::Codec { codec: 5 },
    );
    check(
        at::LAST_OFFSET_DELTA,
        &[0xff; 4],
        negative("last offset delta"),
    );
    check(at::RECORD_COUNT, &[0xff; 4], negative("record count"));
    let short = BatchError::Truncated {
        need: HEADER_LEN,
        have: 60,
    };
    assert_eq!(BatchHeader::parse(&[0; 60]), Err(short));
}

#[test]
fn records_that_do_not_fill_their_batch_exactly_are_refused() {
    let check = |count: i32, expected: &str| {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        builder.push(TimestampMs(1), None, Some(b"v"));
        builder.push(TimestampMs(1), None, Some(b"v"));
        let mut batch = builder.build().unwrap();
        batch[at::RECORD_COUNT..HEADER_LEN].copy_from_slice(&count.to_be_bytes());
        let error = records(&batch, &mut Vec::new(), CAP)
            .unwrap()
            .find_map(Result::err);
        assert_eq!(error.unwrap().to_string(), expected);
    };
    check(1, "batch of 1 records: 8 bytes left over after the last");
    check(
        i32::MAX,
        "record 2 of the batch: byte 16: 1 bytes needed, 0 left",
    );
}
