//! What `--a` and `--b` name.

use super::build::short;
use crate::git::git;
use crate::run::target::TargetChoice;
use anyhow::{Context as _, bail};
use std::fmt;
use std::path::{Path, PathBuf};

/// One side of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Whose broker carries the load.
    pub source: Source,
    /// Settings that this side alone has, as `--set` takes them.
    pub sets: Vec<String>,
}

/// Whose broker carries the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This binary's.
    This,
    /// Another binary's.
    Binary(PathBuf),
    /// That of a git revision, by its commit's full hash.
    Revision(String),
    /// A cluster that is there, as `--target` takes it.
    Cluster(String),
}

const ACCEPTED: &str = "this, bin:PATH, git:REVISION, target:HOST:PORT,… or set:KEY=VALUE";

impl Side {
    /// Adds up the parts of one side.
    pub fn parse(parts: &[String]) -> anyhow::Result<Self> {
        let mut side = Self {
            source: Source::This,
            sets: Vec::new(),
        };
        let mut named: Option<&String> = None;
        for part in parts {
            let source = match Part::read(part)? {
                Part::Set(set) => {
                    side.sets.push(set);
                    continue;
                }
                Part::Source(source) => source,
            };
            if let Some(before) = named.replace(part) {
                bail!("`{before}` and `{part}`: a side has one broker; accepted besides: set:…");
            }
            side.source = source;
        }
        Ok(side)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::This if !self.sets.is_empty() => {}
            Source::This => f.write_str("this")?,
            Source::Binary(path) => write!(f, "{}", path.display())?,
            Source::Revision(commit) => write!(f, "git:{}", short(commit))?,
            Source::Cluster(addresses) => f.write_str(addresses)?,
        }
        let plus = if self.source == Source::This { "" } else { " " };
        write!(
            f,
            "{}{}",
            if self.sets.is_empty() { "" } else { plus },
            self.sets.join(" ")
        )
    }
}

enum Part {
    Source(Source),
    Set(String),
}

impl Part {
    fn read(text: &str) -> anyhow::Result<Self> {
        if text == "this" {
            return Ok(Self::Source(Source::This));
        }
        if let Some((kind, rest)) = text.split_once(':') {
            match kind {
                "bin" => return binary(Path::new(rest)).map(Self::Source),
                "git" => return Ok(Self::Source(Source::Revision(revision(rest)?))),
                "target" => return cluster(rest).map(Self::Source),
                "set" => return setting(rest).map(Self::Set),
                _ => {}
            }
        }
        Self::infer(text)
    }

    /// What a text without a known prefix must be.
    fn infer(text: &str) -> anyhow::Result<Self> {
        let path = Path::new(text);
        if path.is_file() {
            return binary(path).map(Self::Source);
        }
        if text.contains('=') {
            return setting(text).map(Self::Set);
        }
        if text.contains(':')
            && let Ok(source) = cluster(text)
        {
            return Ok(Self::Source(source));
        }
        if let Ok(revision) = revision(text) {
            return Ok(Self::Source(Source::Revision(revision)));
        }
        bail!(
            "`{text}` is no file, no HOST:PORT, no KEY=VALUE and no git revision here; \
             accepted: {ACCEPTED}"
        )
    }
}

fn setting(text: &str) -> anyhow::Result<String> {
    match text.split_once('=') {
        Some((key, _)) if key.starts_with("gate.") => {
            bail!("set:{text}: what is compared holds for both sides; accepted: --set {text}")
        }
        Some(_) => Ok(text.to_owned()),
        None => bail!("set:{text}: accepted: set:KEY=VALUE, such as set:producer.acks=all"),
    }
}

fn binary(path: &Path) -> anyhow::Result<Source> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = path
        .metadata()
        .with_context(|| format!("bin:{}", path.display()))?;
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        bail!(
            "bin:{}: not a program; accepted: a plimsoll binary",
            path.display()
        );
    }
    Ok(Source::Binary(std::path::absolute(path)?))
}

fn cluster(addresses: &str) -> anyhow::Result<Source> {
    match TargetChoice::parse(addresses, None)? {
        TargetChoice::External(_) => Ok(Source::Cluster(addresses.to_owned())),
        _ => bail!("target:{addresses}: accepted: target:HOST:PORT,…, or this"),
    }
}

/// A revision as a commit's full hash.
fn revision(text: &str) -> anyhow::Result<String> {
    let commit = format!("{text}^{{commit}}");
    let words = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &commit,
    ];
    let hash = git(Path::new("."), words).unwrap_or_default();
    if hash.is_empty() {
        bail!("git:{text}: no such revision in the repository of this directory");
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parts: &[&str]) -> anyhow::Result<Side> {
        Side::parse(&parts.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(parts: &[&str], source: &Source, sets: &[&str]) {
        match parse(parts) {
            Ok(side) => assert_eq!(
                (&side.source, side.sets),
                (source, sets.iter().map(|s| (*s).to_owned()).collect())
            ),
            Err(error) => panic!("{parts:?}: {error:#}"),
        }
    }

    #[track_caller]
    fn check_refused(parts: &[&str], expected: &str) {
        match parse(parts) {
            Ok(side) => panic!("{parts:?} is {side:?}"),
            Err(error) => assert!(format!("{error:#}").contains(expected), "{error:#}"),
        }
    }

    #[test]
    fn sides_are_named_or_inferred() {
        let cluster = Source::Cluster("a:9092,b:9092".to_owned());
        check(&[], &Source::This, &[]);
        check(&["this"], &Source::This, &[]);
        check(
            &["set:producer.acks=1"],
            &Source::This,
            &["producer.acks=1"],
        );
        check(
            &["producer.acks=1", "x=y:z"],
            &Source::This,
            &["producer.acks=1", "x=y:z"],
        );
        check(&["target:a:9092,b:9092"], &cluster, &[]);
        check(
            &["a:9092,b:9092", "producer.acks=1"],
            &cluster,
            &["producer.acks=1"],
        );
        let this = std::env::current_exe().expect("a test runs from a file");
        let path = this.display().to_string();
        let binary = Source::Binary(this);
        check(&[&path], &binary, &[]);
        check(&[&format!("bin:{path}")], &binary, &[]);
    }

    #[test]
    fn what_names_nothing_is_refused_with_what_would_be_accepted() {
        check_refused(&["no such thing"], "accepted: this, bin:PATH");
        check_refused(&["git:no-such-revision"], "no such revision");
        check_refused(&["bin:/no/such/file"], "bin:/no/such/file");
        let text = concat!("bin:", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        check_refused(&[text], "not a program");
        check_refused(&["set:producer.acks"], "set:KEY=VALUE");
        check_refused(&["gate.pairs=9"], "accepted: --set gate.pairs=9");
        check_refused(&["a:1", "b:2"], "a side has one broker");
        check_refused(&["target:embedded"], "or this");
    }

    #[test]
    fn a_side_is_shown_as_it_was_meant() {
        let shown = |parts: &[&str]| parse(parts).expect("reads").to_string();
        assert_eq!(shown(&[]), "this");
        assert_eq!(shown(&["producer.acks=1"]), "producer.acks=1");
        assert_eq!(shown(&["a:1", "producer.acks=1"]), "a:1 producer.acks=1");
    }
}
