//! Git, as the command that the user has.

use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What git says on standard output.
pub fn git<I: AsRef<OsStr>>(
    dir: &Path,
    words: impl IntoIterator<Item = I>,
) -> anyhow::Result<String> {
    git_with(dir, words, "")
}

/// The same, with a text on its standard input.
pub fn git_with<I: AsRef<OsStr>>(
    dir: &Path,
    words: impl IntoIterator<Item = I>,
    input: &str,
) -> anyhow::Result<String> {
    let mut child = Command::new("git")
        .args(words)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run git")?;
    if let Some(mut stdin) = child.stdin.take() {
        // Git may end without reading all of it; its exit code tells.
        let _read = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
