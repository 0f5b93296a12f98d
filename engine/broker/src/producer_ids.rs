//! The producer ids this node may hand out: a block at a time, taken from the
//! cluster's counter through the metadata log, so that none is used twice.

use crate::broker::Broker;
use crate::convert::broker_id;
use crate::membership::error_of;
use crate::outgoing::{Errand, Lane, PeerFault};
use bytes::Bytes;
use kafka_protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};
use kafka_protocol::protocol::Decodable;
use parking_lot::Mutex;
use plimsoll_cluster::{MetadataRecord, ProducerIds as Allocated};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, NodeId, ProducerId};
use std::ops::Range;

/// How many ids are taken at once.
pub(crate) const BLOCK: i64 = 1000;
/// When so few are left the next block is asked for.
const LOW: i64 = 100;

/// What is left of the blocks that were taken.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    left: Range<i64>,
    next: Option<Range<i64>>,
    asking: bool,
}

impl State {
    fn draw(&mut self) -> Option<ProducerId> {
        if self.left.is_empty()
            && let Some(next) = self.next.take()
        {
            self.left = next;
        }
        self.left.next().map(ProducerId)
    }

    fn is_low(&self) -> bool {
        self.next.is_none() && self.left.end - self.left.start < LOW
    }
}

impl Broker {
    /// An id for an idempotent producer. While the next block is on its way the
    /// client is told to try again.
    pub(crate) fn next_producer_id(&self, now: Now) -> Result<ProducerId, ErrorCode> {
        let mut state = self.producer_ids.state.lock();
        let drawn = state.draw();
        if self.is_alone() {
            if let Some(id) = drawn {
                return Ok(id);
            }
            let first = self.allocate_producer_ids((self.node(), self.epoch()), now)?;
            state.left = first.get()..first.get().saturating_add(BLOCK);
            return state.draw().ok_or(ErrorCode::UnknownServerError);
        }
        if state.is_low() && !state.asking {
            state.asking = self.ask_producer_ids(now);
        }
        drawn.ok_or(ErrorCode::CoordinatorLoadInProgress)
    }

    /// Asks the controller for a block. Answers whether it could be asked.
    pub(crate) fn ask_producer_ids(&self, now: Now) -> bool {
        let Some(controller) = self.active_controller() else {
            return false;
        };
        let query = AllocateProducerIdsRequest::default()
            .with_broker_id(broker_id(self.node()))
            .with_broker_epoch(self.epoch().get());
        let errand = Errand {
            to: controller,
            lane: Lane::Quorum,
            deadline: now.mono.after(self.limits().cluster.request_timeout),
        };
        let then = |broker: &Self, _: Now, answer: Result<Bytes, PeerFault>| {
            let mut state = broker.producer_ids.state.lock();
            state.asking = false;
            let Ok(mut body) = answer else {
                return;
            };
            if let Ok(block) = AllocateProducerIdsResponse::decode(&mut body, 0)
                && error_of(block.error_code).is_ok()
            {
                let first = block.producer_id_start.0;
                state.next = Some(first..first.saturating_add(block.producer_id_len.into()));
            }
        };
        self.outbox.ask(
            errand,
            (ApiKey::AllocateProducerIds, 0),
            &query,
            Box::new(then),
        );
        true
    }

    /// Takes a block off the cluster's counter for a broker's run.
    pub(crate) fn allocate_producer_ids(
        &self,
        (broker, epoch): (NodeId, BrokerEpoch),
        now: Now,
    ) -> Result<ProducerId, ErrorCode> {
        let made = self.change(now, true, |change| {
            let known = change.image().brokers().get(&broker);
            if known.is_none_or(|known| known.epoch != epoch) {
                return Err(ErrorCode::StaleBrokerEpoch);
            }
            let first = change.image().next_producer_id();
            let next = ProducerId(first.get().saturating_add(BLOCK));
            change.push(MetadataRecord::ProducerIds(Allocated {
                broker,
                epoch,
                next,
            }));
            Ok(first)
        });
        made.map_err(|refusal| refusal.code)?
    }
}
