//! Causing a cell's faults when their time has come, and noting when that was.
//!
//! The cluster is told through a [`Rig`]; what it does must not take long,
//! because the conductor waits for it. Faults begin and end with the
//! conductor's tick, some tens of milliseconds late at most; the times in the
//! result are when they did.

use crate::clock::Mono;
use crate::error::DriveError;
use crate::observe::Watch;
use crate::record::Window;
use crate::verify::Counts;
use plimsoll_results::{Fault, Second};
use plimsoll_workloads::CellSpec;
use plimsoll_workloads::language::{Acks, FaultSpec};
use std::fmt;
use std::sync::Arc;

/// A cluster whose nodes faults can be caused in.
pub trait Rig: fmt::Debug + Send + Sync {
    /// Causes a fault, without waiting for what comes of it.
    ///
    /// # Errors
    /// In words, when it cannot be caused.
    fn begin(&self, fault: &FaultSpec) -> Result<(), String>;

    /// Ends it, without waiting either.
    ///
    /// # Errors
    /// In words, when it cannot be ended.
    fn end(&self, fault: &FaultSpec) -> Result<(), String>;

    /// The nodes' processes that there are now.
    fn pids(&self) -> Vec<u32>;
}

/// The faults of one cell and how far they are.
pub(super) struct Script {
    rig: Option<Arc<dyn Rig>>,
    start: Mono,
    acts: Vec<Act>,
}

struct Act {
    spec: FaultSpec,
    began: Option<Mono>,
    ended: Option<Mono>,
}

impl Script {
    /// The faults of `spec`, in the order of their begin.
    pub(super) fn new(spec: &CellSpec, rig: Option<Arc<dyn Rig>>, window: &Window) -> Self {
        let mut acts: Vec<Act> = (spec.faults.iter().cloned())
            .map(|spec| Act {
                spec,
                began: None,
                ended: None,
            })
            .collect();
        acts.sort_by_key(|act| act.spec.begins());
        Self {
            rig,
            start: window.from,
            acts,
        }
    }

    /// When the next fault begins or ends.
    pub(super) fn next(&self) -> Option<Mono> {
        let at = |act: &Act| match (act.began, act.ended) {
            (None, _) => Some(self.start.after(act.spec.begins().duration())),
            (Some(_), None) => act.spec.ends().map(|end| self.start.after(end.duration())),
            (Some(_), Some(_)) => None,
        };
        self.acts.iter().filter_map(at).min()
    }

    /// Begins and ends what is due.
    pub(super) fn turn(&mut self, now: Mono, watch: &mut Watch) -> Result<(), DriveError> {
        let Some(rig) = self.rig.as_ref().filter(|_| !self.acts.is_empty()) else {
            return Ok(());
        };
        let start = self.start;
        let is_due = |span: plimsoll_workloads::units::Span| now >= start.after(span.duration());
        for act in &mut self.acts {
            let refused = |cause: String| DriveError::Fault {
                fault: act.spec.to_string(),
                cause,
            };
            if act.began.is_none() && is_due(act.spec.begins()) {
                watch.settle();
                rig.begin(&act.spec).map_err(refused)?;
                act.began = Some(Mono::now());
                watch.follow(&rig.pids());
            } else if act.began.is_some()
                && act.ended.is_none()
                && act.spec.ends().is_some_and(is_due)
            {
                watch.settle();
                rig.end(&act.spec).map_err(refused)?;
                act.ended = Some(Mono::now());
                watch.follow(&rig.pids());
            }
        }
        Ok(())
    }

    /// What was caused, for the result.
    pub(super) fn caused(&self) -> Vec<Fault> {
        let seconds = |at: Mono| at.since(self.start) as f64 / 1e9;
        let caused = self.acts.iter().filter_map(|act| {
            Some(Fault {
                what: act.spec.to_string(),
                kind: act.spec.kind?.to_string(),
                node: act.spec.node,
                from_s: seconds(act.began?),
                to_s: act.ended.map(seconds),
                dip: None,
            })
        });
        caused.collect()
    }
}

/// The faults, each with what it did to the throughput.
pub(super) fn with_dips(mut faults: Vec<Fault>, timeline: &[Second]) -> Vec<Fault> {
    let begins: Vec<f64> = faults.iter().map(|fault| fault.from_s).collect();
    let turns: Vec<f64> = faults
        .iter()
        .flat_map(|fault| [Some(fault.from_s), fault.to_s])
        .flatten()
        .collect();
    for fault in &mut faults {
        let before = turns.iter().copied().filter(|at| *at < fault.from_s);
        let since = before.fold(0.0, f64::max);
        let later = begins.iter().copied().filter(|at| *at > fault.from_s);
        let until = later.fold(f64::INFINITY, f64::min);
        fault.dip = fault.dip(timeline, since, until);
    }
    faults
}

/// Whether what became of the records is no more than faults may do to them
/// with the settings of `spec`: Kafka keeps what all in-sync replicas have, if
/// these are at least two, and drops repeats of idempotent producers alone.
pub(super) fn within_promise(spec: &CellSpec, counts: &Counts) -> bool {
    const MIN_INSYNC: &str = "min.insync.replicas";
    let copies = spec.topic.configs.get(MIN_INSYNC);
    let copies = copies.or_else(|| spec.broker.get(MIN_INSYNC));
    let copies: u32 = copies.and_then(|count| count.parse().ok()).unwrap_or(1);
    let keeps = spec.producer.acks == Acks::All && copies >= 2;
    let in_order = spec.producer.is_idempotent();
    !spec.faults.is_empty()
        && counts.corrupt == 0
        && counts.aborted_read == 0
        && (counts.lost == 0 || !keeps)
        && (counts.duplicated + counts.reordered == 0 || !in_order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use plimsoll_workloads::Spec;
    use std::path::Path;
    use std::time::Duration;

    #[derive(Debug, Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Rig for Notes {
        fn begin(&self, fault: &FaultSpec) -> Result<(), String> {
            self.0.lock().push(format!("begin {fault}"));
            Ok(())
        }

        fn end(&self, fault: &FaultSpec) -> Result<(), String> {
            self.0.lock().push(format!("end {fault}"));
            Ok(())
        }

        fn pids(&self) -> Vec<u32> {
            Vec::new()
        }
    }

    fn spec(rest: &str) -> CellSpec {
        let toml = format!(
            "cluster.nodes = 3\nload.duration = \"30s\"\n{rest}\n\
             [[faults]]\nkind = \"cut\"\nnode = 2\ndirection = \"in\"\nat = \"6s\"\nlasts = \"1s\"\n\
             [[faults]]\nkind = \"kill\"\nat = \"2s\"\nlasts = \"5s\"\n\
             [[faults]]\nkind = \"pause\"\nnode = 3\nat = \"8s\"\n"
        );
        match Spec::parse(&toml, "test.toml", Path::new("."), &[]) {
            Ok(spec) => spec.base,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn faults_begin_and_end_in_their_time() {
        let notes = Arc::new(Notes::default());
        let window = Window::new(
            Mono(0),
            Duration::ZERO,
            Duration::from_secs(30),
            Duration::ZERO,
        );
        let rig: Arc<dyn Rig> = Arc::clone(&notes) as _;
        let mut script = Script::new(&spec(""), Some(rig), &window);
        let mut watch = Watch::new(&[]);
        let mut at = |seconds: u64, expected: &[&str]| {
            let now = window.from.after(Duration::from_secs(seconds));
            script.turn(now, &mut watch).expect("caused");
            assert_eq!(*notes.0.lock(), expected, "at {seconds} s");
            notes.0.lock().clear();
        };
        at(1, &[]);
        at(2, &["begin kill node 1"]);
        at(3, &[]);
        at(7, &["end kill node 1", "begin cut node 2 (in)"]);
        at(7, &["end cut node 2 (in)"]);
        at(29, &["begin pause node 3"]);
        at(100, &[]);
        let caused = script.caused();
        let kinds: Vec<_> = caused.iter().map(|fault| fault.kind.as_str()).collect();
        assert_eq!(kinds, ["kill", "cut", "pause"]);
        assert!(caused.iter().take(2).all(|fault| fault.to_s.is_some()));
        assert_eq!(caused.last().map(|fault| fault.to_s), Some(None));
    }

    #[test]
    fn a_promise_is_what_the_settings_say() {
        let lost = Counts {
            lost: 1,
            ..Counts::default()
        };
        let duplicated = Counts {
            duplicated: 1,
            ..Counts::default()
        };
        let check = |rest: &str, counts: &Counts, expected: bool| {
            assert_eq!(within_promise(&spec(rest), counts), expected, "{rest}");
        };
        let two = "topic.replication_factor = 3\ntopic.configs.min.insync.replicas = 2";
        check(two, &lost, false);
        check(two, &duplicated, false);
        check("producer.idempotence = false", &duplicated, true);
        check("", &lost, true);
        check(&format!("producer.acks = 1\n{two}"), &lost, true);
        check(
            &format!("{two}\nproducer.acks = 1"),
            &Counts::default(),
            true,
        );
        let corrupt = Counts {
            corrupt: 1,
            ..Counts::default()
        };
        check("producer.acks = 1", &corrupt, false);
        let calm = CellSpec {
            faults: Vec::new(),
            ..spec("producer.acks = 1")
        };
        assert!(!within_promise(&calm, &lost));
    }
}
