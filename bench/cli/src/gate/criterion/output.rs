//! What criterion leaves behind: a directory for each benchmark, in it one for
//! each measurement, `new` being the last, with `benchmark.json` (its name) and
//! `estimates.json` (what it found).

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Nanoseconds of one iteration, or what the benchmark's own measurement counts,
/// by the benchmark's name.
pub type Times = BTreeMap<String, f64>;

/// The measurement that a run leaves.
pub const LAST: &str = "new";

/// How deep criterion nests a benchmark: group, function, parameter, measurement.
const DEPTH_MAX: usize = 5;
/// Benchmarks that one gate weighs.
const BENCHMARKS_MAX: usize = 500;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Reads every benchmark's measurement of this name under criterion's directory.
///
/// # Errors
/// When there is none, one cannot be read, or two have one name.
pub fn read(home: &Path, measurement: &str) -> anyhow::Result<Times> {
    let mut times = Times::new();
    walk(home, measurement, DEPTH_MAX, &mut times)?;
    if times.is_empty() {
        bail!(
            "{}: no criterion measurement `{measurement}`; accepted: a directory such as \
             target/criterion, or DIR@NAME for what --save-baseline NAME kept",
            home.display()
        );
    }
    Ok(times)
}

fn walk(dir: &Path, measurement: &str, depth: usize, times: &mut Times) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", dir.display());
    for entry in fs::read_dir(dir).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        if !entry.file_type().with_context(unreadable)?.is_dir() {
            continue;
        }
        let path = entry.path();
        if entry.file_name() == measurement && path.join("benchmark.json").is_file() {
            keep(&path, times)?;
        } else if depth > 1 {
            walk(&path, measurement, depth - 1, times)?;
        }
    }
    Ok(())
}

fn keep(dir: &Path, times: &mut Times) -> anyhow::Result<()> {
    let benchmark: Benchmark = parsed(&dir.join("benchmark.json"))?;
    let estimates: Estimates = parsed(&dir.join("estimates.json"))?;
    let (name, time) = (benchmark.full_id, estimates.median.point_estimate);
    if times.len() == BENCHMARKS_MAX {
        bail!("more than {BENCHMARKS_MAX} benchmarks; accepted: fewer, with --only REGEX");
    }
    if times.insert(name.clone(), time).is_some() {
        bail!(
            "{name}: two benchmarks have this name; accepted: one bench target, \
             --criterion PACKAGE/BENCH"
        );
    }
    Ok(())
}

fn parsed<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not criterion's", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, estimates: &str) {
        fs::create_dir_all(dir).expect("created");
        fs::write(
            dir.join("benchmark.json"),
            format!("{{\"full_id\":\"{name}\"}}"),
        )
        .expect("written");
        fs::write(dir.join("estimates.json"), estimates).expect("written");
    }

    fn estimates(median: f64) -> String {
        format!("{{\"mean\":{{}},\"median\":{{\"point_estimate\":{median}}},\"slope\":null}}")
    }

    #[test]
    fn measurements_are_found_by_name_at_any_depth() {
        let home = tempfile::tempdir().expect("a directory");
        let home = home.path();
        write(&home.join("plain/new"), "plain", &estimates(7.5));
        write(&home.join("group/f/16/new"), "group/f/16", &estimates(20.0));
        write(
            &home.join("group/f/16/before"),
            "group/f/16",
            &estimates(10.0),
        );
        fs::create_dir_all(home.join("group/f/16/report")).expect("created");
        let found = |name| read(home, name).expect("read");
        assert_eq!(
            found(LAST).into_iter().collect::<Vec<_>>(),
            [("group/f/16".to_owned(), 20.0), ("plain".to_owned(), 7.5)]
        );
        assert_eq!(found("before").get("group/f/16"), Some(&10.0));
    }

    #[test]
    fn what_is_not_criterions_is_named() {
        let home = tempfile::tempdir().expect("a directory");
        let home = home.path();
        let check = |expected: &str| {
            let error = format!("{:#}", read(home, LAST).expect_err("refused"));
            assert!(error.contains(expected), "{error}");
        };
        check("no criterion measurement `new`");
        write(&home.join("a/new"), "same", &estimates(1.0));
        write(&home.join("b/new"), "same", &estimates(1.0));
        check("same: two benchmarks have this name");
        write(&home.join("b/new"), "other", "{}");
        check("b/new/estimates.json is not criterion's");
    }
}
