//! A log opened after a crash, on files that hold anything.
//!
//! The log file is right up to some bytes that the input overwrites, cuts or
//! adds; the index holds whatever the input says. The log must open (or say why
//! not), end at a whole batch, give back all that it holds, and take more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_log::{AppendAs, Checkpointed, Disk, LogConfig, MemDisk, Open, Origin, PartitionLog};
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/data/topic-0";
const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

#[derive(Debug)]
struct Crash<'a> {
    batches: u8,
    cut: u8,
    damage: &'a [u8],
    tail: &'a [u8],
    index: &'a [u8],
}

fuzz_target!(|input: &[u8]| {
    let [batches, cut, damage_len, tail_len, rest @ ..] = input else {
        return;
    };
    let (damage, rest) = rest.split_at(rest.len().min(usize::from(*damage_len)));
    let (tail, index) = rest.split_at(rest.len().min(usize::from(*tail_len)));
    recover(&Crash {
        batches: *batches % 8,
        cut: *cut,
        damage,
        tail,
        index,
    });
});

fn recover(crash: &Crash<'_>) {
    let disk = MemDisk::new();
    let dir = PathBuf::from(DIR);
    disk.create_dir_all(&dir).expect("an empty disk");
    write(
        &disk,
        &dir.join("00000000000000000000.log"),
        &log_file(crash),
    );
    if !crash.index.is_empty() {
        write(&disk, &dir.join("00000000000000000000.index"), crash.index);
        write(
            &disk,
            &dir.join("00000000000000000000.timeindex"),
            crash.index,
        );
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let config = Arc::new(LogConfig::default());
    let from = Checkpointed::default();
    let Ok((mut log, _)) = PartitionLog::open(disk, dir, config, from, NOW) else {
        return;
    };
    let end = log.log_end();
    assert_eq!(read_all(&log), end, "every batch up to the end is whole");
    let mut batch = one_batch(0, Compression::None);
    let header = BatchHeader::parse(&batch).expect("just built");
    let how = AppendAs {
        leader_epoch: LeaderEpoch(1 << 20),
        now: NOW,
        origin: Origin::Client,
    };
    let appended = log
        .append(&mut batch, &header, how)
        .expect("a log that opened");
    assert_eq!(appended.base_offset, end);
    assert_eq!(read_all(&log), log.log_end());
}

/// Reads the whole log batch by batch, and says where it ended.
fn read_all(log: &PartitionLog) -> Offset {
    let mut next = log.log_start();
    while next < log.log_end() {
        let slices = log
            .read(next, 1, true, log.log_end())
            .expect("an offset within the log");
        let mut bytes = Vec::new();
        for range in slices.iter() {
            range.read_into(&mut bytes).expect("a disk without faults");
        }
        let header = BatchHeader::parse(&bytes).expect("a whole batch");
        assert_eq!(header.total_len(), bytes.len());
        batch::verify_crc(&bytes).expect("recovery checked it");
        assert!(header.next_offset() > next, "reading goes on");
        next = header.next_offset();
    }
    next
}

fn log_file(crash: &Crash<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    for number in 0..crash.batches {
        let codec = Compression::ALL[usize::from(number) % Compression::ALL.len()];
        file.extend(one_batch(2 * i64::from(number), codec));
    }
    for change in crash.damage.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if let Some(byte) = file.get_mut(at) {
            *byte = change[2];
        }
    }
    file.truncate(file.len().saturating_sub(usize::from(crash.cut)));
    file.extend_from_slice(crash.tail);
    file
}

/// Two records at `offset`.
fn one_batch(offset: i64, compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: Offset(offset),
        leader_epoch: LeaderEpoch(3),
        compression,
        ..BatchSettings::default()
    });
    builder.push(NOW, Some(b"key"), Some(b"first"));
    builder.push(NOW, Some(b"key"), Some(b"second"));
    builder.build().expect("the default level is valid")
}

fn write(disk: &MemDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Open::Create).expect("an empty disk");
    file.write_at(bytes, 0).expect("a disk without faults");
    file.sync().expect("a disk without faults");
}
