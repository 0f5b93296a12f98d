//! The native client against a scripted broker: every seeded fault is found,
//! every failure that can be survived is, and known delays are measured.
//!
//! Only lower bounds of times are asserted: a busy machine can make everything
//! late, but nothing early.

use crate::fake_broker::{Action, Behaviour, Script};
use plimsoll_drive::DriveError;
use plimsoll_drive::cell::{Options, Target, run_cell};
use plimsoll_results::CellResult;
use plimsoll_workloads::Spec;
use std::path::Path;
use std::time::Duration;

pub const RATE: &str = "load.rate=2K/s";

pub fn run(script: Script, sets: &[&str]) -> Result<CellResult, DriveError> {
    run_against(
        Behaviour {
            script,
            ..Behaviour::default()
        },
        sets,
    )
}

pub fn run_against(behaviour: Behaviour, sets: &[&str]) -> Result<CellResult, DriveError> {
    let toml = "[records]\nsize = 100\n[producer]\nlinger = \"1ms\"\nbatch_bytes = \"2KiB\"\n\
        [load]\nrate = \"max\"\nwarmup = \"50ms\"\nduration = \"300ms\"\ndrain = \"20s\"";
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let spec = Spec::parse(toml, "fake.toml", Path::new("."), &sets).expect("the workload reads");
    let plan = spec.plan().expect("the workload expands");
    let (run, cell) = plan.iter().next().expect("the plan has a cell");
    let target = Target {
        bootstrap: vec![crate::fake_broker::start(behaviour)].into(),
        broker_pids: Vec::new(),
        rig: None,
    };
    let options = Options {
        dir: None,
        progress: &mut |_| {},
        interrupt: &|| None,
    };
    run_cell(&target, cell, run, options)
}

/// Runs 700 records through `script`; all must be accounted for, and exactly
/// `expected` be wrong with them.
fn check(script: Script, sets: &[&str], expected: fn(&CellResult) -> bool) {
    let result = run(script, &[&[RATE], sets].concat()).expect("the run ends");
    let verified = &result.verified;
    assert_eq!(
        (verified.sent, verified.acknowledged),
        (700, 700),
        "{verified:?}"
    );
    assert!(
        expected(&result),
        "{verified:?} {:?}",
        result.invalid_reasons
    );
}

fn is_clean(result: &CellResult) -> bool {
    result.verified.is_clean() && result.verified.consumed == 700
}

#[test]
fn every_acknowledgement_setting_and_codec_delivers() {
    for acks in ["producer.acks=0", "producer.acks=1", "producer.acks=all"] {
        check(|_| Action::Append, &[acks], is_clean);
    }
    for codec in ["gzip", "snappy", "lz4", "zstd:3"] {
        check(
            |_| Action::Append,
            &[&format!("producer.compression={codec}")],
            is_clean,
        );
    }
}

#[test]
fn several_producers_partitions_consumers_and_groups_deliver() {
    let sets = [
        "topic.partitions=5",
        "producer.count=3",
        "consumer.count=2",
        "consumer.groups=2",
    ];
    check(
        |_| Action::Append,
        &sets,
        |result| result.verified.is_clean() && result.verified.consumed == 2 * 700,
    );
}

#[test]
fn stamps_travel_in_a_header_when_the_value_has_no_room() {
    check(
        |_| Action::Append,
        &["records.size=10", "records.headers=2"],
        is_clean,
    );
}

#[test]
fn as_fast_as_possible_delivers_everything_in_order() {
    let result = run(|_| Action::Append, &["topic.partitions=2"]).expect("the run ends");
    let verified = &result.verified;
    assert!(verified.is_clean() && verified.sent > 0, "{verified:?}");
    assert_eq!(
        (verified.sent, verified.sent),
        (verified.acknowledged, verified.consumed)
    );
    let lag = result.latency.schedule_lag.expect("on time by definition");
    let response = result.latency.response.expect("records were acknowledged");
    assert_eq!((lag.count, lag.max_us), (response.count, 0.0));
}

#[test]
fn errors_that_may_pass_are_retried_in_order() {
    const NOT_ENOUGH_REPLICAS: i16 = 19;
    const NOT_LEADER: i16 = 6;
    let script: Script = |at| match at {
        2..5 => Action::Refuse(NOT_ENOUGH_REPLICAS),
        9 => Action::Refuse(NOT_LEADER),
        _ => Action::Append,
    };
    for idempotence in ["producer.idempotence=true", "producer.idempotence=false"] {
        check(script, &[idempotence, "producer.in_flight=1"], |result| {
            is_clean(result) && result.verified.errors > 0
        });
    }
}

#[test]
fn an_error_that_will_not_pass_ends_the_run() {
    const MESSAGE_TOO_LARGE: i16 = 10;
    let refused = run(|_| Action::Refuse(MESSAGE_TOO_LARGE), &[RATE]);
    let message = refused.map(|_| ()).map_err(|error| error.to_string());
    let expected = "producing to partition 0 refused: MessageTooLarge";
    assert!(
        message.as_ref().is_err_and(|m| m.starts_with(expected)),
        "{message:?}"
    );
}

#[test]
fn a_broken_connection_is_mended() {
    let script: Script = |at| {
        if at == 3 {
            Action::HangUp
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        result.verified.lost == 0 && result.verified.duplicated == 0
    });
}

#[test]
fn a_retry_of_what_had_arrived_shows_as_repeats() {
    // This broker does not drop repeats: the answer was lost, not the batch.
    let script: Script = |at| {
        if at == 3 {
            Action::AppendAndHangUp
        } else {
            Action::Append
        }
    };
    check(
        script,
        &["producer.acks=1", "producer.in_flight=1"],
        |result| result.verified.lost == 0 && result.verified.duplicated > 0,
    );
}

#[test]
fn lost_records_are_counted_and_spoil_the_result() {
    let script: Script = |at| {
        if at == 3 {
            Action::Lose
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        let told = result
            .invalid_reasons
            .iter()
            .any(|r| r.contains("acknowledged and lost"));
        let verified = &result.verified;
        told && !result.valid && verified.lost > 0 && verified.consumed + verified.lost == 700
    });
    check(script, &["consumer.count=0"], |result| {
        result.verified.lost > 0 && !result.valid
    });
}

#[test]
fn lost_records_at_the_end_are_counted_too() {
    let script: Script = |at| {
        if at >= 3 {
            Action::Lose
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        result.verified.lost > 0 && result.verified.consumed + result.verified.lost == 700
    });
}

#[test]
fn repeated_records_are_counted() {
    let script: Script = |at| {
        if at == 3 {
            Action::Repeat
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        let verified = &result.verified;
        verified.duplicated > 0 && verified.consumed == 700 + verified.duplicated && !result.valid
    });
}

#[test]
fn damaged_records_are_counted() {
    let script: Script = |at| {
        if at == 3 {
            Action::Damage
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        result.verified.corrupt == 1 && !result.valid
    });
}

#[test]
fn overtaken_records_are_counted() {
    let script: Script = |at| {
        if at == 3 {
            Action::HoldBack
        } else {
            Action::Append
        }
    };
    check(script, &[], |result| {
        result.verified.reordered > 0 && result.verified.lost == 0
    });
}

#[test]
fn a_known_delay_is_measured() {
    let script: Script = |_| Action::AppendAfter(Duration::from_millis(8));
    let result = run(script, &[RATE, "producer.in_flight=1"]).expect("the run ends");
    let (service, response) = (result.latency.service, result.latency.response);
    assert!(
        service.is_some_and(|l| l.min_us >= 8_000.0),
        "the broker waits 8 ms at least"
    );
    assert!(
        response.is_some_and(|l| l.p50_us >= 8_000.0),
        "and the schedule does not"
    );
}

#[test]
fn a_stall_shows_in_every_record_that_was_due_in_it() {
    // One answer takes 200 ms while 2 000 records a second fall due: of the 400
    // in the stall half wait at least 100 ms, though only one request was slow.
    let script: Script = |at| match at {
        30 => Action::AppendAfter(Duration::from_millis(200)),
        _ => Action::Append,
    };
    let sets = [
        RATE,
        "producer.in_flight=1",
        "load.warmup=0s",
        "load.duration=600ms",
    ];
    let result = run(script, &sets).expect("the run ends");
    let spectrum = result
        .latency
        .response
        .map(|l| l.spectrum)
        .unwrap_or_default();
    let above = |us: f64| {
        spectrum
            .iter()
            .find(|at| at.1 >= us)
            .map_or(0.0, |at| 100.0 - at.0)
    };
    let (expected, found) = (100.0 * 200.0 / 1200.0, above(100_000.0));
    assert!(
        found >= expected * 0.8,
        "{found} % wait 100 ms, {expected} % expected"
    );
}

const TRANSACTIONS: [&str; 4] = [
    "topic.partitions=2",
    "transactions.records=7",
    "transactions.abort_rate=40%",
    "consumer.isolation=read_committed",
];

/// Records that were committed and that were aborted, which is all of them.
fn shares(result: &CellResult) -> (u64, u64) {
    let transactions = result.transactions.as_ref().expect("there were some");
    let aborted = transactions.records_aborted;
    assert_eq!(result.verified.sent + aborted, 700, "{result:?}");
    assert!(aborted > 0, "{transactions:?}");
    (result.verified.sent, aborted)
}

#[test]
fn transactions_are_committed_and_aborted_and_only_the_committed_seen() {
    let sets = [&[RATE][..], &TRANSACTIONS].concat();
    let result = run(|_| Action::Append, &sets).expect("the run ends");
    let (committed, _) = shares(&result);
    let verified = &result.verified;
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!(verified.consumed, committed);
    let latency = &result.latency;
    let commits = latency.commit.as_ref().map(|l| l.count);
    let committed = result.transactions.map(|t| t.committed);
    assert!(commits.unwrap_or(0) <= committed.map_or(0, |count| count + 1));
    let visible = latency.visibility.as_ref().expect("records became visible");
    assert!(
        visible.count > 0 && visible.not_positive == 0,
        "{visible:?}"
    );
}

/// A run of transactions against Apache Kafka ended with CONCURRENT_TRANSACTIONS, which
/// the codec's table of errors does not call retriable.
#[test]
fn a_transaction_waits_for_the_end_of_the_one_before() {
    let behaviour = Behaviour {
        ends_slowly: true,
        ..Behaviour::default()
    };
    let sets = [&[RATE][..], &TRANSACTIONS].concat();
    let result = run_against(behaviour, &sets).expect("the run ends");
    let (committed, _) = shares(&result);
    assert!(result.verified.is_clean(), "{:?}", result.verified);
    assert_eq!(result.verified.consumed, committed);
}

#[test]
fn records_of_aborted_transactions_that_are_seen_are_counted() {
    let behaviour = Behaviour {
        hides_aborted: false,
        ..Behaviour::default()
    };
    let sets = [&[RATE][..], &TRANSACTIONS].concat();
    let result = run_against(behaviour, &sets).expect("the run ends");
    let (committed, aborted) = shares(&result);
    let verified = &result.verified;
    assert_eq!(
        (verified.aborted_read, verified.consumed),
        (aborted, committed)
    );
    assert!(!verified.is_clean() && !result.valid);
    let told = |reason: &String| reason.contains("of aborted transactions");
    assert!(result.invalid_reasons.iter().any(told));
}

#[test]
fn who_reads_everything_may_see_aborted_records() {
    let sets = [&[RATE][..], &TRANSACTIONS[..3]].concat();
    let result = run(|_| Action::Append, &sets).expect("the run ends");
    shares(&result);
    assert!(result.verified.is_clean(), "{:?}", result.verified);
    assert!(result.latency.visibility.is_none());
}

#[test]
fn a_transaction_survives_a_broken_connection() {
    let script: Script = |at| match at {
        5 | 9 => Action::HangUp,
        _ => Action::Append,
    };
    let sets = [&[RATE][..], &TRANSACTIONS].concat();
    let result = run(script, &sets).expect("the run ends");
    shares(&result);
    assert!(result.verified.is_clean(), "{:?}", result.verified);
}
