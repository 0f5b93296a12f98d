//! The consumer protocol (KIP-848), scene by scene.

use crate::stage::{Stage, assignment_of, commit, embedded, heartbeat, join, secs};
use plimsoll_coordinator::command::{
    ConsumerHeartbeat, JoinGroup, LeaveGroup, LeavingMember, OffsetFetch, SyncGroup,
};
use plimsoll_coordinator::reply::ConsumerHeartbeatReply;
use plimsoll_coordinator::{Command, GroupId, MemberId, Refusal, Reply};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeSet;

type Answer = Result<ConsumerHeartbeatReply, Refusal>;

pub fn joining(member: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group: "g".into(),
        member: member.into(),
        member_id_required: true,
        epoch: 0,
        instance: None,
        rack: None,
        rebalance_timeout: Some(secs(30)),
        topics: Some(BTreeSet::from(["t".to_owned()])),
        regex: None,
        assignor: None,
        owned: Some(Vec::new()),
        client: Default::default(),
    }
}

fn at(member: &str, epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        epoch,
        rebalance_timeout: None,
        topics: None,
        owned: None,
        ..joining(member)
    }
}

impl Stage {
    pub fn report(&mut self, request: ConsumerHeartbeat) -> Answer {
        match self.ask(Command::ConsumerHeartbeat(request)) {
            Reply::ConsumerHeartbeat(answer) => answer,
            other => panic!("expected a heartbeat's answer, got {other:?}"),
        }
    }

    /// Owns these partitions of `t`, and says so.
    fn owning(&self, member: &str, epoch: i32, owned: &[i32]) -> ConsumerHeartbeat {
        let topic = self.topic_id("t");
        let indexes: Vec<_> = owned.iter().copied().map(PartitionIndex).collect();
        ConsumerHeartbeat {
            owned: Some(if indexes.is_empty() {
                vec![]
            } else {
                vec![(topic, indexes)]
            }),
            ..at(member, epoch)
        }
    }
}

fn given(answer: &Answer) -> (i32, Option<Vec<i32>>) {
    let answer = answer.as_ref().expect("an answer");
    let indexes = answer.assignment.as_ref().map(|assignment| {
        let indexes = assignment.values().flatten();
        indexes.map(|i| i.get()).collect()
    });
    (answer.epoch, indexes)
}

#[test]
fn a_lone_member_gets_everything_and_is_told_only_of_changes() {
    let mut stage = Stage::with_topics(&[("t", 3)]);
    assert_eq!(given(&stage.report(joining("a"))), (1, Some(vec![0, 1, 2])));
    assert_eq!(given(&stage.report(at("a", 1))), (1, None));
    let described = stage.shard.describe_consumer(&"g".into()).unwrap();
    assert_eq!((described.state, described.epoch), ("Stable", 1));
    stage.set_topic("t", 4);
    assert_eq!(
        given(&stage.report(at("a", 1))),
        (2, Some(vec![0, 1, 2, 3]))
    );
}

#[test]
fn a_partition_is_given_up_before_it_is_given_on() {
    let mut stage = Stage::with_topics(&[("t", 4)]);
    stage.report(joining("a")).unwrap();
    let (epoch, got) = given(&stage.report(joining("b")));
    assert_eq!((epoch, got), (2, Some(vec![])), "a still has all four");
    let (epoch, keeps) = given(&stage.report(stage.owning("a", 1, &[0, 1, 2, 3])));
    assert_eq!(
        (epoch, &keeps),
        (1, &Some(vec![0, 1])),
        "a must revoke first"
    );
    assert_eq!(given(&stage.report(at("b", 2))), (2, None));
    let waits = stage.report(stage.owning("a", 1, &[0, 1, 2, 3]));
    assert_eq!(given(&waits), (1, None), "it has not revoked yet");
    assert_eq!(
        given(&stage.report(stage.owning("a", 1, &[0, 1]))),
        (2, None)
    );
    assert_eq!(given(&stage.report(at("b", 2))), (2, Some(vec![2, 3])));
    stage.fail_over();
    assert_eq!(given(&stage.report(at("b", 2))), (2, None));
    assert_eq!(stage.consumer_state(), "Stable");
}

#[test]
fn a_member_that_holds_on_too_long_is_fenced() {
    let mut stage = Stage::with_topics(&[("t", 2)]);
    stage.report(joining("a")).unwrap();
    stage.report(joining("b")).unwrap();
    for _ in 0..6 {
        stage.report(stage.owning("a", 1, &[0, 1])).ok();
        stage.report(at("b", 2)).unwrap();
        stage.pass(secs(5));
    }
    let fenced = stage.report(stage.owning("a", 1, &[0, 1]));
    assert_eq!(fenced, Err(Refusal::UnknownMemberId));
    assert_eq!(given(&stage.report(at("b", 2))), (3, Some(vec![0, 1])));
}

#[test]
fn a_silent_member_is_out_after_its_session() {
    let mut stage = Stage::with_topics(&[("t", 2)]);
    stage.report(joining("a")).unwrap();
    stage.pass(secs(46));
    assert_eq!(stage.consumer_state(), "Empty");
    assert_eq!(stage.report(at("a", 1)), Err(Refusal::UnknownMemberId));
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut stage = Stage::with_topics(&[("t", 2)]);
    stage.report(joining("a")).unwrap();
    let again = stage.report(joining("a"));
    assert_eq!(given(&again), (1, Some(vec![0, 1])));
    stage.set_topic("t", 3);
    stage.report(at("a", 1)).unwrap();
    let full = ConsumerHeartbeat {
        epoch: 1,
        ..joining("a")
    };
    assert_eq!(given(&stage.report(full)), (2, Some(vec![0, 1, 2])));
}

#[test]
fn a_static_member_may_go_away_and_come_back_to_its_partitions() {
    let mut stage = Stage::with_topics(&[("t", 4)]);
    let fixed = |request: ConsumerHeartbeat| ConsumerHeartbeat {
        instance: Some("i".into()),
        ..request
    };
    stage.report(fixed(joining("a"))).unwrap();
    stage.report(joining("b")).unwrap();
    let taken = stage.report(fixed(joining("x")));
    assert_eq!(taken, Err(Refusal::UnreleasedInstanceId));
    stage.report(fixed(stage.owning("a", 1, &[0, 1]))).unwrap();
    stage.report(fixed(stage.owning("a", 1, &[0, 1]))).unwrap();
    stage.report(fixed(at("a", -2))).unwrap();
    stage.report(at("b", 2)).unwrap();
    let back = given(&stage.report(fixed(joining("c"))));
    assert_eq!(back, (2, Some(vec![0, 1])), "no epoch has passed");
    let fenced = stage.report(fixed(at("a", 2)));
    assert_eq!(fenced, Err(Refusal::FencedInstanceId));
    stage.fail_over();
    assert_eq!(given(&stage.report(fixed(at("c", 2)))), (2, None));
}

#[test]
fn an_expression_chooses_topics_as_they_come() {
    let mut stage = Stage::with_topics(&[("t1", 1), ("u", 1)]);
    let request = ConsumerHeartbeat {
        topics: None,
        regex: Some("t[0-9]".to_owned()),
        ..joining("a")
    };
    let parts = |answer: Answer| answer.unwrap().assignment.map(|a| a.len());
    assert_eq!(parts(stage.report(request.clone())), Some(1));
    stage.set_topic("t2", 1);
    stage.set_topic("t22", 1);
    assert_eq!(parts(stage.report(at("a", 1))), Some(2));
    stage.fail_over();
    assert_eq!(parts(stage.report(at("a", 2))), None);
    let broken = ConsumerHeartbeat {
        regex: Some("t[".to_owned()),
        ..request
    };
    let refused = stage.report(broken);
    assert_eq!(refused, Err(Refusal::InvalidRegularExpression));
}

#[test]
fn range_gives_contiguous_shares() {
    let mut stage = Stage::with_topics(&[("t", 5)]);
    let range = |member| ConsumerHeartbeat {
        assignor: Some("range".to_owned()),
        ..joining(member)
    };
    stage.report(range("a")).unwrap();
    stage.report(range("b")).unwrap();
    let described = stage.shard.describe_consumer(&"g".into()).unwrap();
    let targets = described.members.iter().map(|m| {
        let indexes = m.target.values().flatten();
        indexes.map(|i| i.get()).collect::<Vec<_>>()
    });
    assert_eq!(targets.collect::<Vec<_>>(), [vec![0, 1, 2], vec![3, 4]]);
    assert_eq!(described.assignor, "range");
}

#[test]
fn members_commit_at_their_epoch() {
    let mut stage = Stage::with_topics(&[("t", 1)]);
    stage.report(joining("a")).unwrap();
    let member = MemberId::from("a");
    let mut check = |epoch: i32, knows_epochs: bool, expected: Option<Refusal>| {
        let request = plimsoll_coordinator::command::OffsetCommit {
            knows_epochs,
            ..commit("g", &member, epoch, 5)
        };
        let Reply::Commit(outcome) = stage.ask(Command::Commit(request)) else {
            panic!("a commit is answered with a commit");
        };
        assert_eq!(outcome.err(), expected, "epoch {epoch}");
    };
    check(1, true, None);
    check(0, true, Some(Refusal::StaleMemberEpoch));
    check(2, true, Some(Refusal::StaleMemberEpoch));
    check(1, false, Some(Refusal::UnsupportedVersion));
    let fetch = OffsetFetch {
        member: Some("a".into()),
        epoch: 0,
        ..crate::stage::fetch("g")
    };
    let reply = stage.ask(Command::Fetch(fetch));
    assert_eq!(reply, Reply::Fetch(Err(Refusal::StaleMemberEpoch)));
    assert_eq!(stage.committed("g"), Some(5));
}

#[test]
fn a_group_that_is_left_can_be_deleted_and_used_with_the_other_protocol() {
    let mut stage = Stage::with_topics(&[("t", 1)]);
    stage.report(joining("a")).unwrap();
    let delete = |stage: &mut Stage| stage.ask(Command::DeleteGroup(GroupId::from("g")));
    assert_eq!(
        delete(&mut stage),
        Reply::DeleteGroup(Err(Refusal::NonEmptyGroup))
    );
    stage.report(at("a", -1)).unwrap();
    stage.stable("g", vec![JoinGroup { ..join("g", "") }]);
    assert_eq!(stage.state("g"), "Stable");
    assert!(stage.shard.describe_consumer(&"g".into()).is_err());
    stage.fail_over();
    assert_eq!(stage.state("g"), "Stable");

    let mut stage = Stage::with_topics(&[("t", 1)]);
    stage.report(joining("a")).unwrap();
    stage.report(at("a", -1)).unwrap();
    assert_eq!(delete(&mut stage), Reply::DeleteGroup(Ok(())));
    stage.fail_over();
    assert!(stage.shard.hard_state().is_empty());
}

#[test]
fn a_classic_group_changes_over_member_by_member_and_back() {
    let mut stage = Stage::with_topics(&[("t", 2)]);
    let joined = stage.stable("g", vec![join("g", "")]).remove(0);
    let old = joined.member.clone();
    let (epoch, got) = given(&stage.report(joining("new")));
    assert_eq!(
        (epoch, got),
        (2, Some(vec![1])),
        "the other share is the old member's"
    );
    assert_eq!(stage.consumer_state(), "Reconciling");

    let told = stage.beat("g", &old, 1);
    assert_eq!(told, Err(Refusal::RebalanceInProgress));
    let again = stage.send(Command::Join(join("g", old.as_str())));
    let again = stage.joined(again);
    assert_eq!((again.generation, again.leader.as_str()), (2, ""));
    let sync = SyncGroup {
        group: "g".into(),
        generation: 2,
        member: old.clone(),
        instance: None,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    };
    let token = stage.send(Command::Sync(sync));
    assert_eq!(assignment_of(&stage.synced(token).unwrap().assignment), [0]);

    stage.report(at("new", -1)).unwrap();
    assert_eq!(
        stage.state("g"),
        "PreparingRebalance",
        "a classic group again"
    );
    stage.fail_over();
    let back = stage.send(Command::Join(join("g", old.as_str())));
    assert!(stage.joined(back).generation > 2);
}

#[test]
fn a_classic_member_in_a_consumer_group_reconciles_by_joining() {
    let mut stage = Stage::with_topics(&[("t", 2)]);
    stage.report(joining("new")).unwrap();
    let classic = JoinGroup {
        protocols: vec![("coop".into(), embedded(&["t"], &[]))],
        ..join("g", "")
    };
    let token = stage.send(Command::Join(classic.clone()));
    let joined = stage.joined(token);
    assert_eq!(
        stage.beat("g", &joined.member, joined.generation),
        Ok(()),
        "it waits for the other"
    );
    stage.report(stage.owning("new", 1, &[0, 1])).unwrap();
    stage.report(stage.owning("new", 1, &[0])).unwrap();
    let told = stage.beat("g", &joined.member, joined.generation);
    assert_eq!(
        told,
        Err(Refusal::RebalanceInProgress),
        "now there is something for it"
    );
    let again = JoinGroup {
        member: joined.member.clone(),
        ..classic
    };
    let token = stage.send(Command::Join(again));
    let joined = stage.joined(token);
    let sync = SyncGroup {
        group: "g".into(),
        generation: joined.generation,
        member: joined.member.clone(),
        instance: None,
        protocol_type: Some("consumer".into()),
        protocol: Some("coop".into()),
        assignments: Vec::new(),
    };
    let token = stage.send(Command::Sync(sync));
    assert_eq!(assignment_of(&stage.synced(token).unwrap().assignment), [1]);
    let leave = Command::Leave(LeaveGroup {
        group: "g".into(),
        members: vec![LeavingMember {
            member: joined.member,
            instance: None,
        }],
    });
    assert!(matches!(stage.ask(leave), Reply::Leave(Ok(_))));
    let (_, all) = given(&stage.report(stage.owning("new", 2, &[0])));
    assert_eq!(all, Some(vec![0, 1]));
}

/// What is wrong, and the error. `a` is in the group at epoch 1.
fn check(wrong: &str, request: ConsumerHeartbeat, expected: &str) {
    let mut stage = Stage::with_topics(&[("t", 1)]);
    stage.report(joining("a")).unwrap();
    let refused = stage.report(request).expect_err(wrong);
    assert_eq!(refused.name(), expected, "{wrong}");
}

#[test]
fn errors_of_malformed_heartbeats_are_kafkas() {
    check(
        "no group id",
        ConsumerHeartbeat {
            group: "".into(),
            ..joining("b")
        },
        "INVALID_REQUEST",
    );
    check("no member id", joining(""), "INVALID_REQUEST");
    check(
        "no topics on joining",
        ConsumerHeartbeat {
            topics: None,
            ..joining("b")
        },
        "INVALID_REQUEST",
    );
    check(
        "partitions on joining",
        ConsumerHeartbeat {
            owned: None,
            ..joining("b")
        },
        "INVALID_REQUEST",
    );
    check(
        "no timeout on joining",
        ConsumerHeartbeat {
            rebalance_timeout: None,
            ..joining("b")
        },
        "INVALID_REQUEST",
    );
    check(
        "an empty rack",
        ConsumerHeartbeat {
            rack: Some(String::new()),
            ..joining("b")
        },
        "INVALID_REQUEST",
    );
    check("an epoch below all", at("a", -3), "INVALID_REQUEST");
    check("away without an instance", at("a", -2), "INVALID_REQUEST");
    check(
        "an unknown assignor",
        ConsumerHeartbeat {
            assignor: Some("sticky".into()),
            ..joining("b")
        },
        "UNSUPPORTED_ASSIGNOR",
    );
}

#[test]
fn errors_of_unknown_members_are_kafkas() {
    check("an unknown member", at("b", 1), "UNKNOWN_MEMBER_ID");
    check("a later epoch", at("a", 2), "FENCED_MEMBER_EPOCH");
    check(
        "an unknown group",
        ConsumerHeartbeat {
            group: "none".into(),
            ..at("a", 1)
        },
        "GROUP_ID_NOT_FOUND",
    );
    check(
        "leaving an unknown group",
        ConsumerHeartbeat {
            group: "none".into(),
            ..at("a", -1)
        },
        "GROUP_ID_NOT_FOUND",
    );
    check(
        "leaving as an unknown member",
        at("b", -1),
        "UNKNOWN_MEMBER_ID",
    );
    check(
        "an unknown instance",
        ConsumerHeartbeat {
            instance: Some("i".into()),
            ..at("a", 1)
        },
        "UNKNOWN_MEMBER_ID",
    );
}

#[test]
fn classic_requests_of_a_new_member_are_refused() {
    let mut stage = Stage::with_topics(&[("t", 1)]);
    stage.report(joining("a")).unwrap();
    let classic = heartbeat("g", &"a".into(), 1);
    let reply = stage.ask(classic);
    assert_eq!(reply, Reply::Heartbeat(Err(Refusal::UnknownMemberId)));
    let other = JoinGroup {
        protocol_type: "connect".into(),
        ..join("g", "")
    };
    let refused = stage.join_refused(other);
    assert_eq!(refused.why, Refusal::InconsistentGroupProtocol);
}
