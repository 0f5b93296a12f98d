//! Transactions under random producers, zombies, time-outs, held markers,
//! refused appends, late commits and failovers.
//!
//! Each partition is a list of data and markers, and refuses data of a fenced
//! epoch as a real one does. Checked when all has calmed down: every piece of
//! data is decided; all that one transaction wrote is decided alike; what a
//! client was told is what happened.

use crate::random::{seeds, with_seed};
use crate::stage::secs;
use crate::troupe::{Troupe, abort, add, commit, init};
use plimsoll_coordinator::schema::TransactionState;
use plimsoll_coordinator::transaction::TransactionReply;
use plimsoll_coordinator::{AppendRefused, Producer, Refusal, Token};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const IDS: usize = 2;
const PARTITIONS: i32 = 4;
const MOVES: u32 = 400;

/// Data in a partition: whose, of which transaction, and how many markers the
/// troupe had written by then.
#[derive(Clone, Copy, Debug)]
struct Data {
    partition: i32,
    producer: Producer,
    transaction: u32,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Init,
    Add(i32),
    End(bool),
}

struct Client {
    id: String,
    version: i16,
    producer: Option<Producer>,
    transaction: Option<u32>,
    waits: Option<(Token, Asked)>,
    /// An end that has not been confirmed, and is asked for again.
    ending: Option<bool>,
}

struct Play {
    troupe: Troupe,
    rng: ChaCha8Rng,
    clients: Vec<Client>,
    data: Vec<Data>,
    told: BTreeMap<u32, bool>,
    transactions: u32,
}

impl Play {
    fn new(seed: u64) -> Self {
        Self {
            troupe: Troupe::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            clients: Vec::new(),
            data: Vec::new(),
            told: BTreeMap::new(),
            transactions: 0,
        }
    }

    fn disturb(&mut self) {
        match self.rng.random_range(0..100) {
            0..10 if self.clients.len() < 4 => {
                let id = self.rng.random_range(0..IDS);
                let version = if self.rng.random_range(0..2) == 0 {
                    0
                } else {
                    2
                };
                self.clients.push(Client {
                    id: format!("t{id}"),
                    version,
                    producer: None,
                    transaction: None,
                    waits: None,
                    ending: None,
                });
            }
            10..12 if !self.clients.is_empty() => {
                let who = self.rng.random_range(0..self.clients.len());
                self.clients.remove(who);
            }
            12..14 => self.troupe.fail_over(),
            14..16 => self.troupe.crash_over(),
            16..19 => self.troupe.refuse = Some(AppendRefused::Unavailable),
            19..22 => self.troupe.hold = true,
            22..26 => self.troupe.hold_markers = true,
            26..28 => self.troupe.pass(secs(61)),
            28..45 => self.calm(),
            45..60 => self.troupe.pass(secs(1)),
            _ => {}
        }
    }

    fn calm(&mut self) {
        self.troupe.refuse = None;
        self.troupe.release();
        self.troupe.release_markers();
    }

    fn play(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if let Some((token, asked)) = client.waits {
            let Some(reply) = self.troupe.replies.remove(&token) else {
                return;
            };
            client.waits = None;
            self.hear(who, asked, reply);
            return;
        }
        let (command, asked) = match (client.producer, client.transaction, client.ending) {
            (None, ..) => (init(&client.id, None), Asked::Init),
            (Some(producer), _, Some(commits)) => {
                let end = if commits { commit } else { abort };
                (
                    end(&client.id, producer, client.version),
                    Asked::End(commits),
                )
            }
            (Some(producer), transaction, None) => {
                if transaction.is_none() {
                    self.transactions += 1;
                    client.transaction = Some(self.transactions);
                }
                if transaction.is_some() && self.rng.random_range(0..3) == 0 {
                    let commits = self.rng.random_range(0..3) > 0;
                    client.ending = Some(commits);
                    let end = if commits { commit } else { abort };
                    (
                        end(&client.id, producer, client.version),
                        Asked::End(commits),
                    )
                } else {
                    let partition = self.rng.random_range(0..PARTITIONS);
                    (
                        add(&client.id, producer, &[partition]),
                        Asked::Add(partition),
                    )
                }
            }
        };
        client.waits = Some((self.troupe.send(command), asked));
    }

    fn hear(&mut self, who: usize, asked: Asked, reply: TransactionReply) {
        let client = &mut self.clients[who];
        let why = match (asked, reply) {
            (Asked::Init, TransactionReply::Init(Ok(producer))) => {
                client.producer = Some(producer);
                client.transaction = None;
                return;
            }
            (Asked::Add(partition), TransactionReply::AddPartitions(Ok(_))) => {
                self.write(who, partition);
                return;
            }
            (Asked::End(commits), TransactionReply::End(Ok(producer))) => {
                if let Some(transaction) = client.transaction.take() {
                    self.told.insert(transaction, commits);
                }
                client.ending = None;
                client.producer = Some(producer);
                return;
            }
            (_, TransactionReply::Init(Err(why)) | TransactionReply::End(Err(why))) => why,
            (_, TransactionReply::AddPartitions(Err(why))) => why,
            (asked, reply) => panic!("{asked:?} was answered with {reply:?}"),
        };
        let is_passing = matches!(
            why,
            Refusal::ConcurrentTransactions
                | Refusal::CoordinatorNotAvailable
                | Refusal::NotCoordinator
        );
        if !is_passing {
            client.producer = None;
            client.transaction = None;
            client.ending = None;
        }
    }

    /// Appends data, unless the partition knows a later epoch.
    fn write(&mut self, who: usize, partition: i32) {
        let client = &mut self.clients[who];
        let (Some(producer), Some(transaction)) = (client.producer, client.transaction) else {
            return;
        };
        let later = |p: Producer| p.id == producer.id && p.epoch > producer.epoch;
        let by_marker = self
            .troupe
            .markers
            .iter()
            .any(|m| m.0 == partition && later(m.1));
        let by_data = self
            .data
            .iter()
            .any(|d| d.partition == partition && later(d.producer));
        if by_marker || by_data {
            client.producer = None;
            client.transaction = None;
            return;
        }
        self.data.push(Data {
            partition,
            producer,
            transaction,
            at: self.troupe.markers.len(),
        });
    }

    /// The marker that decides on this data.
    fn decision(&self, data: &Data) -> bool {
        let after = &self.troupe.markers[data.at..];
        let decides = |m: &&(i32, Producer, bool)| {
            m.0 == data.partition && m.1.id == data.producer.id && m.1.epoch >= data.producer.epoch
        };
        let marker = after.iter().find(decides);
        marker
            .unwrap_or_else(|| panic!("{data:?} is not decided"))
            .2
    }

    fn run(mut self) {
        for _ in 0..MOVES {
            self.disturb();
            if !self.clients.is_empty() {
                let who = self.rng.random_range(0..self.clients.len());
                self.play(who);
            }
        }
        self.calm();
        self.troupe.pass(secs(200));
        self.troupe.fail_over();
        let mut decided = BTreeMap::new();
        for data in &self.data {
            let commits = self.decision(data);
            let first = *decided.entry(data.transaction).or_insert(commits);
            assert_eq!(
                commits, first,
                "{data:?} is decided otherwise than the rest"
            );
        }
        for (transaction, commits) in &self.told {
            let happened = decided.get(transaction).unwrap_or(commits);
            assert_eq!(happened, commits, "transaction {transaction}");
        }
        for id in 0..IDS {
            if let Ok(described) = self.troupe.shard.describe(&format!("t{id}").into()) {
                assert!(
                    !matches!(
                        described.state,
                        TransactionState::Ongoing
                            | TransactionState::PrepareCommit
                            | TransactionState::PrepareAbort
                    ),
                    "{described:?} is stuck"
                );
            }
        }
    }
}

#[test]
fn transactions_are_atomic() {
    for seed in seeds(1500) {
        with_seed(seed, || Play::new(seed).run());
    }
}
