//! Members that died while their coordinator was restarted over and over.
//!
//! The story: a copying loop under fifty kills, one a second, stood still until
//! a session after the last of them. A coordinator that takes over cannot know
//! who has died meanwhile, so that everyone gets a session anew, and while takeovers
//! come faster than sessions end a dead member keeps its partitions, as in Kafka.
//! What must hold is that this ends: one session after the last takeover the
//! ghost is gone, and the living have everything.

use crate::consumer::joining;
use crate::stage::{Stage, heartbeat, join, secs};
use plimsoll_coordinator::command::{ConsumerHeartbeat, JoinGroup};
use plimsoll_coordinator::{Command, GroupConfig, MemberId, Refusal, Reply};

const TAKEOVERS: u32 = 50;
/// Both protocols' sessions here are 10 s.
const SESSION: u64 = 10;

fn stage() -> Stage {
    let mut stage = Stage::new(GroupConfig {
        initial_rebalance_delay: secs(0),
        consumer_session_timeout: secs(SESSION),
        ..GroupConfig::default()
    });
    stage.set_topic("t", 4);
    stage
}

fn beat(stage: &mut Stage, member: &MemberId, generation: i32) -> Result<(), Refusal> {
    match stage.ask(heartbeat("g", member, generation)) {
        Reply::Heartbeat(outcome) => outcome,
        other => panic!("expected a heartbeat's answer, got {other:?}"),
    }
}

#[test]
fn a_classic_ghost_is_gone_a_session_after_the_last_takeover() {
    let mut stage = stage();
    let joined = stage.stable("g", vec![join("g", ""), join("g", "")]);
    let (living, generation) = (joined[1].member.clone(), joined[1].generation);
    for _ in 0..TAKEOVERS {
        stage.pass(secs(SESSION - 1));
        stage.fail_over();
        assert_eq!(beat(&mut stage, &living, generation), Ok(()));
    }
    stage.pass(secs(SESSION - 1));
    assert_eq!(
        beat(&mut stage, &living, generation),
        Ok(()),
        "the ghost's session goes on"
    );
    stage.pass(secs(2));
    let told = beat(&mut stage, &living, generation);
    assert_eq!(told, Err(Refusal::RebalanceInProgress));
    let again = stage.stable("g", vec![join("g", living.as_str())]);
    assert_eq!(again[0].members.len(), 1, "{again:?}");
}

/// One that joins while a ghost is there is made to wait no longer than that.
#[test]
fn a_newcomer_waits_for_a_classic_ghost_no_longer_than_a_session() {
    let mut stage = stage();
    let patient = JoinGroup {
        rebalance_timeout: secs(300),
        ..join("g", "")
    };
    stage.stable("g", vec![patient.clone()]);
    for _ in 0..TAKEOVERS {
        stage.pass(secs(SESSION - 1));
        stage.fail_over();
    }
    let token = stage.send(Command::Join(patient));
    stage.pass(secs(SESSION - 1));
    assert_eq!(stage.reply(token), None, "the ghost may still come back");
    stage.pass(secs(2));
    let Some(Reply::Join(Ok(joined))) = stage.reply(token) else {
        panic!("the ghost holds the newcomer up");
    };
    assert_eq!(joined.members.len(), 1, "{joined:?}");
}

#[test]
fn a_ghost_of_the_consumer_protocol_is_gone_a_session_after_the_last_takeover() {
    let mut stage = stage();
    let report = |stage: &mut Stage, epoch: i32| {
        let answer = stage.report(ConsumerHeartbeat {
            epoch,
            rebalance_timeout: None,
            topics: None,
            owned: None,
            ..joining("living")
        });
        answer.expect("the living member is known").epoch
    };
    stage.report(joining("ghost")).expect("it joins");
    stage.report(joining("living")).expect("it joins");
    let mut epoch = 2;
    for _ in 0..TAKEOVERS {
        stage.pass(secs(SESSION - 1));
        stage.fail_over();
        epoch = report(&mut stage, epoch);
    }
    let members = |stage: &Stage| {
        let described = stage.shard.describe_consumer(&"g".into());
        described.expect("the group").members.len()
    };
    assert_eq!(members(&stage), 2);
    stage.pass(secs(SESSION - 1));
    report(&mut stage, epoch);
    stage.pass(secs(2));
    assert_eq!(members(&stage), 1);
    // An expired member's partitions are free at once.
    let after = report(&mut stage, epoch);
    assert!(after > epoch, "the group has a new assignment");
    let owned = stage
        .shard
        .describe_consumer(&"g".into())
        .expect("the group");
    let owned: usize = owned.members[0].assigned.values().map(|p| p.len()).sum();
    assert_eq!(owned, 4);
}
