//! Records as Apache Kafka 4.1's own generated classes wrote them: we read
//! them as they are meant, and write the same bytes.

use plimsoll_coordinator::schema::{
    ClassicMemberValue, ClassicMetadata, ClassicValue, CurrentValue, EpochValue, GroupRecord,
    MemberState, MemberValue, OffsetKey, OffsetValue, Partitions, RegexValue, TransactionRecord,
    TransactionState, TransactionValue,
};
use plimsoll_coordinator::{TopicId, TopicName};
use plimsoll_wire::types::{
    LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const AT: TimestampMs = TimestampMs(1_700_000_000_000);

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// Reads Kafka's bytes as `expected`; writes the same unless `only_read`.
fn check(key: &str, value: &str, expected: GroupRecord, only_read: bool) {
    let (key, value) = (bytes(key), bytes(value));
    let read = GroupRecord::decode(&key, Some(&value)).expect("Kafka's own bytes");
    assert_eq!(read, expected);
    if !only_read {
        assert_eq!(expected.key(), key, "{expected:?}");
        assert_eq!(
            expected.value().as_deref(),
            Some(&value[..]),
            "{expected:?}"
        );
    }
}

fn topic() -> TopicId {
    TopicId::from_u64_pair(1, 2)
}

fn partitions(indexes: &[i32]) -> Partitions {
    let indexes = indexes.iter().copied().map(PartitionIndex);
    Partitions::from([(topic(), indexes.collect())])
}

#[test]
fn offsets() {
    let key = OffsetKey {
        group: "g".into(),
        topic: "t".into(),
        partition: PartitionIndex(3),
    };
    let value = OffsetValue {
        offset: Offset(42),
        leader_epoch: LeaderEpoch(7),
        metadata: "note".into(),
        committed_at: AT,
        expires_at: None,
        topic_id: TopicId::nil(),
    };
    let raw_key = "000100016700017400000003";
    check(
        raw_key,
        "0003000000000000002a0000000700046e6f74650000018bcfe56800",
        GroupRecord::Offset(key.clone(), Some(value.clone())),
        false,
    );
    let expiring = OffsetValue {
        leader_epoch: LeaderEpoch::NONE,
        metadata: "".into(),
        expires_at: Some(TimestampMs(AT.get() + 1000)),
        ..value.clone()
    };
    check(
        raw_key,
        "0001000000000000002a00000000018bcfe568000000018bcfe56be8",
        GroupRecord::Offset(key.clone(), Some(expiring)),
        false,
    );
    let with_topic = OffsetValue {
        topic_id: topic(),
        ..value
    };
    check(
        raw_key,
        "0004000000000000002a00000007056e6f74650000018bcfe5680001001000000000000000010000000000000002",
        GroupRecord::Offset(key, Some(with_topic)),
        true,
    );
}

#[test]
fn classic_groups() {
    let value = ClassicValue {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("range".into()),
        leader: Some("m".into()),
        state_since: AT,
        members: vec![ClassicMemberValue {
            member: "m".into(),
            instance: Some("i".into()),
            client_id: "c".into(),
            client_host: "/h".into(),
            rebalance_timeout: Duration::from_secs(300),
            session_timeout: Duration::from_secs(45),
            subscription: vec![1, 2].into(),
            assignment: vec![3].into(),
        }],
    };
    check(
        "0002000167",
        "00030008636f6e73756d657200000005000572616e676500016d0000018bcfe568000000000100016d00016900016300022f68000493e00000afc80000000201020000000103",
        GroupRecord::Classic("g".into(), Some(value)),
        false,
    );
    let empty = ClassicValue {
        protocol_type: String::new(),
        generation: 0,
        protocol: None,
        leader: None,
        state_since: AT,
        members: Vec::new(),
    };
    check(
        "0002000167",
        "0003000000000000ffffffff0000018bcfe5680000000000",
        GroupRecord::Classic("g".into(), Some(empty)),
        false,
    );
}

#[test]
fn consumer_groups() {
    let epoch = EpochValue {
        epoch: 9,
        metadata_hash: -77,
    };
    check(
        "0003000167",
        "000000000009010008ffffffffffffffb3",
        GroupRecord::Epoch("g".into(), Some(epoch)),
        false,
    );
    check(
        "0006000167",
        "00000000000900",
        GroupRecord::TargetEpoch("g".into(), Some(9)),
        false,
    );
    check(
        "000700016700016d",
        "000002000000000000000100000000000000020300000000000000040000",
        GroupRecord::Target("g".into(), "m".into(), Some(partitions(&[0, 4]))),
        false,
    );
    let current = CurrentValue {
        epoch: 9,
        previous_epoch: 8,
        state: MemberState::UnrevokedPartitions,
        assigned: partitions(&[0]),
        revoking: partitions(&[4]),
    };
    check(
        "000800016700016d",
        "00000000000900000008010200000000000000010000000000000002020000000000020000000000000001000000000000000202000000040000",
        GroupRecord::Current("g".into(), "m".into(), Some(current)),
        false,
    );
    let regex = RegexValue {
        topics: BTreeSet::from(["a".to_owned()]),
        version: 4,
        resolved_at: AT,
    };
    check(
        "00100001670003782e2a",
        "000002026100000000000000040000018bcfe5680000",
        GroupRecord::Regex("g".into(), "x.*".into(), Some(regex)),
        false,
    );
}

#[test]
fn members_of_consumer_groups() {
    let member = MemberValue {
        instance: None,
        rack: Some("r".into()),
        client_id: "c".into(),
        client_host: "/h".into(),
        topics: BTreeSet::from(["a".to_owned()]),
        regex: None,
        rebalance_timeout: Duration::from_secs(300),
        assignor: None,
        classic: None,
    };
    check(
        "000500016700016d",
        "00000002720263032f6802026100000493e00000",
        GroupRecord::Member("g".into(), "m".into(), Some(member.clone())),
        false,
    );
    let migrating = MemberValue {
        instance: Some("i".into()),
        rack: None,
        topics: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        regex: Some("x.*".into()),
        assignor: Some("uniform".into()),
        classic: Some(ClassicMetadata {
            session_timeout: Duration::from_secs(45),
            protocols: vec![("range".into(), vec![0, 1].into())],
        }),
        ..member
    };
    check(
        "000500016700016d",
        "00000269000263032f68030261026204782e2a000493e008756e69666f726d010011010000afc8020672616e67650300010000",
        GroupRecord::Member("g".into(), "m".into(), Some(migrating)),
        false,
    );
}

#[test]
fn transactions() {
    let value = TransactionValue {
        producer: ProducerId(4000),
        epoch: ProducerEpoch(3),
        previous_producer: ProducerId(3999),
        next_producer: ProducerId(4001),
        next_epoch: ProducerEpoch(0),
        timeout: Duration::from_secs(60),
        state: TransactionState::PrepareCommit,
        partitions: BTreeMap::from([(TopicName::from("t"), BTreeSet::from([PartitionIndex(1)]))]),
        updated_at: TimestampMs(12),
        started_at: TimestampMs(11),
        client_version: 2,
    };
    let raw_key = bytes("0000000174");
    let raw = bytes(
        "00010000000000000fa000030000ea6002020274020000000100000000000000000c000000000000000b0400080000000000000f9f01080000000000000fa10202000203020000",
    );
    let record = TransactionRecord {
        id: "t".into(),
        value: Some(value.clone()),
    };
    assert_eq!(
        TransactionRecord::decode(&raw_key, Some(&raw)),
        Ok(record.clone())
    );
    assert_eq!(record.key(), raw_key);
    assert_eq!(record.encoded_value().as_deref(), Some(&raw[..]));

    let old = bytes("00000000000000000fa000000000ea6000ffffffff000000000000000cffffffffffffffff");
    let expected = TransactionValue {
        epoch: ProducerEpoch(0),
        previous_producer: ProducerId::NONE,
        next_producer: ProducerId::NONE,
        next_epoch: ProducerEpoch::NONE,
        state: TransactionState::Empty,
        partitions: BTreeMap::new(),
        started_at: TimestampMs::NONE,
        client_version: 0,
        ..value
    };
    let read = TransactionRecord::decode(&raw_key, Some(&old)).unwrap();
    assert_eq!(read.value, Some(expected));
}
