//! The classic protocol: all members join, one of them shares the partitions out
//! and hands that in, and every member is told its part.
//!
//! Eager: a member gives everything up before it joins again.

use super::coordinator::{Beat, GroupCoordinator, Identity, is_replaced};
use super::{Member, Partitions, Word};
use crate::admin::assignment;
use crate::clock::Mono;
use crate::error::DriveError;
use crate::native::control::text;
use crate::shared_group::{GroupSettings, SharedGroup};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_workloads::language::Assignor;
use std::time::Duration;

/// How long members may take to join again, as in Java's consumer.
const REBALANCE: Duration = Duration::from_secs(300);
/// The version of the bytes that members exchange.
const PROTOCOL_VERSION: i16 = 0;
/// No user data.
const NONE: i32 = -1;

/// A member by the classic protocol.
pub struct Classic {
    coordinator: GroupCoordinator,
    settings: GroupSettings,
    /// How many partitions the leader shares out.
    partitions: u32,
    member: StrBytes,
    generation: i32,
    beat: Beat,
}

impl Classic {
    /// A member that has not joined yet.
    pub fn new(coordinator: GroupCoordinator, group: &SharedGroup) -> Self {
        Self {
            coordinator,
            settings: *group.settings(),
            partitions: group.partitions(),
            member: StrBytes::default(),
            generation: -1,
            beat: Beat::default(),
        }
    }

    fn assignor(&self) -> Assignor {
        self.settings.assignor.unwrap_or(Assignor::Range)
    }

    /// Whether a code lets it go on. If not, it is to try again.
    fn is_taken(&mut self, code: i16, what: &str) -> Result<bool, DriveError> {
        if code == 0 {
            return Ok(true);
        }
        if is_replaced(code) {
            if code != ResponseError::RebalanceInProgress.code() {
                self.member = StrBytes::default();
            }
            return Ok(false);
        }
        self.coordinator.pause(code, what).map(|()| false)
    }

    /// What each member gets, if this one is to say so.
    fn shares(&self, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
        let mut members: Vec<_> = joined.members.iter().map(|m| &m.member_id).collect();
        members.sort();
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        let share = |(index, member): (u32, &StrBytes)| {
            let own = (0..self.partitions)
                .filter(|at| owner(self.assignor(), *at, self.partitions, count) == index);
            SyncGroupRequestAssignment::default()
                .with_member_id(member.clone())
                .with_assignment(encoded(self.coordinator.topic(), own.collect()))
        };
        (0u32..).zip(members).map(share).collect()
    }
}

impl Member for Classic {
    fn attempt(&mut self) -> Result<Option<Partitions>, DriveError> {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text(&self.assignor().to_string()))
            .with_metadata(subscription(self.coordinator.topic()));
        let request = JoinGroupRequest::default()
            .with_group_id(self.coordinator.group().clone())
            .with_session_timeout_ms(ms(self.settings.session_timeout))
            .with_rebalance_timeout_ms(ms(REBALANCE))
            .with_member_id(self.member.clone())
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let Some(joined) = self.coordinator.wait(&request, (2, 7))? else {
            return Ok(None);
        };
        if joined.error_code == ResponseError::MemberIdRequired.code() {
            self.member = joined.member_id;
            return Ok(None);
        }
        if !self.is_taken(joined.error_code, "joining the group")? {
            return Ok(None);
        }
        self.member = joined.member_id.clone();
        self.generation = joined.generation_id;
        let request = SyncGroupRequest::default()
            .with_group_id(self.coordinator.group().clone())
            .with_generation_id(self.generation)
            .with_member_id(self.member.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(joined.protocol_name.clone())
            .with_assignments(self.shares(&joined));
        let Some(synced) = self.coordinator.wait(&request, (1, 5))? else {
            return Ok(None);
        };
        if !self.is_taken(synced.error_code, "hearing what is its own")? {
            return Ok(None);
        }
        self.beat.reset(Mono::now(), self.settings.heartbeat);
        let assigned = assignment::partitions(&synced.assignment).into_iter();
        let own = assigned.map(|(_, partition)| partition.get().cast_unsigned());
        Ok(Some(own.collect()))
    }

    fn tend(&mut self, now: Mono) -> Result<Word, DriveError> {
        if self.beat.rests(now) {
            return Ok(Word::Stay);
        }
        let (group, member) = (self.coordinator.group().clone(), self.member.clone());
        let generation = self.generation;
        let request = || {
            HeartbeatRequest::default()
                .with_group_id(group)
                .with_generation_id(generation)
                .with_member_id(member)
        };
        let when = (now, self.settings.heartbeat);
        let answer = self
            .beat
            .step(&mut self.coordinator, when, request, (0, 3))?;
        let Some(answer) = answer else {
            return Ok(Word::Stay);
        };
        match answer.error_code {
            0 => Ok(Word::Stay),
            code if code == ResponseError::RebalanceInProgress.code() => Ok(Word::Rejoin),
            code if is_replaced(code) => {
                self.member = StrBytes::default();
                Ok(Word::Lost)
            }
            code => self
                .coordinator
                .pause(code, "a heartbeat")
                .map(|()| Word::Stay),
        }
    }

    fn leave(&mut self) {
        if !self.member.is_empty() {
            let request = LeaveGroupRequest::default()
                .with_group_id(self.coordinator.group().clone())
                .with_member_id(std::mem::take(&mut self.member));
            self.coordinator.part(&request, (0, 2));
        }
        self.generation = -1;
    }

    fn identity(&self) -> Identity {
        Identity {
            member: self.member.clone(),
            epoch: self.generation,
        }
    }

    fn coordinator(&mut self) -> &mut GroupCoordinator {
        &mut self.coordinator
    }
}

/// Which of `members` gets partition `at` of `partitions`.
fn owner(assignor: Assignor, at: u32, partitions: u32, members: u32) -> u32 {
    let members = members.max(1);
    if assignor == Assignor::RoundRobin {
        return at % members;
    }
    // The first ones get one more where it does not come out even.
    let (each, more) = (partitions / members, partitions % members);
    let large = more * (each + 1);
    match at < large {
        true => at / (each + 1),
        false => more + (at - large) / each.max(1),
    }
}

/// What a member says that it wants: the topic.
fn subscription(topic: &str) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(PROTOCOL_VERSION);
    out.put_i32(1);
    put_text(&mut out, topic);
    out.put_i32(NONE);
    out.freeze()
}

/// What a member is told: its partitions of the topic.
fn encoded(topic: &str, partitions: Vec<u32>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(PROTOCOL_VERSION);
    out.put_i32(1);
    put_text(&mut out, topic);
    out.put_i32(i32::try_from(partitions.len()).unwrap_or(i32::MAX));
    for partition in partitions {
        out.put_i32(partition.cast_signed());
    }
    out.put_i32(NONE);
    out.freeze()
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
    out.put_slice(text.as_bytes());
}

fn ms(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_one_owner_and_shares_are_even() {
        let check = |assignor: Assignor, partitions: u32, members: u32, expected: &[u32]| {
            let owners: Vec<u32> = (0..partitions)
                .map(|at| owner(assignor, at, partitions, members))
                .collect();
            assert_eq!(owners, expected, "{assignor} {partitions} {members}");
        };
        check(Assignor::Range, 7, 3, &[0, 0, 0, 1, 1, 2, 2]);
        check(Assignor::Range, 2, 3, &[0, 1]);
        check(Assignor::Range, 6, 3, &[0, 0, 1, 1, 2, 2]);
        check(Assignor::RoundRobin, 5, 2, &[0, 1, 0, 1, 0]);
    }

    #[test]
    fn what_one_member_hands_in_another_reads() {
        let read = assignment::partitions(&encoded("orders", vec![3, 5]));
        let read: Vec<_> = read
            .into_iter()
            .map(|(topic, partition)| (topic, partition.get()))
            .collect();
        assert_eq!(read, [("orders".to_owned(), 3), ("orders".to_owned(), 5)]);
        assert!(assignment::partitions(&encoded("orders", Vec::new())).is_empty());
    }
}
