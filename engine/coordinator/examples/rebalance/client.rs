//! A consumer reduced to its part in rebalances.

use crate::host::{TOPIC, topic_id};
use bytes::Bytes;
use plimsoll_coordinator::command::{
    Client as Who, ConsumerHeartbeat, Heartbeat, JoinGroup, LeaveGroup, LeavingMember, SyncGroup,
};
use plimsoll_coordinator::reply::{Joined, Synced};
use plimsoll_coordinator::{Command, MemberId};
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeSet;
use std::time::Duration;

const GROUP: &str = "g";
/// A subscription to `t`, version 1, up to what is owned.
const SUBSCRIPTION: &[u8] = b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Eager,
    Cooperative,
    Consumer,
}

impl Protocol {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Cooperative => "cooperative",
            Self::Consumer => "consumer",
        }
    }

    /// How often a member beats, by Kafka's defaults.
    pub const fn interval(self) -> Duration {
        match self {
            Self::Eager | Self::Cooperative => Duration::from_secs(3),
            Self::Consumer => Duration::from_secs(5),
        }
    }
}

#[derive(Debug)]
pub struct Client {
    pub protocol: Protocol,
    pub member: MemberId,
    /// Generation or member epoch.
    pub epoch: i32,
    pub owned: BTreeSet<i32>,
    /// It has its assignment and beats.
    pub is_settled: bool,
    /// Whether what it owns has changed since it last said so.
    pub has_news: bool,
    /// Whether it last said so.
    pub told_news: bool,
}

impl Client {
    pub fn new(protocol: Protocol, number: usize) -> Self {
        let member = match protocol {
            Protocol::Consumer => format!("member-{number:04}"),
            Protocol::Eager | Protocol::Cooperative => String::new(),
        };
        Self {
            protocol,
            member: MemberId::from(&*member),
            epoch: 0,
            owned: BTreeSet::new(),
            is_settled: false,
            has_news: true,
            told_news: false,
        }
    }

    /// What it sends when it enters.
    pub fn enter(&self) -> Command {
        match self.protocol {
            Protocol::Consumer => Command::ConsumerHeartbeat(ConsumerHeartbeat {
                rebalance_timeout: Some(Duration::from_secs(300)),
                topics: Some(BTreeSet::from([TOPIC.to_owned()])),
                owned: Some(Vec::new()),
                ..self.report()
            }),
            Protocol::Eager | Protocol::Cooperative => self.join(),
        }
    }

    /// What it sends when it is time to beat.
    pub fn beat(&self) -> Command {
        match self.protocol {
            Protocol::Consumer => Command::ConsumerHeartbeat(self.report()),
            Protocol::Eager | Protocol::Cooperative => Command::Heartbeat(Heartbeat {
                group: GROUP.into(),
                generation: self.epoch,
                member: self.member.clone(),
                instance: None,
            }),
        }
    }

    pub fn join(&self) -> Command {
        Command::Join(JoinGroup {
            group: GROUP.into(),
            member: self.member.clone(),
            instance: None,
            client: Who::default(),
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            protocol_type: "consumer".into(),
            protocols: vec![("range".into(), self.subscription())],
            member_id_required: false,
            may_skip_assignment: true,
        })
    }

    /// What it owns goes along, so that a coordinator notices that it changed.
    fn subscription(&self) -> Bytes {
        let count = u32::try_from(self.owned.len()).unwrap_or(u32::MAX);
        [SUBSCRIPTION, &count.to_be_bytes(), &encode(&self.owned)]
            .concat()
            .into()
    }

    pub fn sync(&self, joined: &Joined, assignments: Vec<(MemberId, Bytes)>) -> Command {
        Command::Sync(SyncGroup {
            group: GROUP.into(),
            generation: joined.generation,
            member: joined.member.clone(),
            instance: None,
            protocol_type: joined.protocol_type.clone(),
            protocol: joined.protocol.clone(),
            assignments,
        })
    }

    pub fn leave(&self) -> Command {
        match self.protocol {
            Protocol::Consumer => Command::ConsumerHeartbeat(ConsumerHeartbeat {
                epoch: -1,
                ..self.report()
            }),
            Protocol::Eager | Protocol::Cooperative => Command::Leave(LeaveGroup {
                group: GROUP.into(),
                members: vec![LeavingMember {
                    member: self.member.clone(),
                    instance: None,
                }],
            }),
        }
    }

    fn report(&self) -> ConsumerHeartbeat {
        let indexes: Vec<_> = self.owned.iter().copied().map(PartitionIndex).collect();
        let owned = match indexes.is_empty() {
            true => Vec::new(),
            false => vec![(topic_id(), indexes)],
        };
        ConsumerHeartbeat {
            group: GROUP.into(),
            member: self.member.clone(),
            member_id_required: true,
            epoch: self.epoch,
            instance: None,
            rack: None,
            rebalance_timeout: None,
            topics: None,
            regex: None,
            assignor: None,
            owned: self.has_news.then_some(owned),
            client: Who::default(),
        }
    }
}

/// An assignment as these leaders write it.
pub fn encode(share: &BTreeSet<i32>) -> Bytes {
    share.iter().flat_map(|index| index.to_be_bytes()).collect()
}

pub fn decode(synced: &Synced) -> BTreeSet<i32> {
    let indexes = synced.assignment.chunks_exact(4);
    indexes
        .filter_map(|raw| raw.try_into().ok().map(i32::from_be_bytes))
        .collect()
}
