//! Bad requests, each with the error that Kafka gives.

use crate::stage::{Stage, commit, commit_topic, join, secs, sync};
use plimsoll_coordinator::command::{
    JoinGroup, LeaveGroup, LeavingMember, OffsetCommit, OffsetDelete, SyncGroup, TxnOffsetCommit,
};
use plimsoll_coordinator::reply::Joined;
use plimsoll_coordinator::{Command, MemberId, Refusal, Reply};
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};

/// The refusal in a reply, wherever it is; `None` when all went well.
fn refusal(reply: &Reply) -> Option<Refusal> {
    match reply {
        Reply::Join(joined) => joined.as_ref().err().map(|e| e.why),
        Reply::Sync(synced) => synced.as_ref().err().copied(),
        Reply::Heartbeat(outcome) | Reply::DeleteGroup(outcome) => outcome.err(),
        Reply::Leave(Ok(outcomes)) => outcomes.iter().find_map(|(_, o)| o.err()),
        Reply::Commit(Ok(t)) | Reply::TxnCommit(Ok(t)) | Reply::DeleteOffsets(Ok(t)) => {
            t.iter().flat_map(|(_, o)| o).find_map(|(_, o)| o.err())
        }
        Reply::Leave(Err(why))
        | Reply::Commit(Err(why))
        | Reply::TxnCommit(Err(why))
        | Reply::DeleteOffsets(Err(why)) => Some(*why),
        Reply::Fetch(fetched) => fetched.as_ref().err().copied(),
        Reply::ConsumerHeartbeat(answer) => answer.as_ref().err().copied(),
    }
}

/// What is wrong, and the error: the group `g` is stable with one dynamic
/// member, in generation 1, whose join the request may use.
fn check(wrong: &str, command: impl Fn(&Joined) -> Command, expected: Option<&str>) {
    let mut stage = Stage::quick();
    let joined = stage.stable("g", vec![join("g", "")]).remove(0);
    let reply = stage.ask(command(&joined));
    assert_eq!(
        refusal(&reply).map(Refusal::name),
        expected,
        "{wrong}: {reply:?}"
    );
}

#[test]
fn errors_of_joins_are_kafkas() {
    check(
        "join an empty group id",
        |_| Command::Join(join("", "")),
        Some("INVALID_GROUP_ID"),
    );
    check(
        "join with too short a session",
        |_| {
            Command::Join(JoinGroup {
                session_timeout: secs(5),
                ..join("g", "")
            })
        },
        Some("INVALID_SESSION_TIMEOUT"),
    );
    check(
        "join with too long a session",
        |_| {
            Command::Join(JoinGroup {
                session_timeout: secs(1801),
                ..join("g", "")
            })
        },
        Some("INVALID_SESSION_TIMEOUT"),
    );
    check(
        "join an unknown group as a known member",
        |_| Command::Join(join("none", "m")),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "join as an unknown member",
        |_| Command::Join(join("g", "m")),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "join with an unknown instance",
        |j| {
            Command::Join(JoinGroup {
                instance: Some("i".into()),
                ..join("g", j.member.as_str())
            })
        },
        Some("UNKNOWN_MEMBER_ID"),
    );
}

#[test]
fn errors_of_join_protocols_are_kafkas() {
    check(
        "join with another type",
        |_| {
            Command::Join(JoinGroup {
                protocol_type: "connect".into(),
                ..join("g", "")
            })
        },
        Some("INCONSISTENT_GROUP_PROTOCOL"),
    );
    check(
        "join without protocols",
        |_| {
            Command::Join(JoinGroup {
                protocols: vec![],
                ..join("new", "")
            })
        },
        Some("INCONSISTENT_GROUP_PROTOCOL"),
    );
    check(
        "join without an id where one is required",
        |_| {
            Command::Join(JoinGroup {
                member_id_required: true,
                ..join("g", "")
            })
        },
        Some("MEMBER_ID_REQUIRED"),
    );
}

#[test]
fn errors_of_syncs_are_kafkas() {
    check(
        "sync an empty group id",
        |j| Command::Sync(sync("", j)),
        Some("INVALID_GROUP_ID"),
    );
    check(
        "sync in an unknown group",
        |j| Command::Sync(sync("none", j)),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "sync an old generation",
        |j| {
            Command::Sync(SyncGroup {
                generation: 0,
                ..sync("g", j)
            })
        },
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "sync with another protocol",
        |j| {
            Command::Sync(SyncGroup {
                protocol: Some("rr".into()),
                ..sync("g", j)
            })
        },
        Some("INCONSISTENT_GROUP_PROTOCOL"),
    );
    check(
        "sync with another type",
        |j| {
            Command::Sync(SyncGroup {
                protocol_type: Some("connect".into()),
                ..sync("g", j)
            })
        },
        Some("INCONSISTENT_GROUP_PROTOCOL"),
    );
    check(
        "sync as it should be",
        |j| Command::Sync(sync("g", j)),
        None,
    );
}

#[test]
fn errors_of_heartbeats_and_leaves_are_kafkas() {
    check(
        "heartbeat in an unknown group",
        |j| crate::stage::heartbeat("none", &j.member, 1),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "heartbeat of an unknown member",
        |_| crate::stage::heartbeat("g", &"m".into(), 1),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "heartbeat of another generation",
        |j| crate::stage::heartbeat("g", &j.member, 2),
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "heartbeat without a group",
        |j| crate::stage::heartbeat("", &j.member, 1),
        Some("INVALID_GROUP_ID"),
    );
    check(
        "heartbeat as it should be",
        |j| crate::stage::heartbeat("g", &j.member, 1),
        None,
    );
    check(
        "leave as an unknown member",
        |_| leave("g", "m"),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "leave an unknown group",
        |j| leave("none", j.member.as_str()),
        Some("UNKNOWN_MEMBER_ID"),
    );
}

#[test]
fn errors_of_commits_are_kafkas() {
    check(
        "commit as an unknown member",
        |_| Command::Commit(commit("g", &"m".into(), 1, 1)),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "commit as a simple consumer into a group with members",
        |_| Command::Commit(commit("g", &MemberId::default(), -1, 1)),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "commit in another generation",
        |j| Command::Commit(commit("g", &j.member, 2, 1)),
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "commit to an unknown group (version 9)",
        |j| Command::Commit(commit("none", &j.member, 1, 1)),
        Some("GROUP_ID_NOT_FOUND"),
    );
    check(
        "commit to an unknown group (version 8)",
        |j| {
            Command::Commit(OffsetCommit {
                knows_epochs: false,
                ..commit("none", &j.member, 1, 1)
            })
        },
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "commit with a note of 4097 bytes",
        |j| Command::Commit(noted(j, 4097)),
        Some("OFFSET_METADATA_TOO_LARGE"),
    );
    check(
        "commit with a note of 4096 bytes",
        |j| Command::Commit(noted(j, 4096)),
        None,
    );
    check(
        "transactional commit in another generation",
        |j| txn("g", j.member.clone(), 2),
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "transactional commit of an unknown member",
        |_| txn("g", "m".into(), 1),
        Some("UNKNOWN_MEMBER_ID"),
    );
    check(
        "transactional commit to an unknown group",
        |j| txn("none", j.member.clone(), 1),
        Some("ILLEGAL_GENERATION"),
    );
    check(
        "transactional commit that names no member",
        |_| txn("g", MemberId::default(), -1),
        None,
    );
}

#[test]
fn errors_of_deletions_are_kafkas() {
    check(
        "delete offsets of an unknown group",
        |_| delete("none", "t"),
        Some("GROUP_ID_NOT_FOUND"),
    );
    check(
        "delete offsets of a subscribed topic",
        |_| delete("g", "t"),
        Some("GROUP_SUBSCRIBED_TO_TOPIC"),
    );
    check(
        "delete offsets of another topic",
        |_| delete("g", "u"),
        None,
    );
    check(
        "delete an unknown group",
        |_| Command::DeleteGroup("none".into()),
        Some("GROUP_ID_NOT_FOUND"),
    );
    check(
        "delete a group with members",
        |_| Command::DeleteGroup("g".into()),
        Some("NON_EMPTY_GROUP"),
    );
}

fn leave(group: &str, member: &str) -> Command {
    Command::Leave(LeaveGroup {
        group: group.into(),
        members: vec![LeavingMember {
            member: member.into(),
            instance: None,
        }],
    })
}

fn noted(joined: &Joined, length: usize) -> OffsetCommit {
    let mut request = commit("g", &joined.member, 1, 1);
    request.topics[0].partitions[0].metadata = Some("x".repeat(length).into());
    request
}

fn txn(group: &str, member: MemberId, generation: i32) -> Command {
    Command::TxnCommit(TxnOffsetCommit {
        group: group.into(),
        producer: ProducerId(7),
        epoch: ProducerEpoch(0),
        generation,
        member,
        instance: None,
        topics: vec![commit_topic("t", 0, 1)],
    })
}

fn delete(group: &str, topic: &str) -> Command {
    Command::DeleteOffsets(OffsetDelete {
        group: group.into(),
        topics: vec![(topic.into(), vec![PartitionIndex(0)])],
    })
}
