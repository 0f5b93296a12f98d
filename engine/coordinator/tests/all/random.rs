//! Groups under random joins, leaves, crashes, lost answers, slow revocations,
//! refused appends, late commits and failovers, in both protocols and in
//! between.
//!
//! Checked after every move: no partition is worked on by two clients, nor owned
//! by two members at any record of the journal ([`crate::owners`]); every
//! acknowledged offset is there. Checked when the weather has calmed down:
//! everyone has settled, and every partition is owned. A failover compares the
//! replayed state with the old one, unless it has lost uncommitted records.
//!
//! `PLIMSOLL_CASES` sets how many seeds are tried, `PLIMSOLL_SEED` tries one.

use crate::actors::{Actor, Ledger, Weather};
use crate::owners::Owners;
use crate::stage::{Stage, fetch, secs};
use plimsoll_coordinator::{AppendRefused, Command, Reply};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const PARTITIONS_MAX: i32 = 9;
const ACTORS_MAX: usize = 6;
const TICKS: u32 = 150;
const CALM_TICKS: u32 = 150;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cast {
    Classic,
    Consumer,
    Mixed,
}

struct Play {
    stage: Stage,
    rng: ChaCha8Rng,
    cast: Cast,
    actors: Vec<Actor>,
    ledger: Ledger,
    owners: Owners,
    lives: u32,
    offsets: i64,
}

impl Play {
    fn new(seed: u64, cast: Cast) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let partitions = rng.random_range(1..=PARTITIONS_MAX);
        Self {
            stage: Stage::with_topics(&[("t", partitions)]),
            rng,
            cast,
            actors: Vec::new(),
            ledger: Ledger::default(),
            owners: Owners::default(),
            lives: 0,
            offsets: 0,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn enter(&mut self) {
        self.lives += 1;
        let is_classic = match self.cast {
            Cast::Classic => true,
            Cast::Consumer => false,
            Cast::Mixed => self.chance(50),
        };
        let is_static = self.chance(25);
        let name = format!("actor{}", self.lives);
        self.actors.push(Actor::new(name, is_classic, is_static));
    }

    fn disturb(&mut self) {
        let who = self.rng.random_range(0..ACTORS_MAX);
        match self.rng.random_range(0..100) {
            0..12 if self.actors.len() < ACTORS_MAX => self.enter(),
            12..15 if who < self.actors.len() => {
                // A crash: it works on nothing any more, and tells nobody.
                self.actors.remove(who);
            }
            15..19 if who < self.actors.len() => {
                let mut actor = self.actors.remove(who);
                actor.leave(&mut self.stage);
                if actor.instance.is_some() {
                    self.lives += 1;
                    self.actors.push(actor.reborn(self.lives));
                }
            }
            19..21 => self.stage.set_topic("t", PARTITIONS_MAX),
            21..23 => self.stage.fail_over(),
            23..25 => {
                // Records are gone that had been read.
                self.stage.crash_over();
                self.owners = Owners::default();
            }
            25..28 => self.stage.refuse = Some(AppendRefused::Unavailable),
            28..31 => self.stage.hold = true,
            31..60 => {
                self.stage.refuse = None;
                if self.stage.hold {
                    self.stage.release();
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, calm: bool) {
        for who in 0..self.actors.len() {
            let weather = if calm {
                Weather::default()
            } else {
                self.offsets += 1;
                Weather {
                    loses_answer: self.chance(5),
                    slowness: self.rng.random_range(0..4),
                    commits: self.chance(15).then_some(self.offsets),
                }
            };
            self.actors[who].tick(&mut self.stage, &mut self.ledger, weather);
            self.check_owners();
            self.owners.follow(&self.stage.journal);
        }
        self.stage.pass(secs(1));
        self.owners.follow(&self.stage.journal);
    }

    fn check_owners(&self) {
        for (n, one) in self.actors.iter().enumerate().filter(|(_, a)| a.works()) {
            for other in self.actors[n + 1..].iter().filter(|a| a.works()) {
                let mut shared = one.owned.intersection(&other.owned);
                assert_eq!(shared.next(), None, "two owners:\n{one:?}\n{other:?}");
            }
        }
    }

    fn check_offsets(&mut self) {
        let Reply::Fetch(Ok(topics)) = self.stage.ask(Command::Fetch(fetch("g"))) else {
            panic!("offsets are answered with offsets");
        };
        let mut found = std::collections::BTreeMap::new();
        for (partition, offset) in topics.into_iter().flat_map(|(_, offsets)| offsets) {
            let offset = offset.expect("no transaction is open").expect("an offset");
            found.insert(partition.get(), offset.offset.get());
        }
        for (partition, acknowledged) in &self.ledger.acknowledged {
            let offset = found.get(partition).copied().unwrap_or(-1);
            let tried = &self.ledger.tried[partition];
            assert!(
                offset >= *acknowledged && tried.contains(&offset),
                "partition {partition}: {acknowledged} was acknowledged, {offset} is there"
            );
        }
    }

    fn run(mut self) {
        for _ in 0..TICKS {
            self.disturb();
            self.tick(false);
        }
        self.stage.refuse = None;
        self.stage.release();
        if self.actors.is_empty() {
            self.enter();
        }
        for _ in 0..CALM_TICKS {
            self.tick(true);
        }
        self.check_offsets();
        self.check_settled();
        self.stage.fail_over();
        for _ in 0..20 {
            self.tick(true);
        }
        self.check_offsets();
        self.check_settled();
    }

    fn check_settled(&self) {
        let state = match self.stage.consumer_state() {
            "Dead" => self.stage.state("g"),
            state => state,
        };
        assert_eq!(state, "Stable", "{:#?}", self.actors);
        let owned: usize = self.actors.iter().map(|a| a.owned.len()).sum();
        let partitions = self.stage.partitions("t") as usize;
        assert_eq!(owned, partitions, "{:#?}", self.actors);
    }
}

/// The seeds to try: `default` of them unless the environment says otherwise.
pub fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    match (number("PLIMSOLL_SEED"), number("PLIMSOLL_CASES")) {
        (Some(seed), _) => seed..seed + 1,
        (None, cases) => 0..cases.unwrap_or(default),
    }
}

/// Names the seed when a case fails.
pub fn with_seed(seed: u64, case: impl FnOnce() + std::panic::UnwindSafe) {
    if let Err(why) = std::panic::catch_unwind(case) {
        eprintln!("failed with PLIMSOLL_SEED={seed}");
        std::panic::resume_unwind(why);
    }
}

fn check(cast: Cast) {
    for seed in seeds(350) {
        with_seed(seed, || Play::new(seed, cast).run());
    }
}

#[test]
fn classic_groups_keep_their_promises() {
    check(Cast::Classic);
}

#[test]
fn consumer_groups_keep_their_promises() {
    check(Cast::Consumer);
}

#[test]
fn groups_of_both_protocols_keep_their_promises() {
    check(Cast::Mixed);
}
