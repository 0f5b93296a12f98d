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

/// A request, given how the one member joined.
type Request = Box<dyn Fn(&Joined) -> Command>;

/// Each line: what is wrong, and the error. The group `g` is stable with one
/// dynamic member `m` in generation 1.
#[test]
fn errors_are_kafkas() {
    let cases: Vec<(&str, Request, Option<&str>)> = vec![
        (
            "join an empty group id",
            Box::new(|_| Command::Join(join("", ""))),
            Some("INVALID_GROUP_ID"),
        ),
        (
            "join with too short a session",
            Box::new(|_| {
                Command::Join(JoinGroup {
                    session_timeout: secs(5),
                    ..join("g", "")
                })
            }),
            Some("INVALID_SESSION_TIMEOUT"),
        ),
        (
            "join with too long a session",
            Box::new(|_| {
                Command::Join(JoinGroup {
                    session_timeout: secs(1801),
                    ..join("g", "")
                })
            }),
            Some("INVALID_SESSION_TIMEOUT"),
        ),
        (
            "join an unknown group as a known member",
            Box::new(|_| Command::Join(join("none", "m"))),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "join as an unknown member",
            Box::new(|_| Command::Join(join("g", "m"))),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "join with an unknown instance",
            Box::new(|j| {
                Command::Join(JoinGroup {
                    instance: Some("i".into()),
                    ..join("g", j.member.as_str())
                })
            }),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "join with another type",
            Box::new(|_| {
                Command::Join(JoinGroup {
                    protocol_type: "connect".into(),
                    ..join("g", "")
                })
            }),
            Some("INCONSISTENT_GROUP_PROTOCOL"),
        ),
        (
            "join without protocols",
            Box::new(|_| {
                Command::Join(JoinGroup {
                    protocols: vec![],
                    ..join("new", "")
                })
            }),
            Some("INCONSISTENT_GROUP_PROTOCOL"),
        ),
        (
            "join without an id where one is required",
            Box::new(|_| {
                Command::Join(JoinGroup {
                    member_id_required: true,
                    ..join("g", "")
                })
            }),
            Some("MEMBER_ID_REQUIRED"),
        ),
        (
            "sync an empty group id",
            Box::new(|j| Command::Sync(sync("", j))),
            Some("INVALID_GROUP_ID"),
        ),
        (
            "sync in an unknown group",
            Box::new(|j| Command::Sync(sync("none", j))),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "sync an old generation",
            Box::new(|j| {
                Command::Sync(SyncGroup {
                    generation: 0,
                    ..sync("g", j)
                })
            }),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "sync with another protocol",
            Box::new(|j| {
                Command::Sync(SyncGroup {
                    protocol: Some("rr".into()),
                    ..sync("g", j)
                })
            }),
            Some("INCONSISTENT_GROUP_PROTOCOL"),
        ),
        (
            "sync with another type",
            Box::new(|j| {
                Command::Sync(SyncGroup {
                    protocol_type: Some("connect".into()),
                    ..sync("g", j)
                })
            }),
            Some("INCONSISTENT_GROUP_PROTOCOL"),
        ),
        (
            "sync as it should be",
            Box::new(|j| Command::Sync(sync("g", j))),
            None,
        ),
        (
            "heartbeat in an unknown group",
            Box::new(|j| crate::stage::heartbeat("none", &j.member, 1)),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "heartbeat of an unknown member",
            Box::new(|_| crate::stage::heartbeat("g", &"m".into(), 1)),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "heartbeat of another generation",
            Box::new(|j| crate::stage::heartbeat("g", &j.member, 2)),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "heartbeat without a group",
            Box::new(|j| crate::stage::heartbeat("", &j.member, 1)),
            Some("INVALID_GROUP_ID"),
        ),
        (
            "heartbeat as it should be",
            Box::new(|j| crate::stage::heartbeat("g", &j.member, 1)),
            None,
        ),
        (
            "leave as an unknown member",
            Box::new(|_| leave("g", "m")),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "leave an unknown group",
            Box::new(|j| leave("none", j.member.as_str())),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "commit as an unknown member",
            Box::new(|_| Command::Commit(commit("g", &"m".into(), 1, 1))),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "commit as a simple consumer into a group with members",
            Box::new(|_| Command::Commit(commit("g", &MemberId::default(), -1, 1))),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "commit in another generation",
            Box::new(|j| Command::Commit(commit("g", &j.member, 2, 1))),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "commit to an unknown group (version 9)",
            Box::new(|j| Command::Commit(commit("none", &j.member, 1, 1))),
            Some("GROUP_ID_NOT_FOUND"),
        ),
        (
            "commit to an unknown group (version 8)",
            Box::new(|j| {
                Command::Commit(OffsetCommit {
                    knows_epochs: false,
                    ..commit("none", &j.member, 1, 1)
                })
            }),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "commit with a note of 4097 bytes",
            Box::new(|j| Command::Commit(noted(j, 4097))),
            Some("OFFSET_METADATA_TOO_LARGE"),
        ),
        (
            "commit with a note of 4096 bytes",
            Box::new(|j| Command::Commit(noted(j, 4096))),
            None,
        ),
        (
            "transactional commit in another generation",
            Box::new(|j| txn("g", j.member.clone(), 2)),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "transactional commit of an unknown member",
            Box::new(|_| txn("g", "m".into(), 1)),
            Some("UNKNOWN_MEMBER_ID"),
        ),
        (
            "transactional commit to an unknown group",
            Box::new(|j| txn("none", j.member.clone(), 1)),
            Some("ILLEGAL_GENERATION"),
        ),
        (
            "transactional commit that names no member",
            Box::new(|_| txn("g", MemberId::default(), -1)),
            None,
        ),
        (
            "delete offsets of an unknown group",
            Box::new(|_| delete("none", "t")),
            Some("GROUP_ID_NOT_FOUND"),
        ),
        (
            "delete offsets of a subscribed topic",
            Box::new(|_| delete("g", "t")),
            Some("GROUP_SUBSCRIBED_TO_TOPIC"),
        ),
        (
            "delete offsets of another topic",
            Box::new(|_| delete("g", "u")),
            None,
        ),
        (
            "delete an unknown group",
            Box::new(|_| Command::DeleteGroup("none".into())),
            Some("GROUP_ID_NOT_FOUND"),
        ),
        (
            "delete a group with members",
            Box::new(|_| Command::DeleteGroup("g".into())),
            Some("NON_EMPTY_GROUP"),
        ),
    ];
    for (wrong, command, expected) in cases {
        let mut stage = Stage::quick();
        let joined = stage.stable("g", vec![join("g", "")]).remove(0);
        let reply = stage.ask(command(&joined));
        assert_eq!(
            refusal(&reply).map(Refusal::name),
            expected,
            "{wrong}: {reply:?}"
        );
    }
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
