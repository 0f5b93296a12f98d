//! A cluster of one's own with a process for each node, so that nodes can be
//! killed, paused and cut off one by one.
//!
//! A node keeps its port and its directory when it is started again. Cuts and a
//! slow disk live in the node's process, which is told of them on its standard
//! input, and again after a new start. Several faults may cut the same two
//! nodes: they meet again when the last of these is over.

use super::{Embedded, EmbeddedError, Options};
use crate::rehearsal::Order;
use parking_lot::Mutex;
use plimsoll_drive::cell::Rig;
use plimsoll_workloads::language::{CutDirection, FaultKind, FaultSpec};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How often other ports are tried when one was taken meanwhile.
const ATTEMPTS: usize = 3;

/// Nodes that serve together for as long as this value lives.
#[derive(Debug)]
pub struct Nodes {
    state: Mutex<State>,
    addresses: Vec<String>,
    _data: TempDir,
}

#[derive(Debug)]
struct State {
    nodes: Vec<Node>,
    /// How many faults keep the requests of one node from another.
    cuts: BTreeMap<(u32, u32), u32>,
}

#[derive(Debug)]
struct Node {
    number: u32,
    options: Options,
    /// Absent while it is killed.
    process: Option<Embedded>,
    disk_delay: Duration,
}

impl Nodes {
    /// Starts `count` nodes and waits until all are ready.
    ///
    /// # Errors
    /// When one cannot be started or does not get ready.
    pub fn start(
        program: Option<&PathBuf>,
        properties: &[(String, String)],
        count: u32,
    ) -> Result<Self, EmbeddedError> {
        let mut attempt = 1;
        loop {
            match Self::try_start(program, properties, count) {
                Err(EmbeddedError::Ended(_)) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn try_start(
        program: Option<&PathBuf>,
        properties: &[(String, String)],
        count: u32,
    ) -> Result<Self, EmbeddedError> {
        let data = tempfile::Builder::new().prefix("plimsoll-").tempdir();
        let data = data.map_err(EmbeddedError::Spawn)?;
        let addresses = free_addresses(count).map_err(EmbeddedError::Spawn)?;
        let voters: Vec<String> = (1..)
            .zip(&addresses)
            .map(|(node, address): (u32, _)| format!("{node}@{address}"))
            .collect();
        let options = |number: u32, address: &String| {
            let own = [
                ("node.id", number.to_string()),
                ("process.roles", "broker,controller".to_owned()),
                ("controller.quorum.voters", voters.join(",")),
            ];
            let own = own.map(|(name, value)| (name.to_owned(), value));
            Options {
                program: program.cloned(),
                data: Some(data.path().join(format!("node-{number}"))),
                listen: Some(address.clone()),
                properties: own.into_iter().chain(properties.iter().cloned()).collect(),
                ..Options::default()
            }
        };
        let numbered = (1..).zip(&addresses);
        let nodes = numbered.map(|(number, address)| {
            let options = options(number, address);
            Ok(Node {
                number,
                process: Some(Embedded::spawn(&options)?),
                options,
                disk_delay: Duration::ZERO,
            })
        });
        let mut nodes = nodes.collect::<Result<Vec<_>, EmbeddedError>>()?;
        for process in nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            process.wait_until_ready()?;
        }
        let cuts = BTreeMap::new();
        Ok(Self {
            state: Mutex::new(State { nodes, cuts }),
            addresses,
            _data: data,
        })
    }

    /// `HOST:PORT` of each node.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The last words of a node that ended by itself, if one has.
    pub fn death(&self) -> Option<String> {
        let state = self.state.lock();
        state.nodes.iter().find_map(|node| {
            let process = node.process.as_ref()?;
            let words = process.death()?;
            Some(format!("node {}: {words}", node.number))
        })
    }
}

impl Rig for Nodes {
    fn begin(&self, fault: &FaultSpec) -> Result<(), String> {
        self.state.lock().turn(fault, true)
    }

    fn end(&self, fault: &FaultSpec) -> Result<(), String> {
        self.state.lock().turn(fault, false)
    }

    fn pids(&self) -> Vec<u32> {
        let state = self.state.lock();
        let processes = state.nodes.iter().filter_map(|node| node.process.as_ref());
        processes.map(Embedded::pid).collect()
    }
}

impl State {
    /// Begins a fault, or ends it.
    fn turn(&mut self, fault: &FaultSpec, begins: bool) -> Result<(), String> {
        match fault.kind {
            Some(FaultKind::Kill) if begins => self.kill(fault.node),
            Some(FaultKind::Kill) => self.start_again(fault.node),
            Some(FaultKind::Pause) if begins => self.signal(fault.node, Signal::STOP),
            Some(FaultKind::Pause) => self.signal(fault.node, Signal::CONT),
            Some(FaultKind::Cut) => self.cut(fault, begins),
            Some(FaultKind::SlowDisk) => {
                let delay = if begins {
                    fault.delay.duration()
                } else {
                    Duration::ZERO
                };
                let node = self.node(fault.node)?;
                node.disk_delay = delay;
                node.tell(Order::DiskDelay(delay))
            }
            None => Err("it has no kind".to_owned()),
        }
    }

    fn node(&mut self, number: u32) -> Result<&mut Node, String> {
        let found = self.nodes.iter_mut().find(|node| node.number == number);
        found.ok_or_else(|| format!("there is no node {number}"))
    }

    fn kill(&mut self, number: u32) -> Result<(), String> {
        match self.node(number)?.process.take() {
            None => Err(format!("node {number} does not run")),
            Some(process) => process.kill().map(drop).map_err(|error| error.to_string()),
        }
    }

    fn start_again(&mut self, number: u32) -> Result<(), String> {
        let cut_from: Vec<u32> = (self.cuts.keys())
            .filter_map(|(from, to)| (*from == number).then_some(*to))
            .collect();
        let node = self.node(number)?;
        node.process = Some(Embedded::spawn(&node.options).map_err(|error| error.to_string())?);
        if !node.disk_delay.is_zero() {
            node.tell(Order::DiskDelay(node.disk_delay))?;
        }
        cut_from
            .into_iter()
            .try_for_each(|to| node.tell(Order::Cut(to)))
    }

    fn signal(&mut self, number: u32, signal: Signal) -> Result<(), String> {
        let process = self.node(number)?.process.as_ref();
        let process = process.ok_or_else(|| format!("node {number} does not run"))?;
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| format!("node {number} has no process id"))?;
        kill_process(pid, signal).map_err(|error| error.to_string())
    }

    fn cut(&mut self, fault: &FaultSpec, begins: bool) -> Result<(), String> {
        let others = self.nodes.iter().map(|node| node.number);
        let peers: Vec<u32> = others
            .filter(|number| *number != fault.node)
            .filter(|number| fault.peer.is_none_or(|peer| peer == *number))
            .collect();
        let (sent, received) = match fault.direction {
            CutDirection::Both => (true, true),
            CutDirection::Out => (true, false),
            CutDirection::In => (false, true),
        };
        for peer in peers {
            if sent {
                self.cut_one(fault.node, peer, begins)?;
            }
            if received {
                self.cut_one(peer, fault.node, begins)?;
            }
        }
        Ok(())
    }

    /// Keeps the requests of one node from another, or one fault less does.
    fn cut_one(&mut self, from: u32, to: u32, begins: bool) -> Result<(), String> {
        let reasons = self.cuts.entry((from, to)).or_default();
        *reasons = match begins {
            true => *reasons + 1,
            false => reasons.saturating_sub(1),
        };
        let order = match (*reasons, begins) {
            (1, true) => Order::Cut(to),
            (0, false) => Order::Mend(to),
            _ => return Ok(()),
        };
        if *reasons == 0 {
            self.cuts.remove(&(from, to));
        }
        self.node(from)?.tell(order)
    }
}

impl Node {
    /// Tells the process, if there is one; one that is started later is told then.
    fn tell(&mut self, order: Order) -> Result<(), String> {
        match &mut self.process {
            None => Ok(()),
            Some(process) => process
                .tell(&order.to_string())
                .map_err(|error| format!("node {} cannot be told: {error}", self.number)),
        }
    }
}

/// Ports of the loopback that nobody listens on. Somebody else may take one
/// before the node does.
fn free_addresses(count: u32) -> io::Result<Vec<String>> {
    let held = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0)));
    let held = held.collect::<io::Result<Vec<_>>>()?;
    held.iter()
        .map(|socket| Ok(socket.local_addr()?.to_string()))
        .collect()
}
