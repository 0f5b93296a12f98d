//! The bytes that the disk calculator counts, against the bytes that the engine
//! writes.

use plimsoll_calculators::batch::{BatchShape, HeaderShape, RecordShape};
use plimsoll_units::Size;
use plimsoll_wire::batch::{BatchBuilder, BatchSettings, Header, Headers, Record};
use plimsoll_wire::types::{Offset, TimestampMs};
use proptest::prelude::*;

/// Bytes of such a batch, as the engine's encoder writes them.
fn written(shape: &BatchShape) -> usize {
    let filled = |size: Size| vec![b'x'; size.len()];
    let key = shape.record.key.map(filled);
    let value = filled(shape.record.value);
    let names: Vec<_> = shape.record.headers.iter().map(|h| filled(h.key)).collect();
    let values: Vec<_> = shape
        .record
        .headers
        .iter()
        .map(|h| filled(h.value))
        .collect();
    let headers: Vec<_> = names
        .iter()
        .zip(&values)
        .map(|(key, value)| Header {
            key,
            value: Some(value),
        })
        .collect();
    let last = i64::from(shape.records - 1).max(1);
    let mut builder = BatchBuilder::new(BatchSettings::default());
    for index in 0..i64::from(shape.records) {
        let spread = i64::try_from(shape.spread_ms).expect("a short spread");
        builder.append(&Record {
            offset: Offset(index),
            timestamp: TimestampMs(1_700_000_000_000 + spread * index / last),
            key: key.as_deref(),
            value: Some(&value),
            headers: Headers::listed(&headers),
        });
    }
    builder.build().expect("an uncompressed batch").len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_shape_of_a_batch_tells_its_bytes(
        key in proptest::option::of(0..300_u64), value in 0..10_000_u64,
        headers in proptest::collection::vec((0..100_u64, 0..200_u64), 0..4),
        records in 1..400_u32, spread_ms in 0..100_000_u64,
    ) {
        let headers = headers.into_iter().map(|(key, value)| HeaderShape {
            key: Size::from_bytes(key),
            value: Size::from_bytes(value),
        });
        let record = RecordShape {
            key: key.map(Size::from_bytes),
            value: Size::from_bytes(value),
            headers: headers.collect(),
        };
        let shape = BatchShape { record, records, spread_ms };
        prop_assert_eq!(shape.bytes(), written(&shape) as u64);
    }
}

/// 200 000 records of 1000 bytes from Apache Kafka's Java producer, with its
/// default batch size and enough linger to fill batches, made a segment of
/// 202 562 521 bytes on the engine and of 202 562 515 on Apache Kafka 4.1, and
/// an offset index of 99 992 on both. The bytes that are not predicted are
/// timestamps that took a second byte.
#[test]
fn a_java_producers_log_is_predicted() {
    let record = RecordShape::of(Size::from_bytes(1000));
    let shape = BatchShape::filling(record, Size::from_bytes(16_384)).expect("it fits");
    let batches = 200_000 / u64::from(shape.records);
    assert_eq!(202_562_521 - batches * shape.bytes(), 21);
    assert_eq!(202_562_515 - batches * shape.bytes(), 15);
    assert_eq!(
        (batches - 1) * 8,
        99_992,
        "an entry with every batch but the first"
    );
}
