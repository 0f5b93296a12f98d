//! The classic protocol, scene by scene.

use crate::stage::{Stage, commit, join, secs, subscription, sync, tag};
use bytes::Bytes;
use plimsoll_coordinator::command::{JoinGroup, LeaveGroup, LeavingMember};
use plimsoll_coordinator::{AppendRefused, Command, GroupConfig, MemberId, Refusal, Reply};

fn fixed(member: &str, instance: &str) -> JoinGroup {
    JoinGroup {
        instance: Some(instance.into()),
        ..join("g", member)
    }
}

fn leave(member: &MemberId) -> Command {
    Command::Leave(LeaveGroup {
        group: "g".into(),
        members: vec![LeavingMember {
            member: member.clone(),
            instance: None,
        }],
    })
}

#[test]
fn a_new_member_is_given_an_id_and_must_come_again() {
    let mut stage = Stage::quick();
    let first = JoinGroup {
        member_id_required: true,
        ..join("g", "")
    };
    let refused = stage.join_refused(first.clone());
    assert_eq!(refused.why, Refusal::MemberIdRequired);
    assert!(refused.member.as_str().starts_with("c-"));
    let again = JoinGroup {
        member: refused.member.clone(),
        ..first
    };
    let joined = &stage.stable("g", vec![again])[0];
    assert_eq!((joined.generation, &joined.member), (1, &refused.member));
    assert_eq!(stage.state("g"), "Stable");
}

#[test]
fn the_leader_alone_sees_the_members_and_hands_out_their_assignments() {
    let mut stage = Stage::quick();
    let sent: Vec<_> = (0..3)
        .map(|_| stage.send(Command::Join(join("g", ""))))
        .collect();
    assert!(
        stage.replies.is_empty(),
        "a new group waits for more members"
    );
    stage.pass(secs(5));
    let joined: Vec<_> = sent.into_iter().map(|t| stage.joined(t)).collect();
    let leads = |j: &&_| plimsoll_coordinator::reply::Joined::clone(j).members.len() == 3;
    let leader = joined.iter().find(leads).expect("a leader");
    assert_eq!(leader.leader, leader.member);
    for follower in joined.iter().filter(|j| j.member != leader.member) {
        assert!(follower.members.is_empty());
        let token = stage.send(Command::Sync(sync("g", follower)));
        assert_eq!(stage.reply(token), None, "followers wait for the leader");
    }
    let token = stage.send(Command::Sync(sync("g", leader)));
    let own = stage.synced(token).unwrap().assignment;
    assert_eq!(own, tag(&leader.member));
    assert_eq!(stage.replies.len(), 2, "followers have theirs too");
}

#[test]
fn the_protocol_that_all_offer_and_most_prefer_is_chosen() {
    let offer = |names: &[&str]| JoinGroup {
        protocols: names
            .iter()
            .map(|n| (n.to_string(), Bytes::new()))
            .collect(),
        ..join("g", "")
    };
    let check = |offers: &[&[&str]], expected: &str| {
        let mut stage = Stage::quick();
        let sent: Vec<_> = offers
            .iter()
            .map(|o| stage.send(Command::Join(offer(o))))
            .collect();
        stage.pass(secs(5));
        let joined = stage.joined(sent[0]);
        assert_eq!(joined.protocol.as_deref(), Some(expected), "{offers:?}");
    };
    check(
        &[&["range", "rr"], &["rr", "range"], &["rr", "range"]],
        "rr",
    );
    check(&[&["range", "rr"], &["rr"]], "rr");
    check(
        &[&["sticky", "range"], &["sticky", "range"], &["range"]],
        "range",
    );

    let mut stage = Stage::quick();
    stage.send(Command::Join(offer(&["range"])));
    let refused = stage.join_refused(offer(&["rr"]));
    assert_eq!(refused.why, Refusal::InconsistentGroupProtocol);
}

/// Seed 988 of a world of one node: a member was cut off, came back within its
/// session and was handed its old assignment at once, but its session went on
/// to count from its last heartbeat. It ended under its hands, and a partition
/// had two owners.
#[test]
fn a_member_that_fetches_its_assignment_again_is_heard() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", "")]).remove(0);
    stage.pass(secs(9));
    let token = stage.send(Command::Sync(sync("g", &joined)));
    assert!(stage.synced(token).is_ok());
    stage.pass(secs(9));
    assert_eq!(stage.state("g"), "Stable", "its session of 10 s began anew");
}

#[test]
fn a_joining_member_makes_the_others_rejoin() {
    let mut stage = Stage::quick();
    let first = stage.stable("g", vec![join("g", "")]).remove(0);
    let newcomer = stage.send(Command::Join(join("g", "")));
    assert_eq!(stage.reply(newcomer), None);
    let told = stage.beat("g", &first.member, 1);
    assert_eq!(told, Err(Refusal::RebalanceInProgress));
    let back = stage.send(Command::Join(join("g", first.member.as_str())));
    assert_eq!(stage.joined(back).generation, 2);
    assert_eq!(stage.joined(newcomer).generation, 2);
}

#[test]
fn whoever_does_not_rejoin_in_time_is_out() {
    let mut stage = Stage::quick();
    let first = stage.stable("g", vec![join("g", "")]).remove(0);
    let newcomer = stage.send(Command::Join(join("g", "")));
    for _ in 0..29 {
        stage.pass(secs(1));
        let told = stage.beat("g", &first.member, 1);
        assert_eq!(
            told,
            Err(Refusal::RebalanceInProgress),
            "its session goes on"
        );
    }
    stage.pass(secs(2));
    let joined = stage.joined(newcomer);
    assert_eq!((joined.generation, joined.members.len()), (2, 1));
    let told = stage.beat("g", &first.member, 1);
    assert_eq!(told, Err(Refusal::UnknownMemberId));
}

#[test]
fn a_silent_member_is_out_after_its_session() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", ""), join("g", "")]);
    for _ in 0..12 {
        stage.pass(secs(1));
        stage.beat("g", &joined[0].member, 1).ok();
    }
    let told = stage.beat("g", &joined[0].member, 1);
    assert_eq!(told, Err(Refusal::RebalanceInProgress));
    let back = stage.send(Command::Join(join("g", joined[0].member.as_str())));
    assert_eq!(stage.joined(back).members.len(), 1);
}

#[test]
fn a_group_whose_last_member_leaves_is_empty_and_says_so_in_its_records() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", "")]).remove(0);
    let Reply::Leave(Ok(outcomes)) = stage.ask(leave(&joined.member)) else {
        panic!("a leave is answered with a leave");
    };
    assert_eq!(outcomes[0].1, Ok(()));
    assert_eq!(stage.state("g"), "Empty");
    stage.fail_over();
    assert_eq!(stage.state("g"), "Empty");
}

#[test]
fn a_follower_who_never_syncs_is_out_and_the_rest_go_on() {
    let mut stage = Stage::quick();
    let sent: Vec<_> = (0..2)
        .map(|_| stage.send(Command::Join(join("g", ""))))
        .collect();
    stage.pass(secs(5));
    let joined: Vec<_> = sent.into_iter().map(|t| stage.joined(t)).collect();
    let leader = joined.iter().find(|j| !j.members.is_empty()).unwrap();
    let idle = joined.iter().find(|j| j.members.is_empty()).unwrap();
    let token = stage.send(Command::Sync(sync("g", leader)));
    stage.synced(token).unwrap();
    for _ in 0..31 {
        stage.pass(secs(1));
        stage.beat("g", &leader.member, 1).ok();
        stage.beat("g", &idle.member, 1).ok();
    }
    assert_eq!(stage.state("g"), "PreparingRebalance");
    assert_eq!(
        stage.beat("g", &idle.member, 1),
        Err(Refusal::UnknownMemberId)
    );
}

#[test]
fn a_leader_who_never_syncs_does_not_hold_the_group_up() {
    let mut stage = Stage::quick();
    let sent: Vec<_> = (0..2)
        .map(|_| stage.send(Command::Join(join("g", ""))))
        .collect();
    stage.pass(secs(5));
    let joined: Vec<_> = sent.into_iter().map(|t| stage.joined(t)).collect();
    let follower = joined.iter().find(|j| j.members.is_empty()).unwrap();
    let waits = stage.send(Command::Sync(sync("g", follower)));
    stage.pass(secs(12));
    assert_eq!(stage.synced(waits), Err(Refusal::RebalanceInProgress));
    let back = stage.send(Command::Join(join("g", follower.member.as_str())));
    assert_eq!(stage.joined(back).leader, follower.member);
}

#[test]
fn a_static_member_returns_without_a_rebalance_and_fences_the_old_one() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![fixed("", "i1"), fixed("", "i2")]);
    let old = &joined[0];
    let back = stage.send(Command::Join(fixed("", "i1")));
    let returned = stage.joined(back);
    assert_eq!(returned.generation, 1, "no rebalance");
    assert_ne!(returned.member, old.member);
    assert_eq!(returned.skip_assignment, returned.leader == returned.member);
    let mut again = sync("g", &returned);
    again.assignments = Vec::new();
    let token = stage.send(Command::Sync(again));
    assert_eq!(
        stage.synced(token).unwrap().assignment,
        tag(&old.member),
        "it keeps what it had"
    );
    assert_eq!(stage.beat("g", &joined[1].member, 1), Ok(()));

    let fenced = stage.join_refused(fixed(old.member.as_str(), "i1"));
    assert_eq!(fenced.why, Refusal::FencedInstanceId);
    stage.fail_over();
    assert_eq!(stage.beat("g", &returned.member, 1), Ok(()));
}

#[test]
fn a_static_members_return_that_cannot_be_stored_changes_nothing() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![fixed("", "i1")]);
    stage.refuse = Some(AppendRefused::NotLeader);
    let refused = stage.join_refused(fixed("", "i1"));
    assert_eq!(refused.why, Refusal::NotCoordinator);
    assert_eq!(stage.beat("g", &joined[0].member, 1), Ok(()));
}

#[test]
fn a_static_member_with_new_protocols_causes_a_rebalance() {
    let mut stage = Stage::quick();
    stage.stable("g", vec![fixed("", "i1")]);
    let changed = JoinGroup {
        protocols: ["rr", "range"]
            .map(|name| (name.to_owned(), subscription(&["t"])))
            .into(),
        ..fixed("", "i1")
    };
    let back = stage.send(Command::Join(changed));
    assert_eq!(stage.joined(back).generation, 2);
}

#[test]
fn a_follower_that_rejoins_unchanged_gets_the_present_generation() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", ""), join("g", "")]);
    let follower = joined.iter().find(|j| j.members.is_empty()).unwrap();
    let leader = joined.iter().find(|j| !j.members.is_empty()).unwrap();
    let again = stage.send(Command::Join(join("g", follower.member.as_str())));
    assert_eq!(stage.joined(again).generation, 1);
    let again = stage.send(Command::Join(join("g", leader.member.as_str())));
    assert_eq!(
        stage.reply(again),
        None,
        "a leader's rejoin asks for a rebalance"
    );
}

#[test]
fn replies_wait_until_the_assignment_is_committed() {
    let mut stage = Stage::quick();
    let sent = stage.send(Command::Join(join("g", "")));
    stage.pass(secs(5));
    let joined = stage.joined(sent);
    stage.hold = true;
    let token = stage.send(Command::Sync(sync("g", &joined)));
    assert_eq!(stage.reply(token), None);
    assert_eq!(stage.state("g"), "CompletingRebalance");
    stage.release();
    assert!(stage.synced(token).is_ok());
    assert_eq!(stage.state("g"), "Stable");
}

#[test]
fn an_assignment_that_cannot_be_stored_sends_the_members_back() {
    let mut stage = Stage::quick();
    let sent = stage.send(Command::Join(join("g", "")));
    stage.pass(secs(5));
    let joined = stage.joined(sent);
    stage.refuse = Some(AppendRefused::Unavailable);
    let token = stage.send(Command::Sync(sync("g", &joined)));
    assert_eq!(stage.synced(token), Err(Refusal::CoordinatorNotAvailable));
    stage.refuse = None;
    let back = stage.send(Command::Join(join("g", joined.member.as_str())));
    assert_eq!(stage.joined(back).generation, 2);
}

#[test]
fn a_full_group_takes_no_more() {
    let mut stage = Stage::new(GroupConfig {
        max_size: 2,
        initial_rebalance_delay: secs(1),
        ..GroupConfig::default()
    });
    let joined = stage.stable("g", vec![join("g", ""), join("g", "")]);
    let refused = stage.join_refused(join("g", ""));
    assert_eq!(refused.why, Refusal::GroupMaxSizeReached);
    assert_eq!(stage.beat("g", &joined[0].member, 1), Ok(()));
}

#[test]
fn a_stable_group_survives_a_failover() {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", ""), join("g", "")]);
    stage.fail_over();
    assert_eq!(stage.state("g"), "Stable");
    for member in &joined {
        assert_eq!(stage.beat("g", &member.member, 1), Ok(()));
    }
    let reply = stage.ask(Command::Commit(commit("g", &joined[0].member, 1, 7)));
    assert!(matches!(reply, Reply::Commit(Ok(_))));
    stage.pass(secs(11));
    assert_eq!(
        stage.state("g"),
        "Empty",
        "sessions run in the new coordinator"
    );
}
