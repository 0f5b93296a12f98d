//! Who leads the partitions of a topic, and a connection to each leader.
//!
//! A connection that breaks, or a leader that says it is none, costs only the
//! partitions concerned: they are left alone until the cluster has said who
//! leads them and that broker is connected to, while the others go on. The
//! cluster is asked again at growing intervals, each time for no longer than
//! the last interval, so that looking never takes more than half of the time.
//! When that has lasted for longer than the given patience, the first trouble
//! is the error.

use super::conn::Conn;
use super::control::{Control, Leaders};
use crate::access::Bootstrap;
use crate::clock::Mono;
use crate::driver::Route;
use crate::error::DriveError;
use plimsoll_wire::types::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The first interval between two attempts.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
/// The longest.
const INTERVAL_MAX: Duration = Duration::from_secs(2);

/// What a worker knows of its topic's leaders. `L` is what it keeps for each
/// connection.
pub(super) struct Leadership<L> {
    bootstrap: Bootstrap,
    topic: String,
    leaders: Leaders,
    links: BTreeMap<NodeId, L>,
    wanted: Vec<u32>,
    doubtful: BTreeSet<u32>,
    hunt: Option<Hunt>,
    /// When all leaders were last found.
    found_at: Mono,
    terms: Terms<L>,
}

/// How a worker connects.
pub(super) struct Terms<L> {
    /// The request that it sends, and in which version.
    pub api: (i16, i16),
    /// What it makes of a connection.
    pub open: fn(Conn) -> L,
    /// How long it puts up with a partition that has no leader to talk to.
    pub patience: Duration,
}

/// Looking for leaders.
struct Hunt {
    since: Mono,
    next: Mono,
    interval: Duration,
    attempts: usize,
    trouble: DriveError,
}

impl<L> Leadership<L> {
    /// What `route` says, with no connection yet. Only leaders of `wanted`
    /// partitions are connected to.
    pub fn new(route: &Route, wanted: Vec<u32>, terms: Terms<L>) -> Self {
        Self {
            bootstrap: route.bootstrap.clone(),
            topic: route.topic.clone(),
            leaders: route.leaders.clone(),
            links: BTreeMap::new(),
            wanted,
            doubtful: BTreeSet::new(),
            hunt: None,
            found_at: Mono::default(),
            terms,
        }
    }

    /// Connects to every leader.
    pub fn connect(&mut self, deadline: Mono) -> Result<(), DriveError> {
        for node in self.needed() {
            self.open(node, deadline)?;
        }
        Ok(())
    }

    /// Wants other partitions from now on, on new connections: what is still on
    /// its way on the old ones is of no interest.
    pub fn turn_to(&mut self, wanted: Vec<u32>, deadline: Mono) -> Result<(), DriveError> {
        self.links.clear();
        self.doubtful.clear();
        self.wanted = wanted;
        match self.connect(deadline) {
            Err(error @ (DriveError::Io { .. } | DriveError::Timeout { .. })) => {
                self.look(error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The connections.
    pub const fn links(&self) -> &BTreeMap<NodeId, L> {
        &self.links
    }

    /// The same, to use them.
    pub const fn links_mut(&mut self) -> &mut BTreeMap<NodeId, L> {
        &mut self.links
    }

    /// Takes all connections out.
    pub fn take_links(&mut self) -> impl Iterator<Item = L> {
        std::mem::take(&mut self.links).into_values()
    }

    /// The leader of a partition, when it is known and connected to.
    pub fn of(&self, partition: u32) -> Option<NodeId> {
        let node = *self.leaders.by_partition.get(partition as usize)?;
        let is_usable = self.links.contains_key(&node) && !self.doubtful.contains(&partition);
        is_usable.then_some(node)
    }

    /// Gives up the connection to `node` because of `error`, which is returned
    /// when it is none that a connection has.
    pub fn lose(&mut self, node: NodeId, error: DriveError) -> Result<Option<L>, DriveError> {
        if !matches!(error, DriveError::Io { .. } | DriveError::Timeout { .. }) {
            return Err(error);
        }
        self.look(error);
        Ok(self.links.remove(&node))
    }

    /// A partition's leader said that it cannot take or give records now.
    pub fn doubt(&mut self, partition: u32, why: DriveError) {
        self.doubtful.insert(partition);
        self.look(why);
    }

    /// Begins to look, unless that is being done.
    fn look(&mut self, trouble: DriveError) {
        let now = Mono::now();
        self.hunt.get_or_insert(Hunt {
            since: now,
            next: now.max(self.found_at.after(INTERVAL_MIN)),
            interval: INTERVAL_MIN,
            attempts: 0,
            trouble,
        });
    }

    /// When to look next.
    pub fn next(&self) -> Option<Mono> {
        self.hunt.as_ref().map(|hunt| hunt.next)
    }

    /// Looks for leaders when it is time.
    ///
    /// # Errors
    /// The first trouble, when patience is at an end.
    pub fn turn(&mut self, now: Mono) -> Result<(), DriveError> {
        let Some(mut hunt) = self.hunt.take_if(|hunt| hunt.next <= now) else {
            return Ok(());
        };
        let found = self.attempt(hunt.attempts, now.after(hunt.interval))?;
        let ended = Mono::now();
        if found {
            // One that is confirmed and refuses again is asked at intervals.
            self.found_at = ended;
            self.doubtful.clear();
            return Ok(());
        }
        if ended.elapsed_since(hunt.since) > self.terms.patience {
            return Err(hunt.trouble);
        }
        hunt.next = ended.after(hunt.interval);
        hunt.interval = (2 * hunt.interval).min(INTERVAL_MAX);
        hunt.attempts += 1;
        self.hunt = Some(hunt);
        Ok(())
    }

    /// Asks once; whether every wanted partition has a leader that is connected.
    fn attempt(&mut self, attempt: usize, deadline: Mono) -> Result<bool, DriveError> {
        let mut bootstrap = self.bootstrap.clone();
        let addresses = bootstrap.addresses.len().max(1);
        bootstrap.addresses.rotate_left(attempt % addresses);
        let partitions = u32::try_from(self.leaders.by_partition.len()).unwrap_or(u32::MAX);
        let asked = Control::reach_by(&bootstrap, deadline)
            .and_then(|mut control| control.leaders_now(&self.topic, partitions, deadline));
        match asked {
            Ok(leaders) => self.leaders = leaders,
            Err(error @ DriveError::Security { .. }) => return Err(error),
            Err(_) => return Ok(false),
        }
        for node in self.needed() {
            match self.open(node, deadline) {
                Err(DriveError::Io { .. } | DriveError::Timeout { .. }) => {}
                other => other?,
            }
        }
        let has_link = |partition: &u32| {
            let leader = self.leaders.by_partition.get(*partition as usize);
            leader.is_some_and(|node| self.links.contains_key(node))
        };
        Ok(self.wanted.iter().all(has_link))
    }

    /// Leaders of wanted partitions without a connection.
    fn needed(&self) -> BTreeSet<NodeId> {
        let leader = |partition: &u32| self.leaders.by_partition.get(*partition as usize);
        let leaders = self.wanted.iter().filter_map(leader).copied();
        leaders
            .filter(|node| !self.links.contains_key(node))
            .collect()
    }

    fn open(&mut self, node: NodeId, deadline: Mono) -> Result<(), DriveError> {
        let Some(broker) = self.leaders.brokers.get(&node) else {
            return Ok(());
        };
        let conn = self.bootstrap.connect(broker, deadline)?;
        let (key, version) = self.terms.api;
        conn.version(key, (version, version))?;
        self.links.insert(node, (self.terms.open)(conn));
        Ok(())
    }
}
