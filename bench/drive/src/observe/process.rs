//! CPU time of a process and of its busiest thread, from `/proc`.
//!
//! The kernel's per-thread times are what tells a saturated thread from a
//! machine that is merely busy; sysinfo does not have them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// CPU time since the process began, in clock ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// In its own code.
    pub user: u64,
    /// In the kernel on its behalf.
    pub system: u64,
    /// Both, by thread.
    pub threads: BTreeMap<u32, u64>,
    /// The same by thread to the nanosecond, where the kernel keeps it.
    nanos: BTreeMap<u32, u64>,
}

impl CpuTicks {
    /// Reads a process; all zero when it is gone.
    pub fn read(pid: u32) -> Self {
        let root = format!("/proc/{pid}");
        let (user, system) = stat(&Path::new(&root).join("stat")).unwrap_or_default();
        let tasks = fs::read_dir(Path::new(&root).join("task"));
        let (mut threads, mut nanos) = (BTreeMap::new(), BTreeMap::new());
        for task in tasks.into_iter().flatten().flatten() {
            let Some(tid) = task.file_name().to_str().and_then(|tid| tid.parse().ok()) else {
                continue;
            };
            if let Some((user, system)) = stat(&task.path().join("stat")) {
                threads.insert(tid, user + system);
            }
            nanos.extend(run_nanos(&task.path().join("schedstat")).map(|ran| (tid, ran)));
        }
        Self {
            user,
            system,
            threads,
            nanos,
        }
    }

    /// User and system time of a process without its threads: cheap to read.
    pub fn total(pid: u32) -> u64 {
        let times = stat(Path::new(&format!("/proc/{pid}/stat")));
        times.map_or(0, |(user, system)| user + system)
    }

    /// What was used since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let threads = self.threads.iter().map(|(tid, ticks)| {
            (
                *tid,
                ticks.saturating_sub(earlier.threads.get(tid).copied().unwrap_or(0)),
            )
        });
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            threads: threads.collect(),
            nanos: BTreeMap::new(),
        }
    }

    /// Nanoseconds used since `earlier`; `None` where the kernel does not keep
    /// them, or when a thread ended meanwhile and took its own away.
    pub fn nanos_since(&self, earlier: &Self) -> Option<u64> {
        let complete = !self.nanos.is_empty()
            && self.nanos.len() == self.threads.len()
            && earlier.nanos.keys().all(|tid| self.nanos.contains_key(tid));
        let used = self
            .nanos
            .iter()
            .map(|(tid, ran)| ran.saturating_sub(earlier.nanos.get(tid).copied().unwrap_or(0)));
        complete.then(|| used.sum())
    }
}

fn stat(path: &Path) -> Option<(u64, u64)> {
    parse_stat(&fs::read_to_string(path).ok()?)
}

/// Time on a processor: the first number of `schedstat`.
fn run_nanos(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time of a `stat` line. The command's name stands in
/// brackets and may hold anything, so fields are counted from its end.
fn parse_stat(line: &str) -> Option<(u64, u64)> {
    const USER: usize = 11;
    let (_, fields) = line.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(USER);
    Some((times.next()?.parse().ok()?, times.next()?.parse().ok()?))
}

/// Time that the hypervisor gave to others, in clock ticks over all cores.
pub fn steal_ticks() -> Option<u64> {
    const STEAL: usize = 8;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .next()?
        .split_ascii_whitespace()
        .nth(STEAL)?
        .parse()
        .ok()
}

/// Microseconds for which a CPU limit held the control group of this process
/// back; `None` where there is none to read.
pub fn limited_micros() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let root = Path::new("/sys/fs/cgroup");
    let places = own
        .map(|own| root.join(own))
        .into_iter()
        .chain([root.to_owned()]);
    let mut stats = places.filter_map(|place| fs::read_to_string(place.join("cpu.stat")).ok());
    parse_limited(&stats.next()?)
}

fn parse_limited(stat: &str) -> Option<u64> {
    let mut lines = stat.lines();
    lines.find_map(|line| line.strip_prefix("throttled_usec ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_command_name() {
        let check = |line: &str, expected| assert_eq!(parse_stat(line), expected, "{line}");
        let fields = "S 1 2 3 0 -1 4194560 10 0 0 0 150 25 0 0 20 0";
        check(&format!("7 (plimsoll) {fields}"), Some((150, 25)));
        check(&format!("7 (a ) b (c) {fields}"), Some((150, 25)));
        check("7 (cut", None);
        check("", None);
    }

    #[test]
    fn a_thread_that_ended_leaves_no_exact_sum() {
        let ran = |nanos: &[(u32, u64)]| CpuTicks {
            threads: nanos.iter().copied().collect(),
            nanos: nanos.iter().copied().collect(),
            ..CpuTicks::default()
        };
        let check = |before: &[(u32, u64)], after: &[(u32, u64)], expected| {
            assert_eq!(
                ran(after).nanos_since(&ran(before)),
                expected,
                "{before:?} {after:?}"
            );
        };
        check(&[(1, 10), (2, 20)], &[(1, 15), (2, 20)], Some(5));
        check(&[(1, 10)], &[(1, 15), (3, 7)], Some(12));
        check(&[(1, 10), (2, 20)], &[(1, 15)], None);
        check(&[], &[], None);
    }

    #[test]
    fn time_under_a_limit_is_found() {
        let stat = "usage_usec 5\nnr_throttled 3\nthrottled_usec 1200\n";
        assert_eq!(parse_limited(stat), Some(1200));
        assert_eq!(parse_limited("usage_usec 5\n"), None);
    }

    #[test]
    fn this_process_has_threads_and_a_dead_one_has_none() {
        assert!(!CpuTicks::read(std::process::id()).threads.is_empty());
        assert_eq!(CpuTicks::read(u32::MAX), CpuTicks::default());
    }
}
