//! A workload as read and checked: the settings of every cell, and the axes
//! along which cells differ.

use super::{
    cell::CellSpec,
    contradictions::contradictions,
    document::{self, Leaf, Written},
    fields::UNSET,
    gate::GateSpec,
    problem::{Origin, Problem, SpecError},
    rates::RateSpec,
    run::RunSpec,
    several::{self, WORKLOAD},
    suggest,
};
use crate::shipped;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Largest workload file read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

const ONE_VALUE: &str = "this holds for the whole run and takes one value";

/// A workload that has been read and whose every value has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Settings of the run as a whole.
    pub run: RunSpec,
    /// The settings that all cells share.
    pub base: CellSpec,
    /// How a gate judges it.
    pub gate: GateSpec,
    axes: Vec<Axis>,
    file: String,
    /// Where each setting was written.
    origins: BTreeMap<String, Origin>,
}

/// A setting with several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    path: String,
    texts: Vec<String>,
    values: Vec<Value>,
    base: PathBuf,
}

impl Axis {
    /// The setting's dotted path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its values in the order written, as they stand in a cell's parameters.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Gives `cell` the axis's value number `level`.
    pub(crate) fn apply(&self, level: usize, cell: &mut CellSpec) {
        if let Some(text) = self.texts.get(level) {
            let set = cell.set(&self.path, text, &self.base);
            debug_assert!(matches!(set, Some(Ok(()))), "checked when it was read");
        }
    }
}

impl Spec {
    /// Reads a workload by its path, or a shipped one by its name, with the
    /// overrides of `--set`.
    pub fn find(path_or_name: &str, sets: &[String]) -> Result<Self, SpecError> {
        let path = Path::new(path_or_name);
        match shipped::workload(path_or_name) {
            Some(workload) if !path.is_file() => {
                let file = format!("{path_or_name}.toml");
                Self::parse(workload.text, &file, Path::new(""), sets)
            }
            _ if path.exists() => Self::load(path, sets),
            _ => Err(SpecError::NotFound {
                name: path_or_name.to_owned(),
                accepted: shipped::advice(path_or_name),
            }),
        }
    }

    /// Reads a workload file with the overrides of `--set`.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, SpecError> {
        let unreadable = |source| SpecError::Read {
            path: path.to_owned(),
            source,
        };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_BYTES_MAX {
            let message = format!("{length} bytes are too many; a workload has at most 1MiB");
            return Err(unreadable(std::io::Error::other(message)));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base, sets)
    }

    /// Reads a workload's text. `file` names it in errors; relative paths in
    /// it start at `base`, those in `sets` at the working directory.
    pub fn parse(text: &str, file: &str, base: &Path, sets: &[String]) -> Result<Self, SpecError> {
        let mut leaves = document::leaves(text, file).map_err(SpecError::Refused)?;
        let mut problems = Vec::new();
        for argument in sets {
            match document::set_leaf(argument) {
                Ok(leaf) => {
                    leaves.retain(|written| written.path != leaf.path);
                    leaves.push(leaf);
                }
                Err(problem) => problems.push(problem),
            }
        }
        let mut spec = Self {
            run: RunSpec::default(),
            base: CellSpec::default(),
            gate: GateSpec::default(),
            axes: Vec::new(),
            file: file.to_owned(),
            origins: BTreeMap::new(),
        };
        for leaf in leaves {
            let base = match leaf.origin {
                Origin::Set => Path::new(""),
                Origin::Line(..) | Origin::Whole(_) => base,
            };
            problems.extend(spec.read_leaf(leaf, base));
        }
        if spec.run.name.is_empty() {
            let stem = Path::new(file).file_stem().unwrap_or_default();
            spec.run.name = stem.to_string_lossy().into_owned();
        }
        problems.extend(spec.bad_name());
        let gate = spec.gate.contradiction();
        problems.extend(gate.map(|(path, message)| spec.problem(path, message)));
        if problems.is_empty() && spec.axes.is_empty() {
            let found = contradictions(&spec.base).into_iter();
            problems.extend(found.map(|found| spec.problem(&found.path, found.message)));
        }
        match problems.is_empty() {
            true => Ok(spec),
            false => Err(SpecError::Refused(problems)),
        }
    }

    /// The settings with several values, in the order written.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// A problem with the setting `path`, where it was written.
    pub(crate) fn problem(&self, path: &str, message: String) -> Problem {
        let whole = || Origin::Whole(self.file.clone());
        Problem {
            origin: self.origins.get(path).cloned().unwrap_or_else(whole),
            path: path.to_owned(),
            message,
        }
    }

    fn read_leaf(&mut self, leaf: Leaf, base: &Path) -> Vec<Problem> {
        self.origins.insert(leaf.path.clone(), leaf.origin.clone());
        let problem = |message: String| Problem {
            origin: leaf.origin.clone(),
            path: leaf.path.clone(),
            message,
        };
        if let Written::Workload(name) = &leaf.written {
            self.base.begin_workload(name.clone());
            return Vec::new();
        }
        if let Some(message) = self.misplaced(&leaf.path) {
            return vec![problem(message)];
        }
        if let Some(name) = leaf.path.strip_prefix("gate.") {
            return match self.set_gate(name, &leaf.written, base) {
                Some(Ok(())) => Vec::new(),
                Some(Err(message)) => vec![problem(message)],
                None => vec![problem(suggest::unknown(&leaf.path))],
            };
        }
        match &leaf.written {
            Written::One(text) => {
                let set = match self.run.set(&leaf.path, text, base) {
                    Some(set) => Some(set),
                    None => self.base.set(&leaf.path, text, base),
                };
                match set {
                    Some(Ok(())) => Vec::new(),
                    Some(Err(error)) => vec![problem(error.to_string())],
                    None => vec![problem(suggest::unknown(several::setting(&leaf.path)))],
                }
            }
            Written::Workload(_) => Vec::new(),
            Written::List(texts) => match self.read_axis(&leaf.path, texts, base) {
                Ok(axis) => {
                    self.axes.push(axis);
                    Vec::new()
                }
                Err(messages) => messages.into_iter().map(problem).collect(),
            },
        }
    }

    /// Why `path` can be no setting of a workload of several.
    fn misplaced(&self, path: &str) -> Option<String> {
        let under = path.strip_prefix(WORKLOAD)?;
        if !(under.is_empty() || under.starts_with('.')) {
            return None;
        }
        let names = self.base.workloads.iter().map(|w| w.name.as_str());
        let names: Vec<_> = names.collect();
        if under.is_empty() || names.is_empty() {
            return Some(
                "workloads are written as [[workload]], each with a name and sections of its own"
                    .to_owned(),
            );
        }
        let (name, setting) = several::split(path)?;
        if !names.contains(&name) {
            let names = names.join(", ");
            return Some(format!("there is no workload `{name}`; there are {names}"));
        }
        several::is_shared(setting)
            .then(|| format!("this holds for all workloads of a cell: set {setting} at the top"))
    }

    /// Sets what holds for the whole gate; its metrics may be a list.
    fn set_gate(
        &mut self,
        name: &str,
        written: &Written,
        base: &Path,
    ) -> Option<Result<(), String>> {
        let text = match written {
            Written::One(text) => text.clone(),
            Written::List(texts) if name == "metrics" => texts.join(", "),
            Written::List(_) | Written::Workload(_) => return Some(Err(ONE_VALUE.to_owned())),
        };
        let set = self.gate.set(name, &text, base)?;
        Some(set.map_err(|error| error.to_string()))
    }

    /// Reads each value of a list into a cell of its own, which checks it and
    /// tells its canonical form.
    fn read_axis(&self, path: &str, texts: &[String], base: &Path) -> Result<Axis, Vec<String>> {
        let setting = several::setting(path);
        if RunSpec::FIELDS.iter().any(|field| field.name == path) {
            return Err(vec![ONE_VALUE.to_owned()]);
        }
        let mut values: Vec<Value> = Vec::with_capacity(texts.len());
        let mut messages = Vec::new();
        for text in texts {
            let mut probe = CellSpec::default();
            if setting.starts_with("search.") {
                // A cell shows the search's settings only where there is one.
                probe.load.rate = RateSpec::Search;
            }
            match probe.set(setting, text, base) {
                None => return Err(vec![suggest::unknown(setting)]),
                Some(Err(error)) => messages.push(error.to_string()),
                Some(Ok(())) => {
                    let value = probe
                        .params()
                        .remove(setting)
                        .unwrap_or_else(|| UNSET.into());
                    if values.contains(&value) {
                        messages.push(format!("`{text}` stands in the list twice"));
                    }
                    values.push(value);
                }
            }
        }
        if !messages.is_empty() {
            return Err(messages);
        }
        Ok(Axis {
            path: path.to_owned(),
            texts: texts.to_vec(),
            values,
            base: base.to_owned(),
        })
    }

    /// The name is part of a directory's name and of topics' names.
    fn bad_name(&self) -> Option<Problem> {
        let name = &self.run.name;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = (1..=100).contains(&name.len()) && name.chars().all(fits);
        (!good || name.starts_with('.')).then(|| {
            let message = format!("`{name}` is not 1 to 100 letters, digits, `-`, `_` and `.`");
            self.problem("name", message)
        })
    }
}

#[cfg(test)]
mod tests;
