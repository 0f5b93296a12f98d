//! A leader has the controller change the ISR of its partitions: all changes
//! that are due in one request, one request under way at a time. One whose disk
//! has failed asks to be left out of it, and so is replaced.

use crate::broker::Broker;
use crate::controller::IsrWish;
use crate::convert::broker_id;
use crate::membership::error_of;
use crate::outgoing::{Errand, Lane, PeerFault};
use crate::partition::{Held, Partition};
use bytes::Bytes;
use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use kafka_protocol::protocol::Decodable;
use parking_lot::Mutex;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{BrokerEpoch, NodeId, PartitionIndex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const VERSION: i16 = 3;
/// How soon a change that could not be made is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Which partitions want their ISR changed.
#[derive(Default)]
pub(crate) struct IsrChanges {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<(Uuid, PartitionIndex), Arc<Partition>>,
    under_way: bool,
    /// Not before then.
    at: Instant,
    /// When lagging followers are looked for next.
    look_at: Instant,
}

impl IsrChanges {
    /// A partition's ISR is to be looked at.
    pub(crate) fn want(&self, partition: &Arc<Partition>) {
        let place = (partition.topic_id, partition.index);
        self.state
            .lock()
            .wanted
            .insert(place, Arc::clone(partition));
    }
}

impl Broker {
    /// Does what replication has to do in time. Answers when it is next.
    pub(crate) fn keep_replicas(&self, now: Now) -> Instant {
        let fetches = self.start_fetches(now);
        let lag_max = self.limits().cluster.lag_max;
        let look = {
            let mut state = self.isr_changes.state.lock();
            let due = state.look_at <= now.mono;
            if due {
                state.look_at = now.mono.after(lag_max / 2);
            }
            due
        };
        if look {
            for partition in self.catalog().partitions() {
                if self.wanted_isr(partition, now).is_some() {
                    self.isr_changes.want(partition);
                }
            }
        }
        self.send_isr_changes(now);
        let state = self.isr_changes.state.lock();
        let retry = if state.wanted.is_empty() || state.under_way {
            Instant(Duration::MAX)
        } else {
            state.at
        };
        fetches.min(state.look_at).min(retry)
    }

    fn wanted_isr(&self, partition: &Arc<Partition>, now: Now) -> Option<Vec<NodeId>> {
        let lag_max = self.limits().cluster.lag_max;
        wanted(&mut partition.lock(), now, lag_max)
    }

    /// Sends the changes that are wanted, when none are under way.
    pub(crate) fn send_isr_changes(&self, now: Now) {
        let Some(controller) = self.active_controller() else {
            return;
        };
        let wanted = {
            let mut state = self.isr_changes.state.lock();
            if state.under_way || state.wanted.is_empty() || now.mono < state.at {
                return;
            }
            std::mem::take(&mut state.wanted)
        };
        let wishes: Vec<_> = wanted
            .into_values()
            .filter_map(|partition| {
                let wish = self.wish(&partition, now)?;
                Some((partition, wish))
            })
            .collect();
        if wishes.is_empty() {
            return;
        }
        self.isr_changes.state.lock().under_way = true;
        let query = self.alter_partition(&wishes);
        let errand = Errand {
            to: controller,
            lane: Lane::Quorum,
            deadline: now.mono.after(self.limits().cluster.request_timeout),
        };
        let then = move |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.isr_changes_answered(&wishes, answer, now);
        };
        let api = (ApiKey::AlterPartition, VERSION);
        self.outbox.ask(errand, api, &query, Box::new(then));
    }

    /// Forms the wish of a partition and notes it there. One that was not
    /// answered is made again as it was.
    fn wish(&self, partition: &Arc<Partition>, now: Now) -> Option<IsrWish> {
        let lag_max = self.limits().cluster.lag_max;
        let mut held = partition.lock();
        if held.leading()?.asked().is_none() {
            let wanted = wanted(&mut held, now, lag_max)?;
            held.leading()?.ask(wanted);
        }
        let leading = held.leading()?;
        let asked = leading.asked()?;
        let member = |node: &NodeId| {
            let run = if *node == self.node() {
                self.epoch()
            } else {
                leading.run_of(*node)
            };
            (*node, run)
        };
        Some(IsrWish {
            topic: partition.topic_id,
            partition: partition.index,
            leader_epoch: leading.epoch,
            partition_epoch: asked.partition_epoch,
            isr: asked.isr.iter().map(member).collect(),
        })
    }

    fn alter_partition(&self, wishes: &[(Arc<Partition>, IsrWish)]) -> AlterPartitionRequest {
        let mut topics: Vec<TopicData> = Vec::new();
        for (_, wish) in wishes {
            let member = |(node, run): &(NodeId, BrokerEpoch)| {
                BrokerState::default()
                    .with_broker_id(broker_id(*node))
                    .with_broker_epoch(run.get())
            };
            let data = PartitionData::default()
                .with_partition_index(wish.partition.get())
                .with_leader_epoch(wish.leader_epoch.get())
                .with_partition_epoch(wish.partition_epoch)
                .with_new_isr_with_epochs(wish.isr.iter().map(member).collect());
            match topics
                .last_mut()
                .filter(|topic| topic.topic_id == wish.topic)
            {
                Some(topic) => topic.partitions.push(data),
                None => topics.push(
                    TopicData::default()
                        .with_topic_id(wish.topic)
                        .with_partitions(vec![data]),
                ),
            }
        }
        AlterPartitionRequest::default()
            .with_broker_id(broker_id(self.node()))
            .with_broker_epoch(self.epoch().get())
            .with_topics(topics)
    }

    fn isr_changes_answered(
        &self,
        wishes: &[(Arc<Partition>, IsrWish)],
        answer: Result<Bytes, PeerFault>,
        now: Now,
    ) {
        let response = answer
            .ok()
            .and_then(|mut body| AlterPartitionResponse::decode(&mut body, VERSION).ok());
        let response = response.filter(|response| error_of(response.error_code).is_ok());
        let mut again = Vec::new();
        match response {
            None => again.extend(wishes.iter().map(|(partition, _)| Arc::clone(partition))),
            Some(response) => {
                let answers = response.topics.iter().flat_map(|topic| &topic.partitions);
                for ((partition, wish), data) in wishes.iter().zip(answers) {
                    match error_of(data.error_code) {
                        Ok(()) => {}
                        // It does not lead any more, or does not know the term yet.
                        Err(ErrorCode::NotController) => again.push(Arc::clone(partition)),
                        Err(code) => isr_refused(partition, wish, code),
                    }
                }
            }
        }
        let mut state = self.isr_changes.state.lock();
        state.under_way = false;
        if !again.is_empty() {
            // It may have been made all the same: it is asked for again.
            state.at = now.mono.after(RETRY);
        }
        for partition in again {
            let place = (partition.topic_id, partition.index);
            state.wanted.insert(place, partition);
        }
        drop(state);
        self.send_isr_changes(now);
    }
}

/// A change is not made. What was asked for goes on to count unless it is
/// certain that it was never made: an earlier request, whose answer was lost,
/// may have made it. Any other refusal says that the partition's state has
/// moved on, or its leader; the new one is on its way.
fn isr_refused(partition: &Partition, wish: &IsrWish, code: ErrorCode) {
    let (topic, index) = (&partition.topic, partition.index.get());
    tracing::debug!(%topic, partition = index, why = code.name(), "the ISR stays");
    if code == ErrorCode::IneligibleReplica
        && let Some(leading) = partition.lock().leading()
    {
        leading.refused(wish.partition_epoch);
    }
}

/// The ISR as it ought to be, when that differs. A leader whose disk has failed
/// leaves it, so that one of the others leads.
fn wanted(held: &mut Held, now: Now, lag_max: Duration) -> Option<Vec<NodeId>> {
    let ends = match held.led() {
        Ok(log) => (log.log_end(), log.high_watermark()),
        Err(ErrorCode::KafkaStorageError) => return held.leading()?.without_me(),
        Err(_) => return None,
    };
    held.leading()?.wanted_isr(ends, now.mono, lag_max)
}
