//! A group of virtual clients around the coordinator, and its clock.

use crate::assign::shares;
use crate::client::{Client, Protocol, decode, encode};
use crate::host::Host;
use plimsoll_coordinator::reply::{ConsumerHeartbeatReply, Joined, Reply};
use plimsoll_coordinator::{Command, MemberId, Token};
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::TimestampMs;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TRAVEL: Duration = Duration::from_millis(1);
/// Longer than any rebalance here takes.
const TIME_MAX: Duration = Duration::from_secs(900);

/// What makes the group rebalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Join,
    Leave,
}

impl Event {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
        }
    }
}

/// What a rebalance cost.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub settled: Duration,
    /// Partitions that nobody read for a while.
    pub paused: usize,
    /// Over all partitions.
    pub pause_mean: Duration,
    pub pause_max: Duration,
    pub cpu: Duration,
}

enum Due {
    Beat,
    Hears(Box<Reply>),
}

pub struct Stage {
    host: Host,
    clients: BTreeMap<usize, Client>,
    names: BTreeMap<MemberId, usize>,
    queue: BTreeMap<(Instant, u64), (usize, Due)>,
    turns: u64,
    partitions: i32,
    protocol: Protocol,
    rng: ChaCha8Rng,
    /// Since when nobody reads a partition, and how long that was in all.
    free_since: BTreeMap<i32, Instant>,
    pauses: BTreeMap<i32, Duration>,
}

impl Stage {
    /// A group that has settled.
    pub fn new(protocol: Protocol, members: usize, seed: u64) -> Self {
        let partitions = i32::try_from(members * 2).unwrap_or(i32::MAX);
        let mut stage = Self {
            host: Host::new(partitions),
            clients: BTreeMap::new(),
            names: BTreeMap::new(),
            queue: BTreeMap::new(),
            turns: 0,
            partitions,
            protocol,
            rng: ChaCha8Rng::seed_from_u64(seed),
            free_since: (0..partitions).map(|p| (p, Instant::default())).collect(),
            pauses: BTreeMap::new(),
        };
        for number in 0..members {
            stage.enter(number);
        }
        stage.settle();
        // Beats are all over the interval by then.
        let wait = stage.rng.random_range(10_000..20_000);
        let until = stage.host.now.mono.after(Duration::from_millis(wait));
        while stage.step(until) {}
        stage.pass_to(until);
        stage
    }

    /// Makes the group rebalance, and waits until it has.
    pub fn measure(mut self, event: Event) -> Measured {
        let began = self.host.now.mono;
        let cpu = self.host.cpu;
        self.pauses.clear();
        let newest = self.clients.len();
        match event {
            Event::Join => self.enter(newest),
            Event::Leave => {
                let gone = newest / 2;
                let leave = self.clients[&gone].leave();
                self.own(gone, BTreeSet::new());
                self.clients.remove(&gone);
                self.queue.retain(|_, (who, _)| *who != gone);
                let replies = self.host.send(token(gone), leave);
                self.deliver(replies);
            }
        }
        self.settle();
        let total: Duration = self.pauses.values().sum();
        Measured {
            settled: self.host.now.mono.since(began),
            paused: self.pauses.len(),
            pause_mean: total / u32::try_from(self.partitions).unwrap_or(1),
            pause_max: self.pauses.values().max().copied().unwrap_or_default(),
            cpu: self.host.cpu.saturating_sub(cpu),
        }
    }

    fn enter(&mut self, number: usize) {
        let client = Client::new(self.protocol, number);
        let command = client.enter();
        self.clients.insert(number, client);
        self.say(number, command);
    }

    /// Until everyone has what they should.
    fn settle(&mut self) {
        let end = self.host.now.mono.after(TIME_MAX);
        while !self.is_settled() {
            assert!(self.step(end), "the group has not settled in {TIME_MAX:?}");
        }
    }

    fn is_settled(&self) -> bool {
        let (count, all) = (self.clients.len(), self.partitions as usize);
        let even = all / count..=all.div_ceil(count);
        self.free_since.is_empty()
            && self
                .clients
                .values()
                .all(|c| c.is_settled && !c.has_news && even.contains(&c.owned.len()))
    }

    /// Goes on to the next thing that is due; false when that is after `until`.
    fn step(&mut self, until: Instant) -> bool {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let deadline = self.host.shard.next_deadline();
        let Some(at) = [queued, deadline].into_iter().flatten().min() else {
            return false;
        };
        if at > until {
            return false;
        }
        self.pass_to(at.max(self.host.now.mono));
        if deadline.is_some_and(|deadline| deadline <= at) {
            let replies = self.host.expire();
            self.deliver(replies);
        } else if let Some((_, (who, due))) = self.queue.pop_first() {
            match due {
                Due::Beat => {
                    let beat = self.clients[&who].beat();
                    self.say(who, beat);
                }
                Due::Hears(reply) => self.hear(who, *reply),
            }
        }
        true
    }

    fn pass_to(&mut self, at: Instant) {
        let ms = i64::try_from(at.since(self.host.now.mono).as_millis()).unwrap_or(0);
        self.host.now.wall = TimestampMs(self.host.now.wall.get() + ms);
        self.host.now.mono = at;
    }

    fn say(&mut self, who: usize, command: Command) {
        if let (Command::ConsumerHeartbeat(_), Some(client)) =
            (&command, self.clients.get_mut(&who))
        {
            client.told_news = std::mem::replace(&mut client.has_news, false);
        }
        let replies = self.host.send(token(who), command);
        self.deliver(replies);
    }

    fn deliver(&mut self, replies: Vec<(Token, Reply)>) {
        let at = self.host.now.mono.after(TRAVEL);
        for (token, reply) in replies {
            if let Ok(who) = usize::try_from(token.0) {
                self.plan(at, who, Due::Hears(Box::new(reply)));
            }
        }
    }

    fn plan(&mut self, at: Instant, who: usize, due: Due) {
        if self.clients.contains_key(&who) {
            self.turns += 1;
            self.queue.insert((at, self.turns), (who, due));
        }
    }

    fn beat_later(&mut self, who: usize) {
        let at = self.host.now.mono.after(self.protocol.interval());
        self.plan(at, who, Due::Beat);
    }

    /// The first beat after a rebalance: members that settle together do not
    /// stay in step.
    fn beat_soon(&mut self, who: usize) {
        let share = self.rng.random_range(0.0..1.0);
        let at = self
            .host
            .now
            .mono
            .after(self.protocol.interval().mul_f64(share));
        self.plan(at, who, Due::Beat);
    }

    fn hear(&mut self, who: usize, reply: Reply) {
        match reply {
            Reply::Join(Ok(joined)) => self.hear_joined(who, &joined),
            Reply::Sync(Ok(synced)) => self.hear_assigned(who, decode(&synced)),
            Reply::ConsumerHeartbeat(Ok(reply)) => self.hear_report(who, reply),
            Reply::Heartbeat(Ok(())) => self.beat_later(who),
            // Someone joined or left: everyone joins again.
            Reply::Heartbeat(Err(_)) | Reply::Sync(Err(_)) => self.rejoin(who),
            other => panic!("{who} heard {other:?}"),
        }
    }

    fn rejoin(&mut self, who: usize) {
        if self.protocol == Protocol::Eager {
            self.own(who, BTreeSet::new());
        }
        let join = self.clients.get_mut(&who).map(|client| {
            client.is_settled = false;
            client.join()
        });
        if let Some(join) = join {
            self.say(who, join);
        }
    }

    fn hear_joined(&mut self, who: usize, joined: &Joined) {
        self.names.insert(joined.member.clone(), who);
        let assignments = self.assign(joined);
        let sync = self.clients.get_mut(&who).map(|client| {
            client.member = joined.member.clone();
            client.epoch = joined.generation;
            client.has_news = false;
            client.sync(joined, assignments)
        });
        if let Some(sync) = sync {
            self.say(who, sync);
        }
    }

    /// The leader's part; nothing from anyone else. What members own goes with
    /// their joins in real life.
    fn assign(&self, joined: &Joined) -> Vec<(MemberId, bytes::Bytes)> {
        if joined.members.is_empty() {
            return Vec::new();
        }
        // A member whose own answer is still under way owns what it owned.
        let owned = |member: &MemberId| {
            let client = self.names.get(member).and_then(|who| self.clients.get(who));
            client.map(|c| c.owned.clone()).unwrap_or_default()
        };
        let owned: Vec<_> = joined.members.iter().map(|m| owned(&m.member)).collect();
        let cooperative = self.protocol == Protocol::Cooperative;
        let shares = shares(&owned, self.partitions, cooperative);
        let members = joined.members.iter().zip(shares);
        members
            .map(|(m, share)| (m.member.clone(), encode(&share)))
            .collect()
    }

    fn hear_assigned(&mut self, who: usize, share: BTreeSet<i32>) {
        let gives_up = !self.clients[&who].owned.is_subset(&share);
        self.own(who, share);
        if gives_up && self.protocol == Protocol::Cooperative {
            // What it gave up can only be given out in another round.
            self.rejoin(who);
            return;
        }
        if let Some(client) = self.clients.get_mut(&who) {
            client.is_settled = true;
        }
        self.beat_soon(who);
    }

    fn hear_report(&mut self, who: usize, reply: ConsumerHeartbeatReply) {
        let told_news = self.clients.get_mut(&who).is_some_and(|client| {
            client.epoch = reply.epoch;
            client.is_settled = true;
            client.told_news
        });
        let Some(assignment) = reply.assignment else {
            return match told_news {
                true => self.beat_soon(who),
                false => self.beat_later(who),
            };
        };
        let share = assignment.values().flatten().map(|index| index.get());
        self.own(who, share.collect());
        // What has changed is said at once.
        let beat = self.clients.get_mut(&who).map(|client| {
            client.has_news = true;
            client.beat()
        });
        if let Some(beat) = beat {
            self.say(who, beat);
        }
    }

    /// Gives a client another share, and keeps account of who reads what.
    fn own(&mut self, who: usize, share: BTreeSet<i32>) {
        let now = self.host.now.mono;
        let Some(client) = self.clients.get_mut(&who) else {
            return;
        };
        for freed in client.owned.difference(&share) {
            self.free_since.insert(*freed, now);
        }
        for taken in share.difference(&client.owned) {
            let since = self.free_since.remove(taken);
            let since = since.unwrap_or_else(|| panic!("partition {taken} has two owners"));
            *self.pauses.entry(*taken).or_default() += now.since(since);
        }
        client.owned = share;
    }
}

fn token(who: usize) -> Token {
    Token(who as u64)
}
