//! Followers: batches as they are, far gaps, and finding where two logs part.

use plimsoll_log::{
    AppendAs, AppendError, Checkpointed, EpochEnd, LogConfig, MemDisk, Origin, PartitionLog,
};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, TimestampType};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const NOW: TimestampMs = TimestampMs(5_000);

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1000,
        index_interval_bytes: 100,
        ..LogConfig::default()
    }
}

fn open_with(disk: &MemDisk, config: LogConfig, recovery_point: i64) -> PartitionLog {
    let from = Checkpointed {
        recovery_point: Offset(recovery_point),
        ..Checkpointed::default()
    };
    let (disk, dir) = (Arc::new(disk.clone()), PathBuf::from("/data/t-0"));
    PartitionLog::open(disk, dir, Arc::new(config), from, NOW)
        .unwrap()
        .0
}

fn new_log() -> PartitionLog {
    open_with(&MemDisk::new(), config(), 0)
}

fn batch(base: i64, epoch: i32, records: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: Offset(base),
        leader_epoch: LeaderEpoch(epoch),
        ..BatchSettings::default()
    });
    for _ in 0..records {
        builder.push(TimestampMs(7), Some(b"k"), Some(&[1; 40]));
    }
    builder.build().unwrap()
}

fn lead(log: &mut PartitionLog, epoch: i32, now: i64) -> BatchHeader {
    let mut bytes = batch(0, 0, 3);
    let header = BatchHeader::parse(&bytes).unwrap();
    let how = AppendAs {
        leader_epoch: LeaderEpoch(epoch),
        now: TimestampMs(now),
        origin: Origin::Client,
    };
    log.append(&mut bytes, &header, how).unwrap();
    BatchHeader::parse(&bytes).unwrap()
}

fn bytes_of(log: &PartitionLog) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = log.log_start();
    while from < log.log_end() {
        let slices = log.read(from, 1 << 20, true, log.log_end()).unwrap();
        slices
            .iter()
            .for_each(|range| range.read_into(&mut bytes).unwrap());
        from = slices.next_offset();
    }
    bytes
}

#[test]
fn a_follower_holds_what_its_leader_holds() {
    let (mut leader, mut follower) = (new_log(), new_log());
    for i in 0..30 {
        lead(&mut leader, i / 10, 0);
    }
    let bytes = bytes_of(&leader);
    let cut = bytes.len() - 5;
    assert_eq!(
        follower.append_follower(&bytes[..cut], NOW).unwrap(),
        Offset(87)
    );
    let rest = leader
        .read(Offset(87), 1 << 20, true, leader.log_end())
        .unwrap();
    let mut last = Vec::new();
    rest.iter()
        .for_each(|range| range.read_into(&mut last).unwrap());
    assert_eq!(follower.append_follower(&last, NOW).unwrap(), Offset(90));
    assert_eq!(bytes_of(&follower), bytes);
    assert_eq!(follower.epochs(), leader.epochs());
    let again = follower.append_follower(&last, NOW);
    assert!(
        matches!(again, Err(AppendError::OffsetsWentBack { .. })),
        "{again:?}"
    );
    last[70] ^= 1;
    assert!(matches!(
        follower.append_follower(&last, NOW),
        Err(AppendError::Malformed(_))
    ));
}

#[test]
fn a_gap_too_wide_for_an_index_begins_a_segment_and_outlives_a_crash() {
    let disk = MemDisk::new();
    let mut log = open_with(&disk, config(), 0);
    let far = 3 << 31;
    log.append_follower(&batch(0, 0, 2), NOW).unwrap();
    log.append_follower(&batch(100, 0, 2), NOW).unwrap();
    log.append_follower(&batch(far, 0, 2), NOW).unwrap();
    assert_eq!((log.log_end(), log.segment_count()), (Offset(far + 2), 2));
    assert_eq!(log.recovery_point(), Offset(far));
    log.flush(NOW).unwrap();
    let log = open_with(&disk.after_crash(1), config(), far);
    assert_eq!(log.log_end(), Offset(far + 2));
    for (from, base) in [(0, 0), (2, 100), (101, 100), (102, far), (far, far)] {
        let slices = log.read(Offset(from), 1, true, log.log_end()).unwrap();
        let mut bytes = Vec::new();
        slices
            .iter()
            .for_each(|range| range.read_into(&mut bytes).unwrap());
        assert_eq!(
            BatchHeader::parse(&bytes).unwrap().base_offset,
            Offset(base),
            "from {from}"
        );
    }
}

#[test]
fn two_logs_find_where_they_part() {
    // Both agree up to 30 in epoch 1; the leader went on in 4, the follower in
    // 2 and 3.
    let (mut leader, mut follower) = (new_log(), new_log());
    for _ in 0..10 {
        lead(&mut leader, 1, 0);
        lead(&mut follower, 1, 0);
    }
    for epoch in [4, 4] {
        lead(&mut leader, epoch, 0);
    }
    for epoch in [2, 3, 3] {
        lead(&mut follower, epoch, 0);
    }
    let mut rounds = 0;
    loop {
        let asked = follower.latest_epoch().unwrap();
        let end = leader.end_offset_for_epoch(asked).unwrap();
        let (to, agreed) = follower.truncation_for(end);
        follower.truncate_to(to, NOW).unwrap();
        rounds += 1;
        if agreed {
            break;
        }
    }
    assert_eq!((follower.log_end(), rounds), (Offset(30), 1));
    assert_eq!(follower.latest_epoch(), Some(LeaderEpoch(1)));
    assert_eq!(
        leader.end_offset_for_epoch(LeaderEpoch(3)),
        Some(EpochEnd {
            epoch: LeaderEpoch(1),
            end: Offset(30)
        })
    );
}

#[test]
fn log_append_time_is_the_brokers() {
    let stamped = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        ..config()
    };
    let mut log = open_with(&MemDisk::new(), stamped, 0);
    let header = lead(&mut log, 0, 777);
    assert_eq!(header.max_timestamp, TimestampMs(777));
    assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
    let found = log.offset_by_timestamp(TimestampMs(700)).unwrap().unwrap();
    assert_eq!(
        (found.offset, found.timestamp),
        (Offset(0), TimestampMs(777))
    );
    plimsoll_wire::batch::verify_crc(&bytes_of(&log)).unwrap();
}

#[test]
fn a_segment_ends_when_its_first_record_is_too_old() {
    let stamped = LogConfig {
        timestamp_type: TimestampType::LogAppendTime,
        segment_ms: Duration::from_millis(100),
        ..config()
    };
    let mut log = open_with(&MemDisk::new(), stamped.clone(), 0);
    let check = |log: &mut PartitionLog, now: i64, segments: usize| {
        lead(log, 0, now);
        assert_eq!(log.segment_count(), segments, "at {now}");
    };
    check(&mut log, 1000, 1);
    check(&mut log, 1100, 1);
    check(&mut log, 1101, 2);
    check(&mut log, 1201, 2);
    check(&mut log, 1202, 3);
    let segments = |jitter: u64| {
        let config = LogConfig {
            segment_bytes: 1 << 20,
            segment_jitter_ms: Duration::from_millis(jitter),
            ..stamped.clone()
        };
        let mut log = open_with(&MemDisk::new(), config, 0);
        for now in 0..1000 {
            lead(&mut log, 0, now);
        }
        log.segment_count()
    };
    assert_eq!(segments(0), 10);
    assert!(
        (11..100).contains(&segments(90)),
        "{} segments",
        segments(90)
    );
}

#[test]
fn a_full_index_ends_its_segment() {
    let small = LogConfig {
        index_bytes_max: 80,
        index_interval_bytes: 1,
        segment_bytes: 1 << 20,
        ..LogConfig::default()
    };
    let mut log = open_with(&MemDisk::new(), small, 0);
    for _ in 0..100 {
        lead(&mut log, 0, 0);
    }
    assert_eq!(log.segment_count(), 10);
}

#[test]
fn a_resting_log_goes_on_where_it_was() {
    let mut log = new_log();
    for _ in 0..10 {
        lead(&mut log, 0, 0);
        log.rest().unwrap();
    }
    log.flush(NOW).unwrap();
    log.rest().unwrap();
    assert_eq!(lead(&mut log, 0, 0).base_offset, Offset(30));
    assert!(
        size_of::<PartitionLog>() < 1024,
        "{} bytes",
        size_of::<PartitionLog>()
    );
}
