//! A produce request of a transactional producer: its coordinator, which may be
//! another node, says first whether its transaction may write here.
//!
//! Requests of one connection are appended in the order in which they came: one
//! that arrives while an earlier one waits for the coordinator waits for its
//! turn. A producer's sequences would else be out of order.

use super::append::producer_of;
use super::{Asked, find_served, write};
use crate::access::Guarded;
use crate::broker::Broker;
use crate::groups::Asker;
use crate::outcome::{CloseReason, Outcome, Response, Wake};
use crate::parked::{Parked, Waiting};
use crate::request::Request;
use crate::transactions::{Transacting, Verification, Verified};
use bytes::BytesMut;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::Producer;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::produce::ProduceRequest;
use plimsoll_wire::time::{Instant, Now};
use std::sync::Arc;

/// The first version in which the broker adds a partition to a transaction.
const BROKER_ADDS: i16 = 12;

pub(super) fn handle(
    broker: &Broker,
    request: &Request<'_>,
    asked: Asked,
    mut body: BytesMut,
) -> Outcome {
    let asker = request.asker();
    let turn = Arc::clone(&request.connection.unverified);
    // The connection's own, this one, and those of earlier requests.
    let is_first = Arc::strong_count(&turn) == 2;
    let stage = if is_first {
        match verify(broker, &asked, asker, &mut body) {
            Ok(verified) => return resume(broker, &asked, asker, &mut body, &verified),
            Err(verification) => Stage::Verifying(verification),
        }
    } else {
        Stage::Queueing
    };
    if decode(&asked, &mut body).is_some_and(|query| query.acks == 0) {
        // Nobody would hear of what becomes of it later.
        let words = "produce with acks=0: its transaction's coordinator must be asked first";
        return Outcome::Close(CloseReason(words.into()));
    }
    let parked = ParkedTransactional {
        asked,
        body,
        waker: Arc::clone(asker.waker),
        deadline: broker.commit_deadline(asker.now),
        stage,
        turn: Some(turn),
    };
    Outcome::Parked(Parked::new(parked.deadline, parked))
}

/// Asks the coordinator about all partitions that the transaction has not
/// written to yet. An error is an answer that is still to come.
fn verify(
    broker: &Broker,
    asked: &Asked,
    asker: Asker<'_>,
    body: &mut BytesMut,
) -> Result<Verified, Verification> {
    let Some(query) = decode(asked, body) else {
        return Ok(Verified::default());
    };
    let Some(id) = query.transactional_id else {
        return Ok(Verified::default());
    };
    let catalog = broker.catalog();
    let mut unknown = Vec::new();
    let mut by: Option<Producer> = None;
    for topic in &query.topics {
        let Some(served) = find_served(&catalog, topic.topic) else {
            continue;
        };
        let guarded = Guarded::Topic(&served.name);
        if !asked.access.allows(AclOperation::Write, guarded) {
            continue;
        }
        for data in &topic.partitions {
            let header = BatchHeader::parse(data.records).ok();
            let header = header.filter(BatchHeader::is_transactional);
            let (Some(header), Some(partition)) = (header, served.partition(data.index)) else {
                continue;
            };
            let producer = producer_of(&header);
            let held = partition.lock();
            if held.led_epoch().is_err() || held.is_open_to(producer) {
                continue;
            }
            drop(held);
            if *by.get_or_insert(producer) == producer {
                unknown.push(Arc::clone(partition));
            }
        }
    }
    let Some(producer) = by else {
        return Ok(Verified::default());
    };
    let transacting = Transacting {
        id,
        producer,
        adds: asked.envelope.version >= BROKER_ADDS,
    };
    let mut verification = broker.verify_transaction(&transacting, unknown, asker);
    if verification.is_here() {
        Ok(verification.settle())
    } else {
        Err(verification)
    }
}

/// The request, which was decoded before.
fn decode<'a>(asked: &Asked, body: &'a mut BytesMut) -> Option<ProduceRequest<'a, &'a mut [u8]>> {
    ProduceRequest::decode(asked.envelope.version, body).ok()
}

fn resume(
    broker: &Broker,
    asked: &Asked,
    asker: Asker<'_>,
    body: &mut BytesMut,
    verified: &Verified,
) -> Outcome {
    match decode(asked, body) {
        Some(query) => write(broker, asked, asker, query, verified),
        None => Outcome::Close(CloseReason("produce: the request changed".into())),
    }
}

/// How far a request is.
enum Stage {
    /// Earlier requests of the connection come first.
    Queueing,
    /// The coordinator was asked.
    Verifying(Verification),
    /// Its records are in the log, and not everywhere yet.
    Written(Parked),
}

/// A request that waits for its turn, its coordinator or its replicas.
struct ParkedTransactional {
    asked: Asked,
    body: BytesMut,
    waker: Arc<dyn Wake>,
    deadline: Instant,
    stage: Stage,
    /// Held until the records are appended.
    turn: Option<Arc<()>>,
}

impl ParkedTransactional {
    fn append(&mut self, broker: &Broker, now: Now, verified: &Verified) -> Option<Response> {
        let waker = Arc::clone(&self.waker);
        let asker = Asker { waker: &waker, now };
        let outcome = resume(broker, &self.asked, asker, &mut self.body, verified);
        self.turn = None;
        match outcome {
            Outcome::Ready(response) | Outcome::Last(response, _) => Some(response),
            Outcome::Parked(parked) => {
                self.body = BytesMut::new();
                self.deadline = parked.deadline();
                self.stage = Stage::Written(parked);
                None
            }
            // Neither comes of a request that was decoded and has acks.
            Outcome::NoReply | Outcome::Close(_) => Some(Response::default()),
        }
    }
}

impl Waiting for ParkedTransactional {
    fn poll(&mut self, broker: &Broker, now: Now, expired: bool) -> Option<Response> {
        match &mut self.stage {
            Stage::Queueing => {
                let waker = Arc::clone(&self.waker);
                let asker = Asker { waker: &waker, now };
                match verify(broker, &self.asked, asker, &mut self.body) {
                    Ok(verified) => self.append(broker, now, &verified),
                    Err(verification) => {
                        self.deadline = broker.commit_deadline(now);
                        self.stage = Stage::Verifying(verification);
                        None
                    }
                }
            }
            Stage::Verifying(verification) => {
                if !expired && !verification.is_here() {
                    return None;
                }
                let verified = verification.settle();
                self.append(broker, now, &verified)
            }
            Stage::Written(parked) => {
                let response = parked.poll(broker, now);
                self.deadline = parked.deadline();
                response
            }
        }
    }

    fn renew(&self, _: Now) -> Option<Instant> {
        Some(self.deadline)
    }
}
