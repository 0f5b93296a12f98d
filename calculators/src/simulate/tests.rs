//! The model against queues whose answers are known, and clusters that a person
//! can reason about.

use super::*;
use crate::tests::{mid, numbers, of, shown, table};

/// One core of one broker, and nothing else that takes time.
fn one_queue(rate: &str, service: Service) -> Input {
    let mut input = Input::new(of(rate), of("1B"));
    (
        input.brokers,
        input.partitions,
        input.replication,
        input.groups,
    ) = (1, 1, 1, 0);
    input.linger = Span::ZERO;
    input.batch = of("1B");
    input.round_trip.value = Span::ZERO;
    input.machine.cores.value = 1;
    input.machine.request.value = of("1ms");
    input.machine.gigabyte.value = Span::ZERO;
    input.machine.disk.value = of("1000000GB/s");
    input.machine.link.value = of("1000000GB/s");
    input.machine.service = service;
    input.budget = 400_000;
    input
}

/// Mean, median and 99th percentile of the time in one run of the queue, in ms.
fn times(rate: &str, service: Service) -> [f64; 3] {
    let shape = cluster::Shape::of(&one_queue(rate, service));
    let run = engine::run(&shape, 1);
    let summary = run
        .steady
        .response
        .summary()
        .expect("batches were measured");
    [summary.mean_us, summary.p50_us, summary.p99_us].map(|micros| micros / 1e3)
}

#[track_caller]
fn near(found: f64, known: f64) {
    assert!(
        (found / known - 1.0).abs() < 0.01,
        "{found} instead of {known}"
    );
}

/// M/M/1: time in the system is exponential with mean 1 ÷ (μ − λ).
#[test]
fn one_queue_with_random_times_is_known() {
    let [mean, p50, p99] = times("300/s", Service::Exponential);
    let known = 1.0 / 0.7;
    near(mean, known);
    near(p50, known * std::f64::consts::LN_2);
    near(p99, known * 100_f64.ln());
}

/// M/D/1: mean time is s + ρ·s ÷ (2(1 − ρ)).
#[test]
fn one_queue_with_fixed_times_is_known() {
    near(times("500/s", Service::Fixed)[0], 1.5);
    near(times("700/s", Service::Fixed)[0], 1.0 + 0.7 / 0.6);
}

/// M/M/c by Erlang's formula: two cores at ρ = 0.5 wait with probability 1/3,
/// for 1 ÷ (2μ − λ) on average.
#[test]
fn two_cores_wait_as_erlang_says() {
    let mut input = one_queue("1000/s", Service::Exponential);
    input.machine.cores.value = 2;
    let run = engine::run(&cluster::Shape::of(&input), 1);
    let summary = run.steady.response.summary().expect("measured");
    near(summary.mean_us / 1e3, 1.0 + 1.0 / 3.0);
}

fn small(rate: &str) -> Input {
    let mut input = Input::new(of(rate), of("1KB"));
    input.budget = 5000;
    input
}

#[test]
fn the_same_input_has_the_same_answer() {
    let mut input = small("20K/s");
    input.failure = Some(Failure::default());
    assert_eq!(simulate(&input), simulate(&input));
}

#[test]
fn waiting_for_all_replicas_takes_longer_and_more_load_too() {
    let p99 = |change: fn(&mut Input)| {
        let mut input = small("20K/s");
        change(&mut input);
        mid(&simulate(&input).expect("sound"), "response p99")
    };
    let all = p99(|_| {});
    let one = p99(|input| input.acks_all = false);
    let busy = p99(|input| input.rate = of("100K/s"));
    assert!(all > one, "{all} and {one}");
    // Two trips: the follower's fetch back and forth, and the producer's.
    assert!(all >= one + 0.0005, "{all} and {one}");
    assert!(busy > all, "{busy} and {all}");
}

/// A disk of 150 MB/s under 3 × 90 MB/s on three brokers is 60 % busy.
#[test]
fn resources_are_as_busy_as_their_bytes_say() {
    let mut input = small("90K/s");
    input.producers = 1;
    input.machine.gigabyte.value = of("1s");
    let answer = simulate(&input).expect("sound");
    let disk = mid(&answer, "busiest disk");
    assert!((disk - 0.6).abs() < 0.03, "{disk}");
    assert!(mid(&answer, "throughput") > 85_000.0);
    input.rate = of("300K/s");
    let answer = simulate(&input).expect("sound");
    assert_eq!(answer.binds.as_ref().map(|b| b.term.as_str()), Some("disk"));
    assert!(
        mid(&answer, "throughput") < 200_000.0,
        "{}",
        shown(&answer, "throughput")
    );
    assert!(
        answer
            .notes
            .iter()
            .any(|note| note.starts_with("disk is full"))
    );
}

#[test]
fn a_failure_stops_what_the_broker_led_and_drains_what_piled_up() {
    let mut input = small("20K/s");
    input.partitions = 30;
    input.failure = Some(Failure {
        members: 5,
        held: Some(of("1TB")),
        ..Failure::default()
    });
    let answer = simulate(&input).expect("sound");
    assert_eq!(mid(&answer, "partitions without a leader"), 10.0);
    assert_eq!(mid(&answer, "partitions without acknowledgements"), 20.0);
    let [from, _, to] = numbers(&answer, "they stop for");
    assert!(from > 9.0 && to < 9.01, "{from} to {to}");
    // A third of 20K/s for 9 s.
    let backlog = mid(&answer, "backlog");
    assert!((backlog / 60_000.0 - 1.0).abs() < 0.01, "{backlog}");
    let drained = mid(&answer, "backlog drained after");
    assert!(drained > 9.0 && drained < 15.0, "{drained}");
    // Three copies on three brokers: restored when it is back, at its disk's rate.
    let restored = mid(&answer, "replicas restored after");
    assert!(restored > 1e12 / 150e6, "{restored}");
    let [least, _, most] = numbers(&answer, "a lost consumer's partitions stop for");
    assert!(least > 42.0 && most < 48.5, "{least} to {most}");
    assert_eq!(mid(&answer, "the group's others stop for"), 0.0);
}

/// Three brokers on one machine keep its cores three times as busy as their own.
#[test]
fn brokers_on_one_machine_share_its_cores() {
    let busy = |change: fn(&mut Input)| {
        let mut input = small("20K/s");
        change(&mut input);
        mid(&simulate(&input).expect("sound"), "busiest CPU")
    };
    let apart = busy(|_| {});
    let together = busy(|input| input.machine.brokers = 3);
    assert!((together / apart - 3.0).abs() < 0.2, "{together}, {apart}");
    let with_clients = busy(|input| {
        input.machine.brokers = 3;
        input.clients = Some(Clients {
            request: Parameter::user(of("150us")),
            gigabyte: Parameter::user(of("2s")),
        });
    });
    assert!(with_clients > together * 1.2, "{with_clients}, {together}");
}

/// Where every call takes a millisecond, an answer takes as many more as threads
/// are called for it: with one copy the producer's timer, the leader and the
/// producer; with three also the parked fetch, the follower, the two that send
/// its next fetch, the leader again and the request that waits.
#[test]
fn every_thread_on_the_way_is_called() {
    let p50 = |copies: u32, calls: Option<Parameter<Calls>>| {
        // So few that no fetch is under way when a batch comes.
        let mut input = small("10/s");
        input.replication = copies;
        input.acks_all = copies > 1;
        input.machine.service = Service::Fixed;
        input.calls = calls;
        mid(&simulate(&input).expect("sound"), "response p50")
    };
    let millisecond = of("1ms");
    let calls = Parameter::user(Calls {
        p50: millisecond,
        p90: millisecond,
        p99: millisecond,
        p999: millisecond,
    });
    for (copies, threads) in [(1, 3.0), (3, 9.0)] {
        let more = p50(copies, Some(calls.clone())) - p50(copies, None);
        assert!(
            (more * 1e3 / threads - 1.0).abs() < 0.05,
            "{copies}: {more}"
        );
    }
}

/// A producer that sends 1500/s to each of 300 brokers fills 8.5 records into a
/// request within 5 ms, on nearly as many of the 333 partitions that it leads.
#[test]
fn hundreds_of_brokers_and_a_hundred_thousand_partitions_keep_up() {
    let mut input = small("450K/s");
    (input.brokers, input.partitions, input.producers) = (300, 100_000, 1);
    (input.sends, input.budget) = (Sends::Leader, 14_000);
    input.failure = Some(Failure::default());
    let answer = simulate(&input).expect("sound");
    let batches = mid(&answer, "batches of a request");
    assert!((batches - 8.4).abs() < 0.1, "{batches}");
    let carried = mid(&answer, "throughput") / 450e3;
    assert!((carried - 1.0).abs() < 0.02, "{carried}");
}

/// 100 partitions of each leader share a request of 26 records, where each would
/// have its own: fewer requests, the same bytes, and nobody waits longer than the
/// linger.
#[test]
fn requests_that_take_all_of_a_leaders_batches_cost_less() {
    let simulated = |sends: Sends| {
        let mut input = small("15K/s");
        (input.partitions, input.producers, input.sends) = (300, 1, sends);
        let answer = simulate(&input).expect("sound");
        ["busiest CPU", "busiest disk", "response p50"].map(|name| mid(&answer, name))
    };
    let [cpu, disk, p50] = simulated(Sends::Leader);
    let [cpu_alone, disk_alone, p50_alone] = simulated(Sends::Partition);
    assert!(cpu < cpu_alone * 0.7, "{cpu} and {cpu_alone}");
    assert!(
        (disk / disk_alone - 1.0).abs() < 0.1,
        "{disk}, {disk_alone}"
    );
    assert!(p50 < p50_alone, "{p50} and {p50_alone}");
}

/// What was acknowledged while the budget lasted says how fast the rest goes: a
/// backlog that takes 30 s is not given up after a second.
#[test]
fn a_backlog_beyond_the_budget_is_extended() {
    let drained = |budget: u32| {
        let mut input = small("100K/s");
        input.producers = 1;
        (input.budget, input.failure) = (budget, Some(Failure::default()));
        input.machine.disk.value = of("150MB/s");
        mid(&simulate(&input).expect("sound"), "backlog drained after")
    };
    let (short, long) = (drained(4000), drained(15_000));
    assert!(
        short > 10.0 && (short / long - 1.0).abs() < 0.2,
        "{short}, {long}"
    );
}

#[test]
fn without_copies_a_lost_brokers_partitions_stay_away() {
    let mut input = small("20K/s");
    input.replication = 1;
    input.failure = Some(Failure::default());
    let answer = simulate(&input).expect("sound");
    assert_eq!(shown(&answer, "backlog drained after"), "never");
}

#[test]
fn every_broker_leads_and_follows_its_part() {
    let mut input = Input::new(of("1K/s"), of("1KB"));
    (input.brokers, input.partitions) = (7, 7 * 6 * 10);
    let shape = cluster::Shape::of(&input);
    let mut follows = std::collections::BTreeMap::new();
    for partition in 0..input.partitions {
        let replicas: Vec<u32> = (0..3).map(|copy| shape.replica(partition, copy)).collect();
        let different: std::collections::BTreeSet<_> = replicas.iter().collect();
        assert_eq!(different.len(), 3, "{replicas:?}");
        for follower in &replicas[1..] {
            *follows.entry((replicas[0], *follower)).or_insert(0) += 1;
        }
    }
    assert_eq!(follows.len(), 7 * 6, "every broker follows every other");
    assert!(follows.values().all(|count| *count == 20), "{follows:?}");
}

#[test]
fn models_that_make_no_sense_name_their_field() {
    let check = |change: fn(&mut Input), expected: &str| {
        let mut input = small("1K/s");
        change(&mut input);
        let error = simulate(&input).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|i| i.brokers = 0, "brokers is 0");
    check(
        |i| i.replication = 4,
        "replication is 4; accepted: at most the brokers, 3",
    );
    check(|i| i.partitions = 0, "partitions is 0");
    check(|i| i.producers = 0, "producers is 0");
    check(|i| i.budget = 1, "budget is 1; accepted: 1000 to");
    check(|i| i.machine.cores.value = 0, "cores is 0");
    check(|i| i.machine.brokers = 0, "machine.brokers is 0");
    check(|i| i.record = Size::default(), "record is 0B");
    let one_fails = |i: &mut Input| {
        (i.brokers, i.replication) = (1, 1);
        i.failure = Some(Failure::default());
    };
    check(one_fails, "brokers is 1; accepted: 2 and more");
}

#[test]
fn a_small_cluster_as_a_person_reads_it() {
    let mut input = small("20K/s");
    input.failure = Some(Failure {
        members: 5,
        held: Some(of("1TB")),
        ..Failure::default()
    });
    insta::assert_snapshot!(table(&simulate(&input).expect("sound")));
}
