//! Faults that are caused on purpose while a cell is measured.
//!
//! `[[faults]]` is written once for each fault; its settings have the paths
//! `faults.1.kind`, `faults.2.kind` and so on, in the order written, so that
//! `--set` and sweeps reach them as they reach any other setting.

use super::{
    cell::CellSpec,
    choices::{CutDirection, FaultKind},
    contradictions::Contradiction,
    fields::{Params, settings},
};
use crate::units::Span;
use plimsoll_units::TextError;
use std::{fmt, path::Path};

/// Faults that one cell may have.
pub const FAULTS_MAX: usize = 32;

/// Nodes that a quorum of so many can lose is (n − 1) / 2; a single one has none
/// to spare.
const NODES_MIN: u32 = 3;

settings! {
    /// One fault: what happens to which node, when, and for how long. Times are
    /// counted from the start of the measured window.
    pub struct FaultSpec in "faults" {
        /// `kill` ends the node's process with SIGKILL and starts it again
        /// afterwards; `pause` stops it (SIGSTOP) and lets it go on; `cut` keeps
        /// it from other nodes, while clients still reach it; `slow-disk` delays
        /// each write and sync of its logs.
        kind: Option<FaultKind> = None, "";
        /// The node that it happens to, numbered from 1.
        node: u32 = 1, "", 1..=9;
        /// When it begins.
        at: Option<Span> = None, "";
        /// How long it lasts; until the end of the cell when unset.
        lasts: Option<Span> = None, "";
        /// `cut`: the node that it is cut off from; all others when unset.
        peer: Option<u32> = None, "";
        /// `cut`: which requests between them are lost: those in `both`
        /// directions, those that the node sends (`out`) or those sent to it (`in`).
        direction: CutDirection = CutDirection::Both, "";
        /// `slow-disk`: how long each write and each sync takes longer.
        delay: Span = Span::from_millis(20), "", Span::from_millis(1)..=Span::from_secs(60);
    }
}

impl FaultSpec {
    /// When it begins, from the start of the measured window.
    pub fn begins(&self) -> Span {
        self.at.unwrap_or(Span::ZERO)
    }

    /// When it ends; `None` for one that lasts until the cell is over.
    pub fn ends(&self) -> Option<Span> {
        self.lasts.map(|lasts| self.begins().plus(lasts))
    }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(kind) = self.kind else {
            return write!(f, "nothing on node {}", self.node);
        };
        write!(f, "{kind} node {}", self.node)?;
        match kind {
            FaultKind::Cut => {
                if let Some(peer) = self.peer {
                    write!(f, " from node {peer}")?;
                }
                match self.direction {
                    CutDirection::Both => Ok(()),
                    one_way => write!(f, " ({one_way})"),
                }
            }
            FaultKind::SlowDisk => write!(f, " by {}", self.delay),
            FaultKind::Kill | FaultKind::Pause => Ok(()),
        }
    }
}

/// Sets `N.FIELD` of the list of faults, making the list long enough; `None`
/// when there is no such setting.
pub(super) fn set(
    faults: &mut Vec<FaultSpec>,
    path: &str,
    text: &str,
    base: &Path,
) -> Option<Result<(), TextError>> {
    let (number, field) = path.split_once('.')?;
    let number: usize = number.parse().ok()?;
    if !(1..=FAULTS_MAX).contains(&number) {
        return None;
    }
    let mut fault = faults.get(number - 1).cloned().unwrap_or_default();
    let outcome = fault.set(field, text, base)?;
    if outcome.is_ok() {
        if faults.len() < number {
            faults.resize(number, FaultSpec::default());
        }
        if let Some(slot) = faults.get_mut(number - 1) {
            *slot = fault;
        }
    }
    Some(outcome)
}

/// Adds every fault's settings to `out` as `faults.N.FIELD`, those alone that
/// its kind has.
pub(super) fn params(faults: &[FaultSpec], out: &mut Params) {
    for (number, fault) in (1..).zip(faults) {
        let mut own = Params::new();
        fault.params(&mut own);
        let means = |field: &str| match field {
            "peer" | "direction" => fault.kind.is_none_or(|kind| kind == FaultKind::Cut),
            "delay" => fault.kind.is_none_or(|kind| kind == FaultKind::SlowDisk),
            _ => true,
        };
        for (path, value) in own {
            let field = path.trim_start_matches("faults.");
            if means(field) {
                out.insert(format!("faults.{number}.{field}"), value);
            }
        }
    }
}

/// Everything in the faults of `cell` that contradicts itself, with its path.
pub(super) fn contradictions(cell: &CellSpec) -> Vec<Contradiction> {
    let numbered = (1..).zip(&cell.faults);
    let each = numbered.flat_map(|(number, fault)| {
        let found = one(cell, fault).into_iter();
        found.map(move |(field, message)| (format!("faults.{number}.{field}"), message))
    });
    each.chain(together(cell))
        .map(|(path, message)| Contradiction { path, message })
        .collect()
}

fn one(cell: &CellSpec, fault: &FaultSpec) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut refuse = |field, message| found.push((field, message));
    let (nodes, duration) = (cell.cluster.nodes, cell.load.duration);
    let Some(kind) = fault.kind else {
        refuse(
            "kind",
            "what happens? Set it to kill, pause, cut or slow-disk".to_owned(),
        );
        return found;
    };
    if nodes < NODES_MIN {
        refuse(
            "kind",
            format!("a fault needs nodes that are left: set cluster.nodes to 3 or 5, not {nodes}"),
        );
    }
    if fault.node > nodes {
        let node = fault.node;
        refuse("node", format!("there are nodes 1 to {nodes}, not {node}"));
    }
    match fault.at {
        None => refuse("at", "when does it begin? Set it, such as 5s".to_owned()),
        Some(at) if at >= duration => refuse(
            "at",
            format!("{at} is after the measured time: load.duration is {duration}"),
        ),
        Some(_) => {}
    }
    if fault.lasts == Some(Span::ZERO) {
        refuse(
            "lasts",
            "nothing happens in no time: set more than 0s".to_owned(),
        );
    }
    if let Some(peer) = fault.peer
        && (peer == fault.node || !(1..=nodes).contains(&peer))
    {
        refuse(
            "peer",
            format!(
                "another node than {}, of 1 to {nodes}, not {peer}",
                fault.node
            ),
        );
    }
    let default = FaultSpec::default();
    let is_cut = kind == FaultKind::Cut;
    if !is_cut && fault.peer.is_some() {
        refuse("peer", format!("a cut has a peer, a {kind} has none"));
    }
    if !is_cut && fault.direction != default.direction {
        refuse(
            "direction",
            format!("a cut has a direction, a {kind} has none"),
        );
    }
    if kind != FaultKind::SlowDisk && fault.delay != default.delay {
        refuse(
            "delay",
            format!("a slow-disk has a delay, a {kind} has none"),
        );
    }
    found
}

/// Two faults of one kind on one node at once cannot be told apart when the
/// first ends, and a process that is dead can be neither paused nor slowed.
fn together(cell: &CellSpec) -> Vec<(String, String)> {
    let ends = |fault: &FaultSpec| fault.ends().unwrap_or(Span::from_nanos(u64::MAX));
    let clash = |a: &FaultSpec, b: &FaultSpec| {
        let overlap = a.begins() < ends(b) && b.begins() < ends(a);
        let kill = [a.kind, b.kind].contains(&Some(FaultKind::Kill));
        a.node == b.node && overlap && (a.kind == b.kind || kill)
    };
    let mut found = Vec::new();
    for (number, fault) in (1..).zip(&cell.faults) {
        let before = cell.faults.iter().take(number - 1);
        for (other, _) in (1..).zip(before).filter(|(_, other)| clash(other, fault)) {
            found.push((
                format!("faults.{number}.at"),
                format!(
                    "faults {other} and {number} hit node {} at once",
                    fault.node
                ),
            ));
        }
    }
    if cell.load.rate == super::RateSpec::Search && !cell.faults.is_empty() {
        let message = "a search looks for a rate that holds: leave the faults out".to_owned();
        found.push(("load.rate".to_owned(), message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Spec;

    fn read(faults: &str, sets: &[&str]) -> Result<Spec, String> {
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        let text = format!("cluster.nodes = 3\nload.duration = '30s'\n{faults}");
        Spec::parse(&text, "w.toml", Path::new(""), &sets).map_err(|error| error.to_string())
    }

    fn fault(rest: &str) -> String {
        format!("[[faults]]\nkind = 'cut'\nat = '5s'\n{rest}\n")
    }

    #[test]
    fn faults_are_read_in_their_order_and_named_by_what_they_do() {
        let text = [
            fault("node = 2\npeer = 3\ndirection = 'in'"),
            fault("lasts = '1s'\nkind = 'slow-disk'").replace("kind = 'cut'\n", ""),
        ]
        .concat();
        let spec = read(
            &text,
            &["faults.2.node=3", "faults.3.kind=kill", "faults.3.at=9s"],
        );
        let faults = spec.expect("they are read").base.faults;
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "cut node 2 from node 3 (in)",
            "slow-disk node 3 by 20ms",
            "kill node 1",
        ];
        assert_eq!(told, expected);
        let ends = |fault: &FaultSpec| fault.ends();
        let ends: Vec<_> = faults.iter().map(ends).collect();
        assert_eq!(ends, [None, Some(Span::from_secs(6)), None]);
    }

    #[test]
    fn a_list_in_a_fault_is_a_sweep_and_part_of_a_cells_identity() {
        let spec = read(&fault("lasts = ['1s', '2s']"), &[]).expect("it is read");
        let plan = spec.plan().expect("it is planned");
        let ids: std::collections::BTreeSet<_> = plan.cells.iter().map(|cell| &cell.id).collect();
        assert_eq!((plan.cells.len(), ids.len()), (2, 2));
        let params = plan.cells.first().map(|cell| &cell.params);
        let shown = params.and_then(|params| params.get("faults.1.lasts"));
        assert_eq!(shown, Some(&"1s".into()));
    }

    #[test]
    fn what_cannot_be_caused_is_refused() {
        let check = |faults: &str, sets: &[&str], expected: &str| {
            let error = read(faults, sets).and_then(|spec| spec.plan().map_err(|e| e.to_string()));
            let error = error.expect_err(faults);
            assert!(error.contains(expected), "{error}");
        };
        let one = fault("");
        check(
            "[[faults]]\nat = '1s'",
            &[],
            "w.toml: faults.1.kind: what happens?",
        );
        check(
            "[[faults]]\nkind = 'kill'",
            &[],
            "faults.1.at: when does it begin?",
        );
        check(
            "[[faults]]\nkind = 'burn'",
            &[],
            "faults.1.kind: `burn` is not kill, pause",
        );
        check(
            &one,
            &["cluster.nodes=1"],
            "set cluster.nodes to 3 or 5, not 1",
        );
        check(&one, &["faults.1.node=4"], "there are nodes 1 to 3, not 4");
        check(&one, &["faults.1.at=30s"], "30s is after the measured time");
        check(&one, &["faults.1.lasts=0s"], "nothing happens in no time");
        check(&one, &["faults.1.peer=1"], "another node than 1");
        check(
            &one,
            &["faults.1.delay=9ms"],
            "a slow-disk has a delay, a cut has none",
        );
        check(
            &one,
            &["faults.1.kind=kill", "faults.1.peer=2"],
            "a cut has a peer",
        );
        check(
            &one,
            &["faults.1.kind=pause", "faults.1.direction=in"],
            "a cut has a direction",
        );
        check(&one.repeat(2), &[], "faults 1 and 2 hit node 1 at once");
        check(
            &one,
            &["faults.3.kind=kill"],
            "faults.2.kind: what happens?",
        );
        check(
            &one,
            &["faults.33.kind=kill"],
            "faults are numbered from 1 to 32",
        );
        check(
            &one,
            &["faults.1.wen=3s"],
            "a fault has kind, node, at, lasts",
        );
        check("faults = 3", &[], "write it as [[faults]]");
        check("[faults]\nkind = 'kill'", &[], "write it as [[faults]]");
        check(
            &one,
            &["load.rate=search", "load.objective=9ms"],
            "leave the faults out",
        );
    }
}
