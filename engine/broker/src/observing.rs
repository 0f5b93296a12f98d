//! The metadata log on a node without a vote, and what the active controller
//! knows of such nodes.
//!
//! An observer always has one question under way: what comes after the end of
//! its log. The active controller holds the answer back until something was
//! committed or [`ANSWER_WAIT`] has passed; any other voter says at once who
//! leads. Like the voters' messages the question is a private request: after the
//! header of eight bytes the cluster's id, the observer and its place. The answer
//! is an error code and, without one, the news.

use crate::broker::Broker;
use crate::outcome::{Outcome, Response, Wake};
use crate::outgoing::{Errand, Lane, Peer, PeerFault};
use crate::parked::{Parked, Waiting};
use crate::quorum::{private_answer, private_request};
use bytes::Bytes;
use parking_lot::Mutex;
use plimsoll_cluster::quorum::{After, Effects, LogPlace, News};
use plimsoll_cluster::{Reader, StorageFault, Writer};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{NodeId, Offset, TimestampMs};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The key of the observers' request.
pub(crate) const OBSERVE: i16 = 10_001;
/// How long the controller holds an answer back while there is no news.
const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// How soon another voter is asked when one could not tell.
const RETRY: Duration = Duration::from_millis(50);
/// How long an observer that is silent is still shown, as in Kafka.
const SHOWN_FOR_MS: i64 = 5 * 60 * 1000;
/// The most observers that are remembered; those heard of longest ago go first.
const OBSERVERS_MAX: usize = 1000;

/// This node's asking, when it is an observer.
#[derive(Default)]
pub(crate) struct Observing {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A question is under way.
    asking: bool,
    next: Instant,
    /// Which voter is asked next while no leader is known.
    turn: usize,
    /// Why the last voter that was reached refused.
    refused: Option<(NodeId, ErrorCode)>,
    /// Why nothing is asked any more.
    stopped: Option<StorageFault>,
}

/// Who observes, as the active controller has heard.
#[derive(Default)]
pub(crate) struct Observers {
    seen: Mutex<BTreeMap<NodeId, Observed>>,
}

/// What is known of an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The offset of the last record that it has.
    pub(crate) end: Offset,
    /// When it asked last.
    pub(crate) asked_at: TimestampMs,
    /// When it asked last with all that was committed then; −1 when never.
    pub(crate) caught_up_at: TimestampMs,
}

impl Observers {
    fn note(&self, node: NodeId, end: Offset, committed: Offset, now: TimestampMs) {
        let mut seen = self.seen.lock();
        if seen.len() >= OBSERVERS_MAX && !seen.contains_key(&node) {
            let oldest = seen.iter().min_by_key(|(_, one)| one.asked_at);
            if let Some(oldest) = oldest.map(|(node, _)| *node) {
                seen.remove(&oldest);
            }
        }
        let before = seen
            .get(&node)
            .map_or(TimestampMs(-1), |one| one.caught_up_at);
        let caught_up_at = if end >= committed { now } else { before };
        let observed = Observed {
            end,
            asked_at: now,
            caught_up_at,
        };
        seen.insert(node, observed);
    }

    /// Those that asked within the last minutes.
    pub(crate) fn at(&self, now: TimestampMs) -> BTreeMap<NodeId, Observed> {
        let mut seen = self.seen.lock();
        seen.retain(|_, one| now.get() - one.asked_at.get() < SHOWN_FOR_MS);
        seen.clone()
    }
}

impl Broker {
    /// Whether this node follows the metadata log without a vote.
    pub(crate) const fn observes(&self) -> bool {
        !self.config.roles.controller
    }

    /// Asks for what comes next, unless that is under way. Answers when it is to
    /// be called again.
    pub(crate) fn keep_observing(&self, now: Now) -> Instant {
        let peer = {
            let mut state = self.observing.state.lock();
            if state.asking || state.stopped.is_some() {
                return now.mono.after(ANSWER_WAIT);
            }
            if now.mono < state.next {
                return state.next;
            }
            state.next = now.mono.after(RETRY);
            let leader = self.metadata.standing().leader;
            let Some(peer) = leader.and_then(|leader| self.voter(leader)).or_else(|| {
                let at = state.turn.checked_rem(self.config.voters.len())?;
                state.turn = state.turn.wrapping_add(1);
                self.config.voters.get(at).cloned()
            }) else {
                return Instant(Duration::MAX);
            };
            state.asking = true;
            peer
        };
        self.ask_for_news(peer, now);
        now.mono.after(ANSWER_WAIT)
    }

    fn ask_for_news(&self, peer: Arc<Peer>, now: Now) {
        let mut body = Writer::default();
        body.string(self.cluster_id());
        body.i32(self.node().get());
        self.metadata.place().write(&mut body);
        let node = peer.node;
        let silence = self.limits().cluster.election_timeout;
        let errand = Errand {
            to: peer,
            lane: Lane::Metadata,
            deadline: now.mono.after(silence.max(ANSWER_WAIT * 2)),
        };
        let then = move |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.heard_news(node, answer, now);
        };
        let body = body.into_bytes();
        let sent = self.outbox.send(errand, false, Box::new(then), |id| {
            private_request(OBSERVE, id, &body)
        });
        if !sent {
            self.observing.state.lock().asking = false;
        }
    }

    /// A voter answered, or did not.
    fn heard_news(&self, from: NodeId, answer: Result<Bytes, PeerFault>, now: Now) {
        let outcome = answer.map_err(|_| None).and_then(|body| {
            let mut body = Reader::new(&body);
            let code = body.i16("error").map_err(|_| None)?;
            match ErrorCode::from_wire(code) {
                ErrorCode::None => News::read(&mut body).map_err(|_| None),
                refused => Err(Some(refused)),
            }
        });
        let learned = outcome.map(|news| {
            let is_leaders = news.after != After::Unknown;
            let made = self.metadata.drive(|quorum| quorum.learn(news, now));
            made.map(|_no_messages| is_leaders)
        });
        {
            let mut state = self.observing.state.lock();
            state.asking = false;
            match learned {
                Ok(Ok(is_leaders)) => {
                    state.refused = None;
                    if is_leaders {
                        state.next = now.mono;
                    }
                }
                Ok(Err(fault)) => {
                    tracing::error!(%fault, "this node follows the metadata log no more");
                    state.stopped = Some(fault);
                }
                Err(refused) => {
                    if let Some(code) = refused {
                        tracing::error!(voter = %from, why = code.name(), "a voter gives no metadata");
                        state.refused = Some((from, code));
                        state.next = now.mono.after(RETRY * 10);
                    }
                    let told = self.metadata.drive(|quorum| {
                        quorum.unreachable(from);
                        Ok(Effects::default())
                    });
                    drop(told);
                }
            }
        }
        self.wake_worker(now);
        self.keep_observing(now);
    }

    /// Why this observer hears of no controller, in words.
    pub(crate) fn observer_waits_for(&self) -> String {
        let state = self.observing.state.lock();
        if let Some(fault) = &state.stopped {
            return format!("it follows the metadata log no more: {fault}");
        }
        match state.refused {
            Some((voter, ErrorCode::InconsistentClusterId)) => format!(
                "controller {voter} is of another cluster than {}: see cluster.id",
                self.cluster_id()
            ),
            Some((voter, ErrorCode::DuplicateBrokerRegistration)) => format!(
                "controller {voter} counts node {} among the voters: see \
                 controller.quorum.voters, which must be the same everywhere",
                self.node()
            ),
            Some((voter, code)) => format!("controller {voter} refuses it: {}", code.name()),
            None => format!(
                "no active controller was heard of: a majority of {} must run, and this node, {}, \
                 must reach them",
                self.voters_in_words(),
                self.node()
            ),
        }
    }

    /// Answers an observer's question.
    pub(crate) fn hear_observer(
        &self,
        now: Now,
        correlation_id: i32,
        body: &[u8],
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        let place = match self.place_of_observer(now, body) {
            Ok(place) => place,
            Err(code) => return Outcome::Ready(private_answer(correlation_id, code, |_| {})),
        };
        let mut question = Question {
            place,
            correlation_id,
            waker: Arc::clone(waker),
        };
        match question.poll(self, now, false) {
            Some(response) => Outcome::Ready(response),
            None => Outcome::Parked(Parked::new(now.mono.after(ANSWER_WAIT), question)),
        }
    }

    fn place_of_observer(&self, now: Now, body: &[u8]) -> Result<LogPlace, ErrorCode> {
        let unread = |_| ErrorCode::InvalidRequest;
        let mut from = Reader::new(body);
        self.check_cluster(&from.string("cluster id").map_err(unread)?)?;
        let node = NodeId(from.i32("node").map_err(unread)?);
        let place = LogPlace::read(&mut from).map_err(unread)?;
        if self.voter(node).is_some() {
            return Err(ErrorCode::DuplicateBrokerRegistration);
        }
        let standing = self.metadata.standing();
        if standing.active {
            let (end, committed) = (place.last_offset, standing.committed);
            self.observers.note(node, end, committed, now.wall);
        }
        Ok(place)
    }
}

/// A question that waits for news.
struct Question {
    place: LogPlace,
    correlation_id: i32,
    waker: Arc<dyn Wake>,
}

impl Waiting for Question {
    fn poll(&mut self, broker: &Broker, _: Now, expired: bool) -> Option<Response> {
        // Before it looks: what is committed meanwhile is told.
        broker.metadata.wait(&self.waker);
        let news = broker.metadata.news_after(self.place);
        (expired || news.is_worth_telling())
            .then(|| private_answer(self.correlation_id, ErrorCode::None, |out| news.write(out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_is_shown_for_minutes_and_keeps_when_it_was_caught_up() {
        let observers = Observers::default();
        let check = |now: i64, expected: &[(i32, i64, i64)]| {
            let shown = observers.at(TimestampMs(now));
            let shown = shown
                .iter()
                .map(|(node, one)| (node.get(), one.end.get(), one.caught_up_at.get()));
            assert_eq!(shown.collect::<Vec<_>>(), expected, "at {now}");
        };
        observers.note(NodeId(4), Offset(10), Offset(10), TimestampMs(1000));
        observers.note(NodeId(5), Offset(3), Offset(10), TimestampMs(1000));
        observers.note(NodeId(4), Offset(10), Offset(12), TimestampMs(2000));
        check(2000, &[(4, 10, 1000), (5, 3, -1)]);
        check(1000 + SHOWN_FOR_MS, &[(4, 10, 1000)]);
    }
}
