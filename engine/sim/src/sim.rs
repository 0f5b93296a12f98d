//! A run: a world is made of a seed, lives through its faults, comes to rest,
//! and is read to the end.

use crate::checkers::Violation;
use crate::clients::{
    Client, admin, classic, compacting, consumer, moving, once, plain, reader, transactional,
};
use crate::dice::Dice;
use crate::facts::{Fact, Partition, Reader};
use crate::faults;
use crate::moment::Moment;
use crate::plan::{OWN_PARTITIONS, OWN_TOPICS, Plan, Recipe};
use crate::tally::Tally;
use crate::tasks::{Door, Tasks};
use crate::trace::TraceHash;
use crate::world::{NodeIx, Shared, World};
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened: the same seed gives the same.
    pub hash: TraceHash,
    /// How much virtual time passed.
    pub elapsed: Duration,
    /// How often what happened.
    pub tally: Tally,
    /// What should not have happened.
    pub violation: Option<Violation>,
    /// The trace in words, when it was asked for.
    pub lines: Vec<String>,
}

/// How long a world may take to make its topics.
const SET_UP: Duration = Duration::from_secs(120);

/// How long a cluster is left alone before it is read to the end.
const SETTLE: Duration = Duration::from_secs(20);

/// The topics in which everything acknowledged is finally read.
const KEPT_TOPICS: &[&str] = &[
    plain::KEPT,
    once::TOPIC,
    transactional::INPUT,
    transactional::OUTPUT,
    compacting::TOPIC,
];

/// A world and everybody in it.
pub struct Sim {
    plan: Plan,
    recipe: Recipe,
    world: Shared,
    tasks: Tasks,
    dice: Dice,
}

impl Sim {
    /// Runs a seed to its end.
    pub fn run(seed: u64, plan: &Plan) -> Report {
        Self::run_shown(seed, plan, &RefCell::default())
    }

    /// Runs a seed to its end and shows its world to whoever must tell what
    /// happened when the run panics.
    fn run_shown(seed: u64, plan: &Plan, shown: &RefCell<Option<Shared>>) -> Report {
        let mut dice = Dice::new(seed);
        let recipe = Recipe::draw(plan, &mut dice);
        let world = World::new(recipe.configs(plan), dice.fork(), plan.in_words);
        let world = Shared::new(RefCell::new(world));
        let mut sim = Self {
            plan: *plan,
            recipe,
            tasks: Tasks::new(Shared::clone(&world)),
            world,
            dice,
        };
        *shown.borrow_mut() = Some(Shared::clone(&sim.world));
        sim.live();
        sim.world.borrow_mut().report_of(seed, None)
    }

    fn live(&mut self) {
        let recipe = format!("{:?}", self.recipe);
        self.world.borrow_mut().note(&recipe, || recipe.clone());
        for node in (0..self.plan.nodes).map(NodeIx) {
            self.world.borrow_mut().start(node);
        }
        self.world.borrow_mut().syncs_each = self.recipe.syncs_each;
        self.world.borrow_mut().watch();
        if !self.make_topics() {
            return;
        }
        self.spawn_clients();
        faults::spawn(&mut self.tasks, self.recipe.faults, &mut self.dice);
        let end = self.world.borrow().now + self.plan.storm;
        self.run_until(end);
        if self.is_violated() {
            return;
        }
        self.world.borrow_mut().calm_down();
        if self.run_to_rest(self.plan.rest) && self.audit() {
            let mut world = self.world.borrow_mut();
            let now = world.now;
            world.checkers.end(now);
        }
    }

    fn is_violated(&self) -> bool {
        self.world.borrow().violation().is_some()
    }

    /// Lets things happen until an instant, until everybody has finished, or
    /// until something is violated.
    fn run_until(&mut self, end: Moment) {
        self.tasks.run_ready();
        while !self.tasks.is_done() && !self.is_violated() {
            let mut world = self.world.borrow_mut();
            if world.next_at() > end || !world.step() {
                world.now = end;
                return;
            }
            drop(world);
            self.tasks.run_ready();
        }
    }

    /// Lets everybody finish; false when they do not, or something is violated.
    fn run_to_rest(&mut self, patience: Duration) -> bool {
        let end = self.world.borrow().now + patience;
        self.run_until(end);
        if !self.tasks.is_done() && !self.is_violated() {
            let who = self.tasks.unfinished().join(", ");
            self.world.borrow_mut().report(&Fact::Stuck { who });
        }
        !self.is_violated()
    }

    fn make_topics(&mut self) -> bool {
        let topics = self.recipe.topics(&self.plan);
        self.client("topics", Role::Writer, |client| admin::make(client, topics));
        self.run_to_rest(SET_UP)
    }

    /// Starts a client.
    fn client<F>(&mut self, name: &'static str, role: Role, play: impl FnOnce(Client) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        {
            let mut world = self.world.borrow_mut();
            world.writers += usize::from(role != Role::Reader);
            world.input_writers += usize::from(role == Role::InputWriter);
        }
        let dice = self.dice.fork();
        self.tasks
            .spawn(name, |door: Door| play(Client::new(door, name)), dice);
    }

    /// The partitions of these topics of the workloads.
    fn partitions_of(&self, topics: &[&'static str]) -> Vec<Partition> {
        partitions(topics, self.recipe.partitions)
    }

    /// The partitions that may be moved: those of which two replicas have what is
    /// acknowledged, and the brokers' own.
    fn movable(&self) -> Vec<Partition> {
        let mut all = self.partitions_of(KEPT_TOPICS);
        all.extend(partitions(&OWN_TOPICS, OWN_PARTITIONS));
        all
    }

    fn spawn_clients(&mut self) {
        let recipe = self.recipe.clone();
        let (works, partitions) = (recipe.workloads, recipe.partitions);
        if works.plain {
            for acks in [0, 1, -1] {
                let topic = if acks == -1 {
                    plain::KEPT
                } else {
                    plain::LOOSE
                };
                self.client("plain", Role::Writer, |c| {
                    plain::write(c, topic, partitions, acks)
                });
            }
            for topic in [plain::KEPT, plain::LOOSE] {
                let all = self.partitions_of(&[topic]);
                self.client("reader", Role::Reader, |c| reader::follow(c, all, false));
            }
        }
        if works.once {
            for _ in 0..2 {
                self.client("once", Role::Writer, |c| {
                    once::write(c, once::TOPIC, partitions)
                });
            }
            let all = self.partitions_of(&[once::TOPIC]);
            self.client("reader", Role::Reader, |c| reader::follow(c, all, false));
        }
        for _ in 0..works.classic {
            self.client("classic", Role::Reader, |c| {
                classic::take_part(c, once::TOPIC, partitions)
            });
        }
        for _ in 0..works.consumer {
            self.client("consumer", Role::Reader, |c| {
                consumer::take_part(c, once::TOPIC)
            });
        }
        if works.transactional {
            self.client("inputs", Role::InputWriter, |c| {
                once::write(c, transactional::INPUT, partitions)
            });
            for input in 0..partitions {
                self.client("processor", Role::Writer, |c| {
                    transactional::process(c, input, partitions)
                });
            }
            let all = self.partitions_of(&[transactional::OUTPUT]);
            self.client("reader", Role::Reader, |c| reader::follow(c, all, true));
        }
        if works.compacting {
            for index in 0..partitions {
                self.client("compacting", Role::Writer, |c| compacting::write(c, index));
            }
            let all = self.partitions_of(&[compacting::TOPIC]);
            self.client("reader", Role::Reader, |c| reader::follow(c, all, false));
        }
        if works.admin {
            let replicas = i16::try_from(self.plan.nodes.min(3)).unwrap_or(1);
            self.client("admin", Role::Writer, |c| admin::tend(c, replicas));
        }
        if works.moving {
            let all = self.movable();
            self.client("moving", Role::Reader, |c| moving::tend(c, all));
        }
    }

    /// Reads everything; false when that does not come to an end.
    fn audit(&mut self) -> bool {
        let all = self.partitions_of(KEPT_TOPICS);
        if self.plan.nodes > 1 {
            // Followers catch up, and leaders learn of it.
            let end = self.world.borrow().now + SETTLE;
            let dice = self.dice.fork();
            self.tasks.spawn(
                "settle",
                |door: Door| async move { door.sleep(SETTLE).await },
                dice,
            );
            self.run_until(end);
        }
        for last in [Reader::AUDIT, Reader::AUDIT_COMMITTED] {
            let all = all.clone();
            self.client("audit", Role::Reader, |c| reader::audit(c, all, last, None));
        }
        if self.plan.nodes > 1 {
            for node in (0..self.plan.nodes).map(NodeIx) {
                let (all, last) = (all.clone(), Reader::replica(node));
                self.client("audit of a node", Role::Reader, |c| {
                    reader::audit(c, all, last, Some(node))
                });
            }
        }
        self.run_to_rest(self.plan.rest)
    }
}

fn partitions(topics: &[&'static str], count: i32) -> Vec<Partition> {
    let of = |topic| (0..count).map(move |index| Partition { topic, index });
    topics.iter().copied().flat_map(of).collect()
}

impl Report {
    /// The report of a run of which nothing else is known.
    fn nothing(seed: u64, violation: Violation) -> Self {
        Self {
            seed,
            hash: TraceHash(0),
            elapsed: violation.at.elapsed(),
            tally: Tally::default(),
            violation: Some(violation),
            lines: Vec::new(),
        }
    }
}

impl World {
    /// What a run has come to.
    fn report_of(&mut self, seed: u64, panic: Option<Violation>) -> Report {
        let violation = panic.or_else(|| self.violation().cloned());
        let now = self.now;
        if let Some(violation) = &violation {
            self.trace.say(now, || format!("VIOLATION {violation}"));
        }
        Report {
            seed,
            hash: self.trace.hash(),
            elapsed: now.elapsed(),
            tally: self.tally,
            violation,
            lines: self.trace.take_lines(),
        }
    }
}

/// What a client is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Others wait for it to finish.
    Writer,
    /// Processors wait for it as well.
    InputWriter,
    /// Nobody waits for it.
    Reader,
}

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a seed to its end. A panic, of a broker or of the world, is a
/// violation like any other.
pub fn run_caught(seed: u64, plan: &Plan) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            PANIC.with_borrow_mut(|last| *last = Some(info.to_string()));
        }));
    });
    let started = Rc::new(RefCell::new(None));
    let shown = Rc::clone(&started);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| Sim::run_shown(seed, plan, &shown)));
    outcome.unwrap_or_else(|_| {
        let what = PANIC.with_borrow_mut(Option::take).unwrap_or_default();
        let world: Option<Shared> = started.take();
        let violation = |at| Violation {
            at,
            checker: "nobody panics",
            what,
        };
        let Some(world) = world else {
            return Report::nothing(seed, violation(Moment::START));
        };
        // The panic may have struck while the world was borrowed.
        match world.try_borrow_mut() {
            Ok(mut world) => {
                let now = world.now;
                world.report_of(seed, Some(violation(now)))
            }
            Err(_) => Report::nothing(seed, violation(Moment::START)),
        }
    })
}
