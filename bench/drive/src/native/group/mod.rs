//! A consumer whose partitions its group's coordinator shares out.
//!
//! It reads as any consumer does, and between two looks at what has come it says
//! that it is there. Positions are committed at an interval and before partitions
//! are given up, and the answer is waited for, so that the next owner goes on
//! exactly there.
//!
//! Invariant: a partition is given up before the coordinator hears that it is.

mod classic;
mod coordinator;
mod next_generation;

use super::consumer::Consumer;
use crate::clock::{Mono, sleep_until};
use crate::driver::{Consumed, ConsumerJob};
use crate::error::DriveError;
use crate::shared_group::{Seat, SharedGroup};
use classic::Classic;
use coordinator::{GroupCoordinator, Identity};
use next_generation::NextGeneration;
use plimsoll_wire::types::Offset;
use plimsoll_workloads::language::GroupProtocol;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long joining is tried while the coordinator does not answer.
const JOIN: Duration = Duration::from_secs(30);
const RETRY_GAP_NANOS: u64 = 20_000_000;

/// Partitions of the group's topic.
type Partitions = BTreeSet<u32>;

/// What the coordinator wants of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// All is as it was.
    Stay,
    /// It is to give all up and join again.
    Rejoin,
    /// It is no member any more; others may have its partitions.
    Lost,
    /// These partitions are its own from now on.
    Own(Partitions),
}

/// A member of a group, by one of the protocols.
trait Member {
    /// Tries to join once, and returns what it gets; `None` when it has to be tried
    /// again.
    fn attempt(&mut self) -> Result<Option<Partitions>, DriveError>;

    /// Says that it is there when that is due, and hears what has been said.
    fn tend(&mut self, now: Mono) -> Result<Word, DriveError>;

    /// Leaves. Who cannot be told will find out.
    fn leave(&mut self);

    /// Who it is now.
    fn identity(&self) -> Identity;

    /// Who it talks to.
    fn coordinator(&mut self) -> &mut GroupCoordinator;
}

/// Runs one consumer of a group until the group has read up to the finish line.
pub fn consume(job: ConsumerJob, seat: &Seat) -> Result<Consumed, DriveError> {
    let group = Arc::clone(&seat.group);
    let coordinator = GroupCoordinator::new(&job, &group);
    let mut reader = GroupReader {
        member: match group.settings().protocol {
            GroupProtocol::Classic => Box::new(Classic::new(coordinator, &group)),
            GroupProtocol::Consumer => Box::new(NextGeneration::new(coordinator, &group)),
        },
        restart: group.next_restart(seat.index, Mono::now()),
        next_commit: Mono::default(),
        consumer: Consumer::new(job),
        index: seat.index,
        group,
    };
    while !reader.is_over() {
        let Some(partitions) = join(reader.member.as_mut())? else {
            break;
        };
        reader.own(&partitions)?;
        reader.read()?;
    }
    reader.give_up(true)?;
    reader.member.leave();
    Ok(reader.consumer.report())
}

/// Joins; `None` when the run ended before that.
fn join(member: &mut dyn Member) -> Result<Option<Partitions>, DriveError> {
    let deadline = Mono::now().after(JOIN);
    while !member.coordinator().is_abandoned() {
        match member.attempt() {
            Ok(Some(own)) => return Ok(Some(own)),
            Ok(None) => {}
            Err(error) if coordinator::may_pass(&error) && Mono::now() < deadline => {
                member.coordinator().lose();
                sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

struct GroupReader {
    consumer: Consumer,
    member: Box<dyn Member>,
    group: Arc<SharedGroup>,
    index: u32,
    /// When it leaves and joins again.
    restart: Option<Mono>,
    next_commit: Mono,
}

impl GroupReader {
    fn is_over(&self) -> bool {
        let finish = &self.consumer.job.finish;
        finish.is_abandoned() || self.group.is_finished(finish)
    }

    /// Reads until it has to join again, or all is read.
    fn read(&mut self) -> Result<(), DriveError> {
        while !self.is_over() {
            let now = Mono::now();
            if self.restart.is_some_and(|at| at <= now) {
                self.restart = self.group.next_restart(self.index, now);
                self.give_up(true)?;
                self.member.leave();
                return Ok(());
            }
            match self.hear(now)? {
                Word::Stay => {}
                Word::Rejoin => return self.give_up(true),
                Word::Lost => return self.give_up(false),
                Word::Own(partitions) => self.own(&partitions)?,
            }
            if now >= self.next_commit {
                self.next_commit = now.after(self.group.settings().commit_interval);
                self.commit(|_| true)?;
            }
            self.consumer.turn()?;
            for (partition, position) in &self.consumer.positions {
                self.group.advance(*partition, position.get());
            }
        }
        Ok(())
    }

    /// What the coordinator says; nothing while it is looked for.
    fn hear(&mut self, now: Mono) -> Result<Word, DriveError> {
        match self.member.tend(now) {
            Err(error) if coordinator::may_pass(&error) => {
                tracing::debug!(%error, "looking for the group's coordinator again");
                self.member.coordinator().lose();
                Ok(Word::Stay)
            }
            heard => heard,
        }
    }

    /// Takes on `partitions` and gives up all others.
    fn own(&mut self, partitions: &Partitions) -> Result<(), DriveError> {
        let owned: Partitions = self.consumer.positions.keys().copied().collect();
        let gone: Partitions = owned.difference(partitions).copied().collect();
        if !gone.is_empty() {
            self.commit(|partition| gone.contains(&partition))?;
            self.group.released(gone.iter().copied(), Mono::now());
        }
        let new: Vec<u32> = partitions.difference(&owned).copied().collect();
        let mut positions = self.member.coordinator().committed(&new)?;
        self.group.assigned(new.into_iter(), Mono::now());
        let kept = self.consumer.positions.iter();
        let kept = kept.filter(|(partition, _)| partitions.contains(partition));
        positions.extend(kept.map(|(partition, offset)| (*partition, *offset)));
        self.consumer.take_on(positions)
    }

    /// Gives all partitions up; `commits` unless they may be others' already.
    fn give_up(&mut self, commits: bool) -> Result<(), DriveError> {
        if commits {
            self.commit(|_| true)?;
        }
        let owned = self.consumer.positions.keys().copied();
        self.group.released(owned, Mono::now());
        self.consumer.take_on(BTreeMap::new())
    }

    /// Commits how far those partitions were read that `takes` takes.
    fn commit(&mut self, takes: impl Fn(u32) -> bool) -> Result<(), DriveError> {
        let read = self.consumer.positions.iter();
        let read = read.filter(|(partition, offset)| takes(**partition) && **offset > Offset(0));
        let read: BTreeMap<u32, Offset> = read.map(|(p, offset)| (*p, *offset)).collect();
        if read.is_empty() {
            return Ok(());
        }
        let identity = self.member.identity();
        self.member.coordinator().commit(&identity, &read)
    }
}
