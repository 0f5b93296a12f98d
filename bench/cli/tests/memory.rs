//! The memory of a broker process: idle, with many connections, under attack.
//!
//! Limits are on resident memory as the kernel counts it. A debug build maps
//! several times the code of a release build, so there only the pages count
//! that are the process's own.

use plimsoll::embedded::{Embedded, Options};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An idle broker, and what a thousand idle connections may add to it.
const IDLE_BYTES_MAX: u64 = 20 << 20;
const THOUSAND_IDLE_BYTES_MAX: u64 = 12 << 20;
/// What any number of frames that claim more than they send may add.
const HOSTILE_BYTES_MAX: u64 = 24 << 20;

fn start() -> Embedded {
    let program = Some(env!("CARGO_BIN_EXE_plimsoll").into());
    Embedded::start(&Options {
        program,
        ..Options::default()
    })
    .unwrap()
}

fn status(broker: &Embedded, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    line.split_whitespace()
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn resident(broker: &Embedded) -> u64 {
    let counted = if cfg!(debug_assertions) {
        "RssAnon:"
    } else {
        "VmRSS:"
    };
    status(broker, counted)
}

fn connect(broker: &Embedded) -> TcpStream {
    let stream = TcpStream::connect(broker.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// ApiVersions version 0, and its answer.
fn say_hello(stream: &mut TcpStream) {
    stream
        .write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff])
        .unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    assert_eq!(body[..6], [0, 0, 0, 7, 0, 0]);
}

#[test]
fn an_idle_broker_and_idle_connections_are_small() {
    let broker = start();
    let idle = resident(&broker);
    assert!(idle <= IDLE_BYTES_MAX, "{} KiB idle", idle >> 10);
    let mut connections: Vec<TcpStream> = (0..1000).map(|_| connect(&broker)).collect();
    connections.iter_mut().for_each(say_hello);
    let added = resident(&broker).saturating_sub(idle);
    assert!(
        added <= THOUSAND_IDLE_BYTES_MAX,
        "{} KiB for 1000 connections",
        added >> 10
    );
}

#[test]
fn frames_that_claim_more_than_they_send_cost_what_they_send() {
    let broker = start();
    let idle = status(&broker, "VmRSS:");
    let mut half_read = Vec::new();
    for i in 0..200usize {
        let mut stream = connect(&broker);
        let claimed: i32 = 100 << 20;
        stream.write_all(&claimed.to_be_bytes()).unwrap();
        // Produce version 9 with bytes that claim arrays of 2³¹ elements.
        let start = [&[0, 0, 0, 9, 0, 0, 0, 1][..], &[0xff; 24]].concat();
        stream.write_all(&start[..i % start.len()]).unwrap();
        half_read.push(stream);
    }
    for key in 0..95u8 {
        for version in 0..14u8 {
            let mut stream = connect(&broker);
            let head = [0, 0, 0, 22, 0, key, 0, version, 0, 0, 0, 1, 0xff, 0xff];
            let claims = [
                0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0,
            ];
            stream.write_all(&[&head[..], &claims].concat()).unwrap();
        }
    }
    let mut good = connect(&broker);
    say_hello(&mut good);
    let peak = status(&broker, "VmHWM:");
    let added = peak.saturating_sub(idle);
    assert!(
        added <= HOSTILE_BYTES_MAX,
        "{} KiB under attack",
        added >> 10
    );
}
