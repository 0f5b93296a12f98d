//! Send times, fixed before the run starts.
//!
//! A schedule gives each record the time at which it should be sent, counted
//! from the start of the warm-up. It knows nothing of how the run is going:
//! when the broker stalls, records stay due when they were due, and the wait
//! shows in their latency. Nothing ever moves a schedule.

use super::{InputError, Purpose, Trace, Worker, profile::Profile, random};
use crate::language::{ArrivalSpec, LoadSpec};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::Exp1;
use std::sync::Arc;

/// The send times of a cell, to be split between its workers.
#[derive(Clone, Debug)]
pub struct Schedule {
    plan: Option<Arc<Times>>,
    seed: u64,
    load_ns: u64,
}

#[derive(Debug)]
enum Times {
    Spaced { profile: Profile, spacing: Spacing },
    Trace(Trace),
}

#[derive(Clone, Copy, Debug)]
enum Spacing {
    Even { at_once: u64 },
    Poisson,
}

/// One worker's send times: nanoseconds from the start of the warm-up, never
/// falling, all before the end of the measured time.
#[derive(Clone, Debug)]
pub struct Arrivals {
    times: Arc<Times>,
    rng: ChaCha8Rng,
    /// The number, among the records of all workers, of the next record.
    next: u64,
    step: u64,
    /// Records due before the next one, by the Poisson process.
    elapsed: f64,
    hint: usize,
    load_ns: u64,
}

impl Schedule {
    /// Prepares the send times of a load; reads the trace if there is one.
    /// `mean_record_bytes` turns a rate in bytes into one in records.
    pub fn prepare(load: &LoadSpec, mean_record_bytes: f64, seed: u64) -> Result<Self, InputError> {
        let time = load.warmup.plus(load.duration);
        let plan = match &load.arrivals {
            ArrivalSpec::Trace(path) => Some(Times::Trace(Trace::load(path, time)?)),
            spaced => Profile::of(load, mean_record_bytes).map(|profile| {
                let spacing = match spaced {
                    ArrivalSpec::Poisson => Spacing::Poisson,
                    ArrivalSpec::Burst(records) => Spacing::Even {
                        at_once: records.get(),
                    },
                    ArrivalSpec::Constant | ArrivalSpec::Trace(_) => Spacing::Even { at_once: 1 },
                };
                Times::Spaced { profile, spacing }
            }),
        };
        Ok(Self {
            plan: plan.map(Arc::new),
            seed,
            load_ns: time.nanos(),
        })
    }

    /// The send times of one worker; `None` when the load is as fast as it can
    /// be and nothing is scheduled.
    pub fn worker(&self, worker: Worker) -> Option<Arrivals> {
        let times = Arc::clone(self.plan.as_ref()?);
        let mut arrivals = Arrivals {
            times,
            rng: random(self.seed, Purpose::Arrivals, worker.index),
            next: u64::from(worker.index),
            step: u64::from(worker.of.max(1)),
            elapsed: 0.0,
            hint: 0,
            load_ns: self.load_ns,
        };
        arrivals.elapsed = arrivals.gap();
        Some(arrivals)
    }

    /// Records due in all, on average where chance decides; `None` when
    /// nothing is scheduled.
    pub fn records(&self) -> Option<f64> {
        Some(match self.plan.as_deref()? {
            Times::Spaced { profile, .. } => profile.records(),
            Times::Trace(trace) => {
                let times = trace.times();
                times.partition_point(|&time| time < self.load_ns) as f64
            }
        })
    }
}

impl Arrivals {
    /// The time to the worker's next arrival, in records of all workers.
    fn gap(&mut self) -> f64 {
        let unit: f64 = self.rng.sample(Exp1);
        unit * self.step as f64
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let due = match &*self.times {
            Times::Trace(trace) => {
                let at = usize::try_from(self.next).ok()?;
                trace.times().get(at).copied()
            }
            Times::Spaced {
                profile,
                spacing: Spacing::Even { at_once },
            } => {
                let burst = self.next / at_once * at_once;
                profile.due_ns(burst as f64, &mut self.hint)
            }
            Times::Spaced {
                profile,
                spacing: Spacing::Poisson,
            } => profile.due_ns(self.elapsed, &mut self.hint),
        };
        let due = due.filter(|&due| due < self.load_ns)?;
        self.next += self.step;
        if let Times::Spaced {
            spacing: Spacing::Poisson,
            ..
        } = &*self.times
        {
            self.elapsed += self.gap();
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests;
