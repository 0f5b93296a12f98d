//! The plain life of a log: append, read, roll, stop, start.

use plimsoll_log::{
    AppendAs, Checkpointed, Disk as _, LogConfig, MemDisk, Open, Origin, PartitionLog, ReadError,
    Recovered,
};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Producer};
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NOW: TimestampMs = TimestampMs(1_000_000);

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 200,
        ..LogConfig::default()
    }
}

fn open(disk: &MemDisk, from: Checkpointed) -> (PartitionLog, Recovered) {
    let dir = PathBuf::from("/data/orders-0");
    PartitionLog::open(Arc::new(disk.clone()), dir, Arc::new(config()), from, NOW).unwrap()
}

fn append(log: &mut PartitionLog, records: i32, timestamp: i64) -> Offset {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    for i in 0..records {
        builder.push(TimestampMs(timestamp + i64::from(i)), None, Some(b"value"));
    }
    let mut batch = builder.build().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    let how = AppendAs {
        leader_epoch: LeaderEpoch(3),
        now: NOW,
        origin: Origin::Client,
    };
    let appended = log.append(&mut batch, &header, how).unwrap();
    log.set_high_watermark(log.log_end());
    appended.base_offset
}

/// The base offsets of the batches that a read gives.
fn read(log: &PartitionLog, from: i64, max_bytes: usize, min_one: bool) -> Vec<i64> {
    let slices = log
        .read(Offset(from), max_bytes, min_one, log.high_watermark())
        .unwrap();
    let mut bytes = Vec::new();
    for range in slices.iter() {
        range.read_into(&mut bytes).unwrap();
    }
    assert_eq!(bytes.len() as u64, slices.bytes());
    let mut bases = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest).unwrap();
        bases.push(header.base_offset.get());
        rest = &rest[header.total_len()..];
    }
    bases
}

#[test]
fn what_is_appended_is_read_from_any_offset() {
    let (mut log, recovered) = open(&MemDisk::new(), Checkpointed::default());
    assert!(recovered.created);
    for i in 0..50 {
        assert_eq!(append(&mut log, 3, 1000 + i), Offset(i * 3));
    }
    assert!(log.segment_count() > 4, "{} segments", log.segment_count());
    for from in 0..150 {
        let bases = read(&log, from, usize::MAX, false);
        let expected: Vec<i64> = (from / 3 * 3..150).step_by(3).collect();
        assert_eq!(bases, expected, "from {from}");
        assert_eq!(read(&log, from, 1, true), expected[..1]);
        assert_eq!(read(&log, from, 1, false), []);
        let two = read(&log, from, 200, false);
        assert_eq!(two, expected[..two.len()]);
        assert!(expected.len() < 2 || !two.is_empty());
    }
    assert_eq!(read(&log, 150, 100, true), []);
    assert!(matches!(
        log.read(Offset(151), 1, true, Offset(150)),
        Err(ReadError::OutOfRange { .. })
    ));
}

#[test]
fn nothing_is_read_at_or_past_the_limit() {
    let (mut log, _) = open(&MemDisk::new(), Checkpointed::default());
    for _ in 0..40 {
        append(&mut log, 3, 5);
    }
    for upto in 0..=120 {
        let slices = log.read(Offset(0), usize::MAX, true, Offset(upto)).unwrap();
        assert_eq!(slices.next_offset(), Offset(upto / 3 * 3), "upto {upto}");
    }
}

#[test]
fn a_clean_stop_is_followed_by_a_start_that_scans_nothing() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk, Checkpointed::default());
    for i in 0..50 {
        append(&mut log, 3, i);
    }
    log.close_clean(NOW).unwrap();
    let from = Checkpointed {
        clean: true,
        recovery_point: log.recovery_point(),
        high_watermark: log.high_watermark(),
        ..Checkpointed::default()
    };
    let segments = log.segment_count();
    drop(log);
    let before = disk.operations();
    let (mut log, recovered) = open(&disk, from);
    assert_eq!(recovered, Recovered::default());
    assert_eq!(
        (log.log_end(), log.segment_count()),
        (Offset(150), segments)
    );
    log.close_clean(NOW).unwrap();
    assert_eq!(
        disk.operations(),
        before,
        "an untouched log is closed for free"
    );
    assert_eq!(append(&mut log, 1, 7), Offset(150));
}

#[test]
fn after_a_crash_what_was_flushed_is_there_and_the_rest_is_scanned() {
    let disk = MemDisk::new();
    disk.create_dir_all(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let (mut log, _) = open(&disk, Checkpointed::default());
    for i in 0..20 {
        append(&mut log, 3, i);
    }
    log.flush(NOW).unwrap();
    assert_eq!(log.recovery_point(), Offset(60));
    for i in 20..50 {
        append(&mut log, 3, i);
    }
    let from = Checkpointed {
        recovery_point: Offset(60),
        ..Checkpointed::default()
    };
    for seed in 0..50 {
        let (mut log, recovered) = open(&disk.after_crash(seed), from);
        let end = log.log_end();
        assert!(
            end >= Offset(60) && end <= Offset(150),
            "seed {seed}: log end {end}"
        );
        log.set_high_watermark(end);
        let expected: Vec<i64> = (0..end.get()).step_by(3).collect();
        assert_eq!(
            read(&log, 0, usize::MAX, true),
            expected,
            "seed {seed}: {recovered:?}"
        );
        assert_eq!(append(&mut log, 1, 99), end);
    }
}

#[test]
fn a_timestamp_finds_the_first_record_that_is_as_new() {
    let (mut log, _) = open(&MemDisk::new(), Checkpointed::default());
    for i in 0..50 {
        append(&mut log, 3, 1000 + i * 10);
    }
    let check = |timestamp: i64, expected: Option<i64>| {
        let found = log.offset_by_timestamp(TimestampMs(timestamp)).unwrap();
        assert_eq!(
            found.map(|f| f.offset.get()),
            expected,
            "timestamp {timestamp}"
        );
    };
    check(0, Some(0));
    check(1000, Some(0));
    check(1001, Some(1));
    check(1003, Some(3));
    check(1245, Some(75));
    check(1492, Some(149));
    check(1493, None);
    let newest = log.max_timestamp().unwrap().unwrap();
    assert_eq!(
        (newest.offset, newest.leader_epoch),
        (Offset(149), LeaderEpoch(3))
    );
}

/// Appends one record of an idempotent producer.
fn append_of(log: &mut PartitionLog, id: i64, sequence: i32) {
    let producer = Producer {
        id: ProducerId(id),
        epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
    };
    let mut builder = BatchBuilder::new(BatchSettings {
        producer,
        ..BatchSettings::default()
    });
    builder.push(NOW, None, Some(b"value"));
    let mut batch = builder.build().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    let how = AppendAs {
        leader_epoch: LeaderEpoch(3),
        now: NOW,
        origin: Origin::Client,
    };
    log.append(&mut batch, &header, how).unwrap();
    log.set_high_watermark(log.log_end());
}

/// A crash took the end of a log and left the snapshot of its producers that was
/// taken there. Once the log has grown past that offset again, the snapshot
/// speaks of sequences that nobody sent: a producer that goes on where the log
/// really ended would be refused.
#[test]
fn a_snapshot_from_past_the_end_that_a_crash_left_is_not_believed_later() {
    let disk = MemDisk::new();
    let (mut log, _) = open(&disk, Checkpointed::default());
    for sequence in 0..10 {
        append_of(&mut log, 1, sequence);
    }
    log.roll(NOW).unwrap();
    log.close_clean(NOW).unwrap();
    drop(log);
    let dir = Path::new("/data/orders-0");
    let first = dir.join("00000000000000000000.log");
    let len = disk.open(&first, Open::Read).unwrap().len().unwrap();
    disk.cut(&first, len / 10 * 4);
    let (mut log, recovered) = open(&disk, Checkpointed::default());
    assert!(recovered.cut_because.is_some(), "{recovered:?}");
    assert_eq!(log.log_end(), Offset(4));
    for sequence in 0..8 {
        append_of(&mut log, 2, sequence);
    }
    log.flush(NOW).unwrap();
    let from = Checkpointed {
        recovery_point: log.recovery_point(),
        ..Checkpointed::default()
    };
    drop(log);
    let (mut log, _) = open(&disk, from);
    let last = |log: &PartitionLog, id| log.producer(ProducerId(id)).map(|p| p.last_sequence.get());
    assert_eq!((last(&log, 1), last(&log, 2)), (Some(3), Some(7)));
    append_of(&mut log, 1, 4);
    assert_eq!(log.log_end(), Offset(13));
}
