//! The git revision of a working directory, read from git's own files so that
//! no process is started.

use std::fs;
use std::path::{Path, PathBuf};

/// The commit that `start` or a directory above it has checked out.
pub(crate) fn of(start: &Path) -> Option<String> {
    let git = start.ancestors().find_map(git_dir)?;
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref: ") else {
        return is_commit(head).then(|| head.to_string());
    };
    let shared = common_dir(&git);
    [&git, &shared]
        .into_iter()
        .find_map(|dir| fs::read_to_string(dir.join(reference)).ok())
        .map(|text| text.trim().to_string())
        .or_else(|| packed(&shared, reference))
        .filter(|commit| is_commit(commit))
}

/// `.git` is a directory, or in a linked work tree a file naming one.
fn git_dir(dir: &Path) -> Option<PathBuf> {
    let path = dir.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let text = fs::read_to_string(&path).ok()?;
    Some(dir.join(text.trim().strip_prefix("gitdir: ")?))
}

/// Where a linked work tree shares its branches.
fn common_dir(git: &Path) -> PathBuf {
    fs::read_to_string(git.join("commondir"))
        .map_or_else(|_| git.to_path_buf(), |text| git.join(text.trim()))
}

fn packed(git: &Path, reference: &str) -> Option<String> {
    let text = fs::read_to_string(git.join("packed-refs")).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, name)| *name == reference)
        .map(|(commit, _)| commit.to_string())
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[track_caller]
    fn check(files: &[(&str, &str)], start: &str, expected: Option<&str>) {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::create_dir_all(dir.path().join(start)).expect("creates");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("creates");
            fs::write(path, text).expect("writes");
        }
        let found = of(&dir.path().join(start));
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_branch_a_detached_head_packed_refs_and_a_linked_tree() {
        let head = (".git/HEAD", "ref: refs/heads/main\n");
        let commit = format!("{COMMIT}\n");
        check(
            &[head, (".git/refs/heads/main", &commit)],
            "a/b",
            Some(COMMIT),
        );
        check(&[(".git/HEAD", &commit)], ".", Some(COMMIT));
        let refs = format!("# pack-refs\n{COMMIT} refs/heads/main\n");
        check(&[head, (".git/packed-refs", &refs)], ".", Some(COMMIT));
        check(
            &[
                ("tree/.git", "gitdir: ../.git/worktrees/tree\n"),
                (".git/worktrees/tree/HEAD", "ref: refs/heads/side\n"),
                (".git/worktrees/tree/commondir", "../..\n"),
                (".git/refs/heads/side", &commit),
            ],
            "tree",
            Some(COMMIT),
        );
    }

    #[test]
    fn a_broken_repository_has_no_revision() {
        check(&[(".git/HEAD", "ref: refs/heads/none\n")], ".", None);
        check(&[(".git/HEAD", "nonsense\n")], ".", None);
    }
}
