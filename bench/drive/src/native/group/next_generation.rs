//! The protocol of KIP-848: the coordinator shares the partitions out and tells
//! each member with its heartbeats what to give up and what to take on. What stays
//! is read on meanwhile.

use super::coordinator::{Beat, GroupCoordinator, Identity, is_replaced};
use super::{Member, Partitions, Word};
use crate::clock::Mono;
use crate::error::DriveError;
use crate::native::control::text;
use crate::shared_group::{GroupSettings, SharedGroup};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// How long a member may take to give partitions up, as in Java's consumer.
const REBALANCE_MS: i32 = 300_000;
/// The version spoken here, in which the coordinator names its members.
const VERSIONS: (i16, i16) = (0, 0);
/// The epoch of a member that joins, and of one that leaves.
const JOINS: i32 = 0;
const LEAVES: i32 = -1;

/// A member by the protocol of KIP-848.
pub struct NextGeneration {
    coordinator: GroupCoordinator,
    settings: GroupSettings,
    member: StrBytes,
    epoch: i32,
    /// The coordinator's own interval.
    interval: Duration,
    beat: Beat,
    /// What it owns, by the topic's id, once something was given to it.
    owned: Vec<TopicPartitions>,
    /// Whether the coordinator has yet to hear of that.
    to_tell: bool,
}

impl NextGeneration {
    /// A member that has not joined yet.
    pub fn new(coordinator: GroupCoordinator, group: &SharedGroup) -> Self {
        Self {
            coordinator,
            settings: *group.settings(),
            member: StrBytes::default(),
            epoch: JOINS,
            interval: group.settings().heartbeat,
            beat: Beat::default(),
            owned: Vec::new(),
            to_tell: false,
        }
    }

    /// A heartbeat; the first one says everything.
    fn heartbeat(&self) -> ConsumerGroupHeartbeatRequest {
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.coordinator.group().clone())
            .with_member_id(self.member.clone())
            .with_member_epoch(self.epoch);
        if self.epoch == JOINS {
            let assignor = self.settings.assignor;
            return request
                .with_rebalance_timeout_ms(REBALANCE_MS)
                .with_subscribed_topic_names(Some(vec![self.coordinator.topic().clone()]))
                .with_server_assignor(assignor.map(|assignor| text(&assignor.to_string())))
                .with_topic_partitions(Some(Vec::new()));
        }
        request
            .with_rebalance_timeout_ms(-1)
            .with_topic_partitions(self.to_tell.then(|| self.owned.clone()))
    }

    /// Takes in what an answer says of this member.
    fn note(&mut self, answer: ConsumerGroupHeartbeatResponse) -> Word {
        if let Some(member) = answer.member_id {
            self.member = member;
        }
        self.epoch = answer.member_epoch;
        if let Ok(ms @ 1..) = u64::try_from(answer.heartbeat_interval_ms) {
            self.interval = Duration::from_millis(ms);
        }
        self.to_tell = false;
        let Some(assignment) = answer.assignment else {
            return Word::Stay;
        };
        let given = assignment.topic_partitions.into_iter();
        self.owned = given
            .map(|its| {
                TopicPartitions::default()
                    .with_topic_id(its.topic_id)
                    .with_partitions(its.partitions)
            })
            .collect();
        // It is told at once what was given up, so that others may have it.
        self.to_tell = true;
        self.beat.reset(Mono::now(), Duration::ZERO);
        let partitions = self.owned.iter().flat_map(|its| &its.partitions);
        Word::Own(
            partitions
                .map(|partition| partition.cast_unsigned())
                .collect(),
        )
    }

    fn forget(&mut self) {
        self.member = StrBytes::default();
        self.epoch = JOINS;
        self.owned.clear();
        self.to_tell = false;
    }
}

impl Member for NextGeneration {
    fn attempt(&mut self) -> Result<Option<Partitions>, DriveError> {
        let Some(answer) = self.coordinator.wait(&self.heartbeat(), VERSIONS)? else {
            return Ok(None);
        };
        if answer.error_code != 0 {
            if is_replaced(answer.error_code) {
                self.forget();
                return Ok(None);
            }
            return self
                .coordinator
                .pause(answer.error_code, "joining the group")
                .map(|()| None);
        }
        self.beat.reset(Mono::now(), self.interval);
        Ok(Some(match self.note(answer) {
            Word::Own(partitions) => partitions,
            _ => Partitions::new(),
        }))
    }

    fn tend(&mut self, now: Mono) -> Result<Word, DriveError> {
        if self.beat.rests(now) {
            return Ok(Word::Stay);
        }
        let request = self.heartbeat();
        let when = (now, self.interval);
        let answer = self
            .beat
            .step(&mut self.coordinator, when, || request, VERSIONS)?;
        match answer {
            None => Ok(Word::Stay),
            Some(answer) if answer.error_code == 0 => Ok(self.note(answer)),
            Some(answer) if is_replaced(answer.error_code) => {
                self.forget();
                Ok(Word::Lost)
            }
            Some(answer) => {
                let code = answer.error_code;
                self.coordinator
                    .pause(code, "a heartbeat")
                    .map(|()| Word::Stay)
            }
        }
    }

    fn leave(&mut self) {
        if !self.member.is_empty() {
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(self.coordinator.group().clone())
                .with_member_id(self.member.clone())
                .with_member_epoch(LEAVES);
            self.coordinator.part(&request, VERSIONS);
        }
        self.forget();
    }

    fn identity(&self) -> Identity {
        Identity {
            member: self.member.clone(),
            epoch: self.epoch,
        }
    }

    fn coordinator(&mut self) -> &mut GroupCoordinator {
        &mut self.coordinator
    }
}
