//! What page and markdown say about a run besides its numbers: validity,
//! verification, environment, and the command to repeat it.

use crate::units::{bytes_rate, count, memory, micros};
use plimsoll_results::{Floor, FloorUnit, RunResult, Severity, Verified};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Overall state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Sound,
    Doubtful,
    Broken,
}

impl State {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Sound => "valid",
            Self::Doubtful => "valid with reservations",
            Self::Broken => "invalid",
        }
    }

    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Sound => "good",
            Self::Doubtful => "open",
            Self::Broken => "bad",
        }
    }
}

/// The state of a run: broken when data was damaged, a finding says so or no
/// cell is valid; doubtful with a warning, an invalid cell or missing cells.
pub(crate) fn state(run: &RunResult) -> State {
    let worst = run.findings.iter().map(|f| f.severity).max();
    let damaged = run.cells.iter().any(|c| c.verified.is_faulty());
    let none_valid = !run.cells.iter().any(|c| c.valid);
    if damaged || none_valid || worst == Some(Severity::Invalid) {
        return State::Broken;
    }
    let all_valid = run.cells.iter().all(|c| c.valid);
    let slow_build = run.fingerprint.build_profile == "debug";
    if !all_valid || !run.is_complete() || slow_build || worst == Some(Severity::Warning) {
        return State::Doubtful;
    }
    State::Sound
}

/// A finding with its severity in words.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub severity: &'static str,
    pub class: &'static str,
    pub text: String,
}

/// The audit's findings, what cells give as reasons, and what is missing; the
/// worst first.
pub(crate) fn notes(run: &RunResult) -> Vec<Note> {
    let mut notes: Vec<(Severity, String)> = run
        .findings
        .iter()
        .map(|f| (f.severity, f.message.clone()))
        .collect();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in run.cells.iter().flat_map(|c| &c.invalid_reasons) {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, cells) in reasons {
        let text = format!("{cells} of {} cells: {reason}", run.cells.len());
        notes.push((Severity::Invalid, text));
    }
    if !run.is_complete() {
        let text = format!(
            "The run was cut short: {} of {} cells ran.",
            run.cells.len(),
            run.planned_cells
        );
        notes.push((Severity::Warning, text));
    }
    if run.fingerprint.build_profile == "debug" {
        let text = "plimsoll was built without optimisation (no --release).".to_string();
        notes.push((Severity::Warning, text));
    }
    notes.sort_by_key(|(severity, _)| Reverse(*severity));
    notes
        .into_iter()
        .map(|(severity, text)| note(severity, text))
        .collect()
}

fn note(severity: Severity, text: String) -> Note {
    let (word, class) = match severity {
        Severity::Note => ("note", "none"),
        Severity::Warning => ("warning", "open"),
        Severity::Invalid => ("invalid", "bad"),
    };
    Note {
        severity: word,
        class,
        text,
    }
}

/// A name and a count, and whether the count is a fault.
pub(crate) type Tally = (&'static str, String, bool);

/// The ledger summed over all cells. Faults are marked where they are not zero.
pub(crate) fn ledger(run: &RunResult) -> Vec<Tally> {
    let sum = |field: fn(&Verified) -> u64| run.cells.iter().map(|c| field(&c.verified)).sum();
    let tally = |name, n: u64, fault: bool| (name, count(n), fault && n > 0);
    vec![
        tally("sent", sum(|v| v.sent), false),
        tally("acknowledged", sum(|v| v.acknowledged), false),
        tally("consumed", sum(|v| v.consumed), false),
        tally("lost", sum(|v| v.lost), true),
        tally("duplicated", sum(|v| v.duplicated), true),
        tally("reordered", sum(|v| v.reordered), true),
        tally("corrupt", sum(|v| v.corrupt), true),
        tally("aborted but read", sum(|v| v.aborted_read), true),
        tally("errors", sum(|v| v.errors), true),
    ]
    .into_iter()
    .filter(|(name, _, fault)| *fault || *name != "aborted but read")
    .collect()
}

/// What the ledger proves.
pub(crate) fn ledger_text(run: &RunResult) -> String {
    let unread = run
        .cells
        .iter()
        .filter(|c| !c.verified.consumer_ran)
        .count();
    if run.cells.is_empty() {
        return "No cell ran.".to_string();
    }
    if unread == run.cells.len() {
        return "Nothing was read back, so nothing is proven about loss or order.".to_string();
    }
    if unread > 0 {
        return format!("{unread} cells read nothing back and prove nothing about loss or order.");
    }
    "Every record carries its producer, sequence and checksum, and was looked for on the way \
     back."
        .to_string()
}

/// The machine, the build and the target, as names and values; empty ones are
/// left out.
pub(crate) fn environment(run: &RunResult) -> Vec<(&'static str, String)> {
    let f = &run.fingerprint;
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    let cores = match (f.logical_cores, f.physical_cores) {
        (0, _) => String::new(),
        (logical, Some(physical)) => format!("{logical} usable, {physical} physical"),
        (logical, None) => format!("{logical} usable"),
    };
    let storage = [f.filesystem.as_str(), f.device.as_str()];
    let storage: Vec<&str> = storage.into_iter().filter(|s| !s.is_empty()).collect();
    let rows = vec![
        ("Target", run.target.label().to_string()),
        ("Address", run.target.addresses.join(", ")),
        ("Brokers", non_zero(u64::from(run.target.nodes))),
        ("Client", run.target.client.clone()),
        ("Processor", f.cpu_model.clone()),
        ("Cores", cores),
        ("Governor", some(&f.governor)),
        ("Virtualisation", some(&f.virtualisation)),
        (
            "Memory",
            if f.memory_bytes == 0 {
                String::new()
            } else {
                memory(f.memory_bytes as f64)
            },
        ),
        ("Kernel", f.kernel.clone()),
        ("System", f.os.clone()),
        ("Storage", storage.join(" on ")),
        ("Floors", floors(run)),
        (
            "plimsoll",
            format!("{} {}", f.plimsoll_version, f.build_profile),
        ),
        ("Revision", some(&f.git_revision)),
        ("Machine", f.hash.clone()),
        ("Plan", run.plan_hash.clone()),
        ("Seed", run.seed.to_string()),
        ("Started", run.started_at.clone()),
        ("Finished", run.finished_at.clone()),
    ];
    rows.into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .collect()
}

/// What the machine does at best.
fn floors(run: &RunResult) -> String {
    let shown = |floor: &Floor| {
        let value = match floor.unit {
            FloorUnit::BytesPerSecond => bytes_rate(floor.value),
            FloorUnit::Microseconds => micros(floor.value),
        };
        format!("{} {value}", floor.name)
    };
    let floors: Vec<String> = run.floors.iter().map(shown).collect();
    floors.join(", ")
}

fn non_zero(n: u64) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

/// The command as a shell takes it.
pub(crate) fn command(run: &RunResult) -> String {
    let quoted: Vec<String> = run.command.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_results::{CellResult, Finding};

    #[track_caller]
    fn check_command(words: &[&str], expected: &str) {
        let run = RunResult {
            command: words.iter().map(|w| (*w).to_string()).collect(),
            ..RunResult::default()
        };
        assert_eq!(command(&run), expected);
    }

    #[test]
    fn the_command_can_be_pasted() {
        check_command(&["plimsoll", "run", "a.toml"], "plimsoll run a.toml");
        check_command(&["x", "--set", "a=it's b"], "x --set 'a=it'\\''s b'");
        check_command(&["x", ""], "x ''");
    }

    #[track_caller]
    fn check_state(change: impl Fn(&mut RunResult), expected: State) {
        let mut run = RunResult {
            cells: vec![CellResult {
                valid: true,
                ..CellResult::default()
            }],
            ..RunResult::default()
        };
        change(&mut run);
        assert_eq!(state(&run), expected);
    }

    #[test]
    fn the_state_is_the_worst_of_its_parts() {
        check_state(|_| (), State::Sound);
        check_state(|r| r.planned_cells = 2, State::Doubtful);
        check_state(|r| r.cells[0].valid = false, State::Broken);
        check_state(|r| r.cells[0].verified.lost = 1, State::Broken);
        check_state(|r| r.cells.clear(), State::Broken);
        let finding = Finding {
            severity: Severity::Warning,
            code: "steal".into(),
            message: "steal".into(),
        };
        check_state(|r| r.findings.push(finding.clone()), State::Doubtful);
    }
}
