use super::*;
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Producer as Mark};
use plimsoll_wire::types::{ProducerEpoch, Sequence};

#[derive(Clone, Copy)]
struct Data {
    id: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
    transactional: bool,
}

const DATA: Data = Data {
    id: 1,
    epoch: 0,
    sequence: 0,
    count: 1,
    transactional: false,
};

fn header(data: Data, offset: Offset) -> BatchHeader {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: offset,
        producer: Mark {
            id: ProducerId(data.id),
            epoch: ProducerEpoch(data.epoch),
            base_sequence: Sequence(data.sequence),
        },
        transactional: data.transactional,
        ..BatchSettings::default()
    });
    for _ in 0..data.count {
        builder.push(TimestampMs(1000), None, None);
    }
    BatchHeader::parse(&builder.build().unwrap()).unwrap()
}

/// Appends like the log does; the base offset, or why not.
fn append(producers: &mut Producers, data: Data) -> Result<Offset, String> {
    let header = header(data, producers.end());
    match producers.check(&header, Origin::Client) {
        Ok(Verdict::New) => {
            producers.note(&header);
            Ok(header.base_offset)
        }
        Ok(Verdict::Duplicate(mark)) => Ok(mark.base_offset()),
        Err(e) => Err(e.to_string()),
    }
}

fn end(producers: &mut Producers, id: i64, epoch: i16, committed: bool) -> Option<AbortedTxn> {
    let data = Data {
        id,
        epoch,
        sequence: -1,
        transactional: true,
        ..DATA
    };
    let header = header(data, producers.end());
    producers.note_marker(
        &header,
        TxnEnd {
            committed,
            coordinator_epoch: 0,
        },
    )
}

#[test]
fn sequences_follow_one_another() {
    let check = |sent: &[(i16, i32, i32)], expected: Result<i64, &str>| {
        let mut producers = Producers::default();
        let mut last = Ok(Offset(0));
        for (epoch, sequence, count) in sent {
            let data = Data {
                epoch: *epoch,
                sequence: *sequence,
                count: *count,
                ..DATA
            };
            last = append(&mut producers, data);
        }
        assert_eq!(
            last.map(Offset::get),
            expected.map_err(str::to_owned),
            "{sent:?}"
        );
    };
    check(&[(0, 0, 2), (0, 2, 3)], Ok(2));
    check(&[(0, 77, 2), (0, 79, 1)], Ok(2));
    check(&[(0, i32::MAX - 1, 2), (0, 0, 1)], Ok(2));
    check(&[(0, i32::MAX, 2), (0, 1, 1)], Ok(2));
    check(&[(0, 5, 1), (1, 0, 1)], Ok(1));
    check(
        &[(0, 0, 2), (0, 3, 1)],
        Err("producer 1 epoch 0 sent sequence 3 where 2 is next"),
    );
    check(
        &[(0, 5, 1), (1, 6, 1)],
        Err("producer 1 epoch 1 sent sequence 6 where 0 is next"),
    );
    check(
        &[(3, 0, 1), (2, 1, 1)],
        Err("producer 1 sent epoch 2, current is 3"),
    );
}

#[test]
fn the_last_five_batches_are_duplicates_and_older_ones_are_not() {
    let mut producers = Producers::default();
    for sequence in 0..7 {
        append(&mut producers, Data { sequence, ..DATA }).unwrap();
    }
    for sequence in 2..7 {
        let original = append(&mut producers, Data { sequence, ..DATA });
        assert_eq!(original, Ok(Offset(i64::from(sequence))));
    }
    assert!(
        append(
            &mut producers,
            Data {
                sequence: 1,
                ..DATA
            }
        )
        .is_err()
    );
    assert!(
        append(
            &mut producers,
            Data {
                sequence: 5,
                count: 2,
                ..DATA
            }
        )
        .is_err()
    );
    assert_eq!(producers.end(), Offset(7));
}

#[test]
fn transactions_hold_the_stable_offset_until_their_marker_is_replicated() {
    let mut producers = Producers::default();
    let open = |id, sequence| Data {
        id,
        sequence,
        transactional: true,
        ..DATA
    };
    append(&mut producers, DATA).unwrap();
    append(&mut producers, open(2, 0)).unwrap();
    append(&mut producers, open(3, 0)).unwrap();
    append(&mut producers, open(2, 1)).unwrap();
    assert_eq!(producers.first_unstable(), Some(Offset(1)));
    let aborted = end(&mut producers, 2, 0, false).unwrap();
    let expected = AbortedTxn {
        producer_id: ProducerId(2),
        first_offset: Offset(1),
        last_offset: Offset(4),
        last_stable_offset: Offset(2),
    };
    assert_eq!(aborted, expected);
    assert_eq!(producers.first_unstable(), Some(Offset(1)));
    producers.replicated_to(Offset(5));
    assert_eq!(producers.first_unstable(), Some(Offset(2)));
    assert_eq!(end(&mut producers, 3, 0, true), None);
    producers.replicated_to(Offset(6));
    assert_eq!(producers.first_unstable(), None);
    assert_eq!(end(&mut producers, 9, 0, false), None);
    let plain = append(
        &mut producers,
        Data {
            id: 3,
            sequence: 1,
            ..DATA
        },
    );
    assert_eq!(plain, Ok(Offset(7)));
}

#[test]
fn a_producer_with_an_open_transaction_writes_nothing_else() {
    let mut producers = Producers::default();
    append(
        &mut producers,
        Data {
            transactional: true,
            ..DATA
        },
    )
    .unwrap();
    let outside = append(
        &mut producers,
        Data {
            sequence: 1,
            ..DATA
        },
    );
    assert_eq!(
        outside.unwrap_err(),
        "producer 1 wrote outside its transaction open since offset 0"
    );
}

#[test]
fn a_snapshot_keeps_open_transactions_and_the_last_batch() {
    let mut producers = Producers::default();
    append(
        &mut producers,
        Data {
            transactional: true,
            ..DATA
        },
    )
    .unwrap();
    append(
        &mut producers,
        Data {
            id: 2,
            count: 4,
            ..DATA
        },
    )
    .unwrap();
    let restored = decode(&producers.snapshot()).unwrap();
    let mut restored = Producers::from_snapshot(producers.end(), restored);
    assert_eq!(restored.first_unstable(), Some(Offset(0)));
    assert_eq!(
        append(
            &mut restored,
            Data {
                id: 2,
                count: 4,
                ..DATA
            }
        ),
        Ok(Offset(1))
    );
    assert_eq!(
        append(
            &mut restored,
            Data {
                id: 2,
                sequence: 4,
                ..DATA
            }
        ),
        Ok(Offset(5))
    );
}

/// Seed 16 of a world of one node: a producer had five batches in flight when
/// its broker was stopped in good order. Three of them had been written, the
/// snapshot knew the last of the three, and the retry of the first was refused
/// as out of order although it lay in the log.
#[test]
fn a_snapshot_knows_all_batches_that_may_be_in_flight() {
    let mut producers = Producers::default();
    let batch = |sequence| Data { sequence, ..DATA };
    for sequence in 0..7 {
        append(&mut producers, batch(sequence)).unwrap();
    }
    let restored = decode(&producers.snapshot()).unwrap();
    let mut restored = Producers::from_snapshot(producers.end(), restored);
    for sequence in 2..7 {
        let first = Ok(Offset(i64::from(sequence)));
        assert_eq!(append(&mut restored, batch(sequence)), first, "{sequence}");
    }
    assert!(append(&mut restored, batch(1)).is_err(), "beyond five");
    assert_eq!(append(&mut restored, batch(7)), Ok(Offset(7)));
}

#[test]
fn idle_producers_are_forgotten_unless_their_transaction_is_open() {
    let mut producers = Producers::default();
    append(
        &mut producers,
        Data {
            transactional: true,
            ..DATA
        },
    )
    .unwrap();
    append(&mut producers, Data { id: 2, ..DATA }).unwrap();
    producers.expire(TimestampMs(1999), Duration::from_secs(1));
    assert_eq!(producers.views().count(), 2);
    producers.expire(TimestampMs(2000), Duration::from_secs(1));
    assert_eq!(
        producers
            .views()
            .map(|p| p.producer_id.get())
            .collect::<Vec<_>>(),
        [1]
    );
}
