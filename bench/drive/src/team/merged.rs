//! What all members measured, as if one process had.

use super::message::LoadReport;
use crate::cell::CoresInSecond;
use crate::clock::Mono;
use crate::driver::{Consumed, Produced};
use crate::observe::{Observed, Side, Watch};
use crate::record::{Interval, Window};
use crate::shared_group::{GroupEvents, Move, Moves};
use std::collections::BTreeMap;

/// What all members measured together of one workload.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) produced: BTreeMap<u32, Produced>,
    pub(super) consumed: Vec<Vec<Consumed>>,
    pub(super) observed: Observed,
    pub(super) observed_records: u64,
    pub(super) cores: Vec<CoresInSecond>,
    /// By group.
    moves: Vec<Vec<Move>>,
}

impl Merged {
    /// Takes a report in, but for its intervals.
    pub(super) fn absorb(&mut self, report: LoadReport) -> Vec<Interval> {
        self.observed_records += report.observed_records;
        self.produced.extend(report.produced);
        if self.consumed.len() < report.consumed.len() {
            self.consumed.resize_with(report.consumed.len(), Vec::new);
        }
        for (own, its) in self.consumed.iter_mut().zip(report.consumed) {
            own.extend(its);
        }
        let (own, its) = (&mut self.observed.client, report.observed.client);
        own.busiest_thread = own.busiest_thread.max(its.busiest_thread);
        own.usage.absorb(&its.usage);
        if let Some(stolen) = report.observed.steal_seconds {
            *self.observed.steal_seconds.get_or_insert(0.0) += stolen;
        }
        for second in report.cores {
            match self
                .cores
                .iter_mut()
                .find(|own| own.second == second.second)
            {
                Some(own) => own.cores.client += second.cores.client,
                None => self.cores.push(second),
            }
        }
        self.cores.sort_by_key(|second| second.second);
        if self.moves.len() < report.moves.len() {
            self.moves.resize_with(report.moves.len(), Vec::new);
        }
        for (own, its) in self.moves.iter_mut().zip(report.moves) {
            own.extend(its);
        }
        report.intervals
    }

    /// What became of the groups whose partitions the cluster shares out.
    pub(super) fn group_events(&mut self, window: Window) -> Option<GroupEvents> {
        let groups = std::mem::take(&mut self.moves).into_iter();
        let all = groups.map(|moves| Moves::replay(window, moves));
        all.reduce(|mut sum, one| {
            sum.absorb(&one);
            sum
        })
    }
}

/// Watches brokers on the lead's machine in the measured time.
pub(super) struct BrokerWatch {
    watch: Option<Watch>,
    window: Window,
    begun: bool,
    observed: Option<Side>,
}

impl BrokerWatch {
    pub(super) fn new(pids: &[u32], window: Window) -> Self {
        Self {
            watch: (!pids.is_empty()).then(|| Watch::new(pids)),
            window,
            begun: false,
            observed: None,
        }
    }

    pub(super) fn look(&mut self) {
        let (Some(watch), now) = (&mut self.watch, Mono::now()) else {
            return;
        };
        if !self.begun && now >= self.window.from {
            self.begun = true;
            watch.begin();
        } else if self.begun && self.observed.is_none() && now >= self.window.to {
            self.observed = watch.end().broker;
        } else if self.begun && self.observed.is_none() {
            watch.sample();
        }
    }

    pub(super) fn observed(self) -> Option<Side> {
        self.observed
    }
}
