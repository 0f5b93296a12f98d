//! The gate against a machine whose noise is known: how often it cries wolf on
//! identical code, and how often it catches a regression of known size. The
//! usual methods go through the same trials and fail them, which shows that the
//! trials are hard enough to mean something.
//!
//! The machine's noise has three parts, as on a shared two-core host: a level
//! that wanders from run to run (neighbours, clock speed), jitter of each run,
//! and now and then a run that was disturbed outright.

use plimsoll_gate::{ALPHA, Direction, MetricRule, Rules, Session, Unit, Verdict};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const TRIALS: u64 = 1_000;
const PAIRS: usize = 40;

/// Step of the wandering level per run, as a fraction.
const WANDER: f64 = 0.03;
/// Jitter of a run, as a fraction.
const JITTER: f64 = 0.05;
/// One run in this many is disturbed, by up to the given fraction.
const DISTURBED_ONE_IN: f64 = 15.0;
const DISTURBANCE: f64 = 0.4;

struct Machine {
    dice: ChaCha8Rng,
    level: f64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            level: 0.0,
        }
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.dice)
    }

    /// One run of code that takes `cost` on a quiet machine.
    fn run(&mut self, cost: f64) -> f64 {
        // The level is drawn back to its mean, so that it wanders but stays.
        self.level = 0.95 * self.level + WANDER * self.normal();
        let disturbed = self.dice.random_bool(1.0 / DISTURBED_ONE_IN);
        let disturbance = if disturbed {
            self.dice.random_range(0.0..DISTURBANCE)
        } else {
            0.0
        };
        cost * (self.level + JITTER * self.normal() + disturbance).exp()
    }

    /// One pair in random order; B costs `ratio` times A.
    fn pair(&mut self, ratio: f64) -> (f64, f64) {
        if self.dice.random_bool(0.5) {
            let a = self.run(1.0);
            (a, self.run(ratio))
        } else {
            let b = self.run(ratio);
            (self.run(1.0), b)
        }
    }
}

fn gate_fails(seed: u64, ratio: f64) -> bool {
    let metric = MetricRule {
        name: "cpu".to_owned(),
        unit: Unit::CpuSecondsPerGb,
        direction: Direction::HigherIsWorse,
        rules: Rules::default(),
        gated_below_effect: None,
    };
    let mut session = Session::new(vec![metric], ALPHA, PAIRS).expect("good rules");
    let mut machine = Machine::new(seed);
    loop {
        session
            .add(&[machine.pair(ratio)])
            .expect("a positive pair");
        if let Some(outcome) = session.done() {
            return outcome.verdict == Verdict::Fail;
        }
    }
}

/// The fraction of trials in which `fails` says so.
fn rate(fails: impl Fn(u64) -> bool) -> f64 {
    (0..TRIALS).filter(|seed| fails(*seed)).count() as f64 / TRIALS as f64
}

#[test]
fn identical_code_fails_in_at_most_one_trial_of_a_hundred() {
    let alarms = rate(|seed| gate_fails(seed, 1.0));
    println!("A/A: {:.1} % of {TRIALS} trials fail", alarms * 100.0);
    assert!(alarms <= 0.01, "{alarms}");
}

#[test]
fn ten_per_cent_slower_is_caught_in_at_least_98_trials_of_a_hundred() {
    let caught = rate(|seed| gate_fails(seed, 1.10));
    println!("+10 %: {:.1} % of {TRIALS} trials fail", caught * 100.0);
    assert!(caught >= 0.98, "{caught}");
}

#[test]
fn five_per_cent_slower_is_caught_more_often_than_not() {
    let caught = rate(|seed| gate_fails(seed, 1.05));
    println!("+5 %: {:.1} % of {TRIALS} trials fail", caught * 100.0);
    assert!(caught >= 0.5, "{caught}");
}

/// The naive way: one run of each, and 3 % slower is a regression.
fn single_runs_fail(seed: u64) -> bool {
    let (a, b) = Machine::new(seed).pair(1.0);
    b / a > 1.03
}

/// The usual way: all runs of A, then all runs of B, and a rank-sum test.
fn blocks_fail(seed: u64) -> bool {
    let mut machine = Machine::new(seed);
    let a: Vec<f64> = (0..PAIRS).map(|_| machine.run(1.0)).collect();
    let b: Vec<f64> = (0..PAIRS).map(|_| machine.run(1.0)).collect();
    rank_sum_p_greater(&a, &b) <= 0.02
}

/// The confident way: every record of one run counts as a sample.
fn records_as_samples_fail(seed: u64) -> bool {
    let mut machine = Machine::new(seed);
    let mut records = |run: f64| -> Vec<f64> {
        (0..200)
            .map(|_| run * (0.1 * machine.normal()).exp())
            .collect()
    };
    let mut runs = Machine::new(seed ^ 0xabcd);
    let (a, b) = runs.pair(1.0);
    let (a, b) = (records(a), records(b));
    rank_sum_p_greater(&a, &b) <= 0.02
}

/// Mann–Whitney's test with the normal approximation.
fn rank_sum_p_greater(a: &[f64], b: &[f64]) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    let (m, n) = (a.len() as f64, b.len() as f64);
    let above = a
        .iter()
        .flat_map(|x| b.iter().map(move |y| f64::from(y > x)))
        .sum::<f64>();
    let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
    Normal::standard().sf((above - m * n / 2.0 - 0.5) / deviation)
}

#[test]
fn the_naive_methods_cry_wolf_in_the_same_trials() {
    for (name, alarms) in [
        ("single runs", rate(single_runs_fail)),
        ("blocks with Mann–Whitney", rate(blocks_fail)),
        ("records as samples", rate(records_as_samples_fail)),
    ] {
        println!(
            "{name}: {:.1} % of {TRIALS} A/A trials fail",
            alarms * 100.0
        );
        assert!(alarms > 0.05, "{name}: {alarms}");
    }
}
