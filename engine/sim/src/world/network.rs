//! Connections and what may befall them.
//!
//! The model is TCP's. Within one direction of one connection messages arrive
//! whole, once and in order; between connections nothing is ordered. What a
//! network does to a message shows up as one of these:
//! - *delay*: every message takes a latency of its own, never overtaking the
//!   one before it on its connection;
//! - *loss*: a lost message is sent again by the kernel, so it and all that
//!   follow on its connection are late by a retransmission timeout;
//! - *reset*: the connection ends. Of what was under way to the server some
//!   first part still arrives, or all of it; answers do not. Each end hears of
//!   it in its own time;
//! - *cut*, in one direction or both: messages are held back. When the cut
//!   heals they arrive after all, unless both ends have given the connection
//!   up meanwhile;
//! - *duplicates and reordering* come about as they do with TCP: a client that
//!   hears nothing asks again on another connection, and the first question
//!   may arrive later than the second.

use super::Place;
use crate::dice::Dice;
use crate::moment::Moment;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Which connection, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Towards whom a message travels on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the one that connected to the server.
    Up,
    /// From the server back.
    Down,
}

/// The latencies and mishaps of the whole network.
#[derive(Clone, Debug)]
pub struct Weather {
    /// The shortest and the longest latency of a message.
    pub latency: (Duration, Duration),
    /// How many of 1000 messages are lost and sent again.
    pub lost_in_thousand: u32,
    /// How many of 1000 messages end their connection.
    pub reset_in_thousand: u32,
}

impl Weather {
    /// A quiet local network.
    pub const CALM: Self = Self {
        latency: (Duration::from_micros(100), Duration::from_micros(600)),
        lost_in_thousand: 0,
        reset_in_thousand: 0,
    };
}

/// How long the kernel waits before it sends a lost message again.
const RETRANSMISSION: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(1600));

/// One connection.
#[derive(Debug)]
struct Conn {
    from: Place,
    to: Place,
    /// When the newest message of each way arrives: the next is no earlier.
    newest: [Moment; 2],
    /// What a cut holds back, in order.
    held: [VecDeque<Bytes>; 2],
    /// Which ends still have it open: the one that connected, the server.
    open: [bool; 2],
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives then.
    Arrives(Moment, Bytes),
    /// A cut holds it back.
    Held,
    /// The connection ends instead.
    Reset,
    /// There is no such connection any more.
    Gone,
}

/// All connections, and the weather.
#[derive(Debug)]
pub struct Network {
    conns: BTreeMap<ConnId, Conn>,
    next: u64,
    cuts: BTreeSet<(Place, Place)>,
    /// The weather of now.
    pub weather: Weather,
    dice: Dice,
}

const fn index(way: Way) -> usize {
    match way {
        Way::Up => 0,
        Way::Down => 1,
    }
}

impl Network {
    /// A calm network without connections.
    pub fn new(dice: Dice) -> Self {
        Self {
            conns: BTreeMap::new(),
            next: 0,
            cuts: BTreeSet::new(),
            weather: Weather::CALM,
            dice,
        }
    }

    /// Opens a connection.
    pub fn connect(&mut self, from: Place, to: Place, now: Moment) -> ConnId {
        let id = ConnId(self.next);
        self.next += 1;
        let conn = Conn {
            from,
            to,
            newest: [now; 2],
            held: [VecDeque::new(), VecDeque::new()],
            open: [true; 2],
        };
        self.conns.insert(id, conn);
        id
    }

    /// Whether an end has the connection open: [`Way::Up`] asks the one that
    /// connected, [`Way::Down`] the server.
    pub fn is_open(&self, id: ConnId, end: Way) -> bool {
        self.conns
            .get(&id)
            .is_some_and(|conn| conn.open.get(index(end)) == Some(&true))
    }

    /// The two ends: who connected, and to whom.
    pub fn ends(&self, id: ConnId) -> Option<(Place, Place)> {
        self.conns.get(&id).map(|conn| (conn.from, conn.to))
    }

    /// An end closes the connection. It is forgotten when both have.
    pub fn close(&mut self, id: ConnId, end: Way) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(open) = conn.open.get_mut(index(end)) {
            *open = false;
        }
        if conn.open == [false; 2] {
            self.conns.remove(&id);
        }
    }

    /// A message is handed to the network.
    pub fn send(&mut self, id: ConnId, way: Way, bytes: Bytes, now: Moment) -> Fate {
        let Some(conn) = self.conns.get_mut(&id) else {
            return Fate::Gone;
        };
        let direction = match way {
            Way::Up => (conn.from, conn.to),
            Way::Down => (conn.to, conn.from),
        };
        let at = index(way);
        if self.cuts.contains(&direction) || conn.held.get(at).is_some_and(|held| !held.is_empty())
        {
            if let Some(held) = conn.held.get_mut(at) {
                held.push_back(bytes);
            }
            return Fate::Held;
        }
        if self.dice.chance(self.weather.reset_in_thousand) {
            return Fate::Reset;
        }
        let (least, most) = self.weather.latency;
        let mut travel = self.dice.between(least, most);
        if self.dice.chance(self.weather.lost_in_thousand) {
            travel += self.dice.between(RETRANSMISSION.0, RETRANSMISSION.1);
        }
        let newest = conn.newest.get_mut(at);
        let arrives = newest.as_deref().copied().unwrap_or(now).max(now + travel);
        if let Some(newest) = newest {
            *newest = arrives;
        }
        Fate::Arrives(arrives, bytes)
    }

    /// Cuts one direction between two places.
    pub fn cut(&mut self, from: Place, to: Place) {
        self.cuts.insert((from, to));
    }

    /// Heals one direction. What it held back travels on: the answer says with
    /// what on which connection.
    pub fn heal(&mut self, from: Place, to: Place) -> Vec<(ConnId, Way, Bytes)> {
        self.cuts.remove(&(from, to));
        let mut released = Vec::new();
        for (id, conn) in &mut self.conns {
            for way in [Way::Up, Way::Down] {
                let direction = match way {
                    Way::Up => (conn.from, conn.to),
                    Way::Down => (conn.to, conn.from),
                };
                if direction == (from, to)
                    && let Some(held) = conn.held.get_mut(index(way))
                {
                    released.extend(held.drain(..).map(|bytes| (*id, way, bytes)));
                }
            }
        }
        released
    }

    /// Every direction that is cut.
    pub fn cuts(&self) -> Vec<(Place, Place)> {
        self.cuts.iter().copied().collect()
    }

    /// The connections with an end at a place.
    pub fn at(&self, place: Place) -> Vec<ConnId> {
        let touches = |conn: &Conn| conn.from == place || conn.to == place;
        let ids = self.conns.iter().filter(|(_, conn)| touches(conn));
        ids.map(|(id, _)| *id).collect()
    }

    /// A throw of the network's dice.
    pub const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{ClientId, NodeIx};

    const CLIENT: Place = Place::Client(ClientId(0));
    const NODE: Place = Place::Node(NodeIx(0));

    #[test]
    fn a_connection_never_reorders_however_bad_the_weather() {
        let mut network = Network::new(Dice::new(1));
        network.weather.lost_in_thousand = 300;
        network.weather.latency.1 = Duration::from_millis(50);
        let id = network.connect(CLIENT, NODE, Moment::START);
        let mut newest = Moment::START;
        for n in 0..500_u64 {
            let now = Moment::START + Duration::from_millis(n);
            match network.send(id, Way::Up, Bytes::new(), now) {
                Fate::Arrives(at, _) => {
                    assert!(at >= newest && at > now);
                    newest = at;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_cut_holds_one_direction_back_until_it_heals() {
        let mut network = Network::new(Dice::new(1));
        let id = network.connect(CLIENT, NODE, Moment::START);
        network.cut(CLIENT, NODE);
        let message = |n: u8| Bytes::copy_from_slice(&[n]);
        assert_eq!(
            network.send(id, Way::Up, message(1), Moment::START),
            Fate::Held
        );
        let back = network.send(id, Way::Down, message(2), Moment::START);
        assert!(matches!(back, Fate::Arrives(..)), "{back:?}");
        network.close(id, Way::Up);
        let released = network.heal(CLIENT, NODE);
        assert_eq!(
            released,
            [(id, Way::Up, message(1))],
            "the kernel sends it on"
        );
        network.close(id, Way::Down);
        assert_eq!(
            network.send(id, Way::Up, message(3), Moment::START),
            Fate::Gone
        );
    }
}
