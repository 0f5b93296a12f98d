//! A member of a classic group: joins, is given partitions by the leader,
//! works, and gives everything up when the group rebalances.

use super::Client;
use super::directory::{Kind, text, topic_name};
use super::link::PATIENCE;
use super::progress::Membership;
use super::working::{BEAT, SESSION, Work};
use crate::facts::Partition;
use crate::world::{Broken, NodeIx};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

/// The group.
pub const GROUP: &str = "classic-readers";
/// How long a rebalance waits for members. Longer than a session, so that a
/// member that hears nothing has stopped by then.
const REBALANCE: Duration = Duration::from_secs(8);
/// The versions of the requests.
const JOIN: i16 = 7;
const SYNC: i16 = 5;
const HEARTBEAT: i16 = 4;
const LEAVE: i16 = 4;

/// A member and what it reads.
struct Member {
    client: Client,
    topic: &'static str,
    partitions: i32,
    me: Membership,
    work: Work,
}

/// Takes part in the group until everything is read and committed.
pub async fn take_part(client: Client, topic: &'static str, partitions: i32) {
    let number = client.door.id().0;
    let mut member = Member {
        client,
        topic,
        partitions,
        me: Membership {
            group: GROUP,
            id: StrBytes::default(),
            epoch: -1,
        },
        work: Work::new(GROUP, number),
    };
    loop {
        if member.join().await.is_ok() && member.work_on().await {
            member.leave().await;
            return;
        }
        member.work.drop_all(&member.client);
        member.client.back_off().await;
    }
}

impl Member {
    async fn coordinator(&mut self) -> Option<NodeIx> {
        self.client.coordinator(Kind::Group, GROUP).await
    }

    /// What an error means for the member's place in the group.
    fn refused(&mut self, code: ErrorCode) {
        match code {
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => {
                self.me.id = StrBytes::default();
            }
            ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress => {}
            _ => self.client.forget_coordinator(Kind::Group, GROUP),
        }
    }

    async fn join(&mut self) -> Result<(), ()> {
        let node = self.coordinator().await.ok_or(())?;
        let patience = REBALANCE + PATIENCE;
        let query = JoinGroupRequest::default()
            .with_group_id(self.me.group_id())
            .with_session_timeout_ms(millis(SESSION))
            .with_rebalance_timeout_ms(millis(REBALANCE))
            .with_member_id(self.me.id.clone())
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![
                JoinGroupRequestProtocol::default()
                    .with_name(text("range"))
                    .with_metadata(subscription(self.topic)),
            ]);
        let answer: Result<JoinGroupResponse, Broken> = self
            .client
            .ask_patiently(node, (ApiKey::JoinGroup, JOIN), &query, patience)
            .await;
        let Ok(joined) = answer else {
            self.client.forget_coordinator(Kind::Group, GROUP);
            return Err(());
        };
        match ErrorCode::from_wire(joined.error_code) {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                self.me.id = joined.member_id;
                return Err(());
            }
            code => {
                self.refused(code);
                return Err(());
            }
        }
        self.client.door.world().borrow_mut().tally.rebalances += 1;
        self.me.id = joined.member_id.clone();
        self.me.epoch = joined.generation_id;
        self.sync(node, &joined).await
    }

    async fn sync(&mut self, node: NodeIx, joined: &JoinGroupResponse) -> Result<(), ()> {
        let asked = self.client.now();
        let ids: Vec<StrBytes> = joined.members.iter().map(|m| m.member_id.clone()).collect();
        let assignments = ids.iter().enumerate().map(|(n, id)| {
            let of = |index: &i32| usize::try_from(*index).is_ok_and(|i| i % ids.len() == n);
            let share: Vec<i32> = (0..self.partitions).filter(of).collect();
            SyncGroupRequestAssignment::default()
                .with_member_id(id.clone())
                .with_assignment(assignment(self.topic, share))
        });
        let query = SyncGroupRequest::default()
            .with_group_id(self.me.group_id())
            .with_generation_id(self.me.epoch)
            .with_member_id(self.me.id.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments.collect());
        let patience = REBALANCE + PATIENCE;
        let answer: Result<SyncGroupResponse, Broken> = self
            .client
            .ask_patiently(node, (ApiKey::SyncGroup, SYNC), &query, patience)
            .await;
        let Ok(synced) = answer else {
            self.client.forget_coordinator(Kind::Group, GROUP);
            return Err(());
        };
        let code = ErrorCode::from_wire(synced.error_code);
        if code.is_error() {
            self.refused(code);
            return Err(());
        }
        self.work.heard(&self.client, asked, self.me.epoch);
        if !self.work.may_work(&self.client) {
            return Err(());
        }
        let share = assigned(self.topic, synced.assignment);
        let taken = self.work.take(&mut self.client, &self.me, &share).await;
        taken.map_err(|code| self.refused(code))
    }

    /// Works until the group rebalances; true when there is nothing left.
    async fn work_on(&mut self) -> bool {
        let mut next_beat = self.client.now() + BEAT;
        loop {
            if !self.work.may_work(&self.client) {
                return false;
            }
            if self.client.now() >= next_beat {
                if let Err(code) = self.beat().await {
                    self.refused(code);
                    return false;
                }
                next_beat = self.client.now() + BEAT;
            }
            // What is written after this look is read in a later turn.
            let is_written = self.client.is_all_written();
            if let Err(code) = self.work.turn(&mut self.client, &self.me).await {
                self.refused(code);
                return false;
            }
            if is_written && self.work.is_done() {
                return true;
            }
        }
    }

    async fn beat(&mut self) -> Result<(), ErrorCode> {
        let Some(node) = self.coordinator().await else {
            return Ok(());
        };
        let asked = self.client.now();
        let query = HeartbeatRequest::default()
            .with_group_id(self.me.group_id())
            .with_generation_id(self.me.epoch)
            .with_member_id(self.me.id.clone());
        let api = (ApiKey::Heartbeat, HEARTBEAT);
        let answer: Result<HeartbeatResponse, Broken> = self.client.ask(node, api, &query).await;
        let Ok(response) = answer else {
            self.client.forget_coordinator(Kind::Group, GROUP);
            return Ok(());
        };
        match ErrorCode::from_wire(response.error_code) {
            ErrorCode::None => {
                self.work.heard(&self.client, asked, self.me.epoch);
                Ok(())
            }
            code if code.is_retriable() => {
                self.client.forget_coordinator(Kind::Group, GROUP);
                Ok(())
            }
            code => Err(code),
        }
    }

    async fn leave(&mut self) {
        self.work.drop_all(&self.client);
        let Some(node) = self.coordinator().await else {
            return;
        };
        let query = LeaveGroupRequest::default()
            .with_group_id(self.me.group_id())
            .with_members(vec![
                MemberIdentity::default().with_member_id(self.me.id.clone()),
            ]);
        // Unheard, the session ends by itself.
        let _answer: Result<LeaveGroupResponse, Broken> = self
            .client
            .ask(node, (ApiKey::LeaveGroup, LEAVE), &query)
            .await;
    }
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// The version of the embedded consumer protocol.
const EMBEDDED: i16 = 0;

fn embedded<E: Encodable>(message: &E) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(EMBEDDED);
    message
        .encode(&mut bytes, EMBEDDED)
        .expect("the embedded protocol's first version carries this");
    bytes.freeze()
}

fn subscription(topic: &str) -> Bytes {
    embedded(&ConsumerProtocolSubscription::default().with_topics(vec![text(topic)]))
}

fn assignment(topic: &str, share: Vec<i32>) -> Bytes {
    let of_topic = TopicPartition::default()
        .with_topic(topic_name(topic))
        .with_partitions(share);
    embedded(&ConsumerProtocolAssignment::default().with_assigned_partitions(vec![of_topic]))
}

/// The partitions of an assignment; none when it is empty.
fn assigned(topic: &'static str, mut bytes: Bytes) -> Vec<Partition> {
    if bytes.len() < 2 {
        return Vec::new();
    }
    let version = bytes.get_i16();
    let Ok(read) = ConsumerProtocolAssignment::decode(&mut bytes, version) else {
        return Vec::new();
    };
    let indexes = read
        .assigned_partitions
        .into_iter()
        .flat_map(|of| of.partitions);
    indexes.map(|index| Partition { topic, index }).collect()
}
