//! Batches as Apache Kafka's Java client 4.1 writes them, in every codec: they
//! read as the records that went in, and what is uncompressed is byte for byte
//! what the builder writes.

use plimsoll_wire::batch::{
    self, BatchBuilder, BatchHeader, BatchSettings, Header, Headers, Producer, Record,
};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

const NONE: &[&str] = &[
    "0000000000000028000000e5000000030234afcc790010000000020000018bcfe568000000018bcfe568",
    "05000000000000000900020000000500000003b001000000046b3190016f72646572206f72646572206f",
    "72646572206f72646572206f72646572206f72646572206f72646572206f72646572206f72646572206f",
    "72646572206f72646572206f726465722004026802780268019e01000a020190016f72646572206f7264",
    "6572206f72646572206f72646572206f72646572206f72646572206f72646572206f72646572206f7264",
    "6572206f72646572206f72646572206f72646572200010000104046b320100",
];
const GZIP: &[&str] = &[
    "0000000000000028000000720000000302f679a9cc0011000000020000018bcfe568000000018bcfe568",
    "050000000000000009000200000005000000031f8b08000000000000ffdbc0c8c0c0c0926d388131bf28",
    "25b548817292852983a9822983711e2303171323f5cc651060606461c936626400009ef1e732b4000000",
];
const SNAPPY: &[&str] = &[
    "00000000000000280000007d0000000302e72a068b0012000000020000018bcfe568000000018bcfe568",
    "0500000000000000090002000000050000000382534e4150505900000000010000000100000038b4013c",
    "b001000000046b3190016f7264657220ee060009063804026802780268019e01000a020190fe58001558",
    "240010000104046b320100",
];
const LZ4: &[&str] = &[
    "0000000000000028000000720000000302a671e82f0013000000020000018bcfe568000000018bcfe568",
    "0500000000000000090002000000050000000304224d1860408232000000ff01b001000000046b319001",
    "6f726465722006002fef04026802780268019e01000a0201580037a00010000104046b32010000000000",
];
const ZSTD: &[&str] = &[
    "00000000000000280000007000000003025cef93980014000000020000018bcfe568000000018bcfe568",
    "0500000000000000090002000000050000000328b52ffd00589c01008402b001000000046b3190016f72",
    "6465722004026802780268019e01000a02010010000104046b3201000200b7055479a4b204010000",
];
const MARKER: &[&str] = &[
    "000000000000004d000000420000000302659146f00030000000000000018bcfe568000000018bcfe568",
    "0000000000000000090002ffffffff000000012000000008000000010c00000000000100",
];

/// Bytes from lines of hexadecimal digits.
fn bytes(lines: &[&str]) -> Vec<u8> {
    let digits = lines.concat();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

const HEADERS: [Header<'_>; 2] = [
    Header {
        key: b"h",
        value: Some(b"x"),
    },
    Header {
        key: b"h",
        value: None,
    },
];

/// The records that went in: headers under one key, no key, no value.
fn records(value: &[u8]) -> [Record<'_>; 3] {
    let record = |offset, timestamp, key, value, headers| Record {
        offset: Offset(offset),
        timestamp: TimestampMs(timestamp),
        key,
        value,
        headers,
    };
    let headers = Headers::listed(&HEADERS);
    [
        record(
            40,
            1_700_000_000_000,
            Some(&b"k1"[..]),
            Some(value),
            headers,
        ),
        record(41, 1_700_000_000_005, None, Some(value), Headers::NONE),
        record(42, 1_699_999_999_999, Some(b"k2"), None, Headers::NONE),
    ]
}

fn settings(compression: Compression) -> BatchSettings {
    BatchSettings {
        base_offset: Offset(40),
        leader_epoch: LeaderEpoch(3),
        compression,
        producer: Producer {
            id: ProducerId(9),
            epoch: ProducerEpoch(2),
            base_sequence: Sequence(5),
        },
        transactional: true,
        ..BatchSettings::default()
    }
}

#[test]
fn every_codec_reads_as_the_records_that_went_in() {
    let value = b"order ".repeat(12);
    for (codec, lines) in [
        (Compression::None, NONE),
        (Compression::Gzip, GZIP),
        (Compression::Snappy, SNAPPY),
        (Compression::Lz4, LZ4),
        (Compression::Zstd, ZSTD),
    ] {
        let theirs = bytes(lines);
        batch::verify_crc(&theirs).unwrap();
        let header = BatchHeader::parse(&theirs).unwrap();
        assert_eq!(header.compression(), codec);
        assert_eq!(header.total_len(), theirs.len());
        assert_eq!(header.last_sequence(), Sequence(7));
        let mut scratch = Vec::new();
        let read = batch::records(&theirs, &mut scratch, 1 << 16).unwrap();
        let read: Vec<_> = read.map(Result::unwrap).collect();
        assert_eq!(read, records(&value), "{codec}");
    }
}

#[test]
fn what_is_uncompressed_is_built_byte_for_byte_the_same() {
    let value = b"order ".repeat(12);
    let mut builder = BatchBuilder::new(settings(Compression::None));
    for record in records(&value) {
        builder.append(&record);
    }
    assert_eq!(builder.build().unwrap(), bytes(NONE));
}

#[test]
fn a_transaction_marker_is_built_byte_for_byte_the_same() {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: Offset(77),
        control: true,
        producer: Producer {
            base_sequence: Sequence::NONE,
            ..settings(Compression::None).producer
        },
        ..settings(Compression::None)
    });
    // Version 0, commit; version 0, coordinator epoch 1.
    let (key, value) = ([0, 0, 0, 1], [0, 0, 0, 0, 0, 1]);
    builder.push(TimestampMs(1_700_000_000_000), Some(&key), Some(&value));
    assert_eq!(builder.build().unwrap(), bytes(MARKER));
}
