//! A whole broker over real sockets, spoken to in raw frames.

mod peer;

use kafka_protocol::messages::{ApiVersionsRequest, ProduceRequest};
use peer::{PRODUCE_VERSION, Peer, fetch, frame, produce};
use plimsoll_server::{Given, Server, Settings};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings, verify_crc};
use plimsoll_wire::types::{Offset, TimestampMs};
use std::io::Write as _;
use std::net::Shutdown;
use std::path::Path;
use tempfile::tempdir;

const RECORDS: i64 = 10;

fn start(data: &Path, set: &[&str]) -> Server {
    let given = Given {
        listen: Some("127.0.0.1:0".into()),
        data: Some(data.to_owned()),
        set: set.iter().map(|s| (*s).to_owned()).collect(),
        ..Given::default()
    };
    Server::start(Settings::read(&given).unwrap()).unwrap()
}

/// A batch of ten records whose values tell `seed`.
fn batch(seed: usize, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    for i in 0..RECORDS as usize {
        let value: Vec<u8> = (0..value_bytes).map(|b| (b ^ seed ^ i) as u8).collect();
        builder.push(TimestampMs(1_700_000_000_000), None, Some(&value));
    }
    builder.build().unwrap()
}

/// Reads a partition from `offset` to its end and returns the batches' bytes
/// with what the broker wrote into them taken out again.
fn read_all(peer: &mut Peer, topic: &str, mut offset: i64, fetch_bytes: i32) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    loop {
        let records = peer.fetch(topic, offset, fetch_bytes).unwrap();
        let mut rest = &records[..];
        if rest.is_empty() {
            return batches;
        }
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).unwrap();
            let (bytes, after) = rest.split_at(header.total_len());
            verify_crc(bytes).unwrap();
            assert!(header.last_offset() >= Offset(offset), "a batch came again");
            offset = header.last_offset().get() + 1;
            let mut bytes = bytes.to_vec();
            bytes[..8].fill(0);
            bytes[12..16].fill(0xff);
            batches.push(bytes);
            rest = after;
        }
    }
}

#[test]
fn what_was_produced_is_fetched_byte_for_byte_however_it_is_cut() {
    let data = tempdir().unwrap();
    let server = start(data.path(), &["log.segment.bytes=3000000"]);
    let mut peer = Peer::connect(server.bounds()[0]);
    peer.create("t");
    let sent: Vec<Vec<u8>> = (0..150)
        .map(|i| batch(i, [20, 900, 9_000, 50_000][i % 4]))
        .collect();
    for (i, batch) in sent.iter().enumerate() {
        assert_eq!(peer.produce("t", batch), Ok(i as i64 * RECORDS));
    }
    for fetch_bytes in [1, 100_000, 2_000_000, 50_000_000] {
        assert!(
            read_all(&mut peer, "t", 0, fetch_bytes) == sent,
            "fetches of {fetch_bytes} bytes"
        );
    }
    server.shutdown().unwrap();
    let server = start(data.path(), &[]);
    let mut peer = Peer::connect(server.bounds()[0]);
    assert!(
        read_all(&mut peer, "t", 0, 1_000_000) == sent,
        "after a restart"
    );
    assert_eq!(peer.produce("t", &sent[0]), Ok(150 * RECORDS));
    server.shutdown().unwrap();
}

#[test]
fn pipelined_requests_of_several_kinds_are_answered_in_order() {
    let data = tempdir().unwrap();
    let server = start(data.path(), &[]);
    let mut peer = Peer::connect(server.bounds()[0]);
    peer.create("t");
    let versions = ApiVersionsRequest::default();
    let request = produce("t", &batch(1, 1000), -1);
    let waiting = fetch("t", 50 * RECORDS, 1000).with_min_bytes(1);
    let mut sent = Vec::new();
    for i in 0..50 {
        sent.push((0, peer.send(PRODUCE_VERSION, &request)));
        if i % 10 == 9 {
            sent.push((1, peer.send(0, &versions)));
        }
    }
    sent.push((2, peer.send(peer::FETCH_VERSION, &waiting)));
    sent.push((1, peer.send(0, &versions)));
    let mut offset = 0;
    for (kind, correlation) in sent {
        match kind {
            0 => {
                let answer = peer.receive::<ProduceRequest>(PRODUCE_VERSION, correlation);
                let partition = &answer.responses[0].partition_responses[0];
                assert_eq!((partition.error_code, partition.base_offset), (0, offset));
                offset += RECORDS;
            }
            1 => {
                let answer = peer.receive::<ApiVersionsRequest>(0, correlation);
                assert_eq!(answer.error_code, 0);
            }
            _ => {
                let version = peer::FETCH_VERSION;
                let answer =
                    peer.receive::<kafka_protocol::messages::FetchRequest>(version, correlation);
                assert_eq!(answer.responses[0].partitions[0].error_code, 0);
            }
        }
    }
    server.shutdown().unwrap();
}

#[test]
fn a_fetch_that_waits_is_woken_by_a_produce_of_another_connection() {
    let data = tempdir().unwrap();
    let server = start(data.path(), &[]);
    let mut consumer = Peer::connect(server.bounds()[0]);
    consumer.create("t");
    let mut producer = Peer::connect(server.bounds()[0]);
    for round in 0..20 {
        let hour = 3_600_000;
        let waiting = fetch("t", round * RECORDS, 1_000_000).with_min_bytes(1);
        let sent = consumer.send(peer::FETCH_VERSION, &waiting.with_max_wait_ms(hour));
        let batch = batch(round as usize, 100);
        assert_eq!(producer.produce("t", &batch), Ok(round * RECORDS));
        let answer =
            consumer.receive::<kafka_protocol::messages::FetchRequest>(peer::FETCH_VERSION, sent);
        let records = answer.responses[0].partitions[0].records.as_ref().unwrap();
        assert_eq!(records.len(), batch.len());
    }
    server.shutdown().unwrap();
}

#[test]
fn acks_0_is_silent_and_closes_the_connection_when_it_fails() {
    let data = tempdir().unwrap();
    let server = start(data.path(), &["auto.create.topics.enable=false"]);
    let mut peer = Peer::connect(server.bounds()[0]);
    peer.send(PRODUCE_VERSION, &produce("no-such-topic", &batch(1, 10), 0));
    assert!(peer.is_closed());
    server.shutdown().unwrap();
}

#[test]
fn hostile_frames_get_an_error_or_a_closed_connection_and_others_go_on() {
    let data = tempdir().unwrap();
    let server = start(data.path(), &[]);
    let mut good = Peer::connect(server.bounds()[0]);
    good.create("t");
    let header = |key: i16, version: i16| {
        let mut bytes = key.to_be_bytes().to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0xff, 0xff]);
        bytes
    };
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for key in -1..95 {
        for version in [-1, 0, 1, 3, 9, 12, 13, 99] {
            for tail in [&[][..], &[0xff; 12], &[0x7f; 12], &[0; 3]] {
                frames.push([header(key, version), tail.to_vec()].concat());
            }
        }
    }
    frames.push(vec![0; 3]);
    frames.push(Vec::new());
    for body in frames {
        let mut peer = Peer::connect(server.bounds()[0]);
        peer.stream
            .write_all(&(body.len() as i32).to_be_bytes())
            .unwrap();
        peer.stream.write_all(&body).unwrap();
        peer.stream.shutdown(Shutdown::Write).unwrap();
    }
    let valid = frame(PRODUCE_VERSION, 7, &produce("t", &batch(1, 500), 1));
    for cut in (4..valid.len()).step_by(97) {
        let mut peer = Peer::connect(server.bounds()[0]);
        peer.stream
            .write_all(&((cut - 4) as i32).to_be_bytes())
            .unwrap();
        peer.stream.write_all(&valid[4..cut]).unwrap();
        peer.stream.shutdown(Shutdown::Write).unwrap();
    }
    let versions: ApiVersionsRequest = ApiVersionsRequest::default();
    assert_eq!(good.call(0, &versions).error_code, 0);
    server.shutdown().unwrap();
}

#[test]
fn batches_that_are_not_whole_are_refused_with_kafkas_error() {
    const CORRUPT_MESSAGE: i16 = 2;
    let data = tempdir().unwrap();
    let server = start(data.path(), &[]);
    let mut peer = Peer::connect(server.bounds()[0]);
    peer.create("t");
    let good = batch(3, 100);
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(peer.produce("t", &damaged), Err(CORRUPT_MESSAGE));
    assert_eq!(
        peer.produce("t", &good),
        Ok(0),
        "the connection and the log go on"
    );
    server.shutdown().unwrap();
}
