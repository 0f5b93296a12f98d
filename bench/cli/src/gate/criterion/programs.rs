//! The bench programs of a side: of this working tree, of a git revision that is
//! checked out and built beside it, or one that was built before.

use crate::gate::build::{Scratch, Worktree, cargo, short};
use crate::gate::side::{Side, Source};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Which benchmarks are wanted.
pub struct Wanted {
    /// The package; empty where it need not be known.
    pub package: String,
    /// One of its bench targets, or all.
    bench: Option<String>,
}

impl Wanted {
    /// Reads `PACKAGE` or `PACKAGE/BENCH`.
    pub fn parse(text: &str) -> Self {
        let (package, bench) = match text.split_once('/') {
            Some((package, bench)) => (package, Some(bench.to_owned())),
            None => (text, None),
        };
        Self {
            package: package.to_owned(),
            bench,
        }
    }

    /// What a report is called.
    pub fn title(&self) -> String {
        let bench = self.bench.as_ref();
        let bench = bench.map_or_else(String::new, |bench| format!("/{bench}"));
        format!("criterion {}{bench}", self.package)
            .trim()
            .to_owned()
    }

    /// The same, as part of a directory's name.
    pub fn file_name(&self) -> String {
        self.title().replace([' ', '/'], "-")
    }
}

/// Programs that are ready to run.
pub struct Programs {
    /// One for each bench target.
    pub paths: Vec<PathBuf>,
    /// Where cargo would run them.
    pub dir: PathBuf,
    /// What `dir` lies in, where it is a revision's; goes away with this value.
    _tree: Option<Worktree>,
}

/// What cargo says about something that it built.
#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// A program where it was built, with its target's name and its package's
/// directory.
struct Built {
    name: String,
    path: PathBuf,
    dir: PathBuf,
}

/// The programs of A and B, at paths of equal length under `scratch`.
///
/// # Errors
/// When a side does not build, or has no benchmarks.
pub fn of_both(
    sides: &[Side; 2],
    wanted: &Wanted,
    scratch: &Path,
    quiet: bool,
) -> anyhow::Result<[Programs; 2]> {
    let [a, b] = sides;
    let (built, tree) = build(&a.source, wanted, quiet).context("A")?;
    let first = place(&built, tree, &scratch.join("a"))?;
    let second = match a.source == b.source {
        // The same sources: the same programs, and not a second build of them.
        true => place(&built, None, &scratch.join("b"))?,
        false => {
            let (built, tree) = build(&b.source, wanted, quiet).context("B")?;
            place(&built, tree, &scratch.join("b"))?
        }
    };
    Ok([first, second])
}

/// Copies programs to where no later build replaces them.
fn place(built: &[Built], tree: Option<Worktree>, at: &Path) -> anyhow::Result<Programs> {
    fs::create_dir_all(at).with_context(|| format!("cannot create {}", at.display()))?;
    let mut paths = Vec::with_capacity(built.len());
    for program in built {
        let path = at.join(&program.name);
        fs::copy(&program.path, &path)
            .with_context(|| format!("cannot copy {}", program.path.display()))?;
        paths.push(path);
    }
    let dir = built.first().map(|program| program.dir.clone());
    Ok(Programs {
        paths,
        dir: dir.context("no bench program")?,
        _tree: tree,
    })
}

fn build(
    source: &Source,
    wanted: &Wanted,
    quiet: bool,
) -> anyhow::Result<(Vec<Built>, Option<Worktree>)> {
    let here = || env::current_dir().context("no working directory");
    match source {
        Source::Binary(path) => {
            let built = Built {
                name: "bench".to_owned(),
                path: path.clone(),
                dir: here()?,
            };
            Ok((vec![built], None))
        }
        Source::Revision(commit) => {
            let scratch = Scratch::here()?;
            let name = format!("benches-{}", short(commit));
            let tree = scratch.check_out(&name, commit, quiet)?;
            let built = benches(&tree.path, wanted, Some(&scratch.target()))?;
            Ok((built, Some(tree)))
        }
        Source::This => Ok((benches(&here()?, wanted, None)?, None)),
        Source::Cluster(addresses) => bail!("{addresses}: a cluster has no benchmarks"),
    }
}

/// Builds the wanted bench targets of a working tree.
fn benches(tree: &Path, wanted: &Wanted, target: Option<&Path>) -> anyhow::Result<Vec<Built>> {
    let words = ["bench", "--no-run", "--message-format=json", "--package"];
    let mut more = vec![wanted.package.as_str()];
    match &wanted.bench {
        Some(bench) => more.extend(["--bench", bench]),
        None => more.push("--benches"),
    }
    let said = cargo(tree, &words, &more, target)?;
    let built: Vec<Built> = said.lines().filter_map(bench_program).collect();
    if built.is_empty() {
        bail!(
            "{} has no bench targets; accepted: --criterion PACKAGE with [[bench]] in its Cargo.toml",
            wanted.package
        );
    }
    Ok(built)
}

/// The program that a line of cargo's tells of, if it is a bench target's.
fn bench_program(line: &str) -> Option<Built> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    if !artifact.target.kind.iter().any(|kind| kind == "bench") {
        return None;
    }
    Some(Built {
        name: artifact.target.name,
        path: artifact.executable?,
        dir: artifact.manifest_path.parent()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bench_targets_are_told_from_all_else_that_cargo_built() {
        let line = |kind: &str, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/w/wire/Cargo.toml\",\
                 \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"codec\"}},\"executable\":{executable}}}"
            )
        };
        let found = bench_program(&line("bench", "\"/t/codec-1\"")).expect("a bench");
        assert_eq!(
            (
                found.name.as_str(),
                found.path.as_path(),
                found.dir.as_path()
            ),
            ("codec", Path::new("/t/codec-1"), Path::new("/w/wire"))
        );
        assert!(bench_program(&line("lib", "\"/t/wire-1\"")).is_none());
        assert!(bench_program(&line("bench", "null")).is_none());
        assert!(bench_program("{\"reason\":\"build-finished\",\"success\":true}").is_none());
    }

    #[test]
    fn a_package_and_one_of_its_targets_are_named() {
        let check = |text: &str, package: &str, bench: Option<&str>, file: &str| {
            let wanted = Wanted::parse(text);
            assert_eq!(wanted.package, package);
            assert_eq!(wanted.bench.as_deref(), bench);
            assert_eq!(wanted.file_name(), file);
        };
        check("", "", None, "criterion");
        check(
            "plimsoll-wire",
            "plimsoll-wire",
            None,
            "criterion-plimsoll-wire",
        );
        check("w/codec", "w", Some("codec"), "criterion-w-codec");
    }
}
