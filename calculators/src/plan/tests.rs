//! A plan against the single calculators, and requirements that make no sense.

use super::*;
use crate::batch::RecordShape;
use crate::disk::disk;
use crate::partitions::partitions;
use crate::tests::{mid, of, table};
use std::fmt::Write as _;

fn walkthrough() -> Topic {
    Topic {
        name: "orders".to_owned(),
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("30d"),
        groups: 3,
        processing: Some(of("2ms")),
        consumers: None,
        hot_key: None,
    }
}

fn text(plan: &Plan) -> String {
    let mut text = table(&plan.summary);
    for topic in &plan.topics {
        let _ = writeln!(text, "{topic:?}");
    }
    let _ = writeln!(
        text,
        "broker {:?}\nproducer {:?}",
        plan.broker, plan.producer
    );
    for command in &plan.commands {
        let _ = writeln!(text, "{command}");
    }
    text
}

#[test]
fn the_walkthrough_as_a_plan() {
    let mut input = Input::new(vec![walkthrough()]);
    (input.growth, input.years) = (0.5, 2);
    input.latency = Some(of("25ms"));
    input.broker_disk = Some(of("20TB"));
    insta::assert_snapshot!(text(&plan(&input).expect("a sound requirement")));
}

/// The plan's figures are the calculators' own for the grown load.
#[test]
fn a_plan_agrees_with_the_single_calculators() {
    let mut input = Input::new(vec![walkthrough()]);
    (input.growth, input.years) = (1.0, 1);
    let found = plan(&input).expect("a sound requirement");
    let mut alone = crate::partitions::Input::new(of("100K/s"), of("1KB"));
    alone.processing = Some(of("2ms"));
    let alone = partitions(&alone).expect("sound");
    assert_eq!(
        f64::from(found.topics[0].partitions),
        mid(&alone, "partitions")
    );
    let storage = Storage {
        partitions: found.topics[0].partitions,
        roll: Parameter::user(of("3d")),
        ..Storage::default()
    };
    let alone = disk(&crate::disk::Input {
        rate: of("100K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("30d"),
        storage,
    });
    let alone = mid(&alone.expect("sound"), "to provision");
    assert!((mid(&found.summary, "disk to provision") - alone).abs() <= 1.0);
    assert_eq!(found.topics[0].consumers, Some(200));
    let names: Vec<&str> = found
        .parts
        .iter()
        .map(|part| part.calculator.as_str())
        .collect();
    assert_eq!(
        names,
        ["partitions", "disk", "consumers", "brokers", "network"]
    );
    let of_parts = |name: &str| {
        found
            .parts
            .iter()
            .find(|p| p.calculator == name)
            .expect("a part")
    };
    assert_eq!(
        found.summary.get("brokers"),
        of_parts("brokers").get("brokers")
    );
    assert_eq!(
        found.summary.get("out of each"),
        of_parts("network").get("out of each")
    );
}

#[test]
fn two_topics_are_one_load() {
    let mut second = walkthrough();
    second.name = "events".to_owned();
    let one = plan(&Input::new(vec![walkthrough()])).expect("sound");
    let two = plan(&Input::new(vec![walkthrough(), second])).expect("sound");
    let both = |line: &str| (mid(&two.summary, line), 2.0 * mid(&one.summary, line));
    for line in ["records", "partitions"] {
        let (sum, twice) = both(line);
        assert_eq!(sum, twice, "{line}");
    }
    let (sum, twice) = both("disk to provision");
    assert!((sum - twice).abs() <= 2.0);
    assert!(mid(&two.summary, "brokers") >= mid(&one.summary, "brokers"));
}

#[test]
fn a_tighter_objective_takes_more_brokers_and_less_linger() {
    let with = |latency: Option<&str>| {
        let mut input = Input::new(vec![walkthrough()]);
        input.latency = latency.map(of);
        let found = plan(&input).expect("a sound requirement");
        let linger: u64 = found.producer["linger.ms"].parse().expect("a number");
        (
            mid(&found.summary, "brokers"),
            linger,
            mid(&found.summary, "planned utilisation"),
        )
    };
    assert_eq!(with(None).2, 0.8);
    assert_eq!(with(Some("1s")), with(None));
    let (loose, tight) = (with(Some("40ms")), with(Some("16ms")));
    assert!(
        tight.0 > loose.0 && tight.1 < loose.1 && tight.2 < loose.2,
        "{tight:?} {loose:?}"
    );
}

#[test]
fn settings_follow_the_requirement() {
    let mut topic = walkthrough();
    topic.record = RecordShape::of(of("2MiB"));
    topic.processing = Some(of("1s"));
    topic.rate = of("10/s");
    let mut input = Input::new(vec![topic]);
    input.replication = 1;
    let found = plan(&input).expect("a sound requirement");
    let topic = &found.topics[0];
    assert_eq!(topic.settings["min.insync.replicas"], "1");
    assert!(
        topic.settings["max.message.bytes"]
            .parse::<u64>()
            .is_ok_and(|b| b > 2 << 20)
    );
    assert_eq!(
        topic.settings["segment.ms"], "259200000",
        "a tenth of 30 days"
    );
    assert_eq!(
        topic.consumer["max.poll.records"], "150",
        "half of 300 s at 1 s each"
    );
    assert!(found.commands[0].contains("--replication-factor 1 --config cleanup.policy=delete"));
}

#[test]
fn requirements_that_make_no_sense_name_their_field() {
    let check = |change: fn(&mut Input), expected: &str| {
        let mut input = Input::new(vec![walkthrough()]);
        change(&mut input);
        let error = plan(&input).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|i| i.topics.clear(), "topics is 0; accepted: 1 to");
    check(
        |i| i.topics.push(walkthrough()),
        "topic is orders; accepted: each name once",
    );
    check(|i| i.topics[0].name = "a b".to_owned(), "topic is a b");
    check(|i| i.topics[0].name = "..".to_owned(), "topic is ..");
    check(|i| i.topics[0].retention = Span::ZERO, "retention is 0s");
    check(
        |i| i.topics[0].processing = Some(Span::ZERO),
        "processing is 0s",
    );
    check(|i| i.growth = f64::NAN, "growth is NaN; accepted: 0 to 100");
    check(|i| i.growth = -0.5, "growth is -0.5");
    check(|i| i.years = 1000, "years is 1000; accepted: 0 to 20");
    check(|i| i.replication = 0, "replication is 0");
    check(|i| i.latency = Some(Span::ZERO), "latency is 0s");
    check(
        |i| i.latency = Some(Span::from_millis(6)),
        "latency is 6ms; accepted: at least",
    );
    check(
        |i| i.codec = "lzma".to_owned(),
        "codec is lzma; accepted: none, gzip",
    );
}

/// What an error says would be accepted is.
#[test]
fn the_least_latency_named_is_accepted() {
    let mut input = Input::new(vec![walkthrough()]);
    input.latency = Some(of("1ms"));
    let error = plan(&input).expect_err("too tight").to_string();
    let least = error
        .split("at least ")
        .nth(1)
        .and_then(|rest| rest.split(" ms").next());
    let least: f64 = least.expect("a time").parse().expect("a number");
    input.latency = Some(Span::from_nanos(((least + 0.1) * 1e6) as u64));
    assert!(plan(&input).is_ok(), "{error}");
}

#[test]
fn the_model_is_the_plans_cluster() {
    let input = Input::new(vec![walkthrough()]);
    let found = plan(&input).expect("sound");
    let asked = Simulated {
        producers: 4,
        cores: Some(16),
        round_trip: None,
        detection: None,
        budget: 2000,
    };
    let model = model(&input, &found, &asked, None);
    assert_eq!(f64::from(model.brokers), mid(&found.summary, "brokers"));
    assert_eq!(model.partitions, found.topics[0].partitions);
    assert_eq!((model.groups, model.machine.cores.value), (3, 16));
    assert_eq!(model.machine.disk.value.bytes_per_second(), 150_000_000);
    assert_eq!(model.failure.as_ref().map(|f| f.members), Some(100));
    let answer = crate::simulate::simulate(&model).expect("it runs");
    assert!(mid(&answer, "throughput") > 40_000.0);
}
