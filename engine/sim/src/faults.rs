//! What goes wrong and when: one task for each kind of fault, each of which
//! strikes, waits, and mends what it has broken.
//!
//! Limits, so that what is checked is what is promised:
//! - A power loss loses acknowledged records that nothing has synced. On a
//!   single node it happens only where every append is synced first, and in a
//!   cluster without that only to what other replicas hold (`world::exposure`).
//! - After a sync has failed the kernel shows bytes that the disk does not
//!   have and will not write again. Such a machine is not merely restarted: it
//!   loses power, so that nobody reads those bytes for long.
//! - Wall clocks jump by less than `log.message.timestamp.after.max.ms`, or
//!   brokers would rightly refuse records from clients with better clocks.

use crate::plan::Faults;
use crate::tasks::{Door, Tasks};
use crate::world::network::Weather;
use crate::world::node::End;
use crate::world::{ClientId, NodeIx, Place, World};
use plimsoll_log::Fault;
use std::time::Duration;

/// How long after the last fault a cluster's leaders may still change, and not
/// have heard how far their followers are.
const SETTLED: Duration = Duration::from_secs(15);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Starts the tasks of a recipe's faults.
pub fn spawn(tasks: &mut Tasks, faults: Faults, dice: &mut crate::dice::Dice) {
    if faults.storms {
        tasks.spawn("storms", storms, dice.fork());
    }
    if faults.cuts {
        tasks.spawn("cuts", cuts, dice.fork());
    }
    if faults.ends || faults.power {
        tasks.spawn("ends", move |door| ends(door, faults), dice.fork());
    }
    if faults.pauses {
        tasks.spawn("pauses", pauses, dice.fork());
    }
    if faults.clocks {
        tasks.spawn("clocks", clocks, dice.fork());
    }
    if faults.disks {
        tasks.spawn("disks", disks, dice.fork());
    }
}

/// Waits for the next strike; false when faults are over.
async fn wait(door: &mut Door, least: Duration, most: Duration) -> bool {
    door.doze(least, most).await;
    !door.is_over()
}

fn any_node(door: &mut Door) -> NodeIx {
    let nodes = door.world().borrow().nodes().len();
    NodeIx(door.dice.below(nodes))
}

async fn storms(mut door: Door) {
    while wait(&mut door, secs(2), secs(15)).await {
        let weather = Weather {
            latency: (ms(1), ms(1 + door.dice.below(400) as u64)),
            lost_in_thousand: u32::try_from(door.dice.below(200)).unwrap_or(0),
            reset_in_thousand: u32::try_from(door.dice.below(30)).unwrap_or(0),
        };
        {
            let mut world = door.world().borrow_mut();
            world.tally.storms += 1;
            world.network.weather = weather;
        }
        door.doze(secs(1), secs(8)).await;
        door.world().borrow_mut().network.weather = Weather::CALM;
    }
}

async fn cuts(mut door: Door) {
    while wait(&mut door, secs(2), secs(12)).await {
        let node = Place::Node(any_node(&mut door));
        let other = other_place(&mut door, node);
        let (there, back) = *door
            .dice
            .pick(&[(true, true), (true, false), (false, true)]);
        {
            let mut world = door.world().borrow_mut();
            if there {
                world.cut(node, other);
            }
            if back {
                world.cut(other, node);
            }
        }
        door.doze(ms(300), secs(9)).await;
        let mut world = door.world().borrow_mut();
        world.heal(node, other);
        world.heal(other, node);
    }
}

/// Another node if there is one, or a client.
fn other_place(door: &mut Door, node: Place) -> Place {
    let (nodes, tasks) = {
        let world = door.world().borrow();
        (world.nodes().len(), world.clients)
    };
    if nodes > 1 && door.dice.chance(700) {
        loop {
            let other = Place::Node(NodeIx(door.dice.below(nodes)));
            if other != node {
                return other;
            }
        }
    }
    Place::Client(ClientId(door.dice.below(tasks)))
}

async fn ends(mut door: Door, faults: Faults) {
    let mut ways = Vec::new();
    if faults.ends {
        ways.extend([End::Kill, End::Kill, End::Stop]);
    }
    if faults.power {
        ways.extend([End::PowerLoss, End::PowerLoss]);
    }
    while wait(&mut door, secs(2), secs(20)).await {
        let node = any_node(&mut door);
        let how = *door.dice.pick(&ways);
        let how = door.world().borrow().spared(node, how);
        door.world().borrow_mut().end(node, how);
        door.doze(ms(20), secs(6)).await;
        door.world().borrow_mut().start(node);
    }
}

async fn pauses(mut door: Door) {
    while wait(&mut door, secs(3), secs(15)).await {
        let node = any_node(&mut door);
        door.world().borrow_mut().pause(node);
        door.doze(ms(100), secs(12)).await;
        door.world().borrow_mut().resume(node);
    }
}

async fn clocks(mut door: Door) {
    const FARTHEST_MS: i64 = 25 * 60 * 1000;
    while wait(&mut door, secs(3), secs(20)).await {
        let node = any_node(&mut door);
        let off = door.dice.range(-FARTHEST_MS, FARTHEST_MS);
        door.world().borrow_mut().jump(node, off);
    }
}

async fn disks(mut door: Door) {
    while wait(&mut door, secs(4), secs(20)).await {
        let node = any_node(&mut door);
        let may_lose = door.world().borrow().spared(node, End::PowerLoss) == End::PowerLoss;
        match door.dice.below(4) {
            0 => {
                let service = door.dice.between(ms(2), ms(120));
                door.world().borrow_mut().slow_down(node, service);
                door.doze(ms(500), secs(6)).await;
                door.world().borrow_mut().slow_down(node, Duration::ZERO);
            }
            _ if !may_lose => {}
            1 => {
                let room = door.dice.below(4000) as u64;
                door.world().borrow_mut().fill_disk(node, room);
                mend(&mut door, node).await;
            }
            _ => {
                let fault = *door.dice.pick(&[Fault::Sync, Fault::Write, Fault::Sync]);
                door.world().borrow_mut().fail_disk(node, fault);
                mend(&mut door, node).await;
            }
        }
    }
}

/// A while later the operator mends the disk and starts the machine anew.
async fn mend(door: &mut Door, node: NodeIx) {
    door.doze(ms(300), secs(5)).await;
    door.world().borrow_mut().mend(node);
    door.doze(ms(20), secs(3)).await;
    door.world().borrow_mut().start(node);
}

/// What faults do to the world.
impl World {
    fn cut(&mut self, from: Place, to: Place) {
        self.tally.cuts += 1;
        self.note(&(from, to), || format!("{from:?} to {to:?} is cut"));
        self.network.cut(from, to);
    }

    fn jump(&mut self, ix: NodeIx, off_ms: i64) {
        self.tally.jumps += 1;
        self.note(&(ix, off_ms), || {
            format!("{ix}'s clock is off by {off_ms} ms")
        });
        self.node(ix).wall_off_ms = off_ms;
    }

    fn slow_down(&mut self, ix: NodeIx, service: Duration) {
        self.tally.slow_disks += u64::from(!service.is_zero());
        self.note(&(ix, service), || {
            format!("{ix} takes {service:?} a request")
        });
        self.node(ix).service = service;
    }

    fn fill_disk(&mut self, ix: NodeIx, room: u64) {
        self.tally.full_disks += 1;
        self.note(&(ix, room), || {
            format!("{ix} has {room} bytes of disk left")
        });
        let node = self.node(ix);
        node.is_damaged = true;
        node.expose();
        node.disk.set_room(Some(room));
    }

    fn fail_disk(&mut self, ix: NodeIx, fault: Fault) {
        self.tally.disk_faults += 1;
        self.note(&ix, || format!("{ix}: the next {fault:?} fails"));
        let node = self.node(ix);
        node.is_damaged = true;
        node.expose();
        node.disk.fail(fault);
    }

    /// Ends a node whose disk has failed, and mends the disk.
    fn mend(&mut self, ix: NodeIx) {
        if !self.node(ix).is_damaged {
            return;
        }
        if self.node(ix).is_up() {
            self.end(ix, End::PowerLoss);
        } else {
            self.lose_power(ix);
        }
    }

    /// Ends every fault: from here on the world is at rest.
    pub fn calm_down(&mut self) {
        self.is_over = true;
        self.shows_all_at = match self.nodes().len() {
            1 => self.now,
            _ => self.now + SETTLED,
        };
        self.note(&"over", || "faults are over".to_owned());
        self.network.weather = Weather::CALM;
        for (from, to) in self.network.cuts() {
            self.heal(from, to);
        }
        for ix in (0..self.nodes().len()).map(NodeIx) {
            self.resume(ix);
            self.slow_down(ix, Duration::ZERO);
            self.mend(ix);
            self.start(ix);
        }
    }
}
