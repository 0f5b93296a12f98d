//! What the system says of itself, read from `/proc`, `/sys` and calls.
//!
//! What cannot be read is absent; only a directory that is not there is an
//! error, since nothing could be measured in it.

use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long the processors are watched for what others take.
const WATCH: Duration = Duration::from_millis(500);

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// Hardware threads.
    pub cores: f64,
    /// Runnable and waiting threads, on average over the last minute.
    pub load: Option<f64>,
    /// Cores that were busy while this process slept.
    pub busy_cores: Option<f64>,
    /// Cores that the hypervisor gave to others meanwhile.
    pub stolen_cores: Option<f64>,
    /// Open files: now and at most.
    pub open_files: Option<(u64, u64)>,
    pub max_map_count: Option<u64>,
    pub swappiness: Option<u64>,
    pub dirty_ratio: Option<u64>,
    pub dirty_background_ratio: Option<u64>,
    /// Bytes of swap in use.
    pub swap_bytes: Option<u64>,
    /// Bytes of memory that programs can still have.
    pub available_bytes: Option<u64>,
    pub governors: Vec<String>,
    pub clock_source: Option<String>,
    /// Cores that the control group grants, and the share of time it throttled.
    pub quota_cores: Option<f64>,
    pub throttled: Option<f64>,
    /// Bytes of memory that the control group grants.
    pub quota_bytes: Option<u64>,
    /// How often the processors slowed down for heat, since the start.
    pub thermal_throttles: Option<u64>,
    /// Whether it runs on a battery.
    pub on_battery: bool,
    /// Bytes that are free where the data is, and of how many.
    pub disk_bytes: Option<(u64, u64)>,
    pub debug_build: bool,
}

impl Readings {
    /// Reads the system under `root`, whose data would be in `data`.
    pub fn read(root: &Path, data: &Path) -> anyhow::Result<Self> {
        let found = fs::metadata(data)
            .with_context(|| format!("--data {}", data.display()))?
            .is_dir();
        anyhow::ensure!(found, "--data {}: give a directory", data.display());
        let files = Files(root.to_owned());
        let (busy_cores, stolen_cores) = files.watch();
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Ok(Self {
            cores: thread::available_parallelism().map_or(1.0, |n| n.get() as f64),
            load: files.number_at("proc/loadavg", 0),
            busy_cores,
            stolen_cores,
            open_files: Some((
                limits.current.unwrap_or(u64::MAX),
                limits.maximum.unwrap_or(u64::MAX),
            )),
            max_map_count: files.whole("proc/sys/vm/max_map_count"),
            swappiness: files.whole("proc/sys/vm/swappiness"),
            dirty_ratio: files.whole("proc/sys/vm/dirty_ratio"),
            dirty_background_ratio: files.whole("proc/sys/vm/dirty_background_ratio"),
            swap_bytes: files
                .memory("SwapTotal")
                .zip(files.memory("SwapFree"))
                .map(|(total, free)| total.saturating_sub(free)),
            available_bytes: files.memory("MemAvailable"),
            governors: files.governors(),
            clock_source: files
                .line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
            quota_cores: files.quota_cores(),
            throttled: files.throttled(),
            quota_bytes: files
                .whole("sys/fs/cgroup/memory.max")
                .or_else(|| files.whole("sys/fs/cgroup/memory/memory.limit_in_bytes"))
                // The older groups write no limit as nearly 2⁶³.
                .filter(|bytes| *bytes < 1 << 62),
            thermal_throttles: files.thermal_throttles(),
            on_battery: files.on_battery(),
            disk_bytes: rustix::fs::statvfs(data)
                .ok()
                .map(|disk| (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)),
            debug_build: cfg!(debug_assertions),
        })
    }
}

/// The files under a root.
struct Files(PathBuf);

impl Files {
    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok()
    }

    fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    fn whole(&self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    fn number_at(&self, path: &str, at: usize) -> Option<f64> {
        self.line(path)?.split_whitespace().nth(at)?.parse().ok()
    }

    /// A field of a file of `NAME VALUE` lines.
    fn field(&self, path: &str, name: &str) -> Option<u64> {
        let text = self.text(path)?;
        let mut words = text
            .lines()
            .map(str::split_whitespace)
            .find_map(|mut words| (words.next()? == name).then_some(words))?;
        words.next()?.parse().ok()
    }

    fn memory(&self, name: &str) -> Option<u64> {
        let kibibytes = self.field("proc/meminfo", &format!("{name}:"))?;
        Some(kibibytes.saturating_mul(1024))
    }

    /// Names in a directory, sorted.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(path)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    fn cpus(&self) -> impl Iterator<Item = String> {
        let names = self.names("sys/devices/system/cpu");
        names.into_iter().filter(|name| {
            let number = name.strip_prefix("cpu");
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    fn governors(&self) -> Vec<String> {
        let of = |cpu: String| {
            self.line(&format!(
                "sys/devices/system/cpu/{cpu}/cpufreq/scaling_governor"
            ))
        };
        let mut governors: Vec<String> = self.cpus().filter_map(of).collect();
        governors.sort();
        governors.dedup();
        governors
    }

    fn thermal_throttles(&self) -> Option<u64> {
        let of = |cpu: String| {
            self.whole(&format!(
                "sys/devices/system/cpu/{cpu}/thermal_throttle/core_throttle_count"
            ))
        };
        self.cpus().filter_map(of).max()
    }

    fn on_battery(&self) -> bool {
        let of =
            |name: &String, file: &str| self.line(&format!("sys/class/power_supply/{name}/{file}"));
        let supplies = self.names("sys/class/power_supply");
        supplies.iter().any(|name| {
            of(name, "type").as_deref() == Some("Battery")
                && of(name, "scope").as_deref() != Some("Device")
                && of(name, "status").as_deref() == Some("Discharging")
        })
    }

    fn quota_cores(&self) -> Option<f64> {
        let path = "sys/fs/cgroup/cpu.max";
        if let Some(period) = self.number_at(path, 1) {
            return Some(self.number_at(path, 0)? / period);
        }
        let older = |name: &str| {
            let value: f64 = self
                .line(&format!("sys/fs/cgroup/cpu/{name}"))?
                .parse()
                .ok()?;
            (value > 0.0).then_some(value)
        };
        Some(older("cpu.cfs_quota_us")? / older("cpu.cfs_period_us")?)
    }

    /// The share of the control group's periods in which it was throttled.
    fn throttled(&self) -> Option<f64> {
        let of = |name: &str| {
            let newer = self.field("sys/fs/cgroup/cpu.stat", name);
            newer.or_else(|| self.field("sys/fs/cgroup/cpu/cpu.stat", name))
        };
        let (throttled, periods) = (of("nr_throttled")?, of("nr_periods")?);
        (periods > 0).then(|| throttled as f64 / periods as f64)
    }

    /// Busy and stolen cores while this thread sleeps.
    fn watch(&self) -> (Option<f64>, Option<f64>) {
        let Some(before) = self.ticks() else {
            return (None, None);
        };
        let started = Instant::now();
        thread::sleep(WATCH);
        let seconds = started.elapsed().as_secs_f64();
        let Some(after) = self.ticks() else {
            return (None, None);
        };
        let per_core = rustix::param::clock_ticks_per_second() as f64 * seconds;
        let cores =
            |of: fn(&Ticks) -> u64| of(&after).saturating_sub(of(&before)) as f64 / per_core;
        (Some(cores(|t| t.busy)), Some(cores(|t| t.stolen)))
    }

    fn ticks(&self) -> Option<Ticks> {
        const IDLE: [usize; 2] = [3, 4];
        const STOLEN: usize = 7;
        let line = self.line("proc/stat")?;
        let counts: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(STOLEN + 1)
            .filter_map(|count| count.parse().ok())
            .collect();
        let stolen = *counts.get(STOLEN)?;
        let at = counts.iter().enumerate();
        let busy = at.filter(|(at, _)| !IDLE.contains(at) && *at != STOLEN);
        Some(Ticks {
            busy: busy.map(|(_, count)| count).sum(),
            stolen,
        })
    }
}

struct Ticks {
    busy: u64,
    stolen: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_system_is_read_from_its_files() {
        let root = tree(&[
            ("proc/loadavg", "0.52 0.58 0.59 1/467 12345\n"),
            ("proc/sys/vm/max_map_count", "65530\n"),
            (
                "proc/meminfo",
                "MemAvailable:    2048 kB\nSwapTotal:  100 kB\nSwapFree:  40 kB\n",
            ),
            ("proc/stat", "cpu  10 0 5 100 3 0 0 7 0 0\ncpu0 1 2\n"),
            ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
            (
                "sys/fs/cgroup/cpu.stat",
                "usage_usec 5\nnr_periods 200\nnr_throttled 50\n",
            ),
            ("sys/fs/cgroup/memory.max", "max\n"),
            (
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "powersave\n",
            ),
            (
                "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
                "powersave\n",
            ),
            ("sys/devices/system/cpu/cpufreq/x", "no processor"),
            (
                "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count",
                "4\n",
            ),
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/status", "Discharging\n"),
        ]);
        let read = Readings::read(root.path(), root.path()).unwrap();
        assert_eq!(read.load, Some(0.52));
        assert_eq!(read.max_map_count, Some(65_530));
        assert_eq!(
            (read.swap_bytes, read.available_bytes),
            (Some(61_440), Some(2_097_152))
        );
        assert_eq!((read.quota_cores, read.throttled), (Some(1.5), Some(0.25)));
        assert_eq!(read.quota_bytes, None);
        assert_eq!(read.governors, ["powersave"]);
        assert_eq!(read.thermal_throttles, Some(4));
        assert!(read.on_battery);
        assert_eq!((read.busy_cores, read.stolen_cores), (Some(0.0), Some(0.0)));
        assert!(read.disk_bytes.is_some_and(|(free, all)| free <= all));
    }

    #[test]
    fn a_system_that_hides_everything_is_read_too() {
        let root = tree(&[]);
        let read = Readings::read(root.path(), root.path()).unwrap();
        assert_eq!(
            (read.load, read.quota_cores, read.swap_bytes),
            (None, None, None)
        );
        assert!(!read.on_battery);
        let error = Readings::read(root.path(), Path::new("/no/such")).unwrap_err();
        assert!(format!("{error:#}").starts_with("--data /no/such: No such file"));
    }
}
