//! A batch: validated, read, rebuilt and patched; and any bytes decompressed
//! under a cap, or compressed and back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_wire::batch::{
    self, BatchBuilder, BatchHeader, BatchSettings, ProduceRules, Producer, Record, TimestampType,
};
use plimsoll_wire::compression::{Compression, Workspace, decompress};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::cell::RefCell;

const CAP: usize = 1 << 16;
const RULES: ProduceRules = ProduceRules {
    message_max_bytes: 1 << 20,
    timestamp_type: TimestampType::CreateTime,
    now: TimestampMs(1 << 40),
    timestamp_before_max_ms: 1 << 41,
    timestamp_after_max_ms: 1 << 41,
    zstd_allowed: true,
    keys_required: true,
    inflated_max_bytes: CAP,
};

fuzz_target!(|input: &[u8]| {
    let [how, codec, rest @ ..] = input else {
        return;
    };
    let codec = Compression::ALL[usize::from(*codec) % Compression::ALL.len()];
    match how % 4 {
        0 => inspect(&mut rest.to_vec()),
        1 => inspect(&mut damaged_batch(codec, rest)),
        2 => there_and_back(codec, rest),
        _ => {
            let mut out = Vec::new();
            let _done_or_refused = decompress(codec, rest, &mut out, CAP);
            assert!(out.len() <= CAP);
        }
    }
});

/// What is compressed inflates to what it was, in a workspace that has seen much.
fn there_and_back(codec: Compression, plain: &[u8]) {
    thread_local! {
        static WORKSPACE: RefCell<Workspace> = RefCell::default();
    }
    let repeated = plain.repeat(1 + plain.first().map_or(0, |&times| usize::from(times)));
    WORKSPACE.with_borrow_mut(|workspace| {
        let (mut packed, mut out) = (Vec::new(), Vec::new());
        workspace
            .compress(codec, None, &repeated, &mut packed)
            .expect("the default level is valid");
        workspace
            .decompress(codec, &packed, &mut out, repeated.len())
            .expect("our own output");
        assert_eq!(out, repeated);
    });
}

/// A right batch, and bytes of it overwritten as `damage` says; its checksum is
/// made right again, so that the damage is met by what lies behind.
fn damaged_batch(codec: Compression, damage: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings {
        compression: codec,
        ..BatchSettings::default()
    });
    for at in 0..4 {
        builder.push(TimestampMs(at), Some(b"key"), Some(&[b'v'; 40]));
    }
    let mut batch = builder.build().expect("the default level is valid");
    for change in damage.chunks_exact(2) {
        let at = usize::from(change[0]) % batch.len();
        batch[at] = change[1];
    }
    if batch.len() >= batch::HEADER_LEN {
        let crc = batch::crc32c(&batch[batch::at::ATTRIBUTES..]);
        batch[batch::at::CRC..batch::at::ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

fn inspect(bytes: &mut [u8]) {
    let valid = batch::validate_produce(bytes, &RULES).is_ok();
    let Ok(header) = BatchHeader::parse(bytes) else {
        assert!(!valid);
        return;
    };
    if let Some(rebuilt) = rebuild(bytes, &header) {
        assert!(batch::verify_crc(&rebuilt).is_ok());
        assert!(same_records(bytes, &rebuilt));
    }
    if valid {
        batch::patch_base_offset(bytes, Offset(1 << 40));
        batch::patch_leader_epoch(bytes, LeaderEpoch(7));
        assert!(batch::verify_crc(bytes).is_ok());
        batch::patch_log_append_time(bytes, TimestampMs(99));
        assert!(batch::verify_crc(bytes).is_ok());
        let patched = BatchHeader::parse(bytes).expect("it was a header before");
        assert_eq!(
            patched.last_offset().get(),
            (1 << 40) + i64::from(header.last_offset_delta)
        );
    }
}

/// The same records in a batch of our own, where the builder takes them: offsets
/// that ascend from the base.
fn rebuild(bytes: &[u8], header: &BatchHeader) -> Option<Vec<u8>> {
    let mut scratch = Vec::new();
    let records = batch::records(bytes, &mut scratch, CAP).ok()?;
    let records: Vec<Record<'_>> = records.collect::<Result<_, _>>().ok()?;
    let mut next = header.base_offset.get();
    for record in &records {
        let delta = record.offset.get().checked_sub(header.base_offset.get())?;
        if record.offset.get() < next || delta >= i64::from(i32::MAX) {
            return None;
        }
        next = record.offset.get().checked_add(1)?;
    }
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: header.base_offset,
        leader_epoch: header.partition_leader_epoch,
        compression: header.compression(),
        producer: Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
        transactional: header.is_transactional(),
        control: header.is_control(),
        delete_horizon: header.delete_horizon(),
        log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(header.max_timestamp),
        level: None,
    });
    records.iter().for_each(|record| builder.append(record));
    builder.build().ok()
}

fn same_records(one: &[u8], other: &[u8]) -> bool {
    let (mut one_scratch, mut other_scratch) = (Vec::new(), Vec::new());
    let one = batch::records(one, &mut one_scratch, CAP).expect("read before");
    let other = batch::records(other, &mut other_scratch, CAP).expect("just built");
    one.eq(other)
}
