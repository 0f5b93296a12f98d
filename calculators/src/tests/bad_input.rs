//! Inputs that make no sense are refused by the field's name.

use super::{of, storage};
use crate::answer::Answer;
use crate::batch::RecordShape;
use crate::brokers::{self, brokers};
use crate::choose::{self, choose};
use crate::compaction::{self, compaction};
use crate::consumers::{self, consumers};
use crate::cost::{self, Prices, SHIPPED_PRICES, cost};
use crate::disk::{self, Storage, disk};
use crate::error::InputError;
use crate::lag::{self, lag};
use crate::memory::{self, memory};
use crate::network::{self, network};
use crate::offsets::{self, offsets};
use crate::parameter::{Between, Parameter};
use crate::partitions::{self, partitions};
use crate::rebalance::{self, rebalance};
use crate::transactions::{self, transactions};
use plimsoll_units::{Share, Size, Span};

#[track_caller]
pub(super) fn check(result: Result<Answer, InputError>, expected: &str) {
    let error = result.expect_err(expected).to_string();
    assert!(error.contains(expected), "{error}");
}

fn topic(change: impl FnOnce(&mut disk::Input)) -> Result<Answer, InputError> {
    let mut input = disk::Input {
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("7d"),
        storage: storage(3, 12),
    };
    change(&mut input);
    disk(&input)
}

fn stored(change: impl FnOnce(&mut Storage)) -> Result<Answer, InputError> {
    topic(|input| change(&mut input.storage))
}

#[test]
fn disk_refuses_what_no_topic_has() {
    check(
        topic(|i| i.retention = Span::ZERO),
        "retention is 0s; accepted: a value above zero",
    );
    check(
        topic(|i| i.record = RecordShape::of(Size::default())),
        "size is 0B",
    );
    check(
        topic(|i| i.record.value = of("3GiB")),
        "size is 3GiB; accepted: a record below 2GiB",
    );
    check(stored(|s| s.brokers = 0), "brokers is 0");
    check(stored(|s| s.replication = 0), "replication is 0");
    check(
        stored(|s| s.replication = 4),
        "replication is 4; accepted: at most the brokers, 3",
    );
    check(stored(|s| s.partitions = 0), "partitions is 0");
    check(stored(|s| s.alert.value = Share::default()), "alert is 0");
    check(
        stored(|s| s.segment.value = Size::default()),
        "segment is 0B",
    );
    check(stored(|s| s.roll.value = Span::ZERO), "roll is 0s");
    for (low, high) in [
        (0.5, 1.0),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (1.0, f64::INFINITY),
        (-3.0, 3.0),
    ] {
        check(
            stored(|s| s.ratio.value = Between::new(low, high)),
            "ratio is",
        );
    }
}

#[test]
fn the_other_capacities_name_their_fields() {
    let mut input = partitions::Input::new(of("1K/s"), Size::default());
    check(partitions(&input), "size is 0B");
    input.size = of("1KB");
    input.consumers = Some(0);
    check(partitions(&input), "consumers is 0");
    let mut input = consumers::Input::new(of("1K/s"), Span::ZERO);
    check(consumers(&input), "processing is 0s");
    input.processing = of("1ms");
    input.poll_records.value = 0;
    check(consumers(&input), "poll records is 0");
    let mut input = brokers::Input::new(of("1K/s"), of("1KB"));
    input.disk = Some(of("1TB"));
    check(
        brokers(&input),
        "disk is 1TB; accepted: also the disk of one broker",
    );
    let mut input = network::Input::new(of("1K/s"), of("1KB"));
    input.throttle = Some(of("1MB/s"));
    check(network(&input), "throttle is 1MB/s");
    input.replication = 5;
    check(
        network(&input),
        "replication is 5; accepted: at most the brokers, 3",
    );
    check(
        memory(&memory::Input::new(of("1K/s"), of("1KB"), Size::default())),
        "free is 0B",
    );
}

#[test]
fn the_courses_over_time_name_their_fields() {
    let mut input = lag::Input::new(of("1K/s"), of("2K/s"));
    input.recover_within = Some(of("0"));
    check(lag(&input), "recover within is 0");
    input.recover_within = None;
    input.retention = Some(Span::ZERO);
    check(lag(&input), "retention is 0s");
    check(
        rebalance(&rebalance::Input::new(of("1K/s"), 6, 1)),
        "consumers is 1; accepted: 2 to",
    );
    let mut input = compaction::Input::new(of("0"), of("1KB"), of("1/s"));
    check(compaction(&input), "keys is 0");
    input.keys = of("1");
    input.dirty.value = of("100%");
    check(compaction(&input), "dirty is 1; accepted: a share below 1");
    input.dirty.value = of("50%");
    (input.new_keys, input.tombstones) = (of("60%"), of("60%"));
    check(compaction(&input), "tombstones is 0.6");
    let input = transactions::Input::new(of("1K/s"), of("0"), Parameter::user(of("1ms")));
    check(transactions(&input), "records is 0");
    check(offsets(&offsets::Input::new(0, 1)), "groups is 0");
    check(choose(&choose::Input::new(of("1/s"), 0)), "readers is 0");
    check(
        cost(&cost::Input::new(of("1/s"), Size::default())),
        "size is 0B",
    );
}

#[test]
fn prices_are_read_strictly() {
    let check = |from: &str, to: &str, expected: &str| {
        let text = SHIPPED_PRICES.replacen(from, to, 1);
        let error = Prices::from_toml(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("per_tib = 40.0", "per_tib = -1.0", "pubsub.per_tib is -1");
    check("per_tib = 40.0", "per_tib = nan", "pubsub.per_tib is NaN");
    check("per_tib", "per_tb", "unknown field `per_tb`");
    check(
        "chunk_bytes = 65536",
        "chunk_bytes = 0",
        "queue.chunk_bytes",
    );
}
