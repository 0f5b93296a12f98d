//! The coordinator of a cell's workers: it looks round every few milliseconds,
//! collects, samples, tells how the cell gets on and ends it in order.
//!
//! Whatever happens, all workers have ended when its methods return.

use super::faults::Script;
use super::outcome;
use super::processors::Processors;
use super::progress::{Interrupt, Options, Phase, Progress, Pulse};
use super::run::TICK_NANOS;
use super::workers::Running;
use crate::clock::{Mono, sleep_until};
use crate::driver::{Consumed, FinishLine, Produced};
use crate::error::DriveError;
use crate::observe::{Observed, Watch};
use crate::record::{BacklogWatch, Collector, Window};
use plimsoll_wire::types::Offset;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it says how the cell goes.
const PULSE_NANOS: u64 = 250_000_000;
/// Least time that consumers get to read up to the end.
const CATCH_UP_MIN: Duration = Duration::from_secs(2);

/// Leads a cell through its phases.
pub(super) struct Conductor<'a> {
    pub(super) window: Window,
    /// Other processes send records of the cell, too.
    pub(super) others_send: bool,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) finish: Arc<FinishLine>,
    pub(super) watch: Watch,
    pub(super) collector: Collector,
    pub(super) observed: Option<Observed>,
    /// Records acknowledged when the watch began; when it ended, those between.
    pub(super) observed_records: u64,
    pub(super) measuring: bool,
    pub(super) cores: Vec<outcome::CoresInSecond>,
    pub(super) backlog: BacklogWatch,
    pub(super) next_pulse: Mono,
    /// The faults to cause.
    pub(super) script: Script,
    /// The furthest that a group was behind, by second.
    pub(super) lags: Vec<u64>,
    /// When the last consumer was done.
    pub(super) finished_at: Mono,
    pub(super) options: Options<'a>,
}

impl Conductor<'_> {
    /// Waits for the producers. Whatever happens, all have ended afterwards.
    pub(super) fn produce(
        &mut self,
        producers: Running<Produced>,
        consumers: &[Running<Consumed>],
    ) -> Result<Vec<Produced>, DriveError> {
        let mut failure = None;
        let (others_send, to) = (self.others_send, self.window.to);
        let goes_on = || !producers.is_finished() || (others_send && Mono::now() < to);
        while goes_on() && failure.is_none() {
            failure = self.tick().err();
            let early = producers.any_finished() && Mono::now() < self.window.to;
            if early || consumers.iter().any(Running::any_finished) {
                break;
            }
        }
        let failed = failure.is_some() || !producers.is_finished();
        if failed {
            self.stop.store(true, Ordering::Relaxed);
            self.finish.abandon();
        }
        let joined = producers.join();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let sent = joined.as_ref().is_ok_and(|joined| !joined.is_empty());
        if self.observed.is_none() && !failed && sent {
            self.end_window();
        }
        joined
    }

    /// Lets processors read up to the ends of their input, and waits for them.
    pub(super) fn process(
        &mut self,
        processors: Processors,
        ends: Result<Vec<Offset>, DriveError>,
    ) -> Result<Vec<Produced>, DriveError> {
        let mut failure = None;
        match ends {
            Ok(ends) => processors.line().draw(ends),
            Err(error) => failure = Some(error),
        }
        let give_up = self.window.give_up.max(Mono::now().after(CATCH_UP_MIN));
        while !processors.is_finished() {
            if failure.is_some() || Mono::now() >= give_up {
                processors.line().abandon();
                self.stop.store(true, Ordering::Relaxed);
            }
            failure = failure.or(self.tick().err());
        }
        let joined = processors.join();
        failure.map_or(joined, Err)
    }

    /// Draws the finish line and waits for the consumers to reach it.
    pub(super) fn consume(
        &mut self,
        groups: Vec<Running<Consumed>>,
        ends: Option<&Vec<Offset>>,
    ) -> Result<Vec<Vec<Consumed>>, DriveError> {
        match ends {
            Some(ends) => self.finish.draw(ends.clone()),
            None => self.finish.abandon(),
        }
        let give_up = self.window.give_up.max(Mono::now().after(CATCH_UP_MIN));
        let mut failure = None;
        while !groups.iter().all(Running::is_finished) {
            if Mono::now() >= give_up || failure.is_some() {
                self.finish.abandon();
            }
            failure = failure.or(self.tick().err());
        }
        self.finished_at = Mono::now();
        if self.observed.is_none() && failure.is_none() {
            self.end_window();
        }
        let joined = groups.into_iter().map(Running::join).collect();
        failure.map_or(joined, Err)
    }

    /// One look round: counts, CPU, progress, interruptions.
    fn tick(&mut self) -> Result<(), DriveError> {
        let now = Mono::now();
        let next = [self.window.from, self.window.to]
            .into_iter()
            .chain(self.script.next())
            .filter(|at| *at > now)
            .min();
        let tick = now.plus(TICK_NANOS);
        sleep_until(next.map_or(tick, |at| at.min(tick)));
        let now = Mono::now();
        if now >= self.window.from && !self.measuring {
            self.measuring = true;
            self.watch.begin();
            self.observed_records = self.collector.depot().acknowledged();
        }
        self.script.turn(now, &mut self.watch)?;
        self.collector.collect(self.window.second(now))?;
        self.sample_backlog(now);
        if self.measuring && self.observed.is_none() {
            self.watch.sample();
            self.sample_cores(now);
            if now >= self.window.to {
                self.end_window();
            }
        }
        let phase = Phase::at(&self.window, now);
        let pulse = self.pulse(now);
        (self.options.progress)(&Progress {
            pulse,
            phase,
            elapsed: now.elapsed_since(self.window.start),
            of: self.window.to.elapsed_since(self.window.start),
            acknowledged: self.collector.depot().acknowledged(),
        });
        match (self.options.interrupt)() {
            None => Ok(()),
            Some(Interrupt::Stopped) => Err(DriveError::Interrupted),
            Some(Interrupt::BrokerDied(how)) => Err(DriveError::BrokerDied(how)),
        }
    }

    /// What to show, when it is time to show something new.
    fn pulse(&mut self, now: Mono) -> Option<Pulse> {
        if !self.measuring || now < self.next_pulse {
            return None;
        }
        self.next_pulse = now.plus(PULSE_NANOS);
        let (second, errors) = self.collector.newest()?;
        Some(Pulse {
            second,
            errors,
            lag: self.lags.last().copied().unwrap_or_default(),
            cores: self.cores.last().map(|at| at.cores),
        })
    }

    fn sample_backlog(&mut self, now: Mono) {
        let behind = self.backlog.sample(now, &self.collector.depot());
        if !self.measuring || now > self.window.to {
            return;
        }
        let second = self.window.second(now) as usize;
        self.lags.resize(second + 1, behind);
        if let Some(last) = self.lags.get_mut(second) {
            *last = behind;
        }
    }

    fn sample_cores(&mut self, now: Mono) {
        let second = self.window.second(now);
        let done = self.cores.last().map_or(0, |last| last.second + 1);
        if second > done {
            let seconds = f64::from(second - done);
            self.cores.push(outcome::CoresInSecond {
                second: second - 1,
                cores: self.watch.cores(seconds),
            });
        }
    }

    fn end_window(&mut self) {
        let acknowledged = self.collector.depot().acknowledged();
        self.observed_records = acknowledged.saturating_sub(self.observed_records);
        self.observed = Some(self.watch.end());
    }
}
