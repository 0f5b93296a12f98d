//! Git revisions, built in scratch worktrees.
//!
//! Built brokers are kept by their commit under `target/gate`, so that a
//! revision is built once. The worktree lies there too and is removed after the
//! build; the working tree of the user is not touched.

use crate::git::git;
use anyhow::{Context as _, bail};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Hash digits in a file's name.
const SHORT: usize = 12;

/// Where revisions are built, of this directory's repository.
pub struct Scratch {
    /// The repository's working tree.
    pub top: PathBuf,
    /// `target/gate` of it.
    pub dir: PathBuf,
}

impl Scratch {
    /// Finds it, and creates the directory.
    ///
    /// # Errors
    /// Outside a repository, or when the directory cannot be created.
    pub fn here() -> anyhow::Result<Self> {
        let top = PathBuf::from(git(Path::new("."), ["rev-parse", "--show-toplevel"])?);
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), PathBuf::from);
        let dir = std::path::absolute(target)?.join("gate");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self { top, dir })
    }

    /// Where cargo builds, shared by all revisions.
    pub fn target(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// A worktree of a commit under this name; says that it will be built.
    ///
    /// # Errors
    /// When git cannot make it.
    pub fn check_out(&self, name: &str, commit: &str, quiet: bool) -> anyhow::Result<Worktree> {
        if !quiet {
            eprintln!("building {} under {}", short(commit), self.dir.display());
        }
        Worktree::add(&self.top, self.dir.join(name), commit)
    }
}

/// A commit's first digits.
pub fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

/// The plimsoll binary of a commit of this directory's repository.
pub fn binary_of(commit: &str, quiet: bool) -> anyhow::Result<PathBuf> {
    let scratch = Scratch::here()?;
    let binary = scratch.dir.join(format!("plimsoll-{}", short(commit)));
    if binary.is_file() {
        return Ok(binary);
    }
    let tree = scratch.check_out("tree", commit, quiet)?;
    let target = scratch.target();
    let words = ["build", "--release", "--package", "plimsoll", "--bin"];
    cargo(&tree.path, &words, &["plimsoll"], Some(&target))?;
    let built = target.join("release").join("plimsoll");
    fs::copy(&built, &binary).with_context(|| format!("cannot keep {}", binary.display()))?;
    Ok(binary)
}

/// What cargo says on standard output when it does this in a working tree;
/// builds into `target`, or where the tree's own settings say.
///
/// # Errors
/// When cargo cannot be run, or fails, with what it said.
pub fn cargo(
    tree: &Path,
    words: &[&str],
    more: &[&str],
    target: Option<&Path>,
) -> anyhow::Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(words).args(more).arg("--quiet");
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let output = command
        .current_dir(tree)
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} does not build:\n{}", tree.display(), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A worktree that goes away with this value.
pub struct Worktree {
    top: PathBuf,
    /// Its directory.
    pub path: PathBuf,
}

impl Worktree {
    fn add(top: &Path, path: PathBuf, commit: &str) -> anyhow::Result<Self> {
        // What an interrupted build left is in the way and nobody's.
        let tree = Self {
            top: top.to_owned(),
            path,
        };
        tree.remove();
        git(
            top,
            [
                OsStr::new("worktree"),
                "add".as_ref(),
                "--quiet".as_ref(),
                "--detach".as_ref(),
                tree.path.as_os_str(),
                commit.as_ref(),
            ],
        )?;
        Ok(tree)
    }

    fn remove(&self) {
        let path = self.path.as_os_str();
        let _none_there = git(
            &self.top,
            [
                OsStr::new("worktree"),
                "remove".as_ref(),
                "--force".as_ref(),
                path,
            ],
        );
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}
