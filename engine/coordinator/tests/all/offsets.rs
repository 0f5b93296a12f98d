//! Committed offsets: who may commit, who sees what, and when they go.

use crate::stage::{Stage, commit, commit_topic, fetch, join, secs};
use plimsoll_coordinator::command::{LeaveGroup, LeavingMember, OffsetFetch, TxnOffsetCommit};
use plimsoll_coordinator::{AppendRefused, Command, GroupId, MemberId, Refusal, Reply};
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

const DAY: u64 = 24 * 60 * 60;

fn simple(group: &str, offset: i64) -> Command {
    Command::Commit(commit(group, &MemberId::default(), -1, offset))
}

fn in_transaction(group: &str, producer: i64, offset: i64) -> Command {
    Command::TxnCommit(TxnOffsetCommit {
        group: group.into(),
        producer: ProducerId(producer),
        epoch: ProducerEpoch(0),
        generation: -1,
        member: MemberId::default(),
        instance: None,
        topics: vec![commit_topic("t", 0, offset)],
    })
}

#[test]
fn a_simple_consumer_commits_and_reads_back_even_after_a_failover() {
    let mut stage = Stage::quick();
    assert_eq!(stage.committed("g"), None);
    stage.ask(simple("g", 5));
    stage.ask(simple("g", 6));
    assert_eq!(stage.committed("g"), Some(6));
    stage.fail_over();
    assert_eq!(stage.committed("g"), Some(6));
    assert_eq!(stage.state("g"), "Empty");
}

#[test]
fn a_commit_is_answered_when_it_is_committed_and_reads_wait_with_it() {
    let mut stage = Stage::quick();
    stage.hold = true;
    let wrote = stage.send(simple("g", 5));
    let read = stage.send(Command::Fetch(fetch("g")));
    assert!(stage.replies.is_empty());
    stage.release();
    assert!(stage.reply(wrote).is_some() && stage.reply(read).is_some());
}

#[test]
fn a_commit_that_cannot_be_stored_leaves_the_offset_as_it_was() {
    let mut stage = Stage::quick();
    stage.ask(simple("g", 5));
    stage.refuse = Some(AppendRefused::Unavailable);
    let reply = stage.ask(simple("g", 6));
    assert_eq!(reply, Reply::Commit(Err(Refusal::CoordinatorNotAvailable)));
    assert_eq!(stage.committed("g"), Some(5));
}

#[test]
fn a_transactions_offsets_show_once_it_commits() {
    let mut stage = Stage::quick();
    stage.ask(simple("g", 1));
    stage.ask(in_transaction("g", 7, 5));
    assert_eq!(stage.committed("g"), Some(1));
    let stable = OffsetFetch {
        require_stable: true,
        topics: Some(vec![("t".into(), vec![PartitionIndex(0)])]),
        ..fetch("g")
    };
    let Reply::Fetch(Ok(topics)) = stage.ask(Command::Fetch(stable)) else {
        panic!("offsets are answered with offsets");
    };
    assert_eq!(topics[0].1[0].1, Err(Refusal::UnstableOffsetCommit));
    stage.fail_over();
    stage.marker(ProducerId(7), true);
    assert_eq!(stage.committed("g"), Some(5));
    stage.ask(in_transaction("g", 7, 9));
    stage.marker(ProducerId(7), false);
    assert_eq!(stage.committed("g"), Some(5));
    stage.fail_over();
    assert_eq!(stage.committed("g"), Some(5));
}

#[test]
fn offsets_go_seven_days_after_the_group_became_empty() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", "")]).remove(0);
    stage.ask(Command::Commit(commit("g", &joined.member, 1, 5)));
    stage.ask(Command::Leave(LeaveGroup {
        group: "g".into(),
        members: vec![LeavingMember {
            member: joined.member,
            instance: None,
        }],
    }));
    stage.pass(secs(7 * DAY - 60));
    assert_eq!(stage.committed("g"), Some(5));
    stage.pass(secs(20 * 60));
    assert_eq!(stage.committed("g"), None);
    assert_eq!(stage.state("g"), "Dead");
    stage.fail_over();
    assert_eq!(stage.state("g"), "Dead");
}

#[test]
fn a_deleted_group_takes_its_offsets_along() {
    let mut stage = Stage::quick();
    let delete = |stage: &mut Stage| stage.ask(Command::DeleteGroup(GroupId::from("g")));
    let not_found = Reply::DeleteGroup(Err(Refusal::GroupIdNotFound));
    assert_eq!(delete(&mut stage), not_found);
    stage.ask(simple("g", 5));
    assert_eq!(delete(&mut stage), Reply::DeleteGroup(Ok(())));
    assert_eq!(stage.committed("g"), None);
    assert_eq!(delete(&mut stage), not_found);
    stage.stable("g", vec![join("g", "")]);
    let busy = Reply::DeleteGroup(Err(Refusal::NonEmptyGroup));
    assert_eq!(delete(&mut stage), busy);
}
