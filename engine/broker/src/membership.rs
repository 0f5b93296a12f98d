//! This node as a member of the cluster: it registers each run with the active
//! controller, tells it regularly that it lives, and asks to be let go before
//! it stops.
//!
//! A run is fenced until it has caught up with the metadata that registered
//! it. A controller that does not know the run any more sends it back to
//! register again.

use crate::broker::Broker;
use crate::convert::{broker_id, text};
use crate::features::FEATURES;
use crate::outgoing::{Errand, Lane, Peer, PeerFault};
use bytes::Bytes;
use kafka_protocol::messages::broker_registration_request::{
    BrokerRegistrationRequest, Feature, Listener,
};
use kafka_protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationResponse,
};
use kafka_protocol::protocol::Decodable;
use parking_lot::Mutex;
use plimsoll_log::{read_whole, replace_whole};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::BrokerEpoch;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How soon a node asks again that is not let in yet, or found no controller.
const EAGER: Duration = Duration::from_millis(100);
/// How long an answer of the controller may take.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Holds the epoch of a run that stopped cleanly.
const CLEAN_STOP_FILE: &str = "clean-broker-epoch";

const REGISTRATION_VERSION: i16 = 4;
const HEARTBEAT_VERSION: i16 = 1;

/// This run's standing with the controller.
pub(crate) struct Membership {
    state: Mutex<State>,
    /// The published image has shown once that this run was let in.
    arrived: AtomicBool,
}

struct State {
    incarnation: Uuid,
    /// The epoch of the last run, when that was stopped cleanly.
    previous: BrokerEpoch,
    /// When the controller is spoken to next.
    next: Instant,
    /// A request is under way.
    asking: bool,
    /// Whether the node asked to stop, and whether it may.
    stopping: bool,
    released: bool,
    fenced: bool,
    /// When it sent the last heartbeat that the controller has answered.
    heard_at: Option<Instant>,
    /// Why it was not registered when it asked last.
    refused: Option<ErrorCode>,
}

/// What a heartbeat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) epoch: BrokerEpoch,
    pub(crate) offset: plimsoll_wire::types::Offset,
    pub(crate) wants_fence: bool,
    pub(crate) wants_stop: bool,
}

/// What the controller answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BeatReply {
    pub(crate) caught_up: bool,
    pub(crate) fenced: bool,
    pub(crate) may_stop: bool,
}

impl Membership {
    pub(crate) fn new(incarnation: Uuid, now: Now) -> Self {
        Self {
            state: Mutex::new(State {
                incarnation,
                previous: BrokerEpoch(-1),
                next: now.mono,
                asking: false,
                stopping: false,
                released: false,
                fenced: true,
                heard_at: None,
                refused: None,
            }),
            arrived: AtomicBool::new(false),
        }
    }

    /// Names this run.
    pub(crate) fn incarnation(&self) -> Uuid {
        self.state.lock().incarnation
    }

    /// Whether the controller has let this run in.
    pub(crate) fn is_fenced(&self) -> bool {
        self.state.lock().fenced
    }

    /// The node is let in without being asked for: it is alone.
    pub(crate) fn let_in(&self) {
        self.state.lock().fenced = false;
    }
}

impl Broker {
    /// Notes that this run stopped cleanly: everything it acknowledged is on
    /// disk, so that the next run may be in sync from where this one was. A run
    /// that was never registered has left all as the last one did.
    pub(crate) fn note_clean_stop(&self) {
        let epoch = match self.epoch() {
            BrokerEpoch(..0) => self.membership.state.lock().previous,
            epoch => epoch,
        };
        let text = epoch.to_string();
        if let Some(path) = self.clean_stop_file()
            && let Err(error) = replace_whole(self.disk(), &path, text.as_bytes())
        {
            tracing::warn!(%error, "the next start counts as one after a crash");
        }
    }

    /// Takes the note of the last run's clean stop: it holds for one start.
    pub(crate) fn take_clean_stop(&self) {
        let Some(path) = self.clean_stop_file() else {
            return;
        };
        let Ok(Some(text)) = read_whole(self.disk(), &path) else {
            return;
        };
        if self.disk().remove_file(&path).is_ok()
            && let Some(epoch) = std::str::from_utf8(&text).ok().and_then(|t| t.parse().ok())
        {
            self.membership.state.lock().previous = BrokerEpoch(epoch);
        }
    }

    fn clean_stop_file(&self) -> Option<PathBuf> {
        let (dir, _) = self.dirs.paths().find(|(_, offline)| !offline)?;
        Some(dir.join(CLEAN_STOP_FILE))
    }

    /// Whether this node takes part: a broker once the controller has let it in, a
    /// mere controller once it knows who leads the quorum.
    pub fn is_ready(&self) -> bool {
        match self.config.roles.broker {
            true => !self.membership.is_fenced(),
            false => self.metadata.standing().leader.is_some(),
        }
    }

    /// Whether the published image is at least as new as this run's admission.
    /// Until then it may lack brokers and topics that are there. A run that is
    /// fenced later still knows the cluster.
    pub(crate) fn knows_the_cluster(&self) -> bool {
        let arrived = &self.membership.arrived;
        if self.is_alone() || !self.config.roles.broker || arrived.load(Ordering::Acquire) {
            return true;
        }
        let image = self.image();
        let own = image.brokers().get(&self.node());
        let is_in =
            own.is_some_and(|own| own.incarnation == self.membership.incarnation() && !own.fenced);
        arrived.fetch_or(is_in, Ordering::AcqRel) || is_in
    }

    /// What a node that is not let in waits for, in words; none when it is ready.
    pub fn waits_for(&self) -> Option<String> {
        if self.is_ready() {
            return None;
        }
        let Some(leader) = self.metadata.standing().leader else {
            return Some(match self.observes() {
                true => self.observer_waits_for(),
                false => format!(
                    "no controller was heard of: a majority of {} must run, and each must reach \
                     this node, {}, at its own address there",
                    self.voters_in_words(),
                    self.node()
                ),
            });
        };
        let refused = self.membership.state.lock().refused;
        Some(match refused {
            Some(ErrorCode::DuplicateBrokerRegistration) => format!(
                "controller {leader} lets no second node {} in: stop the other, or give this one \
                 another node.id",
                self.node()
            ),
            Some(ErrorCode::InconsistentClusterId) => format!(
                "controller {leader} is of another cluster than {}: see cluster.id",
                self.cluster_id()
            ),
            Some(code) => format!("controller {leader} does not let it in: {}", code.name()),
            None => format!("controller {leader} has not let it in yet"),
        })
    }

    /// Whether this node is the active controller.
    pub fn is_active_controller(&self) -> bool {
        self.metadata.is_active()
    }

    /// Asks the controller to move this node's partitions elsewhere. Answers
    /// whether it has let the node go; poll after [`Broker::pulse`].
    pub fn prepare_stop(&self, now: Now) -> bool {
        if self.is_alone() || !self.config.roles.broker || self.epoch().get() < 0 {
            return true;
        }
        let mut state = self.membership.state.lock();
        if !state.stopping {
            state.stopping = true;
            state.next = now.mono;
        }
        state.released
    }

    /// Speaks to the controller when it is time to. Answers when it is next.
    pub(crate) fn keep_membership(&self, now: Now) -> Instant {
        if self.is_alone() || !self.config.roles.broker {
            return Instant(Duration::MAX);
        }
        {
            let mut state = self.membership.state.lock();
            if state.asking || now.mono < state.next {
                return state.next.max(now.mono.after(Duration::from_millis(1)));
            }
            state.next = now.mono.after(EAGER);
        }
        let Some(controller) = self.active_controller() else {
            return now.mono.after(EAGER);
        };
        if self.epoch().get() < 0 {
            self.ask_registration(controller, now);
        } else {
            self.ask_heartbeat(controller, now);
        }
        self.membership.state.lock().next
    }

    fn ask_registration(&self, controller: Arc<Peer>, now: Now) {
        let query = self.registration();
        if controller.node == self.node() {
            let outcome = self.register_broker(&query, now);
            self.registered(outcome, now);
            return;
        }
        self.membership.state.lock().asking = true;
        let then = |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.membership.state.lock().asking = false;
            let outcome = answer.map_err(|_| ErrorCode::NetworkException);
            let outcome = outcome.and_then(|mut body| {
                BrokerRegistrationResponse::decode(&mut body, REGISTRATION_VERSION)
                    .map_err(|_| ErrorCode::UnknownServerError)
            });
            let outcome = outcome.and_then(|response| {
                error_of(response.error_code).map(|()| BrokerEpoch(response.broker_epoch))
            });
            broker.registered(outcome, now);
        };
        let api = (ApiKey::BrokerRegistration, REGISTRATION_VERSION);
        self.outbox
            .ask(to_controller(controller, now), api, &query, Box::new(then));
    }

    fn registration(&self) -> BrokerRegistrationRequest {
        let listeners = self.config.advertised.iter().map(|endpoint| {
            Listener::default()
                .with_name(text(endpoint.listener.as_str()))
                .with_host(text(endpoint.host.as_str()))
                .with_port(endpoint.port)
                .with_security_protocol(endpoint.protocol.code())
        });
        let features = FEATURES.iter().map(|feature| {
            Feature::default()
                .with_name(text(feature.name))
                .with_min_supported_version(feature.min)
                .with_max_supported_version(feature.max)
        });
        let state = self.membership.state.lock();
        BrokerRegistrationRequest::default()
            .with_broker_id(broker_id(self.node()))
            .with_cluster_id(text(self.cluster_id()))
            .with_incarnation_id(state.incarnation)
            .with_listeners(listeners.collect())
            .with_features(features.collect())
            .with_rack(self.config.layers().broker("broker.rack").map(text))
            .with_log_dirs(self.log_dir_ids())
            .with_previous_broker_epoch(state.previous.get())
    }

    fn registered(&self, outcome: Result<BrokerEpoch, ErrorCode>, now: Now) {
        match outcome {
            Ok(epoch) => {
                tracing::info!(node = %self.node(), epoch = epoch.get(), "registered");
                self.set_epoch(epoch);
                self.membership.state.lock().next = now.mono;
            }
            Err(code) => {
                let mut state = self.membership.state.lock();
                state.next = now.mono.after(EAGER);
                if state.refused != Some(code) {
                    state.refused = Some(code);
                    tracing::warn!(node = %self.node(), why = code.name(), "not registered yet");
                }
            }
        }
    }

    /// Whether nobody can have been elected in this node's place: the controller
    /// has answered so lately that it cannot have fenced it since. What a node
    /// tells from memory, as coordinators do, it may tell only then; another may
    /// lead by now and have gone on.
    pub(crate) fn has_lease(&self, now: Now) -> bool {
        if self.is_alone() {
            return true;
        }
        let limits = self.limits();
        let session = limits.cluster.session_timeout;
        // A controller that was deposed answers for this long at most.
        let lease = session
            .saturating_sub(limits.cluster.election_timeout)
            .max(session / 2);
        let state = self.membership.state.lock();
        let heard_at = state.heard_at.filter(|_| !state.fenced);
        heard_at.is_some_and(|at| now.mono.since(at) < lease)
    }

    fn ask_heartbeat(&self, controller: Arc<Peer>, now: Now) {
        let beat = Beat {
            epoch: self.epoch(),
            offset: self.metadata_offset(),
            // Without a disk it serves nothing; others may lead instead.
            wants_fence: self.dirs.paths().all(|(_, offline)| offline),
            wants_stop: self.membership.state.lock().stopping,
        };
        if controller.node == self.node() {
            let outcome = self.hear_broker(self.node(), beat, now);
            self.heartbeat_answered(outcome, now.mono, now);
            return;
        }
        self.membership.state.lock().asking = true;
        let query = BrokerHeartbeatRequest::default()
            .with_broker_id(broker_id(self.node()))
            .with_broker_epoch(beat.epoch.get())
            .with_current_metadata_offset(beat.offset.get())
            .with_want_fence(beat.wants_fence)
            .with_want_shut_down(beat.wants_stop);
        let sent = now.mono;
        let then = move |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.membership.state.lock().asking = false;
            let outcome = answer.map_err(|_| ErrorCode::NetworkException);
            let outcome = outcome.and_then(|mut body| {
                BrokerHeartbeatResponse::decode(&mut body, HEARTBEAT_VERSION)
                    .map_err(|_| ErrorCode::UnknownServerError)
            });
            let outcome = outcome.and_then(|response| {
                error_of(response.error_code).map(|()| BeatReply {
                    caught_up: response.is_caught_up,
                    fenced: response.is_fenced,
                    may_stop: response.should_shut_down,
                })
            });
            broker.heartbeat_answered(outcome, sent, now);
        };
        let mut errand = to_controller(controller, now);
        errand.deadline = now.mono.after(self.limits().cluster.session_timeout / 3);
        let api = (ApiKey::BrokerHeartbeat, HEARTBEAT_VERSION);
        self.outbox.ask(errand, api, &query, Box::new(then));
    }

    fn heartbeat_answered(&self, outcome: Result<BeatReply, ErrorCode>, sent: Instant, now: Now) {
        let interval = self.limits().cluster.heartbeat_interval;
        let mut state = self.membership.state.lock();
        match outcome {
            Ok(reply) => {
                if state.fenced != reply.fenced {
                    tracing::info!(node = %self.node(), fenced = reply.fenced, "membership");
                }
                state.fenced = reply.fenced;
                state.heard_at = Some(sent);
                if !reply.fenced {
                    self.dirs.started();
                }
                state.released |= reply.may_stop;
                let soon = reply.fenced || state.stopping;
                state.next = now.mono.after(if soon { EAGER } else { interval });
            }
            Err(ErrorCode::StaleBrokerEpoch | ErrorCode::BrokerIdNotRegistered) => {
                // Another run took the node's place, or the cluster forgot it.
                state.fenced = true;
                state.next = now.mono.after(EAGER);
                drop(state);
                self.set_epoch(BrokerEpoch(-1));
            }
            Err(_) => state.next = now.mono.after(EAGER),
        }
    }

    /// The active controller, when this node knows it.
    pub(crate) fn active_controller(&self) -> Option<Arc<Peer>> {
        let standing = self.metadata.standing();
        let leader = standing.leader?;
        if leader == self.node() && !standing.active {
            return None;
        }
        self.voter(leader)
    }
}

fn to_controller(controller: Arc<Peer>, now: Now) -> Errand {
    Errand {
        to: controller,
        lane: Lane::Quorum,
        deadline: now.mono.after(ANSWER_WAIT),
    }
}

/// The error of a response's code.
pub(crate) fn error_of(code: i16) -> Result<(), ErrorCode> {
    match ErrorCode::from_wire(code) {
        ErrorCode::None => Ok(()),
        error => Err(error),
    }
}
