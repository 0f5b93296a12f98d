//! Shapes of work besides producing and reading along: backlogs, catching up,
//! reading alone, processing, poison.

use crate::fake_broker::Action;
use crate::native::{RATE, run};
use plimsoll_results::CellResult;

fn shaped(sets: &[&str]) -> CellResult {
    run(|_| Action::Append, sets).expect("the run ends")
}

#[test]
fn a_group_that_begins_late_has_a_backlog_and_drains_it() {
    let result = shaped(&[RATE, "consumer.start_after=250ms"]);
    let verified = &result.verified;
    assert!(
        verified.is_clean() && verified.consumed == 700,
        "{verified:?}"
    );
    let backlog = result.backlog.first().expect("there is a group");
    // 500 records are due before it may begin, and the machine may be late.
    assert!(backlog.peak_records > 250, "{backlog:?}");
    assert!(backlog.caught_up_s.is_some(), "{backlog:?}");
    // Nobody reads along, so the latency is that of the backlog.
    let end_to_end = result.latency.end_to_end.expect("records were read");
    assert_eq!(end_to_end.count, 600);
    assert!(end_to_end.max_us > 100_000.0, "{end_to_end:?}");
}

#[test]
fn latencies_of_those_who_catch_up_stay_out_of_those_who_read_along() {
    let sets = [
        RATE,
        "consumer.groups=3",
        "consumer.late_groups=1",
        "consumer.start_after=250ms",
    ];
    let result = shaped(&sets);
    assert!(result.verified.is_clean());
    assert_eq!(result.verified.consumed, 3 * 700);
    let end_to_end = result.latency.end_to_end.expect("records were read");
    assert_eq!(end_to_end.count, 2 * 600);
    let groups: Vec<u32> = result.backlog.iter().map(|b| b.group).collect();
    assert_eq!(groups, [0, 1, 2]);
    let late = &result.backlog[2];
    assert!(late.peak_records > 250, "{:?}", result.backlog);
    let lags = result
        .timeline
        .iter()
        .filter_map(|second| second.lag_records);
    assert!(lags.count() > 0, "the timeline has the lag");
}

#[test]
fn what_was_there_before_is_read_without_producers_at_the_consumers_pace() {
    let sets = [
        "producer.count=0",
        "load.prefill=4K",
        "topic.partitions=2",
        "consumer.processing=200us",
        "load.duration=10s",
    ];
    let result = shaped(&sets);
    let verified = &result.verified;
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.sent, verified.consumed), (4_000, 4_000));
    // 4 000 records of 200 µs take 0.8 s; a consumer cannot be faster.
    let rate = result.throughput.records_per_s;
    assert!(rate > 0.0 && rate < 5_200.0, "{rate}");
    assert!(result.throughput.window_s < 9.0, "it ends when all is read");
}

#[test]
fn a_load_can_follow_what_was_there_before() {
    let result = shaped(&[RATE, "load.prefill=1K", "producer.count=2"]);
    let verified = &result.verified;
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.sent, verified.consumed), (1_700, 1_700));
    assert_eq!(result.latency.response.map(|l| l.count), Some(600));
}

#[test]
fn poison_is_tried_again_and_skipped() {
    let sets = [
        RATE,
        "poison.rate=10%",
        "poison.retries=2",
        "poison.backoff=1ms",
        "poison.then=skip",
    ];
    let result = shaped(&sets);
    let poison = result.poison.expect("there was some");
    assert!((35..=120).contains(&poison.met), "{poison:?}");
    assert_eq!(
        (poison.retries, poison.skipped),
        (2 * poison.met, poison.met)
    );
    assert_eq!((poison.dead_lettered, poison.in_dead_letters), (0, None));
    assert!(result.verified.is_clean() && result.verified.consumed == 700);
}

#[test]
fn a_consumer_too_slow_for_the_load_falls_behind_evenly() {
    // 2 000 records a second and 1 ms for each: a thousand more every second.
    let sets = [
        RATE,
        "consumer.processing=1ms",
        "load.duration=1s",
        "load.drain=20s",
    ];
    let result = shaped(&sets);
    let backlog = result.backlog.first().expect("there is a group");
    let slope = backlog.slope_records_per_s;
    assert!(
        slope > 800.0,
        "at least what the slowest consumer leaves: {slope}"
    );
    assert!(result.verified.is_clean());
}
