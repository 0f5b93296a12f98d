//! The document's own examples, as a person reads them.

use super::{of, storage, table};
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

#[test]
fn disk_for_the_walkthrough() {
    let input = disk::Input {
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("30d"),
        storage: storage(6, 50),
    };
    insta::assert_snapshot!(table(&disk(&input).expect("a sound input")));
}

#[test]
fn retention_of_thirty_terabytes() {
    let input = retention::Input {
        disk: of("30TB"),
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        storage: storage(3, 50),
        slowest_consumer: Some(of("3d")),
        time: None,
        bytes: None,
    };
    insta::assert_snapshot!(table(&retention(&input).expect("a sound input")));
}

#[test]
fn partitions_for_the_walkthrough() {
    let mut input = partitions::Input::new(of("50K/s"), of("1KB"));
    input.processing = Some(of("10ms"));
    input.hot_key = Some(of("10%"));
    insta::assert_snapshot!(table(&partitions(&input).expect("a sound input")));
}

#[test]
fn consumers_at_ten_milliseconds_a_record() {
    let mut input = consumers::Input::new(of("10K/s"), of("10ms"));
    input.partitions = Some(50);
    input.consumers = Some(60);
    insta::assert_snapshot!(table(&consumers(&input).expect("a sound input")));
}

#[test]
fn brokers_for_the_walkthrough() {
    let mut input = brokers::Input::new(of("50K/s"), of("1KB"));
    input.groups = 3;
    input.partitions = 1000;
    input.disk = Some(of("400TB"));
    input.broker_disk = Some(of("20TB"));
    insta::assert_snapshot!(table(&brokers(&input).expect("a sound input")));
}

#[test]
fn network_of_three_brokers() {
    let mut input = network::Input::new(of("100K/s"), of("1KB"));
    input.groups = 2;
    input.link = Some(of("1250MB/s"));
    input.held = Some(of("60TB"));
    input.throttle = Some(of("100MB/s"));
    insta::assert_snapshot!(table(&network(&input).expect("a sound input")));
}

#[test]
fn memory_of_three_brokers() {
    let mut input = memory::Input::new(of("100K/s"), of("1KB"), of("64GiB"));
    input.partitions = 1000;
    input.behind = Some(of("15m"));
    insta::assert_snapshot!(table(&memory(&input).expect("a sound input")));
}

#[test]
fn lag_of_incident_one() {
    let mut input = lag::Input::new(of("1277.8/s"), of("1000/s"));
    input.retention = Some(of("7d"));
    insta::assert_snapshot!(table(&lag(&input).expect("a sound input")));
}

#[test]
fn lag_after_an_outage() {
    let mut input = lag::Input::new(of("50K/s"), of("60K/s"));
    input.outage = of("1h");
    input.retention = Some(of("7d"));
    input.recover_within = Some(of("2"));
    insta::assert_snapshot!(table(&lag(&input).expect("a sound input")));
}

#[test]
fn rebalance_of_incident_five() {
    let mut input = rebalance::Input::new(of("10K/s"), 50, 10);
    input.every = Some(of("45s"));
    insta::assert_snapshot!(table(&rebalance(&input).expect("a sound input")));
}

#[test]
fn compaction_of_ten_million_keys() {
    let mut input = compaction::Input::new(of("10M"), of("1KB"), of("1K/s"));
    input.tombstones = of("1%");
    input.new_keys = of("1%");
    insta::assert_snapshot!(table(&compaction(&input).expect("a sound input")));
}

#[test]
fn transactions_of_a_thousand_records() {
    let input = transactions::Input::new(of("100K/s"), of("1K"), Parameter::user(of("10ms")));
    insta::assert_snapshot!(table(&transactions(&input).expect("a sound input")));
}

#[test]
fn offsets_of_a_hundred_groups() {
    let input = offsets::Input::new(100, 50);
    insta::assert_snapshot!(table(&offsets(&input).expect("a sound input")));
}

#[test]
fn cost_of_five_hundred_million_a_day() {
    let input = cost::Input::new(of("500M/d"), of("1KB"));
    insta::assert_snapshot!(table(&cost(&input).expect("a sound input")));
}

#[test]
fn choice_for_the_sweet_spot() {
    let mut input = choose::Input::new(of("50K/s"), 3);
    input.keep = Some(of("7d"));
    insta::assert_snapshot!(table(&choose(&input).expect("a sound input")));
}

#[test]
fn answers_are_json_that_the_schema_describes() {
    let answer = offsets(&offsets::Input::new(100, 50)).expect("a sound input");
    let json = serde_json::to_string(&answer).expect("an answer is JSON");
    assert_eq!(
        serde_json::from_str::<crate::Answer>(&json).ok(),
        Some(answer)
    );
    let schema = schemars::schema_for!(crate::Answer);
    let required = schema.get("required").and_then(|list| list.as_array());
    assert!(
        required.is_some_and(|list| list.contains(&"lines".into())),
        "{schema:?}"
    );
}

#[test]
fn inputs_are_json_that_reads_back() {
    let input = disk::Input {
        rate: of("50K/s"),
        record: RecordShape::of(of("1KB")),
        retention: of("7d"),
        storage: storage(3, 12),
    };
    let json = serde_json::to_string(&input).expect("an input is JSON");
    assert_eq!(serde_json::from_str::<disk::Input>(&json).ok(), Some(input));
    let schema = schemars::schema_for!(disk::Input);
    assert!(
        schema
            .get("properties")
            .is_some_and(|fields| fields.get("storage").is_some())
    );
    let input = cost::Input::new(of("500M/d"), of("1KB"));
    let json = serde_json::to_string(&input).expect("an input is JSON");
    assert_eq!(serde_json::from_str::<cost::Input>(&json).ok(), Some(input));
}
