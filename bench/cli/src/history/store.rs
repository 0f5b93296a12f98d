//! Where history is kept: a folder, or a git branch that is never checked out.
//!
//! A run is a file of its own, so that machines that add at the same time do
//! not get into each other's way. On a branch an addition is one commit.

use crate::git::{git, git_with};
use anyhow::{Context as _, bail};
use plimsoll_gate::history::{Entry, SCHEMA_VERSION};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A place for entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Files in a folder.
    Folder(PathBuf),
    /// Files on a branch of the repository of this directory.
    Branch(String),
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "{}", dir.display()),
            Self::Branch(name) => write!(f, "branch {name}"),
        }
    }
}

impl Store {
    /// Adds entries; those that are there already are replaced.
    pub fn add(&self, entries: &[Entry]) -> anyhow::Result<()> {
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let text = serde_json::to_string_pretty(entry).context("cannot write an entry")?;
            files.push((entry.file_name(), format!("{text}\n")));
        }
        match self {
            Self::Folder(dir) => {
                fs::create_dir_all(dir)
                    .with_context(|| format!("cannot create {}", dir.display()))?;
                for (name, text) in files {
                    let path = dir.join(name);
                    fs::write(&path, text)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
                Ok(())
            }
            Self::Branch(branch) => commit(branch, &files),
        }
    }

    /// Every entry that is kept.
    pub fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let files = match self {
            Self::Folder(dir) => folder(dir)?,
            Self::Branch(branch) => branch_files(branch)?,
        };
        if files.is_empty() {
            bail!("{self} holds no runs; accepted: plimsoll history add DIR first");
        }
        files.iter().map(|(name, text)| read(name, text)).collect()
    }
}

fn read(name: &str, text: &str) -> anyhow::Result<Entry> {
    let entry: Entry =
        serde_json::from_str(text).with_context(|| format!("{name} is no entry of a history"))?;
    if entry.schema_version > SCHEMA_VERSION {
        bail!(
            "{name} is of version {}, this plimsoll knows {SCHEMA_VERSION}: use a newer plimsoll",
            entry.schema_version
        );
    }
    Ok(entry)
}

fn is_entry(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ext| ext == "json")
}

fn folder(dir: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let listed = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files = Vec::new();
    for found in listed {
        let path = found
            .with_context(|| format!("cannot read {}", dir.display()))?
            .path();
        let name = path.display().to_string();
        if is_entry(&name) {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            files.push((name, text));
        }
    }
    files.sort();
    Ok(files)
}

fn reference(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// The commit that a branch is at; `None` when there is no such branch.
fn tip(branch: &str) -> Option<String> {
    let here = Path::new(".");
    git(
        here,
        ["rev-parse", "--verify", "--quiet", &reference(branch)],
    )
    .ok()
}

fn branch_files(branch: &str) -> anyhow::Result<Vec<(String, String)>> {
    let here = Path::new(".");
    let Some(tip) = tip(branch) else {
        bail!("there is no branch {branch} in the repository of this directory");
    };
    let names = git(here, ["ls-tree", "--name-only", &tip])?;
    let each = names.lines().filter(|name| is_entry(name));
    each.map(|name| {
        Ok((
            name.to_owned(),
            git(here, ["show", &format!("{tip}:{name}")])?,
        ))
    })
    .collect()
}

/// Puts files on a branch as one commit, without a working tree. Fails when
/// somebody else moved the branch meanwhile.
fn commit(branch: &str, files: &[(String, String)]) -> anyhow::Result<()> {
    let here = Path::new(".");
    git(here, ["check-ref-format", "--branch", branch])
        .with_context(|| format!("--branch {branch}"))?;
    let before = tip(branch);
    let mut lines: Vec<String> = match &before {
        Some(tip) => git(here, ["ls-tree", tip])?
            .lines()
            .map(str::to_owned)
            .collect(),
        None => Vec::new(),
    };
    for (name, text) in files {
        let blob = git_with(here, ["hash-object", "-w", "--stdin"], text)?;
        lines.retain(|line| line.split_once('\t').is_none_or(|(_, known)| known != name));
        lines.push(format!("100644 blob {blob}\t{name}"));
    }
    let tree = git_with(here, ["mktree"], &format!("{}\n", lines.join("\n")))?;
    let message = format!("Add {} to the history", files.len());
    let mut words = vec!["commit-tree", &tree, "-m", &message];
    words.extend(before.iter().flat_map(|tip| ["-p", tip.as_str()]));
    let made = git(here, words)?;
    let none = "0".repeat(made.len());
    let before = before.as_deref().unwrap_or(&none);
    git(here, ["update-ref", &reference(branch), &made, before])?;
    Ok(())
}
