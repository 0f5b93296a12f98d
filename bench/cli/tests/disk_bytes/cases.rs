//! The combinations, and what `size disk` says of each.

use plimsoll_calculators::answer::Value;
use plimsoll_calculators::batch::{BatchShape, HeaderShape, RecordShape};
use plimsoll_calculators::disk::{Input, Storage, disk};
use plimsoll_calculators::{Answer, Between, Parameter};
use plimsoll_units::{Rate, Size, Span};

/// What each topic's log holds at the end, about.
const TARGET_BYTES: u64 = 1_000_000;

/// One combination.
#[derive(Clone, Copy)]
pub struct Case {
    pub value: usize,
    pub key: Option<usize>,
    pub headers: &'static [(usize, usize)],
    /// Records of a batch.
    pub records: u32,
    pub codec: &'static str,
    pub partitions: u32,
    pub segment: u64,
    /// Segments of records that have expired, in front of the others.
    pub expired_segments: u64,
}

pub const PLAIN: Case = Case {
    value: 1000,
    key: None,
    headers: &[],
    records: 16,
    codec: "none",
    partitions: 1,
    segment: 1 << 20,
    expired_segments: 0,
};

pub const CASES: [Case; 20] = [
    PLAIN,
    Case {
        value: 100,
        records: 100,
        ..PLAIN
    },
    Case {
        value: 100,
        records: 100,
        key: Some(16),
        partitions: 3,
        ..PLAIN
    },
    Case {
        key: Some(36),
        headers: &[(10, 20), (4, 8)],
        ..PLAIN
    },
    Case {
        value: 10_000,
        records: 1,
        ..PLAIN
    },
    Case {
        value: 10_000,
        records: 8,
        partitions: 2,
        ..PLAIN
    },
    Case {
        value: 1,
        records: 500,
        ..PLAIN
    },
    Case {
        value: 0,
        records: 200,
        key: Some(20),
        ..PLAIN
    },
    Case {
        value: 200_000,
        records: 1,
        ..PLAIN
    },
    Case {
        value: 512,
        records: 64,
        key: Some(8),
        headers: &[(4, 100)],
        segment: 256 << 10,
        ..PLAIN
    },
    Case {
        segment: 64 << 10,
        ..PLAIN
    },
    Case {
        segment: 256 << 10,
        expired_segments: 3,
        ..PLAIN
    },
    Case {
        value: 100,
        records: 200,
        segment: 128 << 10,
        expired_segments: 5,
        ..PLAIN
    },
    Case {
        value: 5000,
        records: 4,
        partitions: 2,
        segment: 512 << 10,
        expired_segments: 2,
        ..PLAIN
    },
    Case {
        codec: "gzip",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "snappy",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "lz4",
        records: 64,
        key: Some(24),
        ..PLAIN
    },
    Case {
        codec: "zstd",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "zstd",
        value: 200,
        records: 500,
        headers: &[(6, 12)],
        ..PLAIN
    },
    Case {
        codec: "lz4",
        value: 4000,
        partitions: 2,
        segment: 256 << 10,
        ..PLAIN
    },
];

impl Case {
    pub fn shape(&self) -> BatchShape {
        let headers = self.headers.iter().map(|&(key, value)| HeaderShape {
            key: Size::from_bytes(key as u64),
            value: Size::from_bytes(value as u64),
        });
        BatchShape {
            record: RecordShape {
                key: self.key.map(|key| Size::from_bytes(key as u64)),
                value: Size::from_bytes(self.value as u64),
                headers: headers.collect(),
            },
            records: self.records,
            spread_ms: 0,
        }
    }

    /// Batches of one partition that stay.
    pub fn batches(&self) -> u64 {
        (TARGET_BYTES / self.shape().bytes() / u64::from(self.partitions)).max(20)
    }

    /// Batches of one partition that expire: whole segments of them.
    pub fn expired(&self) -> u64 {
        self.expired_segments * (self.segment / self.shape().bytes())
    }

    /// What `size disk` says: log and indexes of one copy.
    pub fn predicted(&self, ratio: f64) -> f64 {
        let shape = self.shape();
        let records = self.batches() * u64::from(self.records * self.partitions);
        let storage = Storage {
            replication: 1,
            brokers: 1,
            partitions: self.partitions,
            batch: Parameter::user(Size::from_bytes(shape.bytes())),
            ratio: Parameter::user(Between::new(ratio, ratio)),
            segment: Parameter::user(Size::from_bytes(self.segment)),
            ..Storage::default()
        };
        let answer = disk(&Input {
            rate: Rate::from_per_second(records as f64).expect("a rate"),
            record: shape.record,
            retention: Span::from_secs(1),
            storage,
        });
        let answer = answer.expect("a sound input");
        mid(&answer, "one copy, as logged") + mid(&answer, "its indexes")
    }
}

fn mid(answer: &Answer, line: &str) -> f64 {
    match &answer.get(line).expect(line).value {
        Value::Quantity { mid, .. } => mid.as_f64().expect("finite"),
        Value::Text(text) => panic!("{line} is {text}"),
    }
}
