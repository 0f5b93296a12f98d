//! Known truths: what is measured of a broker whose behaviour is known.
//!
//! Where a busy machine may add to a time, only what it cannot change is
//! asserted; with `PLIMSOLL_QUIET=1`, on a machine that does nothing else, the
//! measured values themselves are held against the truth.

use crate::fake_broker::{Action, Script};
use crate::native::run;
use crate::search::is_quiet;
use plimsoll_drive::clock::Mono;
use plimsoll_drive::record::{Collector, Mark, Recorder, Window};
use plimsoll_results::{CellResult, LatencySummary};
use std::ops::RangeInclusive;
use std::time::Duration;

const MS: u64 = 1_000_000;

/// Checks every point of the spectrum between two percentiles against the truth
/// at just that percentile.
#[track_caller]
fn check_spectrum(
    latency: &LatencySummary,
    between: RangeInclusive<f64>,
    truth_us: impl Fn(f64) -> f64,
    what: &str,
) {
    let points = || {
        latency
            .spectrum
            .iter()
            .filter(|(at, _)| between.contains(at))
    };
    assert!(points().count() > 5, "{what}: too few points");
    for (percentile, found) in points() {
        check_near(
            *found,
            truth_us(*percentile),
            0.02,
            &format!("{what} p{percentile}"),
        );
    }
}

#[track_caller]
fn check_near(found: f64, truth: f64, share: f64, what: &str) {
    assert!(
        (found / truth - 1.0).abs() <= share,
        "{what}: {found}, the truth is {truth}"
    );
}

/// A broker that serves each record in a millisecond and is frozen for two
/// seconds of ten, under virtual time. Of the records due in the freeze, the
/// wait is spread evenly from two seconds to none.
#[test]
fn a_freeze_of_two_seconds_gives_the_analytic_distribution() {
    const SERVICE: u64 = MS;
    const FROM: u64 = 4_000 * MS;
    const TO: u64 = 6_000 * MS;
    let second = Duration::from_secs(1);
    let window = Window::new(Mono(0), Duration::ZERO, second * 10, second * 10);
    let collector = Collector::new(None);
    let mut recorder = Recorder::producer(window, true, collector.depot());
    for at in 0..50_000u64 {
        let intended = at * MS / 5;
        let frozen = (FROM..TO).contains(&intended);
        // A client that waits for the frozen broker hands nothing off either.
        let handed_off = if frozen { TO } else { intended };
        let mark = Mark {
            intended: Mono(intended),
            handed_off: Mono(handed_off),
            bytes: 100,
        };
        recorder.handed_off(&mark);
        recorder.acknowledged(&[mark], Mono(handed_off + SERVICE));
    }
    drop(recorder);
    let collected = collector.finish().expect("nothing is written");
    let response = &collected.histograms.response;
    // A fifth of the records fall into the freeze: percentile p above 80 waited
    // (p - 80) / 20 of two seconds.
    for percentile in [82.0, 85.0, 90.0, 95.0, 99.0, 99.9] {
        let truth = (percentile - 80.0) / 20.0 * 2e6 + 1e3;
        check_near(response.percentile_us(percentile), truth, 0.02, "response");
    }
    check_near(response.percentile_us(50.0), 1e3, 0.02, "the median");
    // From the time of hand-off nothing would be seen of it.
    assert!(collected.histograms.service.max_us() < 1_010.0);
    check_near(collected.histograms.schedule_lag.max_us(), 2e6, 0.02, "lag");
}

/// The same against a broker that really stops answering.
#[test]
fn a_broker_that_stops_answering_shows_in_every_record_that_was_due() {
    let (freeze_ms, window_ms, set) = if is_quiet() {
        (2_000.0, 10_000.0, "load.duration=10s")
    } else {
        (400.0, 1_200.0, "load.duration=1200ms")
    };
    let script: Script = match is_quiet() {
        true => |at| {
            if at == 300 {
                Action::AppendAfter(Duration::from_secs(2))
            } else {
                Action::Append
            }
        },
        false => |at| {
            if at == 60 {
                Action::AppendAfter(Duration::from_millis(400))
            } else {
                Action::Append
            }
        },
    };
    let sets = [
        "load.rate=2K/s",
        "load.warmup=0s",
        "producer.in_flight=1",
        // What piled up leaves in one request: its own way adds nothing.
        "producer.batch_bytes=1MiB",
        set,
    ];
    let result = run(script, &sets).expect("the run ends");
    let response = result.latency.response.expect("records were acknowledged");
    // The share of the records that waited more than half of the freeze.
    let half_us = freeze_ms * 1e3 / 2.0;
    let above = response.spectrum.iter().find(|(_, us)| *us >= half_us);
    let share = above.map_or(0.0, |(percentile, _)| 100.0 - percentile);
    let truth = 100.0 * freeze_ms / 2.0 / window_ms;
    assert!(
        share >= truth * 0.8,
        "{share} % waited that long, {truth} % must have"
    );
    if is_quiet() {
        let calm = 100.0 * (1.0 - freeze_ms / window_ms);
        let truth = |percentile| (percentile - calm) / (100.0 - calm) * freeze_ms * 1e3;
        check_spectrum(&response, calm + 2.0..=99.0, truth, "response");
    }
}

/// Each of a hundred requests in turn takes 10 to 30 ms, evenly.
fn jittered() -> CellResult {
    let script: Script = |at| Action::AppendAfter(Duration::from_micros(10_000 + at % 100 * 200));
    // Four producers of 20 records a second: no request waits for another.
    let duration = if is_quiet() {
        "load.duration=10s"
    } else {
        "load.duration=1s"
    };
    let sets = [
        "load.rate=80/s",
        "producer.count=4",
        "producer.linger=0ms",
        "load.warmup=0s",
        "consumer.count=0",
        duration,
    ];
    run(script, &sets).expect("the run ends")
}

#[test]
fn a_known_delay_and_its_jitter_are_recovered() {
    let service = jittered()
        .latency
        .service
        .expect("records were acknowledged");
    assert!(
        service.min_us >= 10_000.0,
        "nothing is quicker than the broker"
    );
    // Of the first eighty delays the fortieth is 17.8 ms.
    assert!(service.p50_us >= 17_000.0, "{:?}", service.p50_us);
    if is_quiet() {
        // A hundred delays, each as often as the others.
        let truth = |percentile: f64| 10_000.0 + 200.0 * (percentile.ceil() - 1.0);
        check_spectrum(&service, 5.0..=99.0, truth, "service");
    }
}

/// Far more is asked for than this client can send: whatever the broker does,
/// no run of such a client may pass for a measurement of it.
#[test]
fn a_starved_client_is_flagged_every_time() {
    let trials = if is_quiet() { 50 } else { 8 };
    let sets = [
        "load.rate=40M/s",
        "load.warmup=0s",
        "load.duration=100ms",
        "load.drain=0s",
        "consumer.count=0",
        "producer.acks=0",
        "producer.buffer_bytes=1MiB",
    ];
    for trial in 0..trials {
        let result = run(|_| Action::Append, &sets).expect("the run ends");
        assert!(!result.valid, "trial {trial}");
        let reasons = result.invalid_reasons.join("; ");
        assert!(
            reasons.contains("records/s offered"),
            "trial {trial}: {reasons}"
        );
    }
}
