//! A member of a group of the newer protocol (KIP-848): it heartbeats, gives
//! up what it is not to keep, and takes what is free.

use super::Client;
use super::directory::{Kind, text};
use super::progress::Membership;
use super::working::{BEAT, Work};
use crate::facts::Partition;
use crate::world::Broken;
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use uuid::Uuid;

/// The group.
pub const GROUP: &str = "consumer-readers";
/// How long a member may take to give partitions up.
const REBALANCE_MS: i32 = 20_000;
/// The version of the heartbeat: the member chooses its id.
const HEARTBEAT: i16 = 1;

/// What a member's heartbeat says of its place in the group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Say {
    /// All there is to say: the coordinator may not know the member.
    All,
    /// That it is there.
    Little,
}

/// A member and what it reads.
struct Member {
    client: Client,
    topic: &'static str,
    me: Membership,
    work: Work,
    /// What it was last told to have.
    target: Vec<Partition>,
    incarnation: u32,
}

/// Takes part in the group until everything is read and committed.
pub async fn take_part(client: Client, topic: &'static str) {
    let number = client.door.id().0;
    let mut member = Member {
        client,
        topic,
        me: Membership {
            group: GROUP,
            id: StrBytes::default(),
            epoch: 0,
        },
        work: Work::new(GROUP, number),
        target: Vec::new(),
        incarnation: 0,
    };
    loop {
        member.begin_anew();
        if member.work_on().await {
            member.leave().await;
            return;
        }
        member.client.back_off().await;
    }
}

impl Member {
    /// Joins as somebody new: nothing is owned.
    fn begin_anew(&mut self) {
        self.work.drop_all(&self.client);
        self.incarnation += 1;
        let words = format!("member-{}-{}", self.client.door.id().0, self.incarnation);
        self.me.id = text(&words);
        self.me.epoch = 0;
        self.target.clear();
    }

    /// Works until the member has lost its place; true when nothing is left.
    async fn work_on(&mut self) -> bool {
        let mut say = Say::All;
        let mut next_beat = self.client.now();
        loop {
            if self.me.epoch > 0 && !self.work.may_work(&self.client) {
                return false;
            }
            if self.client.now() >= next_beat {
                say = match self.beat(say).await {
                    Ok(()) => Say::Little,
                    Err(Some(_)) => return false,
                    Err(None) => Say::All,
                };
                next_beat = self.client.now() + BEAT;
            }
            if self.me.epoch == 0 {
                self.client.back_off().await;
                continue;
            }
            if let Err(code) = self.reconcile(&mut next_beat).await
                && is_final(code)
            {
                return false;
            }
            // What is written after this look is read in a later turn.
            let is_written = self.client.is_all_written();
            match self.work.turn(&mut self.client, &self.me).await {
                Ok(()) => {}
                Err(code) if is_final(code) => return false,
                Err(_) => {
                    // A stale epoch is mended by the next heartbeat.
                    next_beat = self.client.now();
                    self.client.back_off().await;
                }
            }
            let settled = self.work.partitions().len() == self.target.len();
            if is_written && settled && self.work.is_done() {
                return true;
            }
        }
    }

    /// Gives up what is not to be kept, then takes what is new, and lets the
    /// coordinator know soon.
    async fn reconcile(&mut self, next_beat: &mut crate::moment::Moment) -> Result<(), ErrorCode> {
        let owned = self.work.partitions();
        if owned.iter().any(|p| !self.target.contains(p)) {
            let target = self.target.clone();
            self.work.keep(&self.client, &target, self.me.epoch);
            *next_beat = self.client.now();
            return Ok(());
        }
        if self.target.iter().any(|p| !owned.contains(p)) {
            let target = self.target.clone();
            self.work.take(&mut self.client, &self.me, &target).await?;
            *next_beat = self.client.now();
        }
        Ok(())
    }

    /// Heartbeats. An error code is final; none is a lost answer.
    async fn beat(&mut self, say: Say) -> Result<(), Option<ErrorCode>> {
        let node = self
            .client
            .coordinator(Kind::Group, GROUP)
            .await
            .ok_or(None)?;
        if self.client.topic_id(self.topic).is_none() {
            self.client.refresh(self.topic).await;
        }
        let id = self.client.topic_id(self.topic).ok_or(None)?;
        let asked = self.client.now();
        let tells_all = say == Say::All || self.me.epoch == 0;
        let query = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.me.group_id())
            .with_member_id(self.me.id.clone())
            .with_member_epoch(self.me.epoch)
            .with_rebalance_timeout_ms(if tells_all { REBALANCE_MS } else { -1 })
            .with_subscribed_topic_names(
                tells_all.then(|| vec![super::directory::topic_name(self.topic)]),
            )
            .with_topic_partitions(Some(self.owned(id)));
        let api = (ApiKey::ConsumerGroupHeartbeat, HEARTBEAT);
        let answer: Result<ConsumerGroupHeartbeatResponse, Broken> =
            self.client.ask(node, api, &query).await;
        let Ok(response) = answer else {
            self.client.forget_coordinator(Kind::Group, GROUP);
            return Err(None);
        };
        match ErrorCode::from_wire(response.error_code) {
            ErrorCode::None => {}
            code if is_final(code) => return Err(Some(code)),
            _ => {
                self.client.forget_coordinator(Kind::Group, GROUP);
                return Err(None);
            }
        }
        if response.member_epoch != self.me.epoch {
            self.client.door.world().borrow_mut().tally.rebalances += 1;
        }
        self.me.epoch = response.member_epoch;
        self.work.heard(&self.client, asked, self.me.epoch);
        if let Some(assignment) = response.assignment {
            let of_topic = assignment.topic_partitions.into_iter();
            let indexes = of_topic
                .filter(|of| of.topic_id == id)
                .flat_map(|of| of.partitions);
            let topic = self.topic;
            self.target = indexes.map(|index| Partition { topic, index }).collect();
        }
        Ok(())
    }

    fn owned(&self, id: Uuid) -> Vec<TopicPartitions> {
        let indexes: Vec<i32> = self.work.partitions().iter().map(|p| p.index).collect();
        if indexes.is_empty() {
            return Vec::new();
        }
        vec![
            TopicPartitions::default()
                .with_topic_id(id)
                .with_partitions(indexes),
        ]
    }

    async fn leave(&mut self) {
        self.work.drop_all(&self.client);
        let Some(node) = self.client.coordinator(Kind::Group, GROUP).await else {
            return;
        };
        let query = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.me.group_id())
            .with_member_id(self.me.id.clone())
            .with_member_epoch(-1);
        // Unheard, the session ends by itself.
        let _answer: Result<ConsumerGroupHeartbeatResponse, Broken> = self
            .client
            .ask(node, (ApiKey::ConsumerGroupHeartbeat, HEARTBEAT), &query)
            .await;
    }
}

/// Whether the member has lost its place.
const fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::UnreleasedInstanceId
    )
}
