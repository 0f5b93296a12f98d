//! The log's hot paths, on files.
//!
//! - `append`: one batch into the page cache, against a plain `pwrite`.
//! - `read`: finding the stretch of a fetch, without moving its bytes.
//! - `recover`: the scan after a crash, against reading the file and computing
//!   the same checksums.
//! - `start`: a clean start, which reads next to nothing.
//!
//! What is measured is the thread's time on a processor, system calls included,
//! which other load on the machine leaves nearly as it is.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_log::{AppendAs, Checkpointed, LogConfig, Origin, OsDisk, PartitionLog};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, crc32c};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::hint::black_box;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The time that this thread has spent on a processor.
struct CpuTime;

/// Nanoseconds on a processor so far.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = Duration;

    fn start(&self) -> u64 {
        cpu_ns()
    }

    fn end(&self, start: u64) -> Duration {
        Duration::from_nanos(cpu_ns() - start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

fn batch(bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    while builder.uncompressed_len() + 1100 < bytes {
        builder.push(NOW, None, Some(&[7; 1024]));
    }
    builder.push(NOW, None, Some(&[7; 512]));
    builder.build().unwrap()
}

fn open(dir: &Path, segment_bytes: u64) -> PartitionLog {
    let config = LogConfig {
        segment_bytes,
        ..LogConfig::default()
    };
    let dir = dir.join("bench-0");
    let from = Checkpointed::default();
    PartitionLog::open(Arc::new(OsDisk), dir, Arc::new(config), from, NOW)
        .unwrap()
        .0
}

fn append(log: &mut PartitionLog, batch: &mut [u8]) -> Offset {
    let header = BatchHeader::parse(batch).unwrap();
    let how = AppendAs {
        leader_epoch: LeaderEpoch(0),
        now: NOW,
        origin: Origin::Client,
    };
    log.append(batch, &header, how).unwrap().base_offset
}

/// Bytes written before a bench starts its file again, to stay in the page
/// cache.
const FILE_BYTES: u64 = 256 << 20;

fn bench_append(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("append");
    for kib in [1, 16, 64, 1024] {
        let mut batch = batch(kib << 10);
        let len = batch.len() as u64;
        group.throughput(Throughput::Bytes(len));
        let tmp = tempfile::tempdir().unwrap();
        let mut log = open(tmp.path(), FILE_BYTES);
        group.bench_function(format!("log {kib} KiB"), |b| {
            b.iter(|| {
                if log.size_bytes() > 2 * FILE_BYTES {
                    log.restart_at(Offset(0), NOW).unwrap();
                }
                append(&mut log, &mut batch)
            });
        });
        let file = std::fs::File::create(tmp.path().join("plain")).unwrap();
        let mut pos = 0;
        group.bench_function(format!("pwrite {kib} KiB"), |b| {
            b.iter(|| {
                if pos > 2 * FILE_BYTES {
                    file.set_len(0).unwrap();
                    pos = 0;
                }
                file.write_all_at(&batch, pos).unwrap();
                pos += len;
            });
        });
    }
    group.finish();
}

fn bench_read(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("read");
    let tmp = tempfile::tempdir().unwrap();
    let mut log = open(tmp.path(), 64 << 20);
    let mut batch = batch(16 << 10);
    let mut ends = Vec::new();
    while log.size_bytes() < FILE_BYTES {
        ends.push(append(&mut log, &mut batch));
    }
    log.set_high_watermark(log.log_end());
    let tail = *ends.last().unwrap();
    group.bench_function("tail", |b| {
        b.iter(|| {
            log.read(black_box(tail), 1 << 20, true, log.high_watermark())
                .unwrap()
        });
    });
    group.bench_function("end", |b| {
        b.iter(|| {
            log.read(log.log_end(), 1 << 20, true, log.high_watermark())
                .unwrap()
        });
    });
    let mut at = 0;
    group.bench_function("anywhere, 1 MiB", |b| {
        b.iter(|| {
            at = (at + 7919) % ends.len();
            log.read(ends[at], 1 << 20, true, log.high_watermark())
                .unwrap()
        });
    });
    group.finish();
}

fn bench_recover(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("recover");
    group.sample_size(10);
    let tmp = tempfile::tempdir().unwrap();
    let mut log = open(tmp.path(), 1 << 30);
    let mut batch = batch(16 << 10);
    while log.size_bytes() < FILE_BYTES {
        append(&mut log, &mut batch);
    }
    log.flush(NOW).unwrap();
    let path = log.dir().join("00000000000000000000.log");
    drop(log);
    group.throughput(Throughput::Bytes(FILE_BYTES));
    group.bench_function("scan", |b| {
        b.iter(|| open(tmp.path(), 1 << 30));
    });
    group.bench_function("read and checksum", |b| {
        let mut buf = vec![0; 1 << 20];
        b.iter(|| {
            let mut file = std::fs::File::open(&path).unwrap();
            let mut sum = 0;
            loop {
                let got = file.read(&mut buf).unwrap();
                if got == 0 {
                    break sum;
                }
                sum ^= crc32c(&buf[..got]);
            }
        });
    });
    group.finish();
}

fn bench_start(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("start");
    group.sample_size(10);
    let tmp = tempfile::tempdir().unwrap();
    let config = Arc::new(LogConfig {
        segment_bytes: 64 << 10,
        ..LogConfig::default()
    });
    let open = |partition: usize, clean| {
        let dir = tmp.path().join(format!("start-{partition}"));
        let from = Checkpointed {
            clean,
            ..Checkpointed::default()
        };
        PartitionLog::open(Arc::new(OsDisk), dir, Arc::clone(&config), from, NOW)
            .unwrap()
            .0
    };
    let mut batch = batch(16 << 10);
    for partition in 0..1000 {
        let mut log = open(partition, false);
        for _ in 0..20 {
            append(&mut log, &mut batch);
        }
        assert_eq!(log.segment_count(), 5);
        log.close_clean(NOW).unwrap();
    }
    group.bench_function("1000 partitions of 5 segments", |b| {
        b.iter(|| {
            (0..1000)
                .map(|partition| open(partition, true))
                .collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = bench_append, bench_read, bench_recover, bench_start
}
criterion_main!(benches);
