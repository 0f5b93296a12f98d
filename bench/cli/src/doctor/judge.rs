//! What the readings mean: limits that a broker will meet, and what would spoil
//! a measurement now. Pure: readings in, words out.

use super::readings::Readings;
use plimsoll_results::Fingerprint;
use serde::Serialize;

/// A partition holds about this many files, and maps two of them in Kafka.
const OPEN_FILES_WANTED: u64 = 100_000;
const MAPS_WANTED: u64 = 262_144;
const SWAPPINESS_MAX: u64 = 10;
const DIRTY_BACKGROUND_MAX: u64 = 10;
/// The least memory that a run can be sure of.
const AVAILABLE_WANTED: u64 = 1 << 30;
/// The least disk that a run can be sure of.
const DISK_WANTED: u64 = 10 << 30;
/// The share of the disk that should stay free.
const DISK_FREE_MIN: f64 = 0.05;
/// Busy cores of other work that a measurement bears, as a share of all.
const BUSY_MAX: f64 = 0.1;
const STOLEN_MAX: f64 = 0.02;
const THROTTLED_MAX: f64 = 0.01;

/// A limit that a broker will meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    pub name: &'static str,
    pub value: String,
    /// What to do, when it is too low or too high.
    pub advice: Option<String>,
}

/// Something that would spoil a measurement now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    pub what: String,
    pub mend: String,
}

/// The limits, in the order in which they are met.
pub fn limits(read: &Readings) -> Vec<Limit> {
    let mut limits = Vec::new();
    let mut add = |name, value: Option<String>, advice: Option<String>| {
        if let Some(value) = value {
            limits.push(Limit {
                name,
                value,
                advice,
            });
        }
    };
    let shown = |n: u64| {
        if n == u64::MAX {
            "no limit".to_owned()
        } else {
            n.to_string()
        }
    };
    let files = read.open_files;
    add(
        "open files",
        files.map(|(now, most)| match now == most {
            true => shown(most),
            false => format!("{}, up to {}", shown(now), shown(most)),
        }),
        files.filter(|(_, most)| *most < OPEN_FILES_WANTED).map(|_| {
            format!(
                "a partition holds several files: raise it to {OPEN_FILES_WANTED} (`ulimit -n`, \
                 LimitNOFILE in systemd)"
            )
        }),
    );
    add(
        "vm.max_map_count",
        read.max_map_count.map(shown),
        read.max_map_count.filter(|n| *n < MAPS_WANTED).map(|_| {
            format!(
                "Apache Kafka maps two index files a segment (the embedded engine none): \
                 `sysctl vm.max_map_count={MAPS_WANTED}`"
            )
        }),
    );
    add(
        "vm.swappiness",
        read.swappiness.map(shown),
        read.swappiness
            .filter(|n| *n > SWAPPINESS_MAX)
            .map(|_| "a broker that is swapped out stalls: `sysctl vm.swappiness=1`".to_owned()),
    );
    add(
        "vm.dirty_background_ratio",
        read.dirty_background_ratio.map(|n| format!("{n} %")),
        read.dirty_background_ratio
            .filter(|n| *n >= DIRTY_BACKGROUND_MAX)
            .map(|_| {
                "writing starts late and then comes in bursts: \
                 `sysctl vm.dirty_background_ratio=5`"
                    .to_owned()
            }),
    );
    add(
        "vm.dirty_ratio",
        read.dirty_ratio.map(|n| format!("{n} %")),
        None,
    );
    add(
        "cores of the control group",
        read.quota_cores.map(|cores| format!("{cores:.2}")),
        read.quota_cores
            .filter(|cores| *cores < read.cores)
            .map(|_| {
                "fewer than the machine has: work stops for the rest of each period once they are \
             used up"
                    .to_owned()
            }),
    );
    add(
        "memory of the control group",
        read.quota_bytes.map(gibibytes),
        read.quota_bytes
            .filter(|bytes| *bytes < AVAILABLE_WANTED)
            .map(|_| "the page cache counts too: grant 1 GiB or more".to_owned()),
    );
    limits
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// What is in the way now, the worst first.
pub fn obstacles(read: &Readings, machine: &Fingerprint) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut add = |what: String, mend: &str| {
        let mend = mend.to_owned();
        found.push(Obstacle { what, mend });
    };
    if read.debug_build {
        add(
            "this plimsoll is a debug build".into(),
            "build it with `cargo build --release`",
        );
    }
    if let Some(busy) = read.busy_cores.filter(|busy| *busy > read.cores * BUSY_MAX) {
        let load = read.load.unwrap_or_default();
        add(
            format!(
                "other work keeps {busy:.1} of {} cores busy (load average {load:.1})",
                read.cores
            ),
            "stop it, or wait until it is done; `top` shows what it is",
        );
    } else if let Some(load) = read.load.filter(|load| *load > read.cores) {
        add(
            format!("the load average is {load:.1} on {} cores", read.cores),
            "wait until it has fallen: what ran has only just stopped, or waits for the disk",
        );
    }
    if let Some(stolen) = read.stolen_cores.filter(|s| *s > read.cores * STOLEN_MAX) {
        add(
            format!("the hypervisor gives {stolen:.2} cores to other machines"),
            "compare only runs that are interleaved (`plimsoll gate`), or take a dedicated host",
        );
    }
    if let Some(throttled) = read.throttled.filter(|share| *share > THROTTLED_MAX) {
        add(
            format!(
                "the control group was throttled in {:.0} % of its periods",
                throttled * 100.0
            ),
            "raise its CPU quota, or take it away",
        );
    }
    let slow: Vec<&str> = read
        .governors
        .iter()
        .map(String::as_str)
        .filter(|governor| *governor != "performance")
        .collect();
    if !slow.is_empty() {
        add(
            format!(
                "the processors change their speed (governor {})",
                slow.join(", ")
            ),
            "`cpupower frequency-set -g performance`",
        );
    }
    if let Some(times) = read.thermal_throttles.filter(|times| *times > 0) {
        add(
            format!("the processors have slowed down for heat {times} times since the start"),
            "cool the machine, and leave pauses between runs",
        );
    }
    if read.on_battery {
        add("it runs on a battery".into(), "plug it in");
    }
    let slow_clock = |source: &&String| matches!(source.as_str(), "hpet" | "acpi_pm" | "jiffies");
    if let Some(source) = read.clock_source.as_ref().filter(slow_clock) {
        add(
            format!("reading the clock is slow (clock source {source})"),
            "boot with `clocksource=tsc`, if the processor's is stable",
        );
    }
    if let Some((free, all)) = read.disk_bytes {
        let little = free < DISK_WANTED || (free as f64) < all as f64 * DISK_FREE_MIN;
        if little {
            add(
                format!("only {} are free where the data is", gibibytes(free)),
                "free some, or point --data (for a run, TMPDIR) at another disk",
            );
        }
    }
    if matches!(machine.filesystem.as_str(), "tmpfs" | "ramfs") {
        add(
            "the data would be kept in memory, not on a disk".into(),
            "point --data (for a run, TMPDIR) at a disk, unless that is what you want to measure",
        );
    }
    if let Some(free) = read.available_bytes.filter(|free| *free < AVAILABLE_WANTED) {
        add(
            format!("only {} of memory are left", gibibytes(free)),
            "stop what holds it: without a page cache every read comes from the disk",
        );
    }
    if let Some(swap) = read.swap_bytes.filter(|swap| *swap > AVAILABLE_WANTED / 4) {
        add(
            format!("{} are swapped out", gibibytes(swap)),
            "`swapoff -a && swapon -a` once there is memory for it",
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with nothing to complain of.
    fn healthy() -> Readings {
        Readings {
            cores: 8.0,
            load: Some(0.4),
            busy_cores: Some(0.1),
            stolen_cores: Some(0.0),
            open_files: Some((1024, 1_048_576)),
            max_map_count: Some(262_144),
            swappiness: Some(1),
            dirty_ratio: Some(20),
            dirty_background_ratio: Some(5),
            swap_bytes: Some(0),
            available_bytes: Some(8 << 30),
            governors: vec!["performance".into()],
            clock_source: Some("tsc".into()),
            quota_cores: None,
            throttled: Some(0.0),
            quota_bytes: None,
            thermal_throttles: Some(0),
            on_battery: false,
            disk_bytes: Some((100 << 30, 200 << 30)),
            debug_build: false,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Readings), expected: &str) {
        let mut read = healthy();
        change(&mut read);
        let found = obstacles(&read, &Fingerprint::default());
        let words: Vec<&str> = found.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(words.join("; "), expected);
    }

    #[test]
    fn what_would_spoil_a_measurement_is_named() {
        check(|_| {}, "");
        check(|r| r.load = None, "");
        check(
            |r| {
                r.busy_cores = Some(3.2);
                r.load = Some(4.0);
            },
            "other work keeps 3.2 of 8 cores busy (load average 4.0)",
        );
        check(|r| r.load = Some(9.0), "the load average is 9.0 on 8 cores");
        check(
            |r| r.stolen_cores = Some(0.5),
            "the hypervisor gives 0.50 cores to other machines",
        );
        check(
            |r| r.throttled = Some(0.2),
            "the control group was throttled in 20 % of its periods",
        );
        check(
            |r| r.governors = vec!["performance".into(), "powersave".into()],
            "the processors change their speed (governor powersave)",
        );
        check(
            |r| r.thermal_throttles = Some(3),
            "the processors have slowed down for heat 3 times since the start",
        );
        check(|r| r.on_battery = true, "it runs on a battery");
        check(
            |r| r.clock_source = Some("hpet".into()),
            "reading the clock is slow (clock source hpet)",
        );
        check(
            |r| r.disk_bytes = Some((3 << 30, 10 << 30)),
            "only 3.0 GiB are free where the data is",
        );
        check(
            |r| r.available_bytes = Some(1 << 29),
            "only 0.5 GiB of memory are left",
        );
        check(|r| r.swap_bytes = Some(1 << 30), "1.0 GiB are swapped out");
        check(|r| r.debug_build = true, "this plimsoll is a debug build");
    }

    #[test]
    fn limits_that_are_too_low_come_with_advice() {
        let advised = |read: &Readings| -> Vec<&'static str> {
            let limits = limits(read).into_iter();
            limits
                .filter(|limit| limit.advice.is_some())
                .map(|limit| limit.name)
                .collect()
        };
        assert_eq!(advised(&healthy()), [""; 0]);
        let poor = Readings {
            open_files: Some((1024, 4096)),
            max_map_count: Some(65_530),
            swappiness: Some(60),
            dirty_background_ratio: Some(10),
            quota_cores: Some(1.5),
            quota_bytes: Some(1 << 28),
            ..healthy()
        };
        assert_eq!(
            advised(&poor),
            [
                "open files",
                "vm.max_map_count",
                "vm.swappiness",
                "vm.dirty_background_ratio",
                "cores of the control group",
                "memory of the control group"
            ]
        );
    }
}
