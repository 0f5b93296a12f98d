//! Reading and writing `result.json`.
//!
//! Writing replaces the file atomically: a reader sees the old or the new
//! result, never half of one. Reading is lenient towards other versions:
//! fields it does not know are ignored, fields it misses take their default,
//! and a later schema version is reported, not refused, as long as it fits.

use crate::{ResultError, RunResult, SCHEMA_VERSION};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The result's name in its directory.
pub const RESULT_FILE: &str = "result.json";

/// A result and what its reader should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The result.
    pub run: RunResult,
    /// The file it came from.
    pub path: PathBuf,
    /// Set when the file is of a later version, so that some of it may have
    /// been ignored.
    pub notice: Option<String>,
}

/// Reads a result from its directory, or from the file itself.
pub fn load(path: &Path) -> Result<Loaded, ResultError> {
    let file = if path.is_dir() {
        path.join(RESULT_FILE)
    } else {
        path.to_path_buf()
    };
    let text = std::fs::read(&file).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound && path.is_dir() {
            return ResultError::NoResult {
                path: path.to_path_buf(),
            };
        }
        ResultError::Io {
            action: "read",
            path: file.clone(),
            source,
        }
    })?;
    parse(&text, &file)
}

/// Reads a result from text; `path` names it in errors.
pub fn parse(text: &[u8], path: &Path) -> Result<Loaded, ResultError> {
    let malformed = |reason: String| ResultError::Malformed {
        path: path.to_path_buf(),
        reason,
    };
    let version = schema_version(text).map_err(malformed)?;
    let run: RunResult = serde_json::from_slice(text).map_err(|e| {
        let reason = e.to_string();
        if version > SCHEMA_VERSION {
            ResultError::TooNew {
                path: path.to_path_buf(),
                found: version,
                supported: SCHEMA_VERSION,
                reason,
            }
        } else {
            malformed(reason)
        }
    })?;
    let notice = (version > SCHEMA_VERSION).then(|| {
        format!(
            "written with result schema {version}, this plimsoll knows {SCHEMA_VERSION}: \
             newer fields are ignored"
        )
    });
    Ok(Loaded {
        run,
        path: path.to_path_buf(),
        notice,
    })
}

fn schema_version(text: &[u8]) -> Result<u32, String> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema_version: Option<u32>,
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err("the file is empty; the run may have been killed before its first cell".into());
    }
    let head: Head = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    match head.schema_version {
        None => Err("it has no schema_version".into()),
        Some(0) => Err("schema_version is 0, the first is 1".into()),
        Some(version) => Ok(version),
    }
}

/// Writes `result.json` into `dir`, creating the directory, replacing the file
/// atomically.
pub fn save(run: &RunResult, dir: &Path) -> Result<PathBuf, ResultError> {
    let io = |action, path: &Path| {
        let path = path.to_path_buf();
        move |source| ResultError::Io {
            action,
            path,
            source,
        }
    };
    let target = dir.join(RESULT_FILE);
    let mut text = serde_json::to_vec_pretty(run).map_err(|e| ResultError::Malformed {
        path: target.clone(),
        reason: e.to_string(),
    })?;
    text.push(b'\n');
    std::fs::create_dir_all(dir).map_err(io("create", dir))?;
    let partial = dir.join(format!(".{RESULT_FILE}.{}", std::process::id()));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(io("write", &partial))?;
    std::fs::rename(&partial, &target).map_err(io("replace", &target))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellResult;

    fn run() -> RunResult {
        RunResult {
            name: "quickstart".into(),
            cells: vec![CellResult {
                id: "a".into(),
                valid: true,
                ..CellResult::default()
            }],
            ..RunResult::default()
        }
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = parse(text.as_bytes(), Path::new("r/result.json"))
            .expect_err("refused")
            .to_string();
        assert!(
            error.starts_with("r/result.json") && error.contains(expected),
            "{error}"
        );
    }

    #[test]
    fn saved_results_load_as_they_were_and_leave_no_partial_file() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let nested = dir.path().join("results/first");
        for _ in 0..2 {
            let file = save(&run(), &nested).expect("saves");
            for path in [&nested, &file] {
                let loaded = load(path).expect("loads");
                assert_eq!(loaded.run, run());
                assert_eq!(loaded.notice, None);
            }
        }
        assert_eq!(std::fs::read_dir(&nested).expect("lists").count(), 1);
    }

    #[test]
    fn broken_text_is_refused_with_the_place() {
        check_refused("", "the file is empty");
        check_refused("{", "EOF while parsing");
        check_refused("[]", "invalid");
        check_refused("{}", "no schema_version");
        check_refused(r#"{"schema_version":0}"#, "the first is 1");
        check_refused(r#"{"schema_version":1,"cells":[]}"#, "missing field `name`");
        check_refused(
            r#"{"schema_version":1,"name":"x","cells":[{"id":7}]}"#,
            "line 1 column",
        );
    }

    #[test]
    fn other_versions_are_read_as_far_as_they_fit() {
        let minimal = r#"{"schema_version":1,"name":"x","cells":[]}"#;
        let loaded = parse(minimal.as_bytes(), Path::new("m")).expect("loads");
        assert_eq!(loaded.run.name, "x");
        let newer = r#"{"schema_version":9,"name":"x","cells":[],"moon_phase":"full"}"#;
        let loaded = parse(newer.as_bytes(), Path::new("m")).expect("loads");
        assert!(loaded.notice.expect("noticed").contains("schema 9"));
        check_refused(
            r#"{"schema_version":9,"name":"x","cells":"elsewhere"}"#,
            "use a newer plimsoll",
        );
    }

    #[test]
    fn a_directory_without_a_result_says_what_it_lacks() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let error = load(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("holds no result.json"), "{error}");
        let error = load(&dir.path().join("absent")).expect_err("refused");
        assert!(error.to_string().starts_with("cannot read"), "{error}");
    }
}
