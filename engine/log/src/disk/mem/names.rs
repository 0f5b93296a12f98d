//! The names of a [`MemDisk`](super::MemDisk) and the changes to them that are
//! not durable yet.

use super::inode::InodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Path to file, or `None` for a directory.
pub(super) type Names = BTreeMap<PathBuf, Option<InodeId>>;

#[derive(Clone)]
pub(super) enum NameChange {
    Add(PathBuf, Option<InodeId>),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    /// The directory whose sync makes the change durable.
    pub(super) fn directory(&self) -> PathBuf {
        let (Self::Add(path, _) | Self::Remove(path) | Self::Rename(path, _)) = self;
        path.parent().map(Path::to_owned).unwrap_or_default()
    }

    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Add(path, id) => {
                names.insert(path.clone(), *id);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                let moved: Vec<_> = names
                    .keys()
                    .filter(|path| path.starts_with(from))
                    .cloned()
                    .collect();
                for old in moved {
                    let (Some(id), Ok(rest)) = (names.remove(&old), old.strip_prefix(from)) else {
                        continue;
                    };
                    let new = if rest.as_os_str().is_empty() {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    names.insert(new, id);
                }
            }
        }
    }
}

/// Drops what lies in directories that are not there.
pub(super) fn drop_orphans(names: &mut Names) {
    let dirs: BTreeSet<PathBuf> = names
        .iter()
        .filter(|(_, id)| id.is_none())
        .map(|(path, _)| path.clone())
        .collect();
    names.retain(|path, _| {
        path.ancestors()
            .skip(1)
            .filter(|dir| dir.parent().is_some() && !dir.as_os_str().is_empty())
            .all(|dir| dirs.contains(dir))
    });
}
