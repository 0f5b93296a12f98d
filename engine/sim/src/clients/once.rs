//! An idempotent producer: up to five batches in flight, retried in order.

use super::Client;
use super::batches::{Draft, Make, Produce, make};
use super::link::{PATIENCE, Question, body};
use super::plain::{Placed, TIMEOUT_MS, codec, drafts, placed};
use super::transactional::INPUT;
use crate::facts::{Fact, Partition, Promise, Txn};
use crate::tasks::Answer;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{ProducerEpoch, ProducerId, Sequence};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The topic of idempotent producers.
pub const TOPIC: &str = "once";
/// How many batches of a partition may be unanswered.
const IN_FLIGHT_MAX: usize = 5;

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The producer's id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
}

/// A batch that was not acknowledged yet.
struct Unsettled {
    drafts: Vec<Draft>,
    question: Question,
    answer: Option<Answer>,
}

/// An idempotent producer's way into one partition.
pub struct Lane {
    to: Partition,
    by: Identity,
    next: Sequence,
    window: VecDeque<Unsettled>,
}

/// In which transaction a lane writes, and in which version of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The transaction and its producer's transactional id.
    pub txn: Option<(Txn, &'a str)>,
    /// The version of produce requests.
    pub version: i16,
}

/// Why a lane is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The partition does not take the batch, and never will.
    Never(ErrorCode),
}

impl Lane {
    /// A new producer's lane.
    pub const fn new(to: Partition, by: Identity) -> Self {
        Self {
            to,
            by,
            next: Sequence(0),
            window: VecDeque::new(),
        }
    }

    /// Whether another batch may be sent.
    pub fn has_room(&self) -> bool {
        self.window.len() < IN_FLIGHT_MAX
    }

    /// Whether every batch was acknowledged.
    pub fn is_settled(&self) -> bool {
        self.window.is_empty()
    }

    /// Goes on under another epoch: sequences begin anew.
    pub fn renew(&mut self, by: Identity) {
        *self = Self::new(self.to.clone(), by);
    }

    /// Puts a batch into the window. It is sent by [`Lane::send`].
    pub fn add(&mut self, client: &mut Client, drafts: Vec<Draft>, within: Within<'_>) {
        for draft in &drafts {
            let Some(id) = draft.id else { continue };
            client.report(&Fact::Sent {
                id,
                to: self.to.clone(),
                key: draft.key,
                promise: Promise::Once,
                txn: within.txn.map(|(txn, _)| txn),
            });
        }
        let how = Make {
            producer: batch::Producer {
                id: self.by.id,
                epoch: self.by.epoch,
                base_sequence: self.next,
            },
            transactional: within.txn.is_some(),
            compression: codec(client),
            timestamp: client.wall(),
        };
        let count = i32::try_from(drafts.len()).unwrap_or(i32::MAX);
        self.next = self.next.plus(count);
        let produce = Produce {
            topic: self.to.topic,
            partition: self.to.index,
            acks: -1,
            timeout_ms: TIMEOUT_MS,
            transactional_id: within.txn.map(|(_, id)| id),
            version: within.version,
        };
        let question = produce.question(&make(&drafts, how));
        self.window.push_back(Unsettled {
            drafts,
            question,
            answer: None,
        });
    }

    /// Sends every batch of the window that is not under way.
    pub async fn send(&mut self, client: &mut Client) {
        if self.window.iter().all(|batch| batch.answer.is_some()) {
            return;
        }
        let Some(leader) = client.leader(self.to.topic, self.to.index).await else {
            return;
        };
        for batch in &mut self.window {
            if batch.answer.is_none() {
                batch.answer = client.post(leader, &batch.question, PATIENCE);
                if batch.answer.is_none() {
                    break;
                }
            }
        }
    }

    /// Waits for the answer to the oldest batch. When it fails, all are taken
    /// back, to be sent again in order.
    pub async fn settle(&mut self, client: &mut Client) -> Result<(), Refused> {
        let Some(oldest) = self.window.front_mut() else {
            return Ok(());
        };
        let answer = match oldest.answer.take() {
            Some(answer) => answer.await,
            None => {
                client.forget_leader(self.to.topic, self.to.index);
                client.back_off().await;
                return Ok(());
            }
        };
        let version = oldest.question.version;
        let outcome = answer.map(|answer| placed(version, &body(&oldest.question, &answer)));
        let refused = match outcome {
            Ok(Ok(Placed::At(base))) => {
                client.acknowledge(&self.to, &oldest.drafts, base);
                self.window.pop_front();
                return Ok(());
            }
            Ok(Ok(Placed::Never(error))) => Some(error),
            Ok(Err(what)) => {
                client.report(&Fact::Nonsense { what });
                None
            }
            Err(_) | Ok(Ok(Placed::Retry(_))) => None,
        };
        // Later batches have failed as well, or are retried without harm.
        for batch in &mut self.window {
            if let Some(answer) = batch.answer.take() {
                let _late = answer.await;
            }
        }
        if let Some(error) = refused {
            return Err(Refused::Never(error));
        }
        client.forget_leader(self.to.topic, self.to.index);
        client.back_off().await;
        Ok(())
    }
}

/// Writes until clients are to finish.
pub async fn write(mut client: Client, topic: &'static str, partitions: i32) {
    let by = identity(&mut client).await;
    let mut lanes: BTreeMap<i32, Lane> = BTreeMap::new();
    let mut next = 0;
    while !client.is_over() || lanes.values().any(|lane| !lane.is_settled()) {
        let index = i32::try_from(client.door.dice.below(partitions as usize)).unwrap_or(0);
        let to = Partition { topic, index };
        let lane = lanes
            .entry(index)
            .or_insert_with(|| Lane::new(to.clone(), by));
        let burst = client.door.dice.below(IN_FLIGHT_MAX + 1);
        for _ in 0..burst {
            if lane.has_room() && !client.is_over() {
                let drafts = drafts(&mut client, &mut next, 3);
                let within = Within {
                    txn: None,
                    version: super::plain::PRODUCE,
                };
                lane.add(&mut client, drafts, within);
            }
        }
        lane.send(&mut client).await;
        if let Err(Refused::Never(error)) = lane.settle(&mut client).await {
            let writer = u32::try_from(client.door.id().0).unwrap_or(u32::MAX);
            let error = format!("{error:?}");
            client.report(&Fact::SequenceBroken { writer, to, error });
            break;
        }
        if !client.is_over() {
            client
                .door
                .doze(Duration::ZERO, Duration::from_millis(600))
                .await;
        }
    }
    if topic == INPUT {
        client.finish_input();
    }
    client.finish();
}

/// An identity for an idempotent producer.
pub async fn identity(client: &mut Client) -> Identity {
    loop {
        let node = client.directory.anyone();
        let query = InitProducerIdRequest::default().with_transactional_id(None);
        let asked = client.ask(node, (ApiKey::InitProducerId, 4), &query).await;
        let response: Result<InitProducerIdResponse, _> = asked;
        match response {
            Ok(response) if response.error_code == 0 => {
                return Identity {
                    id: ProducerId(response.producer_id.0),
                    epoch: ProducerEpoch(response.producer_epoch),
                };
            }
            _ => client.back_off().await,
        }
    }
}
