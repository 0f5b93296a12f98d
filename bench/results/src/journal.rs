//! The journal of finished cells: what `--resume` starts from.
//!
//! One JSON object a line, appended and synced when a cell ends. A run killed
//! while writing leaves a torn last line; opening the journal cuts it off, so
//! a finished cell is never lost and never counted twice.

use crate::{CellResult, ResultError};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The journal's name in the result directory.
pub const JOURNAL_FILE: &str = "cells.jsonl";

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the journal of `dir` and returns the cells in it.
    pub fn open(dir: &Path) -> Result<(Self, Vec<CellResult>), ResultError> {
        let path = dir.join(JOURNAL_FILE);
        let io = |action| {
            let path = path.clone();
            move |source| ResultError::Io {
                action,
                path,
                source,
            }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io("read"))?;
        let whole = text
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        let cells = parse_lines(&text[..whole], &path)?;
        file.set_len(whole as u64).map_err(io("truncate"))?;
        file.seek(SeekFrom::End(0)).map_err(io("seek"))?;
        Ok((Self { path, file }, cells))
    }

    /// Appends a finished cell and waits until it is on disk.
    pub fn append(&mut self, cell: &CellResult) -> Result<(), ResultError> {
        let mut line = serde_json::to_vec(cell).map_err(|e| ResultError::Malformed {
            path: self.path.clone(),
            reason: e.to_string(),
        })?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| ResultError::Io {
                action: "append to",
                path: self.path.clone(),
                source,
            })
    }
}

fn parse_lines(text: &[u8], path: &Path) -> Result<Vec<CellResult>, ResultError> {
    text.split(|&b| b == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|e| ResultError::Malformed {
                path: path.to_path_buf(),
                reason: format!("line {}: {e}", at + 1),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(id: &str) -> CellResult {
        CellResult {
            id: id.into(),
            ..CellResult::default()
        }
    }

    fn ids(cells: &[CellResult]) -> Vec<&str> {
        cells.iter().map(|c| c.id.as_str()).collect()
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_tears() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join(JOURNAL_FILE);
        let (mut journal, found) = Journal::open(dir.path()).expect("opens");
        assert!(found.is_empty());
        journal.append(&cell("a")).expect("appends");
        let first = std::fs::metadata(&path).expect("exists").len() as usize;
        journal.append(&cell("b")).expect("appends");
        drop(journal);
        let whole = std::fs::read(&path).expect("reads");
        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("writes");
            let (mut journal, found) = Journal::open(dir.path()).expect("opens");
            assert_eq!(ids(&found), ["a"], "cut at {cut}");
            journal.append(&cell("c")).expect("appends");
            let (_, found) = Journal::open(dir.path()).expect("opens");
            assert_eq!(ids(&found), ["a", "c"], "cut at {cut}");
        }
    }

    #[test]
    fn a_broken_line_within_is_an_error_with_its_number() {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::write(dir.path().join(JOURNAL_FILE), "{}\n").expect("writes");
        let error = Journal::open(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("line 1: missing field `id`"), "{error}");
    }
}
