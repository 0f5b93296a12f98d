//! Pairs, one after the other, until the gate can decide, its time is up, or the
//! user stops it.
//!
//! What a pair is, is the contest's affair. A pair in which either run cannot be
//! used does not count; it is run again, at most as often as pairs were planned.

use super::write;
use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_gate::order::Order;
use plimsoll_gate::report::SCHEMA_VERSION;
use plimsoll_gate::{Discarded, Ended, GateReport, Method, MetricRule, Session};
use plimsoll_results::Fingerprint;
use plimsoll_workloads::Spec;
use std::env;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Pairs between two lines of progress where there is no terminal.
const LINE_EVERY: usize = 10;

/// Two sides that can be run as a pair.
pub trait Contest {
    /// Runs both sides once, in the order that is drawn from `order`. `number`
    /// counts the pairs from 0, those that did not count included.
    ///
    /// # Errors
    /// When a side cannot be run at all.
    fn pair(&mut self, number: u32, order: &mut Order) -> Result<Pair, Failure>;
}

/// What one pair brought.
pub enum Pair {
    /// Every metric's value in A and in B.
    Counts(Vec<(f64, f64)>),
    /// A side's run cannot be used.
    Discarded(Discarded),
    /// B lost or damaged records.
    Damaged(String),
    /// The user asked to stop.
    Stopped,
}

/// What a report says of the contest itself.
pub struct Billing {
    /// The workload, or what was compared.
    pub name: String,
    /// What A was.
    pub a: String,
    /// What B was.
    pub b: String,
    /// Where it ran.
    pub fingerprint: Fingerprint,
    /// What else a reader must know.
    pub notes: Vec<String>,
}

/// A gate under way.
pub struct Duel<'s> {
    spec: &'s Spec,
    session: Session,
    discarded: Vec<Discarded>,
    damage: Vec<String>,
    display: Display,
    started: (Instant, String),
}

impl<'s> Duel<'s> {
    /// A duel over these metrics, on the terms of the workload's `[gate]`.
    ///
    /// # Errors
    /// When a rule makes no sense.
    pub fn new(spec: &'s Spec, rules: Vec<MetricRule>, quiet: bool) -> anyhow::Result<Self> {
        let session = Session::new(rules, spec.gate.alpha.get(), spec.gate.pairs as usize)?;
        Ok(Self {
            display: Display::new(spec.gate.pairs, quiet),
            started: (Instant::now(), jiff::Timestamp::now().to_string()),
            spec,
            session,
            discarded: Vec::new(),
            damage: Vec::new(),
        })
    }

    /// Runs pairs to the end.
    ///
    /// # Errors
    /// When a side cannot be run, or a value has no logarithm.
    pub fn run(&mut self, contest: &mut impl Contest) -> Result<Ended, Failure> {
        let mut order = Order::seeded(self.spec.run.seed);
        let planned = self.session.pairs_planned();
        let ended = loop {
            if self.is_out_of_time() {
                break Ended::TimeBudget;
            }
            match contest.pair(self.number(), &mut order)? {
                Pair::Stopped => break Ended::Stopped,
                Pair::Damaged(how) => {
                    self.damage.push(how);
                    break Ended::Damage;
                }
                Pair::Discarded(why) => {
                    self.discarded.push(why);
                    if self.discarded.len() >= planned {
                        break Ended::Unmeasurable;
                    }
                    continue;
                }
                Pair::Counts(values) => self.session.add(&values).map_err(Failure::runtime)?,
            }
            self.display.pair(&self.session);
            if self.session.done().is_some() {
                break match self.session.pairs() < planned {
                    true => Ended::ClearFailure,
                    false => Ended::Complete,
                };
            }
        };
        self.display.finish();
        Ok(ended)
    }

    /// Pairs run so far.
    fn number(&self) -> u32 {
        u32::try_from(self.session.pairs() + self.discarded.len()).unwrap_or(u32::MAX)
    }

    /// Whether another pair of the usual length would take too long.
    fn is_out_of_time(&self) -> bool {
        let Some(budget) = self.spec.gate.time_budget else {
            return false;
        };
        let (run, spent) = (self.number(), self.started.0.elapsed());
        run > 0 && spent + spent / run > budget.duration()
    }

    /// The verdict, with everything that was measured.
    pub fn report(self, ended: Ended, billing: Billing) -> GateReport {
        GateReport {
            schema_version: SCHEMA_VERSION,
            name: billing.name,
            a: billing.a,
            b: billing.b,
            method: Method::Pairs,
            alpha: self.spec.gate.alpha.get(),
            pairs_planned: self.session.pairs_planned(),
            ended,
            started_at: self.started.1,
            seconds: self.started.0.elapsed().as_secs_f64(),
            command: env::args().collect(),
            fingerprint: billing.fingerprint,
            outcome: self.session.done().unwrap_or_else(|| self.session.so_far()),
            series: self.session.series(),
            discarded: self.discarded,
            damage: self.damage,
            notes: billing.notes,
        }
    }
}

/// How the gate gets on, on standard error.
enum Display {
    Silent,
    Lines,
    Bar(ProgressBar),
}

impl Display {
    fn new(pairs: u32, quiet: bool) -> Self {
        if quiet {
            return Self::Silent;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::new(u64::from(pairs));
        let style =
            ProgressStyle::with_template("{bar:24} pair {pos}/{len} {eta:>4} left  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self::Bar(bar)
    }

    fn pair(&self, session: &Session) {
        let (pairs, planned) = (session.pairs(), session.pairs_planned());
        match self {
            Self::Silent => {}
            Self::Lines if pairs.is_multiple_of(LINE_EVERY) && pairs < planned => {
                eprintln!(
                    "pair {pairs}/{planned}: {}",
                    write::so_far(&session.so_far())
                );
            }
            Self::Lines => {}
            Self::Bar(bar) => {
                bar.set_position(pairs as u64);
                bar.set_message(write::so_far(&session.so_far()));
            }
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
