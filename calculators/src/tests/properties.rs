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
use crate::rebalance::{self, rebalance};
use crate::retention::{self, retention};
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
