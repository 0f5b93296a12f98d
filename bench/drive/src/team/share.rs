//! A member's share of a cell while it is carried.
//!
//! Each workload is conducted by a thread of its own, which asks this one where its
//! topic's logs end. This one talks to the lead: heartbeats, and once the ends are
//! known how far groups have read, for members whose partitions moved to others.
//!
//! Whatever happens, all threads have ended when [`carry`] returns.

use super::lanes;
use super::member::{Session, gone};
use super::message::{LoadReport, Read, Word};
use super::{DRAIN_BEAT, HEARTBEAT, LOOK};
use crate::cell::{Assignment, Bench, Conducted, Ends, Interrupt, Options, Progress, Share};
use crate::clock::{Mono, sleep_until};
use crate::driver::{Marking, Produced};
use crate::error::DriveError;
use crate::record::{Collector, Window};
use crate::shared_group::SharedGroup;
use plimsoll_wire::types::Offset;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How often it looks round while there is nothing to wait for but time.
const TICK_NANOS: u64 = 50_000_000;

/// This process's part of one workload.
pub(super) struct Part<'a> {
    bench: &'a Bench<'a>,
    share: Share,
    window: Window,
    marking: Marking,
    shared: Vec<Arc<SharedGroup>>,
    acknowledged: AtomicU64,
}

impl<'a> Part<'a> {
    /// The part of a workload that falls to `share`.
    pub(super) fn new(
        bench: &'a Bench<'a>,
        share: Share,
        window: Window,
        marking: Marking,
    ) -> Self {
        Self {
            shared: bench.shared_groups(window, lanes(&bench.cell.spec)),
            bench,
            share,
            window,
            marking,
            acknowledged: AtomicU64::new(0),
        }
    }

    /// Carries it to its end.
    fn conduct(&self, stop: &AtomicBool, ends: Ends<'_>) -> Result<LoadReport, DriveError> {
        let assignment = Assignment {
            share: self.share,
            window: self.window,
            marking: self.marking,
            lanes: lanes(&self.bench.cell.spec),
            shared: self.shared.clone(),
            collector: Collector::keeping(self.bench.groups()),
        };
        let options = Options {
            dir: None,
            progress: &mut |progress: &Progress| {
                self.acknowledged
                    .store(progress.acknowledged, Ordering::Relaxed);
            },
            interrupt: &|| stop.load(Ordering::Relaxed).then_some(Interrupt::Stopped),
        };
        let conducted = self.bench.conduct(assignment, options, ends)?;
        self.report(conducted)
    }

    fn report(&self, conducted: Conducted) -> Result<LoadReport, DriveError> {
        let all = 0..self.bench.cell.spec.producer.count;
        let own = all.filter(|number| self.share.has(*number));
        Ok(LoadReport {
            produced: own.zip(conducted.produced).collect(),
            consumed: conducted.consumed,
            intervals: conducted.collector.finish_kept()?,
            observed: conducted.observed,
            observed_records: conducted.observed_records,
            cores: conducted.cores,
            moves: self.shared.iter().map(|group| group.moves()).collect(),
        })
    }
}

/// A workload's producers are done: which workload, and how many records they
/// handed over.
type Done = (usize, u64);

/// Carries all parts of a cell.
///
/// # Errors
/// When a part fails, or the lead gives the cell up or falls silent.
pub(super) fn carry(
    session: &mut Session<'_>,
    cell: u32,
    parts: Vec<Part<'_>>,
) -> Result<Vec<LoadReport>, DriveError> {
    let stop = AtomicBool::new(false);
    let (done, dones) = channel::<Done>();
    let (lines, ends): (Vec<_>, Vec<_>) = parts.iter().map(|_| channel()).unzip();
    let mut talk = Talk {
        session,
        cell,
        parts: &parts,
        sent: vec![None; parts.len()],
        told: false,
        spoke: Mono::now(),
        lines,
    };
    let (tended, outcomes) = thread::scope(|scope| {
        let each = parts.iter().zip(ends).enumerate();
        let threads: Vec<_> = each
            .map(|(at, (part, ends))| {
                let (done, stop) = (done.clone(), &stop);
                scope.spawn(move || {
                    let outcome =
                        part.conduct(stop, &mut |produced| ask(at, produced, &done, &ends));
                    if outcome.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    outcome
                })
            })
            .collect();
        let mut tended = Ok(());
        while tended.is_ok() && !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            tended = talk.turn(&dones);
        }
        if tended.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        // Who still asks where the logs end is told that nobody answers.
        talk.lines.clear();
        let outcomes: Vec<_> = threads.into_iter().map(|one| one.join()).collect();
        (tended, outcomes)
    });
    tended?;
    let mut reports = Vec::with_capacity(outcomes.len());
    let mut failure = None;
    for outcome in outcomes {
        match outcome.unwrap_or_else(|_panic| Err(gone("a workload panicked".to_owned()))) {
            Ok(report) => reports.push(report),
            // What failed says more than what was stopped for it.
            Err(DriveError::Interrupted) => failure = failure.or(Some(DriveError::Interrupted)),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(reports), Err)
}

/// Asks where a workload's logs end, its producers being done.
fn ask(
    at: usize,
    produced: &[Produced],
    done: &Sender<Done>,
    ends: &Receiver<Vec<Offset>>,
) -> Result<Vec<Offset>, DriveError> {
    let written = produced.iter().flat_map(|one| &one.written);
    let sent = written.map(|written| written.sent()).sum();
    let asked = done.send((at, sent)).ok();
    let answered = asked.and_then(|()| ends.recv().ok());
    answered.ok_or(DriveError::Interrupted)
}

/// What is said to the lead, and heard from it, while a cell is carried.
struct Talk<'s, 'a, 'p> {
    session: &'s mut Session<'a>,
    cell: u32,
    parts: &'p [Part<'p>],
    /// What each workload's producers handed over, as soon as they are done.
    sent: Vec<Option<u64>>,
    /// The lead knows that all are.
    told: bool,
    spoke: Mono,
    lines: Vec<Sender<Vec<Offset>>>,
}

impl Talk<'_, '_, '_> {
    /// One look round.
    fn turn(&mut self, dones: &Receiver<Done>) -> Result<(), DriveError> {
        for (at, sent) in dones.try_iter() {
            if let Some(slot) = self.sent.get_mut(at) {
                *slot = Some(sent);
            }
        }
        if !self.told
            && let Some(sent) = self.sent.iter().copied().collect::<Option<Vec<u64>>>()
        {
            self.told = true;
            let cell = self.cell;
            self.session.say(Word::Produced { cell, sent })?;
        }
        let read = if self.told {
            self.read()
        } else {
            Read::default()
        };
        let beat = if read.is_empty() {
            HEARTBEAT
        } else {
            DRAIN_BEAT
        };
        let is_due = Mono::now().elapsed_since(self.spoke) >= beat;
        if is_due {
            self.spoke = Mono::now();
            let each = self.parts.iter();
            let acknowledged = each
                .map(|part| part.acknowledged.load(Ordering::Relaxed))
                .sum();
            self.session.say(Word::Alive { acknowledged, read })?;
        }
        // While it measures it asks for little.
        if self.told {
            return self.hear(LOOK);
        }
        if is_due {
            self.hear(Duration::ZERO)?;
        }
        sleep_until(Mono::now().plus(TICK_NANOS));
        Ok(())
    }

    /// How far the groups have read here.
    fn read(&self) -> Read {
        let of_part = |part: &Part<'_>| part.shared.iter().map(|g| g.positions()).collect();
        Read(self.parts.iter().map(of_part).collect())
    }

    fn hear(&mut self, wait: Duration) -> Result<(), DriveError> {
        for word in self.session.hear(wait)? {
            match word {
                Word::Abort { reason } => return Err(gone(reason)),
                Word::Ends { cell, ends } if cell == self.cell => {
                    for (line, ends) in self.lines.iter().zip(ends) {
                        // One whose workload has failed does not listen any more.
                        drop(line.send(ends.into_iter().map(Offset).collect()));
                    }
                }
                Word::Alive { read, .. } => self.advance(&read),
                _ => {}
            }
        }
        Ok(())
    }

    /// Others have read so far.
    fn advance(&self, read: &Read) {
        for (part, groups) in self.parts.iter().zip(&read.0) {
            for (group, positions) in part.shared.iter().zip(groups) {
                for (partition, offset) in (0u32..).zip(positions) {
                    group.advance(partition, *offset);
                }
            }
        }
    }
}
