//! What happens to nodes: their processes start, work, pause and end.

use super::network::{ConnId, Way};
use super::node::{Effect, End, Mail};
use super::{Event, NodeIx, Place, World};
use crate::facts::Fact;
use bytes::{Bytes, BytesMut};
use std::time::Duration;

impl World {
    /// Starts a node's process, unless it runs.
    pub fn start(&mut self, ix: NodeIx) {
        if self.node(ix).is_up() {
            return;
        }
        let (now, mut dice) = (self.now, self.dice.fork());
        self.tally.starts += 1;
        match self.node(ix).start(now, &mut dice) {
            Ok(()) => {
                let life = self.node(ix).life;
                self.report(&Fact::Started { node: ix });
                self.plan(now, Event::Tick(ix, life));
                self.plan(now, Event::Clean(ix, life));
                self.plan(now, Event::Pulse(ix, life));
            }
            // The disk is full or fails: somebody else mends it first.
            Err(_) if self.node(ix).is_damaged => {
                self.note(&ix, || format!("{ix} cannot start on its damaged disk"));
            }
            Err(error) => {
                let error = error.to_string();
                self.report(&Fact::CannotStart { node: ix, error });
            }
        }
    }

    /// Ends a node's process.
    pub fn end(&mut self, ix: NodeIx, how: End) {
        if !self.node(ix).is_up() {
            return;
        }
        // What a failed sync has left in the kernel's memory must not be read.
        let how = if self.node(ix).is_damaged {
            End::PowerLoss
        } else {
            how
        };
        self.node(ix).is_damaged = false;
        match how {
            End::Kill => self.tally.kills += 1,
            End::PowerLoss => self.tally.power_losses += 1,
            End::Stop => self.tally.stops += 1,
        }
        let (now, mut dice) = (self.now, self.dice.fork());
        self.report(&Fact::Ended { node: ix, how });
        let mut conns = self.node(ix).end(how, now, &mut dice);
        conns.extend(self.network.at(Place::Node(ix)));
        conns.sort_unstable();
        conns.dedup();
        // A killed process's kernel says so at once; a dark machine says
        // nothing, and the other end finds out by itself.
        let silence = match how {
            End::PowerLoss => (Duration::from_millis(50), Duration::from_secs(3)),
            End::Kill | End::Stop => (Duration::ZERO, Duration::from_millis(2)),
        };
        for conn in conns {
            let Some((from, to)) = self.network.ends(conn) else {
                continue;
            };
            for (place, end) in [(from, Way::Up), (to, Way::Down)] {
                if place == Place::Node(ix) {
                    self.network.close(conn, end);
                } else {
                    let late = self.dice.between(silence.0, silence.1);
                    self.plan(now + late, Event::Hears(conn, end));
                }
            }
        }
    }

    /// A machine whose process has ended or never began loses power. Whatever
    /// was wrong with its disk is mended.
    pub fn lose_power(&mut self, ix: NodeIx) {
        let seed = self.dice.number();
        let node = self.node(ix);
        node.is_damaged = false;
        node.disk = node.disk.after_crash(seed);
    }

    /// Stops a node in its tracks.
    pub fn pause(&mut self, ix: NodeIx) {
        self.tally.pauses += 1;
        self.note(&ix, || format!("{ix} is paused"));
        self.node(ix).is_paused = true;
    }

    /// Lets a paused node go on.
    pub fn resume(&mut self, ix: NodeIx) {
        self.note(&ix, || format!("{ix} goes on"));
        if self.node(ix).resume() {
            self.plan_work(ix);
        }
    }

    pub(super) fn plan_work(&mut self, ix: NodeIx) {
        let now = self.now;
        let node = self.node(ix);
        let (at, life) = (node.free_at(now), node.life);
        self.plan(at, Event::Work(ix, life));
    }

    pub(super) fn question_arrives(&mut self, conn: ConnId, bytes: Bytes) {
        let Some((_, Place::Node(ix))) = self.network.ends(conn) else {
            return;
        };
        if !self.network.is_open(conn, Way::Down) {
            return;
        }
        self.trace.note(self.now, &(conn, &bytes), || {
            format!("connection {} asks {ix}: {}", conn.0, question(&bytes))
        });
        let mail = Mail::Request(conn, BytesMut::from(bytes));
        if self.node(ix).arrive(mail) {
            self.plan_work(ix);
        }
    }

    pub(super) fn server_hears(&mut self, conn: ConnId) {
        if let Some((_, Place::Node(ix))) = self.network.ends(conn) {
            self.node(ix).forget(conn);
        }
        self.network.close(conn, Way::Down);
    }

    pub(super) fn work(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        self.tally.requests += 1;
        let effects = self.node(ix).work(now);
        self.carry_out(ix, effects);
        if self.node(ix).has_work() {
            self.plan_work(ix);
        }
    }

    pub(super) fn tick(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        let mut effects = Vec::new();
        let next = node.tick(now, &mut effects);
        self.carry_out(ix, effects);
        self.plan(next, Event::Tick(ix, life));
    }

    pub(super) fn clean(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        let next = node.clean(now);
        self.plan(next, Event::Clean(ix, life));
    }

    pub(super) fn carry_out(&mut self, ix: NodeIx, effects: Vec<Effect>) {
        let life = self.node(ix).life;
        for effect in effects {
            match effect {
                Effect::Send(conn, bytes) => self.send(conn, Way::Down, bytes),
                Effect::Close(conn) => {
                    self.network.close(conn, Way::Down);
                    let late = self.dice.between(Duration::ZERO, Duration::from_millis(2));
                    self.plan(self.now + late, Event::Hears(conn, Way::Up));
                }
                Effect::LookAt(conn, at) => self.plan(at, Event::LookAt(ix, life, conn)),
            }
        }
        self.send_errands(ix);
    }
}

/// A question's bytes in words.
fn question(bytes: &[u8]) -> String {
    match plimsoll_wire::header::RequestHeader::decode(bytes) {
        Ok((header, _)) => format!(
            "{} {} #{} from {}",
            header.spec.name,
            header.version,
            header.correlation_id,
            header.client_id.unwrap_or("-")
        ),
        Err(error) => error.to_string(),
    }
}
