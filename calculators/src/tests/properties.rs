//! What must rise rises, what is turned round comes back, nothing overflows.

use super::{mid, numbers, of, rate, storage};
use crate::batch::RecordShape;
use crate::brokers::{self, brokers};
use crate::choose::{self, choose};
use crate::compaction::{self, compaction};
use crate::consumers::{self, consumers};
use crate::cost::{self, cost};
use crate::disk::{self, disk};
use crate::lag::{self, lag};
use crate::memory::{self, memory};
use crate::network::{self, network};
use crate::offsets::{self, offsets};
use crate::parameter::Parameter;
use crate::partitions::{self, partitions};
use crate::plan;
use crate::rebalance::{self, rebalance};
use crate::retention::{self, retention};
use crate::simulate;
use crate::transactions::{self, transactions};
use plimsoll_units::{Rate, Size, Span};
use proptest::prelude::*;

fn topic(per_second: u64, bytes: u64, seconds: u64) -> disk::Input {
    disk::Input {
        rate: rate(per_second as f64),
        record: RecordShape::of(Size::from_bytes(bytes)),
        retention: Span::from_secs(seconds),
        storage: storage(6, 50),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn disk_rises_with_rate_size_and_retention(per_second in 1..1_000_000_000_u64,
                                               bytes in 1..100_000_u64, seconds in 1..100_000_000_u64) {
        let bytes_of = |input: &disk::Input| {
            let answer = disk(input).expect("a sound input");
            mid(&answer, "to provision")
        };
        let least = bytes_of(&topic(per_second, bytes, seconds));
        prop_assert!(bytes_of(&topic(per_second * 2, bytes, seconds)) > least);
        prop_assert!(bytes_of(&topic(per_second, bytes * 2, seconds)) > least);
        prop_assert!(bytes_of(&topic(per_second, bytes, seconds * 2)) > least);
    }

    #[test]
    fn retention_is_disk_turned_round(per_second in 1..1_000_000_u64, bytes in 1..100_000_u64,
                                      seconds in 1_000_u64..10_000_000) {
        let topic = topic(per_second, bytes, seconds);
        let needed = mid(&disk(&topic).expect("a sound input"), "to provision");
        let input = retention::Input {
            disk: Size::from_bytes(needed.ceil() as u64),
            rate: topic.rate,
            record: topic.record,
            storage: topic.storage,
            slowest_consumer: None,
            time: None,
            bytes: None,
        };
        let [low, kept, high] = numbers(&retention(&input).expect("a sound input"), "retention");
        prop_assert!(low <= kept && kept <= high);
        let written = (per_second * bytes) as f64;
        let slack = 1e-6 * seconds as f64 + 2.0 / written;
        prop_assert!((kept - seconds as f64).abs() <= slack, "{} for {}", kept, seconds);
    }
}

#[test]
fn the_largest_quantities_do_not_overflow() {
    let answer = disk(&topic(1_000_000_000, 1_000_000, 4_000_000_000)).expect("it fits");
    assert!(mid(&answer, "to provision") > 1e24);
    let input = retention::Input {
        disk: Size::from_bytes(1_000_000_000_000_000_000),
        rate: rate(0.1),
        record: RecordShape::of(Size::from_bytes(1)),
        storage: storage(1000, 10_000),
        slowest_consumer: None,
        time: None,
        bytes: None,
    };
    assert!(retention(&input).is_ok());
}

/// The largest quantities that the calculators promise to take.
#[test]
fn every_calculator_takes_a_billion_records_a_second() {
    let (rate, size): (Rate, Size) = (of("1G/s"), of("1MB"));
    assert!(partitions(&partitions::Input::new(rate, size)).is_ok());
    assert!(consumers(&consumers::Input::new(rate, of("1h"))).is_ok());
    assert!(brokers(&brokers::Input::new(rate, size)).is_ok());
    assert!(network(&network::Input::new(rate, size)).is_ok());
    assert!(memory(&memory::Input::new(rate, size, of("1000000TB"))).is_ok());
    assert!(lag(&lag::Input::new(rate, of("0.1/s"))).is_ok());
    assert!(rebalance(&rebalance::Input::new(rate, 100_000, 1000)).is_ok());
    assert!(compaction(&compaction::Input::new(of("1000000G"), size, rate)).is_ok());
    assert!(
        transactions(&transactions::Input::new(
            rate,
            of("1G"),
            Parameter::user(of("1d"))
        ))
        .is_ok()
    );
    assert!(offsets(&offsets::Input::new(1_000_000, 1_000_000)).is_ok());
    assert!(cost(&cost::Input::new(rate, size)).is_ok());
    assert!(choose(&choose::Input::new(rate, 1000)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn capacities_rise_with_the_rate(per_second in 1..500_000_000_u64, bytes in 1..100_000_u64) {
        let size = Size::from_bytes(bytes);
        let counts = |per_second: u64| {
            let rate = rate(per_second as f64);
            let partitions = partitions(&partitions::Input::new(rate, size));
            let brokers = brokers(&brokers::Input::new(rate, size));
            let network = network(&network::Input::new(rate, size));
            [
                mid(&partitions.expect("a sound input"), "partitions"),
                mid(&brokers.expect("a sound input"), "brokers"),
                mid(&network.expect("a sound input"), "out of each"),
            ]
        };
        let (less, more) = (counts(per_second), counts(per_second * 2));
        prop_assert!(less.iter().zip(more).all(|(less, more)| *less <= more), "{:?} {:?}", less, more);
    }

    #[test]
    fn enough_records_keep_the_overhead_allowed(plain in 1..1_000_000_u64, millis in 1..10_000_u64) {
        let plain = rate(plain as f64);
        let commit = Span::from_millis(millis);
        let one = transactions(&transactions::Input::new(plain, of("1"), Parameter::user(commit))).expect("sound");
        let [_, enough, _] = numbers(&one, "records for the allowed overhead");
        let count = plimsoll_units::Count::new((enough as u64).max(1));
        let larger = transactions(&transactions::Input::new(plain, count, Parameter::user(commit))).expect("sound");
        prop_assert!(mid(&larger, "overhead") <= 0.25 + 1e-12);
    }

    #[test]
    fn capacity_to_recover_recovers_in_time(produced in 1..1_000_000_u64, times in 1..100_u64,
                                            outage in 1..100_000_u64) {
        let mut input = lag::Input::new(rate(produced as f64), rate(produced as f64 * 1.001));
        input.outage = Span::from_secs(outage);
        input.recover_within = Some(plimsoll_units::Count::new(times));
        let needed = mid(&lag(&input).expect("sound"), "capacity to recover in time");
        input.consumed = rate(needed);
        let took = mid(&lag(&input).expect("sound"), "catches up in");
        prop_assert!((took / (times * outage) as f64 - 1.0).abs() < 1e-6, "{}", took);
    }
}

fn requirement(per_second: u64, bytes: u64) -> plan::Input {
    plan::Input::new(vec![plan::Topic {
        name: "events".to_owned(),
        rate: rate(per_second as f64),
        record: RecordShape::of(Size::from_bytes(bytes)),
        retention: of("7d"),
        groups: 2,
        processing: None,
        consumers: None,
        hot_key: None,
    }])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Brokers turned round: the cluster that a load asks for carries it.
    #[test]
    fn the_brokers_for_a_load_carry_it(per_second in 1..100_000_000_u64, bytes in 1..100_000_u64,
                                       groups in 0..10_u32) {
        let mut input = brokers::Input::new(rate(per_second as f64), Size::from_bytes(bytes));
        input.groups = groups;
        input.link = Some(of("1250MB/s"));
        let answer = brokers(&input).expect("a sound input");
        let carried = mid(&answer, "they carry, one lost");
        prop_assert!(carried >= (per_second * bytes) as f64 * (1.0 - 1e-9), "{}", carried);
    }

    #[test]
    fn plans_rise_with_the_load(per_second in 1..100_000_000_u64, bytes in 1..10_000_u64) {
        let figures = |per_second: u64, growth: f64| {
            let mut input = requirement(per_second, bytes);
            (input.growth, input.years) = (growth, 2);
            let summary = plan::plan(&input).expect("a sound requirement").summary;
            ["partitions", "brokers", "disk to provision", "into each"].map(|line| mid(&summary, line))
        };
        let least = figures(per_second, 0.0);
        let more = figures(per_second * 2, 0.0);
        let grown = figures(per_second, 0.5);
        // What each broker takes need not rise: there may be more of them.
        for at in 0..3 {
            prop_assert!(least[at] <= more[at] && least[at] <= grown[at], "{:?} {:?} {:?}", least, more, grown);
        }
    }

    /// retention.ms that the disk pays for is what binds when it is set.
    #[test]
    fn the_shortest_of_disk_time_and_bytes_binds(seconds in 1..10_000_000_u64, bytes in 1..1_000_000_000_000_u64) {
        let input = retention::Input {
            disk: of("30TB"),
            rate: of("50K/s"),
            record: RecordShape::of(of("1KB")),
            storage: storage(3, 50),
            slowest_consumer: None,
            time: Some(Span::from_secs(seconds)),
            bytes: Some(Size::from_bytes(bytes)),
        };
        let answer = retention(&input).expect("a sound input");
        let lines = ["retention", "by retention.ms", "by retention.bytes"].map(|line| mid(&answer, line));
        let least = lines.iter().copied().fold(f64::INFINITY, f64::min);
        let named = ["the disk", "retention.ms", "retention.bytes"];
        let binds = answer.binds.as_ref().map(|b| b.term.as_str());
        let at = named.iter().position(|name| Some(*name) == binds).expect("one of them");
        prop_assert_eq!(lines[at], least);
        let behind = mid(&answer, "a consumer may be behind by");
        prop_assert!((behind / (least * 50_000.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn keys_that_move_are_those_with_another_remainder(current in 1..200_u32, more in 1..200_u32) {
        let mut input = partitions::Input::new(of("1/s"), of("1KB"));
        input.current = Some(current);
        input.consumers = Some(current + more);
        let answer = partitions(&input).expect("a sound input");
        let needed = mid(&answer, "partitions") as u64;
        let hashes = u64::from(current) * needed;
        let moved = (0..hashes).filter(|h| h % u64::from(current) != h % needed).count();
        let told = mid(&answer, "keys that move");
        prop_assert!((told - moved as f64 / hashes as f64).abs() < 1e-9, "{} {}", told, moved);
    }
}

/// What is measured has more digits than fractions can hold.
#[test]
fn measured_values_are_taken_as_they_come() {
    let mut storage = storage(3, 12);
    storage.ratio.value = crate::Between::new(3.123_456_789_012_345, 5.436_563_656_918_09);
    let input = disk::Input {
        storage,
        ..topic(123_457, 1013, 604_800)
    };
    assert!(disk(&input).is_ok());
    let mut input = requirement(98_765, 1013);
    (input.growth, input.years) = (0.173, 9);
    assert!(plan::plan(&input).is_ok());
}

#[test]
fn a_plan_and_a_model_take_a_billion_records_a_second() {
    let input = requirement(1_000_000_000, 1000);
    let found = plan::plan(&input).expect("it fits");
    assert!(mid(&found.summary, "disk to provision") > 1e18);
    let mut model = simulate::Input::new(of("1G/s"), of("1KB"));
    (model.brokers, model.partitions, model.budget) = (300, 100_000, 2000);
    assert!(simulate::simulate(&model).is_ok());
}
