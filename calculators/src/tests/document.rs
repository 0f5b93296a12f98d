//! Every figure that the document gets wrong: its number and ours.

use super::{mid, numbers, of, shown, storage};
use crate::answer::Answer;
use crate::batch::RecordShape;
use crate::brokers::{self, brokers};
use crate::choose::{self, choose};
use crate::consumers::{self, consumers};
use crate::cost::{self, cost};
use crate::disk::{self, disk};
use crate::lag::{self, lag};
use crate::parameter::Parameter;
use crate::partitions::{self, partitions, skew_ratio};
use crate::rebalance::{self, rebalance};
use crate::transactions::{self, transactions};

fn topic(rate: &str, size: &str, retention: &str) -> Answer {
    let input = disk::Input {
        rate: of(rate),
        record: RecordShape::of(of(size)),
        retention: of(retention),
        storage: storage(3, 12),
    };
    disk(&input).expect("a sound input")
}

/// What the document says; one copy's payload; what D1's correction says too.
#[track_caller]
fn check_disk(
    rate: &str,
    size: &str,
    retention: &str,
    one_copy: &str,
    all_copies: &str,
    says: &str,
) {
    let answer = topic(rate, size, retention);
    assert_eq!(shown(&answer, "one copy, payload only"), one_copy);
    let correction = answer.corrections.iter().find(|c| c.rule == "D1");
    let correction = correction.expect("D1 is corrected");
    assert!(correction.right.contains(all_copies), "{correction:?}");
    assert!(correction.document.contains(says), "{correction:?}");
}

#[test]
fn seven_days_at_100k_a_second_is_one_copy() {
    let copy = "60.48 TB (55.01 TiB)";
    check_disk("100K/s", "1KB", "7d", copy, "181.4 TB", "about 60 TB");
    check_disk("100K/s", "1KB", "7d", copy, "217.7 TB", "about 60 TB");
    check_disk("100K/s", "1KB", "7d", copy, "235.9 TB", "about 60 TB");
}

#[test]
fn seven_days_at_50k_a_second_is_one_copy() {
    let copy = "30.24 TB (27.5 TiB)";
    check_disk("50K/s", "1KB", "7d", copy, "90.72 TB", "30 TB");
    check_disk("50K/s", "1KB", "7d", copy, "108.9 TB", "30 TB");
    check_disk("50K/s", "1KB", "7d", copy, "117.9 TB", "30 TB");
}

#[test]
fn thirteen_terabytes_belong_to_a_tenth_of_the_rate() {
    check_disk(
        "100K/s",
        "500B",
        "30d",
        "129.6 TB (117.9 TiB)",
        "388.8 TB",
        "about 13 TB",
    );
    check_disk(
        "10K/s",
        "500B",
        "30d",
        "12.96 TB (11.79 TiB)",
        "38.88 TB",
        "12.96 TB",
    );
}

#[test]
fn five_terabytes_in_two_weeks_are_a_twelfth_of_the_rate() {
    check_disk(
        "100K/s",
        "500B",
        "14d",
        "60.48 TB (55.01 TiB)",
        "181.4 TB",
        "5 TB in two weeks",
    );
    let five: f64 = 5e12 / 500.0 / (14.0 * 86_400.0);
    assert_eq!(five.round(), 8267.0);
    let symptom = topic("8267/s", "500B", "14d");
    assert!((mid(&symptom, "one copy, payload only") / 5e12 - 1.0).abs() < 1e-4);
}

#[test]
fn the_walkthrough_needs_129_6_terabytes_a_copy() {
    check_disk(
        "50K/s",
        "1KB",
        "30d",
        "129.6 TB (117.9 TiB)",
        "388.8 TB",
        "nothing",
    );
}

#[test]
fn segment_overhead_is_half_a_percent_at_most() {
    let check = |batch: &str, size: &str, index_bytes: f64, framing_below: f64| {
        let mut storage = storage(3, 12);
        storage.batch.value = of(batch);
        let input = disk::Input {
            rate: of("100K/s"),
            record: RecordShape::of(of(size)),
            retention: of("7d"),
            storage,
        };
        let answer = disk(&input).expect("a sound input");
        let logged = mid(&answer, "one copy, as logged");
        let indexes = mid(&answer, "its indexes") / logged;
        assert!((indexes - index_bytes).abs() < 1e-9, "{indexes}");
        assert!(indexes < 20.0 / 4096.0, "{indexes}");
        let framing = logged / mid(&answer, "one copy, payload only");
        assert!(framing < framing_below, "{framing}");
    };
    check("16KiB", "1KB", 20.0 / 16_205.0, 1.013);
    // 60 batches of one record are the first to exceed 4096 bytes.
    check("1B", "1B", 20.0 / (60.0 * 69.0), 70.0);
    check("1B", "1KB", 20.0 / (4.0 * 1070.0), 1.08);
}

#[test]
fn compression_by_three_to_six_turns_thirty_terabytes_into_five_to_ten() {
    let mut storage = storage(3, 12);
    storage.ratio = disk::documented_ratio();
    let input = disk::Input {
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("7d"),
        storage,
    };
    let answer = disk(&input).expect("a sound input");
    let [low, _, high] = numbers(&answer, "one copy, as logged");
    assert!((5e12..5.4e12).contains(&low), "{low}");
    assert!((10e12..10.4e12).contains(&high), "{high}");
}

#[test]
fn one_partitions_records_are_ten_to_fifty_megabytes() {
    let input = partitions::Input::new(of("50K/s"), of("1KB"));
    let answer = partitions(&input).expect("a sound input");
    assert_eq!(numbers(&answer, "by bytes"), [2.0, 3.0, 5.0]);
    assert_eq!(numbers(&answer, "by records"), [1.0, 2.0, 5.0]);
    assert_eq!(numbers(&answer, "the document's table"), [10.0, 30.0, 50.0]);
    let correction = answer.corrections.iter().find(|c| c.rule == "P3");
    assert!(correction.is_some_and(|c| c.right == "10-50 MB/s at 1 KB"));
}

#[test]
fn the_walkthrough_needs_five_hundred_consumers() {
    let check = |rate: &str, consumers_now: u32, left: f64, needed: f64| {
        let mut input = consumers::Input::new(of(rate), of("10ms"));
        input.consumers = Some(consumers_now);
        let answer = consumers(&input).expect("a sound input");
        assert_eq!(mid(&answer, "time left per record"), left);
        assert_eq!(mid(&answer, "consumers"), needed);
        assert_eq!(mid(&answer, "partitions for them"), 2.0 * needed);
        assert_eq!(mid(&answer, "longest time per record"), 0.6);
    };
    check("50K/s", 50, 0.001, 500.0);
    check("50K/s", 100, 0.002, 500.0);
    check("10K/s", 100, 0.01, 100.0);
}

#[test]
fn a_brokers_disk_writes_are_a_third_of_that_in_ingress() {
    let input = brokers::Input::new(of("50K/s"), of("1KB"));
    let answer = brokers(&input).expect("a sound input");
    let right = &answer.corrections[0].right;
    assert!(right.starts_with("33.33 MB/s to 66.67 MB/s"), "{right}");
}

#[test]
fn a_thousand_partitions_on_three_brokers_are_333_leaders_each() {
    let mut input = brokers::Input::new(of("10K/s"), of("1KB"));
    input.partitions = 1000;
    input.replicas.value = 1500;
    let answer = brokers(&input).expect("a sound input");
    assert_eq!(mid(&answer, "brokers"), 3.0);
    assert_eq!(mid(&answer, "leaders on each").floor(), 333.0);
    assert_eq!(mid(&answer, "followers on each").floor(), 666.0);
}

#[test]
fn ninety_percent_and_ten_times_the_others_are_two_partitions() {
    let ratio = |partitions| skew_ratio(of("90%"), partitions).to_f64();
    assert_eq!(ratio(10), 81.0);
    assert_eq!((ratio(2), ratio(3)), (9.0, 18.0));
    assert!((10.0_f64 / 9.0 + 1.0 - 2.1).abs() < 0.02);
}

#[test]
fn the_two_lag_alerts_agree_at_one_rate_only() {
    let answer = lag(&lag::Input::new(of("100K/s"), of("200K/s"))).expect("a sound input");
    assert_eq!(shown(&answer, "alerts agree at"), "33.33/s");
    assert_eq!(mid(&answer, "alert records last"), 0.1);
}

#[test]
fn incident_one_is_a_deficit_of_278_records_a_second() {
    assert_eq!(
        crate::Unit::PerSecond.show(crate::Exact::ratio(500_000, 1800)),
        "277.8/s"
    );
    let answer = lag(&lag::Input::new(of("1277.8/s"), of("1000/s"))).expect("a sound input");
    assert_eq!(shown(&answer, "catches up in"), "never");
    assert_eq!(shown(&answer, "deficit"), "277.8/s");
    assert!((mid(&answer, "lag after 30 min") - 500_000.0).abs() < 100.0);
}

#[test]
fn an_outage_is_caught_up_in_rho_over_one_minus_rho_of_it() {
    let mut input = lag::Input::new(of("80K/s"), of("100K/s"));
    input.outage = of("10m");
    input.recover_within = Some(of("2"));
    let answer = lag(&input).expect("a sound input");
    assert_eq!(mid(&answer, "catches up in"), 0.8 * 600.0 / 0.2);
    assert_eq!(mid(&answer, "capacity to recover in time"), 120_000.0);
}

#[test]
fn the_session_timeout_is_45_seconds() {
    let input = rebalance::Input::new(of("10K/s"), 6, 2);
    let answer = rebalance(&input).expect("a sound input");
    assert_eq!(input.session.value, of("45s"));
    assert_eq!(
        mid(&answer, "partitions of the lost member"),
        3.0,
        "three each, not four and two"
    );
    assert_eq!(mid(&answer, "busiest survivor"), 6.0);
}

#[test]
fn transactions_cost_what_their_size_says() {
    let check = |records: &str, overhead: &str| {
        let input =
            transactions::Input::new(of("100K/s"), of(records), Parameter::user(of("10ms")));
        let answer = transactions(&input).expect("a sound input");
        assert_eq!(shown(&answer, "overhead"), overhead, "{records}");
        assert_eq!(
            numbers(&answer, "records for the allowed overhead"),
            [2334.0, 3000.0, 4000.0]
        );
    };
    check("1K", "50%");
    check("4K", "20%");
    check("99K", "1%");
}

#[test]
fn pubsub_bills_bytes_not_requests() {
    let answer = cost(&cost::Input::new(of("500M/d"), of("1000B"))).expect("a sound input");
    let million = mid(&answer, "Pub/Sub, a million");
    assert!((million - 0.07).abs() < 0.005, "{million}");
    let correction = answer
        .corrections
        .iter()
        .find(|c| c.rule == "$1")
        .expect("corrected");
    assert!(
        correction
            .document
            .contains("$0.40 per million, $6000 a month"),
        "{correction:?}"
    );
    assert!(correction.because.contains("5.498 KB"), "{correction:?}");
}

#[test]
fn overkill_and_sweet_spot_lead_to_different_things() {
    let check = |change: fn(&mut choose::Input), rate: &str, readers: u32, expected: &str| {
        let mut input = choose::Input::new(of(rate), readers);
        change(&mut input);
        let answer = choose(&input).expect("a sound input");
        assert_eq!(shown(&answer, "use"), expected, "{input:?}");
    };
    check(|_| {}, "50/s", 1, "a queue service such as SQS");
    check(|input| input.database = true, "50/s", 1, "database polling");
    check(|input| input.reply = true, "50/s", 1, "HTTP");
    check(|_| {}, "3K/s", 1, "a queue service such as SQS");
    check(|_| {}, "20K/s", 1, "RabbitMQ");
    check(|input| input.routing = true, "2K/s", 1, "RabbitMQ");
    check(|_| {}, "80K/s", 1, "a Redis list");
    check(|_| {}, "200K/s", 1, "Kafka");
    check(|_| {}, "500/s", 3, "Redis Streams");
    check(|_| {}, "50K/s", 3, "Kafka");
    check(|input| input.replay = true, "500/s", 1, "Kafka");
    check(|input| input.serverless = true, "1K/s", 3, "Pub/Sub");
    check(|input| input.serverless = true, "10K/s", 3, "Kafka");
}

/// Every figure and claim that does not stand: its rule, the document's words,
/// ours, and the calculator that says so.
#[test]
fn everything_that_is_off_is_said_with_both_numbers() {
    let mut compressed = storage(3, 12);
    compressed.ratio = disk::documented_ratio();
    let disk_of = |rate: &str, size: &str, days: &str, storage: disk::Storage| {
        let record = RecordShape::of(of(size));
        let (rate, retention) = (of(rate), of(days));
        disk(&disk::Input {
            rate,
            record,
            retention,
            storage,
        })
        .expect("sound")
    };
    let retention = crate::retention::retention(&crate::retention::Input {
        disk: of("30TB"),
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        storage: storage(3, 12),
        slowest_consumer: None,
        time: None,
        bytes: None,
    });
    let mut hot = partitions::Input::new(of("50K/s"), of("1KB"));
    hot.hot_key = Some(of("90%"));
    let answers = [
        disk_of("100K/s", "1KB", "7d", storage(3, 12)),
        disk_of("50K/s", "1KB", "7d", compressed),
        disk_of("100K/s", "500B", "30d", storage(3, 12)),
        disk_of("100K/s", "500B", "14d", storage(3, 12)),
        disk_of("50K/s", "1KB", "30d", storage(3, 12)),
        retention.expect("sound"),
        partitions(&hot).expect("sound"),
        consumers(&consumers::Input::new(of("50K/s"), of("10ms"))).expect("sound"),
        brokers(&brokers::Input::new(of("50K/s"), of("1KB"))).expect("sound"),
        lag(&lag::Input::new(of("100K/s"), of("200K/s"))).expect("sound"),
        rebalance(&rebalance::Input::new(of("10K/s"), 6, 2)).expect("sound"),
        crate::offsets::offsets(&crate::offsets::Input::new(1, 6)).expect("sound"),
        cost(&cost::Input::new(of("500M/d"), of("1000B"))).expect("sound"),
    ];
    let said = [
        ("disk", "D1", "about 60 TB", "217.7 TB"),
        ("disk", "D1", "30 TB", "90.72 TB"),
        ("disk", "D1", "about 13 TB", "129.6 TB (117.9 TiB) a copy"),
        ("disk", "D1", "5 TB in two weeks", "60.48 TB"),
        ("disk", "D1", "nothing, in the walkthrough", "388.8 TB"),
        ("disk", "D2", "20-30% segment overhead", "0.49%"),
        ("disk", "D3", "codecs without zstd", "zstd"),
        ("disk", "D7", "80% in one table, above 85%", "80%"),
        (
            "retention",
            "D4",
            "active segment is not deleted",
            "rolled and deleted",
        ),
        (
            "partitions",
            "P2",
            "10-50 partitions at 50K/s in the table, 50-100",
            "terms above",
        ),
        (
            "partitions",
            "P3",
            "10-30 MB/s, and 10-50K records/s",
            "10-50 MB/s at 1 KB",
        ),
        (
            "partitions",
            "P9",
            "sticky since 2.4",
            "since 3.3; murmur2 in the Java client, CRC32",
        ),
        (
            "partitions",
            "P10",
            "ten times the others",
            "81x at ten partitions",
        ),
        ("partitions", "P11", "moves no data", "existing keys"),
        (
            "consumers",
            "C1",
            "50-100 for 50K/s",
            "500 for 50K/s at 10 ms; 50-100 leave 1-2 ms",
        ),
        ("brokers", "B1", "100-200 MB/s", "33.33 MB/s to 66.67 MB/s"),
        (
            "brokers",
            "B5",
            "tolerates two failures",
            "writes one at min.insync.replicas 2",
        ),
        (
            "lag",
            "C2",
            "10K messages or 5 min",
            "33.33/s; 10K messages are 0.1 s at 100K/s",
        ),
        (
            "lag",
            "C2",
            "log end − position",
            "high watermark − committed offset; last stable",
        ),
        ("rebalance", "R3", "10 s", "45 s since Kafka 3.0"),
        ("rebalance", "R1", "A gets four, C two", "three each"),
        ("offsets", "C2", "consumed through 5", "consumed through 4"),
        (
            "offsets",
            "C2",
            "fetches from the committed offset",
            "position in memory",
        ),
        (
            "cost",
            "$1",
            "$0.40 per million, $6000 a month",
            "$0.0728 per million",
        ),
        ("cost", "$1", "100-500M messages a day", "666.2M a day"),
    ];
    for (calculator, rule, document, right) in said {
        let found = answers.iter().filter(|a| a.calculator == calculator);
        let mut corrections = found.flat_map(|answer| &answer.corrections);
        let told = corrections
            .any(|c| c.rule == rule && c.document.contains(document) && c.right.contains(right));
        assert!(told, "{calculator}, {rule}: {document}, {right}");
    }
}
