//! The lead: it gathers members, sets cells up, starts them together and merges
//! what they report.

use super::member::wall_offset;
use super::merged::BrokerWatch;
use super::message::{Letter, Load, Order, Read, Word};
use super::verdict::Verdict;
use super::{Board, DRAIN_BEAT, HEARTBEAT, JOIN, LOOK, PREPARE, SILENCE};
use crate::cell::{
    Bench, Interrupt, Options, Phase, Progress, Target, check, has_dead_letters, on_fresh_topics,
};
use crate::clock::Mono;
use crate::error::DriveError;
use crate::record::Window;
use plimsoll_results::{CellResult, WorkerClock};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::{Cell, CellSpec, Run};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many times each member's clock is asked for.
const PINGS: u32 = 16;
/// Time from the word to start until the schedule begins.
const LEAD_TIME: Duration = Duration::from_millis(1500);
/// How long reports may take beyond the drain.
const REPORT: Duration = Duration::from_secs(60);

/// What a lead needs to gather members.
#[derive(Clone, Debug)]
pub struct Summons {
    /// Names the run; no other has it.
    pub session: String,
    /// Its version; only members of the same are taken.
    pub version: String,
    /// How many members there must be.
    pub members: u32,
}

/// A run's lead, with its members.
#[derive(Debug)]
pub struct Lead {
    board: Board,
    session: String,
    members: Vec<Seat>,
    /// Cells ordered so far.
    cells: u32,
    /// Turns this machine's monotonic clock into its wall clock, read once.
    wall: i64,
    spoke: Mono,
    /// How far groups of the cell have read, as far as that was said.
    read: Read,
}

/// A member, as the lead sees it.
#[derive(Debug)]
struct Seat {
    name: String,
    host: String,
    heard: Mono,
    acknowledged: u64,
    /// By how much its clock is ahead, and how far off that may be.
    ahead_nanos: i64,
    bound_nanos: i64,
}

impl Seat {
    fn label(&self) -> String {
        format!("worker {} on {}", self.name, self.host)
    }
}

/// Refuses what several processes cannot carry together.
fn check_shared(spec: &CellSpec, members: usize) -> Result<(), DriveError> {
    let producers: u64 = spec.each().map(|its| u64::from(its.producer.count)).sum();
    if producers < members as u64 {
        return Err(DriveError::Setting {
            field: "producer.count",
            value: producers.to_string(),
            accepted: format!("at least {members}: one for each worker"),
        });
    }
    if !spec.faults.is_empty() {
        return refuse("faults", &format!("{} of them", spec.faults.len()));
    }
    spec.each().try_for_each(check_load)
}

fn check_load(spec: &CellSpec) -> Result<(), DriveError> {
    check(spec)?;
    if let Some(records) = spec.transactions.records {
        return refuse("transactions.records", &records.to_string());
    }
    if spec.load.rate == RateSpec::Search {
        return refuse("load.rate", "search");
    }
    if spec.load.prefill.get() > 0 {
        return refuse("load.prefill", &spec.load.prefill.get().to_string());
    }
    if has_dead_letters(spec) {
        return refuse("poison.dead_letters", "true");
    }
    if spec.consumer.late_groups() > 0 {
        let after = spec.consumer.start_after.to_string();
        return refuse("consumer.start_after", &after);
    }
    Ok(())
}

fn refuse(field: &'static str, value: &str) -> Result<(), DriveError> {
    Err(DriveError::Setting {
        field,
        value: value.to_owned(),
        accepted: "leave it out with --workers: one process has to see all of it".to_owned(),
    })
}

/// What members have to know of a workload.
fn load(bench: &Bench<'_>) -> Load {
    Load {
        topic: bench.route.topic.clone(),
        marking: bench.marking().run,
    }
}

/// Where the logs of each workload end, its producers having handed over so many
/// records, by member and workload.
fn ends(benches: &[Bench<'_>], sent: &[Vec<u64>]) -> Result<Vec<Vec<Offset>>, DriveError> {
    let each = benches.iter().enumerate().map(|(at, bench)| {
        let of_all = sent.iter().filter_map(|of_member| of_member.get(at));
        bench.ends_after(of_all.sum())
    });
    each.collect()
}

impl Lead {
    /// Calls until enough members have come, and compares clocks with them.
    ///
    /// # Errors
    /// When they do not come in time, or the control topic cannot be used.
    pub fn gather(
        board: Board,
        summons: &Summons,
        tell: &dyn Fn(&str),
        stops: &dyn Fn() -> bool,
    ) -> Result<Self, DriveError> {
        let mut lead = Self {
            board,
            session: summons.session.clone(),
            members: Vec::new(),
            cells: 0,
            wall: wall_offset(),
            spoke: Mono(0),
            read: Read::default(),
        };
        let deadline = Mono::now().after(JOIN);
        let wanted = summons.members as usize;
        tell(&format!("waiting for {wanted} workers"));
        while lead.members.len() < wanted {
            if stops() {
                return Err(DriveError::Interrupted);
            }
            if Mono::now() >= deadline {
                return Err(DriveError::Worker {
                    worker: "the team".into(),
                    cause: format!(
                        "{} of {wanted} workers came in {JOIN:?}; start `plimsoll worker` with \
                         the same --rendezvous and --topic, in the same version",
                        lead.members.len()
                    ),
                });
            }
            if Mono::now().elapsed_since(lead.spoke) >= HEARTBEAT {
                lead.spoke = Mono::now();
                let version = summons.version.clone();
                lead.say(Word::Call { version })?;
            }
            for letter in lead.letters()? {
                let known = lead.members.iter().any(|seat| seat.name == letter.from);
                if let Word::Join { host } = letter.word
                    && !known
                    && lead.members.len() < wanted
                {
                    tell(&format!("worker {} on {host} came", letter.from));
                    lead.members.push(Seat {
                        name: letter.from,
                        host,
                        heard: Mono::now(),
                        acknowledged: 0,
                        ahead_nanos: 0,
                        bound_nanos: i64::MAX,
                    });
                }
            }
        }
        let members = lead.members.iter().map(|seat| seat.name.clone()).collect();
        lead.say(Word::Enlist { members })?;
        if let Err(error) = lead.compare_clocks() {
            return Err(lead.give_up(error));
        }
        Ok(lead)
    }

    fn say(&mut self, word: Word) -> Result<(), DriveError> {
        self.board.send(&Letter {
            session: self.session.clone(),
            from: String::new(),
            word,
        })
    }

    fn letters(&mut self) -> Result<Vec<Letter>, DriveError> {
        let letters = self.board.letters(LOOK)?;
        let ours = |letter: &Letter| letter.session == self.session && !letter.from.is_empty();
        Ok(letters.into_iter().filter(ours).collect())
    }

    /// The members' words since the last look, by member; says that it is there
    /// itself, and notices who is not.
    fn hear(&mut self) -> Result<Vec<(usize, Word)>, DriveError> {
        let beat = if self.read.is_empty() {
            HEARTBEAT
        } else {
            DRAIN_BEAT
        };
        if Mono::now().elapsed_since(self.spoke) >= beat {
            self.spoke = Mono::now();
            self.say(Word::Alive {
                acknowledged: 0,
                read: self.read.clone(),
            })?;
        }
        let mut words = Vec::new();
        for letter in self.letters()? {
            let Some(at) = self.members.iter().position(|s| s.name == letter.from) else {
                continue;
            };
            let Some(seat) = self.members.get_mut(at) else {
                continue;
            };
            seat.heard = Mono::now();
            match letter.word {
                Word::Alive { acknowledged, read } => {
                    seat.acknowledged = acknowledged;
                    self.read.absorb(read);
                }
                Word::Failed { reason } => {
                    return Err(DriveError::Worker {
                        worker: seat.label(),
                        cause: reason,
                    });
                }
                word => words.push((at, word)),
            }
        }
        Ok(words)
    }

    /// Names a member that has said nothing for too long.
    fn notice_silence(&self) -> Result<(), DriveError> {
        let silent = |seat: &&Seat| Mono::now().elapsed_since(seat.heard) > SILENCE;
        match self.members.iter().find(silent) {
            None => Ok(()),
            Some(seat) => Err(DriveError::Worker {
                worker: seat.label(),
                cause: format!("it has been silent for {SILENCE:?}; has it died?"),
            }),
        }
    }

    /// Hears until each member has said what `take` waits for.
    fn await_all<T>(
        &mut self,
        what: &str,
        deadline: Mono,
        watch: &mut dyn FnMut(&Self) -> Result<(), DriveError>,
        take: impl Fn(Word) -> Option<T>,
    ) -> Result<Vec<T>, DriveError> {
        let mut taken: BTreeMap<usize, T> = BTreeMap::new();
        while taken.len() < self.members.len() {
            for (at, word) in self.hear()? {
                if let Some(word) = take(word) {
                    taken.insert(at, word);
                }
            }
            watch(self)?;
            if Mono::now() >= deadline {
                let mut late = (0..self.members.len()).filter(|at| !taken.contains_key(at));
                let late = late.next().and_then(|at| self.members.get(at));
                return Err(DriveError::Worker {
                    worker: late.map_or_else(|| "a worker".into(), Seat::label),
                    cause: format!("it is late: no {what} in time"),
                });
            }
        }
        Ok(taken.into_values().collect())
    }

    /// This machine's clock, in nanoseconds since the Unix epoch.
    fn now(&self) -> i64 {
        Mono::now().0.cast_signed() + self.wall
    }

    /// As NTP does: of several exchanges the shortest bounds the error best.
    fn compare_clocks(&mut self) -> Result<(), DriveError> {
        for number in 0..PINGS {
            let asked = self.now();
            self.say(Word::Ping { number, asked })?;
            let deadline = Mono::now().after(SILENCE);
            let mut missing = self.members.len();
            while missing > 0 && Mono::now() < deadline {
                for (at, word) in self.hear()? {
                    let now = self.now();
                    if let Word::Pong {
                        number: of,
                        asked,
                        got,
                        answered,
                    } = word
                        && of == number
                        && let Some(seat) = self.members.get_mut(at)
                    {
                        missing -= 1;
                        let bound = ((now - asked) - (answered - got)) / 2;
                        if bound < seat.bound_nanos {
                            seat.bound_nanos = bound;
                            seat.ahead_nanos = i64::midpoint(got - asked, answered - now);
                        }
                    }
                }
            }
            self.notice_silence()?;
        }
        let ahead = self.members.iter();
        let ahead = ahead.map(|seat| (seat.name.clone(), seat.ahead_nanos));
        let ahead = ahead.collect();
        self.say(Word::Offsets { ahead })
    }

    /// What the members' clocks are, for the result.
    fn clocks(&self) -> Vec<WorkerClock> {
        let clock = |seat: &Seat| WorkerClock {
            worker: seat.name.clone(),
            ahead_us: seat.ahead_nanos as f64 / 1e3,
            bound_us: seat.bound_nanos as f64 / 1e3,
        };
        self.members.iter().map(clock).collect()
    }

    /// Runs one cell on all members and judges it.
    ///
    /// # Errors
    /// When the cell cannot be carried together, a member fails or falls
    /// silent, or the run is interrupted.
    pub fn run_cell(
        &mut self,
        target: &Target,
        cell: &Cell,
        run: &Run,
        options: Options<'_>,
    ) -> Result<CellResult, DriveError> {
        check_shared(&cell.spec, self.members.len())?;
        let carried = on_fresh_topics(target, cell, run, |benches| {
            self.carry((cell, run), benches, options)
        });
        carried.map_err(|error| self.give_up(error))
    }

    /// Tells the members that the run ends, and why.
    fn give_up(&mut self, error: DriveError) -> DriveError {
        let reason = match &error {
            DriveError::Interrupted => "the run was stopped".to_owned(),
            other => other.to_string(),
        };
        let _told_as_far_as_it_goes = self.say(Word::Abort { reason });
        error
    }

    fn carry(
        &mut self,
        (cell, run): (&Cell, &Run),
        benches: &[Bench<'_>],
        options: Options<'_>,
    ) -> Result<CellResult, DriveError> {
        let number = self.cells;
        self.cells += 1;
        self.read = Read::default();
        let target = benches.first().map(|bench| bench.target);
        self.say(Word::Cell(Box::new(Order {
            number,
            cell: cell.clone(),
            run: *run,
            target: target.map_or_else(Vec::new, |its| its.bootstrap.addresses.clone()),
            loads: benches.iter().map(load).collect(),
        })))?;
        let interrupt = options.interrupt;
        let interrupted = move || match interrupt() {
            None => Ok(()),
            Some(Interrupt::Stopped) => Err(DriveError::Interrupted),
            Some(Interrupt::BrokerDied(how)) => Err(DriveError::BrokerDied(how)),
        };
        let by = Mono::now().after(PREPARE);
        self.await_all("readiness", by, &mut |_| interrupted(), |word| match word {
            Word::Ready { cell } if cell == number => Some(()),
            _ => None,
        })?;
        let start = Mono::now().after(LEAD_TIME);
        self.say(Word::Go {
            cell: number,
            start: start.0.cast_signed() + self.wall,
        })?;
        let load = &cell.spec.load;
        let window = Window::new(
            start,
            load.warmup.duration(),
            load.duration.duration(),
            load.drain.duration(),
        );
        let verdict = Verdict::prepare((cell, run), benches, window, options.dir)?;
        let mut broker = BrokerWatch::new(target.map_or(&[], |its| &its.broker_pids), window);
        let progress = options.progress;
        let mut tended = |lead: &Self| {
            broker.look();
            progress(&lead.progress(&window));
            lead.notice_silence()?;
            interrupted()
        };
        let by = window.give_up.after(REPORT);
        let sent = self.await_all("end of its producers", by, &mut tended, |word| match word {
            Word::Produced { cell, sent } if cell == number => Some(sent),
            _ => None,
        })?;
        let ends = ends(benches, &sent)?;
        self.say(Word::Ends {
            cell: number,
            ends: ends
                .iter()
                .map(|of_one| of_one.iter().map(|end| end.get()).collect())
                .collect(),
        })?;
        let reports = self.await_all("report", by, &mut tended, |word| match word {
            Word::Report(report) if report.cell == number => Some(*report),
            _ => None,
        })?;
        verdict.judge(reports, ends, broker.observed(), &self.clocks())
    }

    fn progress(&self, window: &Window) -> Progress {
        let now = Mono::now();
        Progress {
            pulse: None,
            phase: Phase::at(window, now),
            elapsed: now.elapsed_since(window.start),
            of: window.to.elapsed_since(window.start),
            acknowledged: self.members.iter().map(|seat| seat.acknowledged).sum(),
        }
    }

    /// Lets the members go.
    ///
    /// # Errors
    /// When the control topic cannot be used any more.
    pub fn end(mut self) -> Result<(), DriveError> {
        self.say(Word::Over)
    }
}
