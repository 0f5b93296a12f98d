//! The directory of a run, and what an interrupted run left in it.
//!
//! Invariant: a cell that the journal holds is never run again, and nothing in
//! a directory is overwritten that another plan left there.

use anyhow::{Context as _, bail};
use plimsoll_results::{CellResult, Journal};
use plimsoll_workloads::{Plan, Run};
use std::fs;
use std::path::{Path, PathBuf};

/// Where runs go without `--out`.
const RESULTS: &str = "results";
const PLAN_FILE: &str = "plan.json";

/// An open run directory.
#[derive(Debug)]
pub struct Place {
    /// The directory.
    pub dir: PathBuf,
    /// Cells finished before, and now.
    pub done: Vec<CellResult>,
    journal: Journal,
}

impl Place {
    /// Opens the directory of a new run, or of the one to resume, and writes
    /// the plan into it.
    pub fn open(out: Option<PathBuf>, plan: &Plan, resume: bool) -> anyhow::Result<Self> {
        let dir = match out {
            Some(dir) => dir,
            None if resume => latest(Path::new(RESULTS), plan)?,
            None => Path::new(RESULTS).join(directory_name(plan)),
        };
        let before = planned_hash(&dir)?;
        match (&before, resume) {
            (Some(_), false) => bail!(
                "{} holds a run already; accepted: --resume to go on with it, or another --out",
                dir.display()
            ),
            (Some(hash), true) if *hash != plan.hash => bail!(
                "{} holds another plan ({hash}, this one is {}): the workload, its --set or a \
                 sample has changed",
                dir.display(),
                plan.hash
            ),
            _ => {}
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let file = dir.join(PLAN_FILE);
        let text = serde_json::to_string_pretty(plan).context("cannot write the plan")?;
        // Whole or not at all: a run that is killed here can be resumed, too.
        let draft = dir.join(format!("{PLAN_FILE}.new"));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &file))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let (journal, done) = Journal::open(&dir)?;
        Ok(Self { dir, done, journal })
    }

    /// Whether this run of a cell is done.
    pub fn has(&self, id: &str, run: &Run) -> bool {
        self.done
            .iter()
            .any(|cell| cell.id == id && cell.repeat == run.repeat)
    }

    /// Keeps a finished cell; it is on disk when this returns.
    pub fn keep(&mut self, cell: CellResult) -> anyhow::Result<()> {
        self.journal.append(&cell)?;
        self.done.push(cell);
        Ok(())
    }
}

fn directory_name(plan: &Plan) -> String {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    format!("{}-{now}", plan.name)
}

/// The hash of the plan in `dir`, when there is one.
fn planned_hash(dir: &Path) -> anyhow::Result<Option<String>> {
    let file = dir.join(PLAN_FILE);
    if !file.exists() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let plan: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not a plan", file.display()))?;
    let hash = plan
        .get("hash")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    Ok(Some(hash.to_owned()))
}

/// The latest directory that holds this plan.
fn latest(results: &Path, plan: &Plan) -> anyhow::Result<PathBuf> {
    let prefix = format!("{}-", plan.name);
    let entries = fs::read_dir(results).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .filter(|dir| planned_hash(dir).ok().flatten().as_deref() == Some(&*plan.hash))
        .collect();
    found.sort();
    found.pop().with_context(|| {
        format!(
            "no run of {} with this plan under {}/: accepted: --out DIR, or no --resume",
            plan.name,
            results.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_workloads::Spec;

    fn plan(toml: &str) -> Plan {
        let spec = Spec::parse(toml, "tiny.toml", Path::new("."), &[]);
        match spec.and_then(|spec| spec.plan()) {
            Ok(plan) => plan,
            Err(error) => panic!("{error}"),
        }
    }

    fn check(dir: &Path, plan: &Plan, resume: bool, expected: Result<usize, &str>) {
        let opened = Place::open(Some(dir.to_owned()), plan, resume);
        match (opened, expected) {
            (Ok(place), Ok(done)) => assert_eq!(place.done.len(), done),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (opened, expected) => panic!("{:?} instead of {expected:?}", opened.map(|p| p.done)),
        }
    }

    #[test]
    fn a_run_is_resumed_but_never_overwritten() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let dir = dir.path().join("run");
        let (one, other) = (
            plan("[load]\nrate = \"1K/s\""),
            plan("[load]\nrate = \"2K/s\""),
        );
        check(&dir, &one, false, Ok(0));
        check(&dir, &one, false, Err("holds a run already"));
        check(&dir, &other, true, Err("holds another plan"));
        let mut place = Place::open(Some(dir.clone()), &one, true)?;
        let id = one.cells[0].id.to_string();
        assert!(!place.has(&id, &one.runs[0]));
        place.keep(CellResult {
            id: id.clone(),
            repeat: one.runs[0].repeat,
            ..CellResult::default()
        })?;
        assert!(place.has(&id, &one.runs[0]));
        check(&dir, &one, true, Ok(1));
        Ok(())
    }

    #[test]
    fn without_a_directory_the_latest_of_the_same_plan_is_resumed() -> anyhow::Result<()> {
        let results = tempfile::tempdir()?;
        let plan = plan("[load]\nrate = \"1K/s\"");
        assert!(latest(results.path(), &plan).is_err());
        for name in [
            "tiny-20200101-000000",
            "tiny-20210101-000000",
            "tiny-20220101-000000",
        ] {
            let dir = results.path().join(name);
            drop(Place::open(Some(dir.clone()), &plan, false)?);
            if name.contains("2022") {
                fs::write(dir.join(PLAN_FILE), "{\"hash\": \"another\"}")?;
            }
        }
        let found = latest(results.path(), &plan)?;
        assert!(
            found.ends_with("tiny-20210101-000000"),
            "{}",
            found.display()
        );
        Ok(())
    }
}
