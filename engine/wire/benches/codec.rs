//! What a byte and what a request cost in the codec.
//!
//! `cargo bench -p plimsoll-wire` runs it. Rates are of uncompressed bytes.

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{
    self, BatchBuilder, BatchSettings, ProduceRules, TimestampType, crc32c, validate_produce,
};
use plimsoll_wire::compression::{Compression, Workspace};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{FetchResponse, FetchedPartition, FetchedTopic, RecordsLen};
use plimsoll_wire::guard;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, PartitionIndex, TimestampMs};
use rand::{RngCore, SeedableRng};
use std::hint::black_box;

const RECORD_LEN: usize = 1024;
const BATCH_LENS: [usize; 3] = [16 << 10, 64 << 10, 1 << 20];

/// A value that compresses to about half: random bytes, then zeros.
fn value() -> Vec<u8> {
    let mut value = vec![0; RECORD_LEN];
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    random.fill_bytes(&mut value[..RECORD_LEN / 2]);
    value
}

fn build(settings: BatchSettings, len: usize, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(settings);
    builder.reserve(len + RECORD_LEN);
    while builder.uncompressed_len() < len {
        builder.push(TimestampMs(1_700_000_000_000), None, Some(value));
    }
    builder.build().expect("the default level is valid")
}

fn batches(c: &mut Criterion) {
    let value = value();
    let mut group = c.benchmark_group("batch");
    for len in BATCH_LENS {
        let batch = build(BatchSettings::default(), len, &value);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_with_input(BenchmarkId::new("crc", len), &batch, |b, batch| {
            b.iter(|| crc32c(black_box(batch)));
        });
        group.bench_with_input(BenchmarkId::new("validate", len), &batch, |b, batch| {
            b.iter(|| validate_produce(black_box(batch), &RULES));
        });
        group.bench_with_input(BenchmarkId::new("build", len), &len, |b, &len| {
            b.iter(|| build(BatchSettings::default(), len, black_box(&value)));
        });
        group.bench_with_input(BenchmarkId::new("iterate", len), &batch, |b, batch| {
            b.iter(|| iterate(black_box(batch)));
        });
    }
    group.finish();
}

const RULES: ProduceRules = ProduceRules {
    message_max_bytes: 2 << 20,
    timestamp_type: TimestampType::CreateTime,
    now: TimestampMs(1_700_000_000_000),
    timestamp_before_max_ms: i64::MAX,
    timestamp_after_max_ms: 3_600_000,
    zstd_allowed: true,
    keys_required: false,
    inflated_max_bytes: 0,
};

fn iterate(batch: &[u8]) -> usize {
    let mut scratch = Vec::new();
    let records = batch::records(batch, &mut scratch, 0).expect("a good batch");
    records
        .map(|record| record.expect("a good record").value.map_or(0, <[u8]>::len))
        .sum()
}

fn codecs(c: &mut Criterion) {
    let plain = value().repeat(64);
    let mut group = c.benchmark_group("codec 64 KiB");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    let mut workspace = Workspace::default();
    for codec in Compression::ALL {
        let mut packed = Vec::new();
        workspace
            .compress(codec, None, &plain, &mut packed)
            .expect("the default level is valid");
        group.bench_function(BenchmarkId::new("compress", codec), |b| {
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                workspace.compress(codec, None, black_box(&plain), &mut out)
            });
        });
        group.bench_function(BenchmarkId::new("decompress", codec), |b| {
            let mut out = Vec::new();
            b.iter(|| {
                out.clear();
                workspace.decompress(codec, black_box(&packed), &mut out, plain.len())
            });
        });
    }
    group.finish();
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    let produce = ProduceRequest {
        transactional_id: None,
        acks: 1,
        timeout_ms: 1000,
        topics: vec![TopicData {
            topic: Topic::Name("orders"),
            partitions: vec![PartitionData {
                index: PartitionIndex(0),
                records: Bytes::from(vec![0; 1000]),
            }],
        }],
    };
    group.bench_function("encode produce", |b| {
        b.iter(|| black_box(&produce).encode_frame(9, 1, Some("bench")));
    });
    let frame = produce.encode_frame(9, 1, None).concat();
    let mut body = BytesMut::from(&frame[15..]);
    group.bench_function("decode produce", |b| {
        b.iter(|| ProduceRequest::decode(9, black_box(&mut body)).map(drop));
    });
    group.bench_function("guard produce", |b| {
        b.iter(|| guard::check(ApiKey::Produce.spec(), 9, black_box(&body)));
    });
    let fetched = FetchResponse {
        throttle_time_ms: 0,
        error: ErrorCode::None,
        session_id: 1,
        topics: vec![FetchedTopic {
            topic: Topic::Name("orders"),
            partitions: vec![FetchedPartition {
                high_watermark: Offset(1000),
                records: RecordsLen(1 << 20),
                ..FetchedPartition::failed(PartitionIndex(0), ErrorCode::None)
            }],
        }],
        node_endpoints: Vec::new(),
    };
    group.bench_function("encode fetched", |b| {
        b.iter(|| black_box(&fetched).encode_frame(12, 1));
    });
    group.finish();
}

criterion_group!(benches, batches, codecs, requests);
criterion_main!(benches);
