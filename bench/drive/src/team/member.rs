//! A member: it waits for a lead's call, carries its share of each cell and
//! reports.

use super::message::{Letter, Order, Report, Word};
use super::share::{self, Part};
use super::{Board, LOOK, PREPARE, SILENCE};
use crate::access::{Bootstrap, Security};
use crate::cell::{Bench, Share, Target, alone};
use crate::clock::Mono;
use crate::driver::{Marking, Route};
use crate::error::DriveError;
use crate::native::control::Control;
use crate::record::Window;
use plimsoll_workloads::Cell;
use std::time::Duration;

/// Who a member is and how it gets on.
pub struct Member<'a> {
    /// Its name, which no other process has.
    pub name: String,
    /// The machine it runs on, for errors.
    pub host: String,
    /// Its version; only a lead of the same is worked for.
    pub version: String,
    /// How connections to the targets are secured.
    pub security: Security,
    /// Told what happens, in words.
    pub tell: &'a dyn Fn(&str),
    /// Asked often: whether it is to stop.
    pub stops: &'a dyn Fn() -> bool,
}

/// Works for one lead after the other until told to stop; with `once`, for one.
///
/// # Errors
/// When the control topic cannot be used.
pub fn serve(board: &mut Board, member: &Member<'_>, once: bool) -> Result<(), DriveError> {
    (member.tell)("waiting for a run");
    while !(member.stops)() {
        for letter in board.letters(LOOK)? {
            let Word::Call { version } = &letter.word else {
                continue;
            };
            if *version != member.version {
                (member.tell)(&format!(
                    "a run of plimsoll {version} called; this is {}",
                    member.version
                ));
                continue;
            }
            let mut session = Session::new(board, member, letter.session);
            match session.work() {
                Ok(true) => (member.tell)("the run is over"),
                Ok(false) => continue,
                Err(error) => {
                    (member.tell)(&error.to_string());
                    session.say(Word::Failed {
                        reason: error.to_string(),
                    })?;
                }
            }
            if once {
                return Ok(());
            }
            break;
        }
    }
    Ok(())
}

/// One run that a member works for.
pub(super) struct Session<'a> {
    board: &'a mut Board,
    member: &'a Member<'a>,
    id: String,
    share: Share,
    /// By how many nanoseconds this clock is ahead of the lead's.
    ahead: i64,
    /// Turns this machine's monotonic clock into its wall clock, read once.
    wall: i64,
    /// When the lead was last heard.
    heard: Mono,
}

impl<'a> Session<'a> {
    fn new(board: &'a mut Board, member: &'a Member<'a>, id: String) -> Self {
        Self {
            board,
            member,
            id,
            share: Share::default(),
            ahead: 0,
            wall: wall_offset(),
            heard: Mono::now(),
        }
    }

    pub(super) fn say(&mut self, word: Word) -> Result<(), DriveError> {
        self.board.send(&Letter {
            session: self.id.clone(),
            from: self.member.name.clone(),
            word,
        })
    }

    /// The lead's words since the last look, waiting at most `wait` for some.
    pub(super) fn hear(&mut self, wait: Duration) -> Result<Vec<Word>, DriveError> {
        let letters = self.board.letters(wait)?;
        let words: Vec<Word> = letters
            .into_iter()
            .filter(|letter| letter.session == self.id && letter.from.is_empty())
            .map(|letter| letter.word)
            .collect();
        if !words.is_empty() {
            self.heard = Mono::now();
        }
        if Mono::now().elapsed_since(self.heard) > SILENCE {
            return Err(gone(format!("the lead has been silent for {SILENCE:?}")));
        }
        if (self.member.stops)() {
            return Err(DriveError::Interrupted);
        }
        Ok(words)
    }

    /// This machine's clock, in nanoseconds since the Unix epoch.
    fn now(&self) -> i64 {
        Mono::now().0.cast_signed() + self.wall
    }

    /// Works until the run is over; `false` when others were chosen.
    fn work(&mut self) -> Result<bool, DriveError> {
        let host = self.member.host.clone();
        self.say(Word::Join { host })?;
        loop {
            for word in self.hear(LOOK)? {
                match word {
                    Word::Enlist { members } => {
                        let place = members.iter().position(|name| *name == self.member.name);
                        let Some(index) = place.and_then(|at| u32::try_from(at).ok()) else {
                            return Ok(false);
                        };
                        let of = u32::try_from(members.len()).unwrap_or(u32::MAX);
                        self.share = Share { index, of };
                        (self.member.tell)(&format!("working as {} of {of}", index + 1));
                    }
                    Word::Ping { number, asked } => {
                        let got = self.now();
                        self.say(Word::Pong {
                            number,
                            asked,
                            got,
                            answered: self.now(),
                        })?;
                    }
                    Word::Offsets { ahead } => {
                        self.ahead = ahead.get(&self.member.name).copied().unwrap_or(0);
                    }
                    Word::Cell(order) => self.carry(&order)?,
                    Word::Over => return Ok(true),
                    Word::Abort { reason } => return Err(gone(reason)),
                    _ => {}
                }
            }
        }
    }

    /// Carries this member's share of a cell.
    fn carry(&mut self, order: &Order) -> Result<(), DriveError> {
        let target = Target {
            bootstrap: Bootstrap {
                addresses: order.target.clone(),
                security: self.member.security.clone(),
            },
            broker_pids: Vec::new(),
            rig: None,
        };
        let alone = alone(&order.cell);
        let benches = prepare(&target, order, &alone)?;
        self.say(Word::Ready { cell: order.number })?;
        let start = self.start_of(order.number)?;
        let load = &order.cell.spec.load;
        let window = Window::new(
            start,
            load.warmup.duration(),
            load.duration.duration(),
            load.drain.duration(),
        );
        let mut share = self.share;
        let parts = benches.iter().zip(&order.loads).map(|(bench, load)| {
            let marking = Marking {
                run: load.marking,
                unix_offset_nanos: self.wall - self.ahead,
                ..bench.marking()
            };
            let part = Part::new(bench, share, window, marking);
            share = share.after(bench.cell.spec.producer.count);
            part
        });
        let parts = parts.collect();
        let loads = share::carry(self, order.number, parts)?;
        self.say(Word::Report(Box::new(Report {
            cell: order.number,
            loads,
        })))
    }

    /// When a cell starts, on this machine's monotonic clock.
    fn start_of(&mut self, cell: u32) -> Result<Mono, DriveError> {
        let deadline = Mono::now().after(PREPARE);
        while Mono::now() < deadline {
            for word in self.hear(LOOK)? {
                match word {
                    Word::Go { cell: of, start } if of == cell => {
                        let here = start + self.ahead - self.wall;
                        return Ok(Mono(u64::try_from(here).unwrap_or(0)));
                    }
                    Word::Abort { reason } => return Err(gone(reason)),
                    _ => {}
                }
            }
        }
        Err(gone(format!("cell {cell} did not start in {PREPARE:?}")))
    }
}

/// Gets a cell's workloads ready, of which the topics are there.
fn prepare<'a>(
    target: &'a Target,
    order: &'a Order,
    alone: &'a [(Option<&'a str>, Cell)],
) -> Result<Vec<Bench<'a>>, DriveError> {
    let deadline = Mono::now().after(PREPARE);
    let mut control = Control::reach(&target.bootstrap)?;
    let each = alone.iter().zip(&order.loads).map(|((_, its), load)| {
        let route = Route {
            bootstrap: target.bootstrap.clone(),
            topic: load.topic.clone(),
            leaders: control.leaders(&load.topic, its.spec.topic.partitions, deadline)?,
        };
        Bench::prepare(target, its, &order.run, route)
    });
    each.collect()
}

pub(super) fn gone(cause: String) -> DriveError {
    DriveError::Worker {
        worker: "the run".to_owned(),
        cause,
    }
}

/// What turns this machine's monotonic clock into its wall clock.
pub fn wall_offset() -> i64 {
    let offset = jiff::Timestamp::now().as_nanosecond() - i128::from(Mono::now().0);
    i64::try_from(offset).unwrap_or(0)
}
