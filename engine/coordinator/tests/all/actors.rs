//! Consumers as clients write them, played tick by tick against a stage: one
//! that speaks the classic protocol eagerly, one that speaks the new.

use crate::consumer::joining;
use crate::stage::{Stage, assignment, assignment_of, commit, commit_topic, heartbeat, join, sync};
use plimsoll_coordinator::command::{ConsumerHeartbeat, JoinGroup, LeaveGroup, LeavingMember};
use plimsoll_coordinator::reply::{ConsumerHeartbeatReply, Joined};
use plimsoll_coordinator::{Command, InstanceId, MemberId, Refusal, Reply, Token};
use plimsoll_wire::types::PartitionIndex;
use std::collections::{BTreeMap, BTreeSet};

/// How many ticks (of a second) a client may go unanswered before it stops
/// working on what it owns, as every client does: the session of 10 s, less the
/// tick that others may have acted in already and one of travel.
pub const SESSION_TICKS: u32 = 8;

#[derive(Clone, Debug)]
enum Waits {
    Nothing,
    ForJoin(Token),
    ForSync(Token, Joined),
    ForBeat(Token),
    ForCommit(Token, i32, i64),
}

/// A consumer of topic `t` in group `g`.
#[derive(Clone, Debug)]
pub struct Actor {
    pub name: String,
    pub is_classic: bool,
    pub owned: BTreeSet<i32>,
    /// Ticks since the coordinator last agreed that it is a member.
    pub unheard: u32,
    pub instance: Option<InstanceId>,
    member: MemberId,
    epoch: i32,
    is_in: bool,
    /// It does not know what the coordinator last answered, so it tells all.
    tells_all: bool,
    /// As leader: the number of partitions it has assigned.
    assigned: Option<i32>,
    waits: Waits,
    /// Ticks since it asked what it waits for: an answer may be late.
    asked_ago: u32,
    /// What it must give up, and how many ticks it still takes.
    revoking: Option<(BTreeSet<i32>, u32)>,
}

/// What a tick is like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// The answer is lost on the way.
    pub loses_answer: bool,
    /// Ticks that giving up partitions takes.
    pub slowness: u32,
    /// An offset to commit for the first partition owned.
    pub commits: Option<i64>,
}

/// What the clients know to be committed, and what they have tried.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub acknowledged: BTreeMap<i32, i64>,
    pub tried: BTreeMap<i32, BTreeSet<i64>>,
}

impl Actor {
    pub fn new(name: String, is_classic: bool, is_static: bool) -> Self {
        let instance = (is_static && !is_classic).then(|| InstanceId::from(name.as_str()));
        Self {
            member: MemberId::from(if is_classic { "" } else { &name }),
            name,
            is_classic,
            owned: BTreeSet::new(),
            unheard: 0,
            instance,
            epoch: 0,
            is_in: false,
            tells_all: false,
            assigned: None,
            waits: Waits::Nothing,
            asked_ago: 0,
            revoking: None,
        }
    }

    /// Whether it works on what it owns.
    pub fn works(&self) -> bool {
        self.unheard <= SESSION_TICKS
    }

    pub fn tick(&mut self, stage: &mut Stage, ledger: &mut Ledger, weather: Weather) {
        self.unheard += 1;
        self.asked_ago += 1;
        self.revoke_on();
        if !self.take_answer(stage, ledger, weather) {
            return;
        }
        self.asked_ago = 0;
        if self.is_in
            && let Some(offset) = weather.commits
            && let Some(partition) = self.owned.first().copied()
        {
            let mut request = commit("g", &self.member, self.epoch, 0);
            request.topics = vec![commit_topic("t", partition, offset)];
            ledger.tried.entry(partition).or_default().insert(offset);
            let token = stage.send(Command::Commit(request));
            self.waits = Waits::ForCommit(token, partition, offset);
        } else if self.is_classic {
            self.act_classic(stage);
        } else {
            self.act(stage);
        }
        self.take_answer(stage, ledger, weather);
    }

    fn revoke_on(&mut self) {
        if let Some((gone, ticks)) = self.revoking.take() {
            if ticks == 0 {
                self.owned.retain(|p| !gone.contains(p));
            } else {
                self.revoking = Some((gone, ticks - 1));
            }
        }
    }

    fn act_classic(&mut self, stage: &mut Stage) {
        if self
            .assigned
            .take_if(|n| *n != stage.partitions("t"))
            .is_some()
        {
            // A leader that sees more partitions asks for a rebalance.
            self.is_in = false;
        }
        if self.is_in {
            let beat = heartbeat("g", &self.member, self.epoch);
            self.waits = Waits::ForBeat(stage.send(beat));
        } else {
            self.owned.clear();
            let request = JoinGroup {
                member_id_required: true,
                ..join("g", self.member.as_str())
            };
            self.waits = Waits::ForJoin(stage.send(Command::Join(request)));
        }
    }

    fn act(&mut self, stage: &mut Stage) {
        let first = joining(self.member.as_str());
        let request = if self.is_in {
            let topic = stage.topic_id("t");
            let owned: Vec<_> = self.owned.iter().copied().map(PartitionIndex).collect();
            ConsumerHeartbeat {
                epoch: self.epoch,
                rebalance_timeout: first.rebalance_timeout.filter(|_| self.tells_all),
                topics: first.topics.clone().filter(|_| self.tells_all),
                owned: Some(if owned.is_empty() {
                    vec![]
                } else {
                    vec![(topic, owned)]
                }),
                ..first
            }
        } else {
            self.owned.clear();
            self.revoking = None;
            first
        };
        let request = ConsumerHeartbeat {
            instance: self.instance.clone(),
            ..request
        };
        self.waits = Waits::ForBeat(stage.send(Command::ConsumerHeartbeat(request)));
    }

    /// Deals with an answer; false while one is still to come.
    fn take_answer(&mut self, stage: &mut Stage, ledger: &mut Ledger, weather: Weather) -> bool {
        let token = match &self.waits {
            Waits::Nothing => return true,
            Waits::ForJoin(t) | Waits::ForBeat(t) => *t,
            Waits::ForSync(t, _) | Waits::ForCommit(t, _, _) => *t,
        };
        let Some(reply) = stage.reply(token) else {
            return false;
        };
        match (std::mem::replace(&mut self.waits, Waits::Nothing), reply) {
            (Waits::ForJoin(_), Reply::Join(Ok(joined))) => {
                let leads = !joined.members.is_empty();
                self.assigned = leads.then(|| stage.partitions("t"));
                let request = plimsoll_coordinator::command::SyncGroup {
                    assignments: shares(&joined, stage.partitions("t")),
                    protocol: joined.protocol.clone(),
                    ..sync("g", &joined)
                };
                self.asked_ago = 0;
                let token = stage.send(Command::Sync(request));
                self.waits = Waits::ForSync(token, joined);
                return self.take_answer(stage, ledger, weather);
            }
            (Waits::ForJoin(_), Reply::Join(Err(refused))) => match refused.why {
                Refusal::MemberIdRequired => self.member = refused.member,
                why => self.is_refused(why),
            },
            (Waits::ForSync(_, joined), Reply::Sync(Ok(synced))) => {
                self.owned = assignment_of(&synced.assignment).into_iter().collect();
                self.member = joined.member;
                self.epoch = joined.generation;
                self.is_in = true;
                self.unheard = self.asked_ago;
            }
            (Waits::ForSync(..), Reply::Sync(Err(why))) => self.is_refused(why),
            (Waits::ForBeat(_), Reply::Heartbeat(Ok(()))) => self.unheard = 0,
            (Waits::ForBeat(_), Reply::Heartbeat(Err(why))) => self.is_refused(why),
            (Waits::ForBeat(_), Reply::ConsumerHeartbeat(_)) if weather.loses_answer => {
                self.tells_all = true;
            }
            (Waits::ForBeat(_), Reply::ConsumerHeartbeat(Ok(reply))) => self.obey(reply, weather),
            (Waits::ForBeat(_), Reply::ConsumerHeartbeat(Err(why))) => self.is_refused(why),
            (Waits::ForCommit(_, partition, offset), Reply::Commit(Ok(_))) => {
                ledger.acknowledged.insert(partition, offset);
            }
            (Waits::ForCommit(..), Reply::Commit(Err(_))) => {}
            (waits, reply) => panic!("{waits:?} was answered with {reply:?}"),
        }
        true
    }

    fn obey(&mut self, reply: ConsumerHeartbeatReply, weather: Weather) {
        self.unheard = self.asked_ago;
        self.is_in = true;
        self.tells_all = false;
        self.epoch = reply.epoch;
        let Some(assignment) = reply.assignment else {
            return;
        };
        let target: BTreeSet<i32> = assignment.values().flatten().map(|i| i.get()).collect();
        let gone: BTreeSet<i32> = self.owned.difference(&target).copied().collect();
        self.owned.extend(target);
        self.revoking = Some((gone, weather.slowness));
        if weather.slowness == 0 {
            self.revoke_on();
        }
    }

    fn is_refused(&mut self, why: Refusal) {
        self.tells_all = true;
        match why {
            Refusal::CoordinatorNotAvailable | Refusal::NotCoordinator if self.is_in => return,
            Refusal::UnknownMemberId | Refusal::FencedInstanceId if self.is_classic => {
                self.member = MemberId::default();
            }
            _ => {}
        }
        self.owned.clear();
        self.revoking = None;
        self.is_in = false;
    }

    /// Leaves for good, having given everything up.
    pub fn leave(&mut self, stage: &mut Stage) {
        self.owned.clear();
        if self.is_classic {
            stage.send(Command::Leave(LeaveGroup {
                group: "g".into(),
                members: vec![LeavingMember {
                    member: self.member.clone(),
                    instance: None,
                }],
            }));
        } else {
            stage.send(Command::ConsumerHeartbeat(ConsumerHeartbeat {
                epoch: if self.instance.is_some() { -2 } else { -1 },
                instance: self.instance.clone(),
                ..joining(self.member.as_str())
            }));
        }
    }

    /// Another life of the same static member.
    pub fn reborn(&self, life: u32) -> Self {
        let name = format!("{}-{life}", self.name);
        Self {
            instance: self.instance.clone(),
            ..Self::new(name, self.is_classic, false)
        }
    }
}

/// A leader's assignment: partitions in turn.
fn shares(joined: &Joined, partitions: i32) -> Vec<(MemberId, bytes::Bytes)> {
    let count = joined.members.len() as i32;
    let members = joined.members.iter().zip(0..);
    let shares = members.map(|(member, rank)| {
        let own: Vec<i32> = (0..partitions).filter(|p| p % count == rank).collect();
        (member.member.clone(), assignment(&own))
    });
    shares.collect()
}
