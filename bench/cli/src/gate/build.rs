//! A git revision's broker, built in a scratch worktree.
//!
//! Built binaries are kept by their commit under `target/gate`, so that a
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

/// The plimsoll binary of a commit of this directory's repository.
pub fn binary_of(commit: &str, quiet: bool) -> anyhow::Result<PathBuf> {
    let top = PathBuf::from(git(Path::new("."), ["rev-parse", "--show-toplevel"])?);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), PathBuf::from);
    let scratch = std::path::absolute(target)?.join("gate");
    let short = commit.get(..SHORT).unwrap_or(commit);
    let binary = scratch.join(format!("plimsoll-{short}"));
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    if !quiet {
        eprintln!("building {short} under {}", scratch.display());
    }
    let tree = Worktree::add(&top, scratch.join("tree"), commit)?;
    let built = build(&tree.path, &scratch.join("build"))?;
    fs::copy(&built, &binary).with_context(|| format!("cannot keep {}", binary.display()))?;
    Ok(binary)
}

/// Builds the release binary of a working tree.
fn build(tree: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "plimsoll",
            "--bin",
            "plimsoll",
        ])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(tree)
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the revision does not build:\n{}", said.trim());
    }
    Ok(target.join("release").join("plimsoll"))
}

/// A worktree that goes away with this value.
struct Worktree {
    top: PathBuf,
    path: PathBuf,
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
