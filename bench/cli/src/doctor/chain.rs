//! The chain: how soon a thread runs that is called, when calls are few.
//!
//! Two threads that do nothing but call each other keep their cores awake, and
//! their round trip is the least that a call can take. A broker under a moderate
//! load is not so lucky: its threads sleep between requests, the cores sleep with
//! them, and a hypervisor gives their time to others. Here a message passes as
//! many threads as a replicated write does, starting at random times as often as
//! such a load has batches. Every call counts by itself, the timer's that starts
//! the chain included, so that who knows how many calls something takes can add
//! them up.

use super::floors::{histogram, loopback, note};
use hdrhistogram::Histogram;
use plimsoll_drive::clock::{Mono, sharpen_timers, sleep_until};
use plimsoll_results::{Floor, FloorUnit as Unit};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Threads that a message passes.
const THREADS: usize = 8;
/// Time from one chain to the next, on average: 500 a second.
const GAP: Duration = Duration::from_millis(2);
/// Bytes of a message; the first say when it was sent.
const MESSAGE_BYTES: usize = 64;
const STAMP_BYTES: usize = 8;
/// Steps of the golden ratio fill the unit interval evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// What is told of the distribution.
const QUANTILES: [(&str, f64); 4] = [
    (Floor::CALL_P50, 0.5),
    (Floor::CALL_P90, 0.9),
    (Floor::CALL_P99, 0.99),
    (Floor::CALL_P999, 0.999),
];

/// Measures for `span`.
///
/// # Errors
/// When the loopback cannot be used.
pub fn measure(span: Duration) -> io::Result<Vec<Floor>> {
    let (first, mut inward) = loopback()?;
    let mut threads = Vec::with_capacity(THREADS + 1);
    for at in 1..=THREADS {
        let (outward, next) = loopback()?;
        let from = std::mem::replace(&mut inward, next);
        let to = (at < THREADS).then_some(outward);
        threads.push(thread::spawn(move || relay(from, to)));
    }
    threads.push(thread::spawn(move || start_chains(span, first)));
    let mut nanos = histogram()?;
    for thread in threads {
        let calls = thread
            .join()
            .map_err(|_| io::Error::other("a thread of the chain panicked"))??;
        nanos.add(calls).map_err(io::Error::other)?;
    }
    let how = "from a call over the loopback until the thread runs, in chains of 8, 500 a second";
    let floor = |(name, quantile): (&str, f64)| Floor {
        name: name.to_owned(),
        value: nanos.value_at_quantile(quantile) as f64 / 1e3,
        unit: Unit::Microseconds,
        how: how.to_owned(),
    };
    Ok(QUANTILES.map(floor).to_vec())
}

/// Sends a message into the chain at random times; keeps how late its timer was.
fn start_chains(span: Duration, mut first: TcpStream) -> io::Result<Histogram<u64>> {
    sharpen_timers();
    let mut late = histogram()?;
    let mut due = Mono::now();
    let (end, mut step) = (due.after(span), 0.0);
    while due < end {
        step = (step + GOLDEN) % 1.0;
        due = due.after(GAP.mul_f64(-f64::ln_1p(-step)));
        if Mono::now() < due {
            sleep_until(due);
            note(&mut late, Mono::now().elapsed_since(due));
        }
        first.write_all(&message())?;
    }
    Ok(late)
}

/// Passes messages on until no more come; keeps how long each call took.
fn relay(mut from: TcpStream, mut to: Option<TcpStream>) -> io::Result<Histogram<u64>> {
    let mut calls = histogram()?;
    let mut message_in = [0; MESSAGE_BYTES];
    while from.read_exact(&mut message_in).is_ok() {
        let mut stamp = [0; STAMP_BYTES];
        stamp.copy_from_slice(&message_in[..STAMP_BYTES]);
        let called = Mono(u64::from_le_bytes(stamp));
        note(&mut calls, Mono::now().elapsed_since(called));
        if let Some(to) = &mut to {
            to.write_all(&message())?;
        }
    }
    Ok(calls)
}

/// Says when it was sent.
fn message() -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    message[..STAMP_BYTES].copy_from_slice(&Mono::now().0.to_le_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_take_time_and_their_quantiles_rise() {
        let floors = measure(Duration::from_millis(100)).unwrap();
        let names: Vec<_> = floors.iter().map(|floor| floor.name.as_str()).collect();
        assert_eq!(names, QUANTILES.map(|(name, _)| name));
        let values: Vec<_> = floors.iter().map(|floor| floor.value).collect();
        assert!(values[0] > 0.1, "{values:?}");
        assert!(values.is_sorted(), "{values:?}");
    }
}
