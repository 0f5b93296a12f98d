//! The metadata quorum among nodes: its messages as requests, its time, and
//! the moment at which committed records take effect here.
//!
//! Voters speak a private request of their own, which no client is told of:
//! after the usual eight bytes of a header (key, version, correlation id) the
//! cluster's id, the sender and its messages. Its answer is an error code.

use crate::broker::Broker;
use crate::metadata::Messages;
use crate::observing::OBSERVE;
use crate::outcome::{CloseReason, Outcome, Response, Wake};
use crate::outgoing::{Errand, Lane, Peer, PeerFault};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use plimsoll_cluster::quorum::QuorumMessage;
use plimsoll_cluster::{Image, MetadataRecord, Reader, Writer};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::frame;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The key of the voters' request.
const VOTERS: i16 = 10_000;
/// Its version.
const VERSION: i16 = 0;
/// Bytes of its header.
const HEADER_BYTES: usize = 8;
/// How long a message to a voter may take; the quorum repeats what got lost.
const MESSAGE_WAIT: Duration = Duration::from_secs(2);

/// Whether a frame is a request that only nodes make of each other.
pub(crate) fn is_private(frame: &[u8]) -> bool {
    let key = frame.first_chunk::<2>().copied().map(i16::from_be_bytes);
    matches!(key, Some(VOTERS | OBSERVE))
}

/// The frame of a private request.
pub(crate) fn private_request(key: i16, correlation_id: i32, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + HEADER_BYTES + body.len());
    let start = frame::begin(&mut out);
    out.put_i16(key);
    out.put_i16(VERSION);
    out.put_i32(correlation_id);
    out.extend_from_slice(body);
    frame::finish(&mut out, start, 0);
    out.freeze()
}

/// The response to a private request: an error code, and what `write` adds.
pub(crate) fn private_answer(
    correlation_id: i32,
    code: ErrorCode,
    write: impl FnOnce(&mut Writer),
) -> Response {
    let mut body = Writer::default();
    body.i16(code.code());
    write(&mut body);
    let body = body.into_bytes();
    let mut out = BytesMut::with_capacity(8 + body.len());
    let start = frame::begin(&mut out);
    out.put_i32(correlation_id);
    out.extend_from_slice(&body);
    frame::finish(&mut out, start, 0);
    Response::whole(out.freeze())
}

impl Broker {
    /// Whether this node is the whole cluster. One that names its voters, be it
    /// itself alone, may be joined by brokers.
    pub fn is_alone(&self) -> bool {
        self.config.voters.is_empty()
    }

    /// Whether this node is the only voter.
    pub(crate) fn votes_alone(&self) -> bool {
        let voters = &self.config.voters;
        !self.observes() && voters.iter().all(|peer| peer.node == self.node())
    }

    /// The voters, as in the settings.
    pub(crate) fn voters_in_words(&self) -> String {
        let voters = self.config.voters.iter();
        let voters = voters.map(|one| format!("{}@{}:{}", one.node, one.host, one.port));
        voters.collect::<Vec<_>>().join(",")
    }

    /// Where a voter is reached.
    pub(crate) fn voter(&self, node: NodeId) -> Option<Arc<Peer>> {
        let found = self.config.voters.iter().find(|peer| peer.node == node);
        found.cloned()
    }

    /// Sends the quorum's messages, all to one voter in one request.
    pub(crate) fn send_to_voters(&self, messages: Messages, now: Now) {
        let mut by_node: BTreeMap<NodeId, Vec<QuorumMessage>> = BTreeMap::new();
        for (to, message) in messages {
            by_node.entry(to).or_default().push(message);
        }
        for (to, messages) in by_node {
            if let Some(peer) = self.voter(to) {
                self.send_to_voter(peer, &messages, now);
            }
        }
    }

    fn send_to_voter(&self, peer: Arc<Peer>, messages: &[QuorumMessage], now: Now) {
        let mut body = Writer::default();
        body.string(self.cluster_id());
        body.i32(self.node().get());
        body.array(messages, |out, message| out.bytes(&message.encode()));
        let body = body.into_bytes();
        let node = peer.node;
        let errand = Errand {
            to: peer,
            lane: Lane::Quorum,
            deadline: now.mono.after(MESSAGE_WAIT),
        };
        let then = move |broker: &Self, _, answer: Result<Bytes, PeerFault>| {
            broker.voter_answered(node, answer);
        };
        self.outbox
            .send(errand, false, Box::new(then), |correlation_id| {
                private_request(VOTERS, correlation_id, &body)
            });
    }

    fn voter_answered(&self, node: NodeId, answer: Result<Bytes, PeerFault>) {
        match answer {
            Ok(body) if body.first_chunk::<2>() == Some(&[0, 0]) => {}
            Ok(_) => {
                tracing::error!(%node, "a voter refuses messages of cluster {}", self.cluster_id());
            }
            Err(_) => {
                let told = self.metadata.drive(|quorum| {
                    quorum.unreachable(node);
                    Ok(plimsoll_cluster::quorum::Effects::default())
                });
                if let Err(fault) = told {
                    tracing::error!(%fault, "the metadata quorum");
                }
            }
        }
    }

    /// Answers a request of another node. `frame` is what follows its length.
    pub(crate) fn handle_private(&self, now: Now, frame: &[u8], waker: &Arc<dyn Wake>) -> Outcome {
        let Some((mut head, body)) = frame.split_at_checked(HEADER_BYTES) else {
            return Outcome::Close(CloseReason("a node's request is cut short".into()));
        };
        let (key, version, correlation_id) = (head.get_i16(), head.get_i16(), head.get_i32());
        let outcome = match (key, version) {
            (OBSERVE, VERSION) => return self.hear_observer(now, correlation_id, body, waker),
            (VOTERS, VERSION) => self.hear_voter(now, body),
            _ => Err(ErrorCode::UnsupportedVersion),
        };
        let code = outcome.err().unwrap_or(ErrorCode::None);
        Outcome::Ready(private_answer(correlation_id, code, |_| {}))
    }

    /// Whether another node is of this cluster, by the id that it sent.
    pub(crate) fn check_cluster(&self, theirs: &str) -> Result<(), ErrorCode> {
        if theirs == self.cluster_id() {
            return Ok(());
        }
        let ours = self.cluster_id();
        tracing::error!(theirs, ours, "a node of another cluster");
        Err(ErrorCode::InconsistentClusterId)
    }

    fn hear_voter(&self, now: Now, body: &[u8]) -> Result<(), ErrorCode> {
        let unread = |_| ErrorCode::InvalidRequest;
        let mut from = Reader::new(body);
        self.check_cluster(&from.string("cluster id").map_err(unread)?)?;
        let _node = from.i32("node").map_err(unread)?;
        let messages = from
            .array("messages", |from| from.bytes("message"))
            .map_err(unread)?;
        for bytes in messages {
            let message = QuorumMessage::decode(bytes).map_err(|_| ErrorCode::InvalidRequest)?;
            self.drive_quorum(now, |quorum| quorum.step(message, now));
        }
        Ok(())
    }

    /// Lets the quorum act, sends what it says, and takes committed records up.
    pub(crate) fn drive_quorum(
        &self,
        now: Now,
        act: impl FnOnce(
            &mut dyn plimsoll_cluster::quorum::Quorum,
        )
            -> Result<plimsoll_cluster::quorum::Effects, plimsoll_cluster::StorageFault>,
    ) {
        match self.metadata.drive(act) {
            Ok(messages) => self.send_to_voters(messages, now),
            Err(fault) => {
                tracing::error!(%fault, "the metadata quorum stops on this node");
                return;
            }
        }
        self.wake_worker(now);
    }

    /// Has committed records acted on: by the worker that asked to be told, or
    /// here when there is none.
    pub(crate) fn wake_worker(&self, now: Now) {
        let wake = self.work_wake.lock().clone();
        match wake {
            Some(wake) => wake.wake(),
            None => self.work(now),
        }
    }

    /// `wake` is told whenever [`Broker::work`] has something to do. Without it
    /// the broker does that work itself, within the calls that bring it.
    pub fn notify_work(&self, wake: Arc<dyn Wake>) {
        self.groups.notify(Arc::clone(&wake));
        self.transactions.notify(Arc::clone(&wake));
        wake.wake();
        *self.work_wake.lock() = Some(wake);
    }

    /// Acts on metadata that was committed: opens and removes logs, takes and
    /// gives up leadership, publishes the image. It may wait for the disk.
    pub fn work(&self, now: Now) {
        self.answer_groups(now);
        self.answer_transactions(now);
        loop {
            let applier = self.metadata.applier.lock();
            let steps = self.metadata.take_steps();
            let Some(last) = steps.back() else {
                break;
            };
            let (image, at) = (Arc::clone(&last.image), last.at);
            let mut records = Some(Vec::new());
            for step in steps {
                records = match (records, step.records) {
                    (Some(mut all), Some(more)) => {
                        all.extend(more);
                        Some(all)
                    }
                    _ => None,
                };
            }
            if self.dirs.is_starting() && !self.is_alone() {
                let _noted = self.log_dir_ids();
            }
            self.take_effect(&image, records.as_deref(), now);
            self.metadata.publish(image, at);
            drop(applier);
            self.start_fetches(now);
            self.send_isr_changes(now);
        }
        if let Err(fault) = self.metadata.snapshot_if_due(now) {
            tracing::error!(%fault, "cannot keep a snapshot of the metadata");
        }
    }

    fn take_effect(&self, image: &Image, records: Option<&[MetadataRecord]>, now: Now) {
        match records {
            Some(records) if !self.dirs.is_starting() => self.apply(image, records, now),
            _ => self.apply_all(image, now),
        }
    }
}
