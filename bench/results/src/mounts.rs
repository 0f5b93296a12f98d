//! Which file system holds a path, from the kernel's table of mounts.

use std::path::{Path, PathBuf};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub at: PathBuf,
    /// Its type: `ext4`, `xfs`, `tmpfs`.
    pub kind: String,
    /// What is mounted: a device or a name.
    pub source: String,
}

/// The mount that holds `path`, which must be absolute; `None` off Linux.
pub(crate) fn holding(path: &Path) -> Option<Mount> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    deepest(&table, path)
}

/// Of equal mount points the later one hides the earlier.
fn deepest(table: &str, path: &Path) -> Option<Mount> {
    table
        .lines()
        .filter_map(parse)
        .filter(|mount| path.starts_with(&mount.at))
        .max_by_key(|mount| mount.at.components().count())
}

/// `ID PARENT MAJ:MIN ROOT MOUNT-POINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS`
fn parse(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    Some(Mount {
        at: unescape(left.split(' ').nth(4)?).into(),
        kind: right.next()?.to_string(),
        source: unescape(right.next()?),
    })
}

/// The kernel writes blanks and backslashes in names as octal escapes.
fn unescape(name: &str) -> String {
    name.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
25 22 0:23 / /tmp rw,nosuid - tmpfs tmpfs rw,size=1024k
26 22 259:2 / /srv/my\\040data rw - xfs /dev/nvme1n1 rw
broken line
27 22 0:24 / /tmp rw - ramfs none rw
";

    #[track_caller]
    fn check(path: &str, kind: &str, source: &str) {
        let mount = deepest(TABLE, Path::new(path)).expect("a mount");
        assert_eq!((mount.kind.as_str(), mount.source.as_str()), (kind, source));
    }

    #[test]
    fn the_deepest_mount_wins_and_the_last_of_equals() {
        check("/var/lib", "ext4", "/dev/nvme0n1p1");
        check("/tmpfile", "ext4", "/dev/nvme0n1p1");
        check("/srv/my data/kafka", "xfs", "/dev/nvme1n1");
        check("/tmp/run", "ramfs", "none");
        assert_eq!(deepest("", Path::new("/")), None);
    }
}
