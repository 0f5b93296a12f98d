//! What nodes ask of each other, over connections like any other.

use super::network::{ConnId, Way};
use super::node::Mail;
use super::{Asked, Event, NodeIx, Place, World};
use plimsoll_broker::{Outgoing, PeerFault, Ticket};
use std::time::Duration;

/// How long a refused connection takes to be noticed.
const REFUSED_AFTER: Duration = Duration::from_millis(2);

impl World {
    /// The cluster's work is due at a node.
    pub(super) fn pulse(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        let mut effects = Vec::new();
        let next = node.pulse(now, &mut effects);
        self.carry_out(ix, effects);
        self.plan(next, Event::Pulse(ix, life));
    }

    /// Sends what a node asks of others.
    pub(super) fn send_errands(&mut self, ix: NodeIx) {
        for (out, deadline) in self.node(ix).take_outgoing() {
            let life = self.node(ix).life;
            let Some(conn) = self.lane(ix, &out) else {
                let fault = PeerFault::Unreachable("nobody listens".into());
                let at = self.now + REFUSED_AFTER;
                self.plan(at, Event::Fails(ix, life, out.ticket, fault));
                continue;
            };
            // The frame without its length begins with key, version and number.
            let frame = out.frame.slice(4..);
            let number = frame
                .get(4..8)
                .and_then(|bytes| bytes.first_chunk().copied());
            let asked = (conn, i32::from_be_bytes(number.unwrap_or_default()));
            self.node(ix).errands.insert(asked, out.ticket);
            self.plan(deadline, Event::Late(ix, life, asked));
            self.send(conn, Way::Up, frame);
        }
    }

    /// The connection that a request takes; none when nobody listens.
    fn lane(&mut self, from: NodeIx, out: &Outgoing) -> Option<ConnId> {
        let to = usize::try_from(out.to.node.get())
            .ok()?
            .checked_sub(1)
            .map(NodeIx)?;
        let key = (to, out.lane);
        if let Some(conn) = self.node(from).lanes.get(&key).copied()
            && self.is_open(conn)
        {
            return Some(conn);
        }
        if !self.nodes.get(to.0)?.is_up() {
            return None;
        }
        let now = self.now;
        let conn = self
            .network
            .connect(Place::Node(from), Place::Node(to), now);
        self.node(from).lanes.insert(key, conn);
        Some(conn)
    }

    /// A node hears what another answers.
    pub(super) fn peer_answers(
        &mut self,
        ix: NodeIx,
        asked: Asked,
        outcome: Result<bytes::Bytes, PeerFault>,
    ) {
        if let Some(ticket) = self.node(ix).errands.remove(&asked)
            && self.node(ix).arrive(Mail::Answer(ticket, outcome))
        {
            self.plan_work(ix);
        }
    }

    pub(super) fn peer_fails(&mut self, ix: NodeIx, life: u32, ticket: Ticket, fault: PeerFault) {
        if self.node(ix).life == life && self.node(ix).arrive(Mail::Answer(ticket, Err(fault))) {
            self.plan_work(ix);
        }
    }

    /// A request is given up, and its connection with it: a late answer must
    /// not be taken for that of another request.
    pub(super) fn peer_is_late(&mut self, ix: NodeIx, life: u32, asked: Asked) {
        if self.node(ix).life == life && self.node(ix).errands.contains_key(&asked) {
            self.tally.timeouts += 1;
            self.peer_answers(ix, asked, Err(PeerFault::TimedOut));
            self.peer_hangs_up(ix, asked.0);
            self.network.close(asked.0, Way::Up);
            let late = self
                .dice
                .between(Duration::ZERO, Duration::from_millis(500));
            self.plan(self.now + late, Event::Hears(asked.0, Way::Down));
        }
    }

    /// Whatever a node asked on a connection stays unanswered.
    pub(super) fn peer_hangs_up(&mut self, ix: NodeIx, conn: ConnId) {
        let open: Vec<Asked> = self
            .node(ix)
            .errands
            .range((conn, i32::MIN)..=(conn, i32::MAX))
            .map(|(asked, _)| *asked)
            .collect();
        for asked in open {
            self.peer_answers(ix, asked, Err(PeerFault::Closed));
        }
    }
}
