//! The connection loop over real sockets, against a service that does what the
//! first byte of a request says: answer, stay silent, park, send a file, close.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use plimsoll_log::{Disk as _, FileRange, Open, OsDisk};
use plimsoll_server::{Clock, Limits, Net, Outcome, Part, Response, Service, Wake};
use plimsoll_wire::time::{Instant, Now};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Puppet {
    handled: AtomicU64,
    /// Parked requests below this number may be answered.
    released: AtomicU64,
    parked: AtomicUsize,
    /// Until when nobody is listened to, in nanoseconds, and whether someone was.
    muted: AtomicU64,
    overheard: AtomicBool,
    wakes: Mutex<Vec<Arc<dyn Wake>>>,
    file: Option<FileRange>,
}

impl Puppet {
    fn release(&self, upto: u64) {
        self.released.store(upto, Ordering::Release);
        for wake in self.wakes.lock().iter() {
            wake.wake();
        }
    }
}

struct Held {
    number: u64,
    deadline: Instant,
    body: Bytes,
}

fn answer(body: &[u8]) -> Response {
    let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
    bytes.extend(body);
    Response::of(vec![Part::Bytes(bytes.into())])
}

impl Service for Puppet {
    type Session = u64;
    type Parked = Held;

    fn connect(&self, _peer: SocketAddr, _entrance: usize) -> u64 {
        0
    }

    fn muted_until(&self, _session: &u64) -> Instant {
        Instant(Duration::from_nanos(self.muted.load(Ordering::Relaxed)))
    }

    fn handle(
        &self,
        now: Now,
        session: &mut u64,
        frame: BytesMut,
        wake: &Arc<dyn Wake>,
    ) -> Outcome<Held> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        if now.mono < self.muted_until(session) {
            self.overheard.store(true, Ordering::Relaxed);
        }
        let mute = |wait| {
            let until = now.mono.after(wait).0.as_nanos() as u64;
            self.muted.store(until, Ordering::Relaxed);
            self.wakes.lock().push(Arc::clone(wake));
            Outcome::Ready(answer(&frame))
        };
        let park = |wait| {
            self.parked.fetch_add(1, Ordering::Relaxed);
            self.wakes.lock().push(Arc::clone(wake));
            let body = frame.clone().freeze();
            Outcome::Parked(Held {
                number: *session,
                deadline: now.mono.after(wait),
                body,
            })
        };
        let outcome = match frame.first() {
            Some(b'e') => Outcome::Ready(answer(&frame)),
            Some(b'n') => Outcome::NoReply,
            Some(b'm') => mute(Duration::from_millis(50)),
            Some(b'M') => mute(HANG * 2),
            Some(b'p') => park(Duration::MAX),
            Some(b't') => park(Duration::from_millis(10)),
            Some(b'f') => {
                let range = self.file.clone().expect("the test has a file");
                let len = Bytes::from((range.len as i32).to_be_bytes().to_vec());
                Outcome::Ready(Response::of(vec![Part::Bytes(len), Part::File(range)]))
            }
            other => Outcome::Close(Box::new(format!("no request begins with {other:?}"))),
        };
        *session += 1;
        outcome
    }

    fn poll(&self, now: Now, parked: &mut Held) -> Option<Response> {
        let free = parked.number < self.released.load(Ordering::Acquire);
        (free || now.mono >= parked.deadline).then(|| answer(&parked.body))
    }

    fn deadline(parked: &Held) -> Instant {
        parked.deadline
    }
}

fn start(puppet: Puppet, limits: Limits) -> (Net, Arc<Puppet>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = Arc::new(puppet);
    let net = Net::start(vec![listener.into()], &service, limits, Clock::start()).unwrap();
    (net, service)
}

fn connect(net: &Net) -> TcpStream {
    let stream = TcpStream::connect(net.addrs()[0]).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    stream
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Reads to the end and asserts that the server closed in good order or reset.
fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => assert!(rest.is_empty(), "{} unexpected bytes", rest.len()),
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset, "{e}"),
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < HANG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_whatever_their_size() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    let bodies: Vec<Vec<u8>> = (0..300usize)
        .map(|i| {
            let len = if i % 7 == 0 { 70_000 } else { 1 + i };
            std::iter::once(b'e')
                .chain((1..len).map(|b| (b ^ i) as u8))
                .collect()
        })
        .collect();
    let mut stream = connect(&net);
    let mut reader = stream.try_clone().unwrap();
    let sent = bodies.clone();
    let writer = std::thread::spawn(move || {
        for body in &sent {
            stream.write_all(&frame(body)).unwrap();
        }
        stream
    });
    for body in &bodies {
        assert!(receive(&mut reader) == *body, "answers out of order");
    }
    drop(writer.join().unwrap());
    net.stop();
}

#[test]
fn a_parked_request_holds_back_later_answers_but_not_later_requests() {
    let (net, service) = start(Puppet::default(), Limits::default());
    let mut stream = connect(&net);
    stream
        .write_all(&[frame(b"p0"), frame(b"e1"), frame(b"n2"), frame(b"p3")].concat())
        .unwrap();
    eventually("all four were handled", || {
        service.handled.load(Ordering::Relaxed) == 4
    });
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    assert!(
        stream.read(&mut [0]).is_err(),
        "nothing leaves before the first"
    );
    stream.set_read_timeout(Some(HANG)).unwrap();
    service.release(1);
    assert_eq!(receive(&mut stream), b"p0");
    assert_eq!(receive(&mut stream), b"e1");
    service.release(4);
    assert_eq!(receive(&mut stream), b"p3");
    net.stop();
}

#[test]
fn a_muted_peer_is_answered_and_not_listened_to_until_its_time_is_over() {
    let (net, service) = start(Puppet::default(), Limits::default());
    let mut stream = connect(&net);
    stream
        .write_all(&[frame(b"M0"), frame(b"e1")].concat())
        .unwrap();
    assert_eq!(receive(&mut stream), b"M0");
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    assert!(stream.read(&mut [0]).is_err(), "it is not listened to");
    assert_eq!(service.handled.load(Ordering::Relaxed), 1);
    stream.set_read_timeout(Some(HANG)).unwrap();
    service.muted.store(0, Ordering::Relaxed);
    service.release(0);
    assert_eq!(receive(&mut stream), b"e1");
    // Time alone ends it too, and what comes meanwhile waits.
    stream
        .write_all(&[frame(b"m2"), frame(b"e3")].concat())
        .unwrap();
    assert_eq!(receive(&mut stream), b"m2");
    assert_eq!(receive(&mut stream), b"e3");
    assert!(!service.overheard.load(Ordering::Relaxed));
    net.stop();
}

#[test]
fn a_parked_request_is_answered_at_its_deadline_without_a_wake() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    let mut stream = connect(&net);
    for _ in 0..3 {
        stream
            .write_all(&[frame(b"t"), frame(b"e")].concat())
            .unwrap();
        assert_eq!(receive(&mut stream), b"t");
        assert_eq!(receive(&mut stream), b"e");
    }
    net.stop();
}

#[test]
fn unanswered_requests_are_bounded() {
    let limits = Limits {
        pending_max: 8,
        ..Limits::default()
    };
    let (net, service) = start(Puppet::default(), limits);
    let mut stream = connect(&net);
    let burst: Vec<u8> = (0..50).flat_map(|_| frame(b"p")).collect();
    stream.write_all(&burst).unwrap();
    eventually("eight are parked", || {
        service.parked.load(Ordering::Relaxed) == 8
    });
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(service.handled.load(Ordering::Relaxed), 8);
    service.release(50);
    for _ in 0..50 {
        assert_eq!(receive(&mut stream), b"p");
    }
    net.stop();
}

#[test]
fn a_slow_reader_stops_its_own_requests_and_nobody_elses() {
    let limits = Limits {
        outbound_bytes_max: 64 * 1024,
        ..Limits::default()
    };
    let (net, service) = start(Puppet::default(), limits);
    let mut slow = connect(&net);
    let body = [b"e".as_slice(), &[7; 1 << 20]].concat();
    let mut writer = slow.try_clone().unwrap();
    let sent = frame(&body);
    let writing = std::thread::spawn(move || {
        for _ in 0..64 {
            writer.write_all(&sent).unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    let before = service.handled.load(Ordering::Relaxed);
    assert!(
        before < 64,
        "all requests were handled while nothing was read"
    );
    let mut quick = connect(&net);
    quick.write_all(&frame(b"e quick")).unwrap();
    assert_eq!(receive(&mut quick), b"e quick");
    for _ in 0..64 {
        assert!(receive(&mut slow) == body, "an answer is damaged");
    }
    writing.join().unwrap();
    net.stop();
}

#[test]
fn large_frames_wait_for_their_turn_when_the_budget_is_spent() {
    let limits = Limits {
        large_frames_bytes_max: Some(1),
        ..Limits::default()
    };
    let (net, _service) = start(Puppet::default(), limits);
    let body = [b"e".as_slice(), &[7; 1 << 20]].concat();
    let mut first = connect(&net);
    let whole = frame(&body);
    first.write_all(&whole[..200_000]).unwrap();
    let mut second = connect(&net);
    let mut writer = second.try_clone().unwrap();
    let sent = whole.clone();
    let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
    let mut small = connect(&net);
    small.write_all(&frame(b"e small")).unwrap();
    assert_eq!(receive(&mut small), b"e small");
    first.write_all(&whole[200_000..]).unwrap();
    assert!(receive(&mut first) == body);
    assert!(receive(&mut second) == body, "its turn came");
    writing.join().unwrap();
    let mut gone = connect(&net);
    gone.write_all(&whole[..200_000]).unwrap();
    drop(gone);
    second.write_all(&whole).unwrap();
    assert!(
        receive(&mut second) == body,
        "a vanished peer's claim came back"
    );
    net.stop();
}

#[test]
fn a_file_goes_to_the_socket_whole_and_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = OsDisk.open(&dir.path().join("a"), Open::Create).unwrap();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i ^ (i >> 9)) as u8).collect();
    file.write_at(&bytes, 0).unwrap();
    let range = FileRange {
        file,
        pos: 1234,
        len: bytes.len() as u64 - 1234,
    };
    let (net, _) = start(
        Puppet {
            file: Some(range),
            ..Puppet::default()
        },
        Limits::default(),
    );
    let mut stream = connect(&net);
    let requests = [
        frame(b"e1"),
        frame(b"f"),
        frame(b"e2"),
        frame(b"f"),
        frame(b"f"),
    ]
    .concat();
    stream.write_all(&requests).unwrap();
    for expected in [b"e1", &bytes[1234..], b"e2", &bytes[1234..], &bytes[1234..]] {
        assert!(
            receive(&mut stream) == expected,
            "a file's bytes are damaged"
        );
    }
    net.stop();
}

#[test]
fn what_is_not_a_frame_closes_the_connection_and_leaves_the_others() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    let mut good = connect(&net);
    let mut check = |bytes: &[u8]| {
        let mut bad = connect(&net);
        bad.write_all(bytes).unwrap();
        assert_closed(&mut bad);
        good.write_all(&frame(b"e")).unwrap();
        assert_eq!(receive(&mut good), b"e");
    };
    check(&(-1i32).to_be_bytes());
    check(&i32::MAX.to_be_bytes());
    check(b"GET / HTTP/1.1\r\n\r\n");
    check(&frame(b"x not a request"));
    check(&frame(b""));
    eventually("only the good one is left", || net.connections() == 1);
    net.stop();
}

#[test]
fn answers_that_were_ready_leave_before_a_bad_frame_closes_the_connection() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    let mut stream = connect(&net);
    stream
        .write_all(&[frame(b"e first"), (-1i32).to_be_bytes().to_vec()].concat())
        .unwrap();
    assert_eq!(receive(&mut stream), b"e first");
    assert_closed(&mut stream);
    net.stop();
}

#[test]
fn a_truncated_frame_and_a_vanished_peer_leave_nothing_behind() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    for bytes in [
        &b"\0\0"[..],
        &1000i32.to_be_bytes(),
        &frame(b"p"),
        &frame(b"p")[..5],
    ] {
        let mut stream = connect(&net);
        stream.write_all(bytes).unwrap();
    }
    eventually("all are gone", || net.connections() == 0);
    net.stop();
}

#[test]
fn a_silent_connection_is_closed_and_a_waiting_one_is_not() {
    let limits = Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let (net, service) = start(Puppet::default(), limits);
    let mut waiting = connect(&net);
    waiting.write_all(&frame(b"p")).unwrap();
    let mut silent = connect(&net);
    assert_closed(&mut silent);
    service.release(1);
    assert_eq!(receive(&mut waiting), b"p");
    net.stop();
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let (net, _service) = start(Puppet::default(), limits);
    let mut first = connect(&net);
    let second = connect(&net);
    eventually("two are in", || net.connections() == 2);
    assert_closed(&mut connect(&net));
    drop(second);
    eventually("one left", || net.connections() == 1);
    let mut third = connect(&net);
    for stream in [&mut first, &mut third] {
        stream.write_all(&frame(b"e")).unwrap();
        assert_eq!(receive(stream), b"e");
    }
    net.stop();
}

#[test]
fn many_connections_are_served_at_once() {
    let (net, _service) = start(Puppet::default(), Limits::default());
    let mut streams: Vec<TcpStream> = (0..400).map(|_| connect(&net)).collect();
    for round in 0..3u8 {
        for stream in &mut streams {
            stream.write_all(&frame(&[b'e', round])).unwrap();
        }
        for stream in &mut streams {
            assert_eq!(receive(stream), [b'e', round]);
        }
    }
    drop(streams);
    eventually("all are gone", || net.connections() == 0);
    net.stop();
}

#[test]
fn stopping_sends_what_is_ready_and_closes_what_waits() {
    let (net, service) = start(Puppet::default(), Limits::default());
    let mut stream = connect(&net);
    stream
        .write_all(&[frame(b"e"), frame(b"p"), frame(b"e")].concat())
        .unwrap();
    eventually("all were handled", || {
        service.handled.load(Ordering::Relaxed) == 3
    });
    let addr = net.addrs()[0];
    net.stop();
    assert_eq!(receive(&mut stream), b"e");
    assert_closed(&mut stream);
    assert!(TcpStream::connect(addr).is_err(), "nobody listens any more");
}
