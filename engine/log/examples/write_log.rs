//! Writes a partition that has some of everything, and one that is compacted,
//! for other tools to read.
//!
//! ```text
//! cargo run -p plimsoll-log --example write_log -- DIR
//! kafka-dump-log.sh --deep-iteration --files DIR/mixed-0/00000000000000000000.log
//! ```

use plimsoll_log::{
    AppendAs, Checkpointed, CleanupPolicy, LogConfig, Origin, OsDisk, PartitionLog,
};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, Producer};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// 2025-06-01, in milliseconds.
const START: i64 = 1_748_736_000_000;
const BATCHES: i64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or("usage: write_log DIR")?;
    let config = LogConfig {
        segment_bytes: 256 << 10,
        ..LogConfig::default()
    };
    fill(&dir.join("mixed-0"), config.clone())?.close_clean(TimestampMs(START + BATCHES))?;
    let cleanup_policy = CleanupPolicy {
        delete: false,
        compact: true,
    };
    let mut log = fill(
        &dir.join("compacted-0"),
        LogConfig {
            cleanup_policy,
            ..config
        },
    )?;
    compact(&mut log)?;
    show(&log)?;
    log.close_clean(TimestampMs(START + BATCHES))?;
    Ok(())
}

fn fill(dir: &Path, config: LogConfig) -> Result<PartitionLog, Box<dyn Error>> {
    let now = TimestampMs(START);
    let from = Checkpointed::default();
    let (mut log, _) = PartitionLog::open(
        Arc::new(OsDisk),
        dir.to_owned(),
        Arc::new(config),
        from,
        now,
    )?;
    for i in 0..BATCHES {
        write(&mut log, i)?;
    }
    log.set_high_watermark(log.log_end());
    show(&log)?;
    Ok(log)
}

fn compact(log: &mut PartitionLog) -> Result<(), Box<dyn Error>> {
    let now = TimestampMs(START + BATCHES);
    log.flush(now)?;
    let plan = log
        .plan_clean(now, log.recovery_point())?
        .ok_or("nothing to clean")?;
    let cleaned = plan
        .run(1 << 20, &mut |_| ControlFlow::Continue(()))?
        .ok_or("stopped")?;
    println!(
        "cleaned up to {}: {:?}",
        cleaned.cleaned_to, cleaned.progress
    );
    let doomed = log.install(cleaned, now)?.ok_or("the log changed")?;
    doomed.remove(&OsDisk)?;
    Ok(())
}

fn show(log: &PartitionLog) -> Result<(), Box<dyn Error>> {
    println!(
        "{}: {} segments, {} bytes, offsets {} to {}, {} aborted transactions",
        log.dir().display(),
        log.segment_count(),
        log.size_bytes(),
        log.log_start(),
        log.log_end(),
        log.aborted_transactions(Offset(0), log.log_end())?.len(),
    );
    Ok(())
}

/// Every fourth batch belongs to a transaction that ends ten rounds later,
/// committed and aborted in turn.
fn write(log: &mut PartitionLog, i: i64) -> Result<(), Box<dyn Error>> {
    let codec = Compression::ALL[i as usize % 5];
    let transactional = i % 4 == 3;
    let round = i / 40;
    let producer = match i % 4 {
        0 => Producer::NONE,
        _ if transactional => producer(900 + round, (i % 40) / 4 * 30),
        p => producer(p, i / 4 * 30),
    };
    let settings = BatchSettings {
        compression: codec,
        producer,
        transactional,
        ..BatchSettings::default()
    };
    let mut batch = BatchBuilder::new(settings);
    for r in 0..30 {
        let key = format!("key-{}", (i * 7 + r) % 50);
        let value = format!("record {r} of batch {i}: {}", "abcdefgh".repeat(16));
        batch.push(
            TimestampMs(START + i * 1000 + r),
            Some(key.as_bytes()),
            Some(value.as_bytes()),
        );
    }
    append(log, batch, i, Origin::Client)?;
    if i % 40 == 39 {
        end_transaction(log, 900 + round, i)?;
    }
    Ok(())
}

fn end_transaction(log: &mut PartitionLog, id: i64, i: i64) -> Result<(), Box<dyn Error>> {
    let mut producer = producer(id, 0);
    producer.base_sequence = Sequence::NONE;
    let settings = BatchSettings {
        producer,
        transactional: true,
        control: true,
        ..BatchSettings::default()
    };
    let mut batch = BatchBuilder::new(settings);
    let kind = (i / 40 % 2) as u8;
    batch.push(
        TimestampMs(START + i * 1000 + 99),
        Some(&[0, 0, 0, kind]),
        Some(&[0, 0, 0, 0, 0, 1]),
    );
    append(log, batch, i, Origin::Coordinator)
}

fn producer(id: i64, sequence: i64) -> Producer {
    Producer {
        id: ProducerId(id),
        epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence as i32),
    }
}

fn append(
    log: &mut PartitionLog,
    mut batch: BatchBuilder,
    i: i64,
    origin: Origin,
) -> Result<(), Box<dyn Error>> {
    let mut batch = batch.build()?;
    let header = BatchHeader::parse(&batch)?;
    let leader_epoch = LeaderEpoch((i / 150) as i32);
    let how = AppendAs {
        leader_epoch,
        now: TimestampMs(START + i * 1000),
        origin,
    };
    log.append(&mut batch, &header, how)?;
    Ok(())
}
