//! Watching broker and client while a cell is measured.

use super::process::{CpuTicks, limited_micros, steal_ticks};
use crate::clock::{Mono, wall_lead_nanos};
use plimsoll_results::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// One of the two sides of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What it used in the measured window.
    pub usage: Usage,
    /// The busiest thread's share of one core.
    pub busiest_thread: f64,
}

/// What was used in the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The brokers together; absent when their processes are not known.
    pub broker: Option<Side>,
    /// This process.
    pub client: Side,
    /// Core seconds that the hypervisor gave to others.
    pub steal_seconds: Option<f64>,
    /// Seconds for which a CPU limit held this process's group back.
    pub limited_seconds: Option<f64>,
    /// By how much the wall clock moved against the monotonic clock.
    pub clock_slip_seconds: Option<f64>,
}

/// Observes processes from [`Watch::begin`] to [`Watch::end`].
pub struct Watch {
    /// Absent where sysinfo cannot read this system.
    system: Option<System>,
    ticks_per_second: f64,
    brokers: Processes,
    client: Processes,
    began: Mono,
    steal: Option<u64>,
    /// Microseconds held back, before the window.
    limited: Option<u64>,
    /// The wall clock less the monotonic one, before the window.
    wall_lead: i64,
}

struct Processes {
    pids: Vec<u32>,
    ticks: Vec<CpuTicks>,
    last_ticks: u64,
    peak_memory: u64,
    disk: Disk,
    /// What processes used that are not followed any more, or were counted anew.
    spent: Spent,
}

/// CPU time and disk traffic that have been settled.
#[derive(Clone, Debug, Default)]
struct Spent {
    user: u64,
    kernel: u64,
    /// To the nanosecond; only as long as the kernel told all of it.
    nanos: Option<u64>,
    threads: BTreeMap<u32, u64>,
    disk: Disk,
}

#[derive(Clone, Copy, Debug, Default)]
struct Disk {
    written: u64,
    read: u64,
}

/// Cores in use since the last sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cores {
    /// By the brokers, when they are known.
    pub broker: Option<f64>,
    /// By this process.
    pub client: f64,
}

impl Watch {
    /// Watches this process and the brokers' `pids`, which may be none.
    pub fn new(pids: &[u32]) -> Self {
        Self {
            system: System::new().ok(),
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
            brokers: Processes::new(pids.to_vec()),
            client: Processes::new(vec![std::process::id()]),
            began: Mono::now(),
            steal: None,
            limited: None,
            wall_lead: 0,
        }
    }

    /// The measured window begins.
    pub fn begin(&mut self) {
        self.refresh();
        self.began = Mono::now();
        self.steal = steal_ticks();
        self.limited = limited_micros();
        self.wall_lead = wall_lead_nanos();
        let system = self.system.as_ref();
        [&mut self.brokers, &mut self.client]
            .into_iter()
            .for_each(|side| side.begin(system));
    }

    /// Notes memory in use. Peaks count from the first sample on.
    pub fn sample(&mut self) {
        self.refresh();
        let system = self.system.as_ref();
        [&mut self.brokers, &mut self.client]
            .into_iter()
            .for_each(|side| side.sample(system));
    }

    /// Counts what the brokers used until now: some of them are about to end.
    pub fn settle(&mut self) {
        self.refresh();
        self.brokers.settle(self.system.as_ref());
    }

    /// From now on these are the brokers' processes, after [`Watch::settle`].
    /// What a new one used since it began counts.
    pub fn follow(&mut self, pids: &[u32]) {
        let known = std::mem::replace(&mut self.brokers.pids, pids.to_vec());
        let baseline = |pid: &u32| match known.contains(pid) {
            true => CpuTicks::read(*pid),
            false => CpuTicks::default(),
        };
        self.brokers.ticks = pids.iter().map(baseline).collect();
        self.refresh();
        self.brokers.disk = self.brokers.disk(self.system.as_ref());
        self.brokers.step();
    }

    /// Cores used in the `seconds` since the last call.
    pub fn cores(&mut self, seconds: f64) -> Cores {
        let per_core = self.ticks_per_second * seconds.max(1e-3);
        let client = self.client.step() as f64 / per_core;
        let broker = self.brokers.step() as f64 / per_core;
        Cores {
            broker: (!self.brokers.pids.is_empty()).then_some(broker),
            client,
        }
    }

    /// The measured window ends.
    pub fn end(&mut self) -> Observed {
        self.sample();
        let seconds = Mono::now().since(self.began) as f64 / 1e9;
        let stolen = self.steal.zip(steal_ticks());
        let limited = self.limited.zip(limited_micros());
        let side = |processes: &Processes| {
            processes.end(self.system.as_ref(), self.ticks_per_second, seconds)
        };
        Observed {
            broker: (!self.brokers.pids.is_empty()).then(|| side(&self.brokers)),
            client: side(&self.client),
            limited_seconds: limited.map(|(before, now)| now.saturating_sub(before) as f64 / 1e6),
            clock_slip_seconds: Some((wall_lead_nanos() - self.wall_lead) as f64 / 1e9),
            steal_seconds: stolen
                .map(|(before, now)| now.saturating_sub(before) as f64 / self.ticks_per_second),
        }
    }

    fn refresh(&mut self) {
        let pids: Vec<Pid> = self
            .brokers
            .pids
            .iter()
            .chain(&self.client.pids)
            .map(pid)
            .collect();
        let kind = ProcessRefreshKind::nothing()
            .with_memory()
            .with_disk_usage()
            .without_tasks();
        if let Some(system) = &mut self.system {
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind);
        }
    }
}

impl Processes {
    const fn new(pids: Vec<u32>) -> Self {
        Self {
            pids,
            ticks: Vec::new(),
            last_ticks: 0,
            peak_memory: 0,
            disk: Disk {
                written: 0,
                read: 0,
            },
            spent: Spent {
                user: 0,
                kernel: 0,
                nanos: Some(0),
                threads: BTreeMap::new(),
                disk: Disk {
                    written: 0,
                    read: 0,
                },
            },
        }
    }

    fn begin(&mut self, system: Option<&System>) {
        self.spent = Spent {
            nanos: Some(0),
            ..Spent::default()
        };
        self.ticks = self.pids.iter().map(|pid| CpuTicks::read(*pid)).collect();
        self.step();
        self.disk = self.disk(system);
        self.sample(system);
    }

    fn sample(&mut self, system: Option<&System>) {
        let found = self.pids.iter().filter_map(|id| system?.process(pid(id)));
        self.peak_memory = self
            .peak_memory
            .max(found.map(sysinfo::Process::memory).sum());
    }

    /// Ticks used since the last call.
    fn step(&mut self) -> u64 {
        let now = self.pids.iter().map(|pid| CpuTicks::total(*pid)).sum();
        now - std::mem::replace(&mut self.last_ticks, now).min(now)
    }

    fn disk(&self, system: Option<&System>) -> Disk {
        let mut sum = Disk::default();
        for process in self.pids.iter().filter_map(|id| system?.process(pid(id))) {
            let usage = process.disk_usage();
            sum.written += usage.total_written_bytes;
            sum.read += usage.total_read_bytes;
        }
        sum
    }

    /// Moves what was used since the baselines into `spent`, and the baselines to
    /// now.
    fn settle(&mut self, system: Option<&System>) {
        let used = self.used(system);
        self.spent = used;
        self.ticks = self.pids.iter().map(|pid| CpuTicks::read(*pid)).collect();
        self.disk = self.disk(system);
    }

    /// All that was used since the window began.
    fn used(&self, system: Option<&System>) -> Spent {
        let mut used = self.spent.clone();
        for (pid, before) in self.pids.iter().zip(&self.ticks) {
            let now = CpuTicks::read(*pid);
            used.nanos = used
                .nanos
                .zip(now.nanos_since(before))
                .map(|(sum, nanos)| sum + nanos);
            let since = now.since(before);
            used.user += since.user;
            used.kernel += since.system;
            for (thread, ticks) in since.threads {
                *used.threads.entry(thread).or_default() += ticks;
            }
        }
        let disk = self.disk(system);
        used.disk.written += disk.written.saturating_sub(self.disk.written);
        used.disk.read += disk.read.saturating_sub(self.disk.read);
        used
    }

    fn end(&self, system: Option<&System>, ticks_per_second: f64, seconds: f64) -> Side {
        let in_seconds = |ticks: u64| ticks as f64 / ticks_per_second;
        let used = self.used(system);
        let busiest = used.threads.values().copied().max().unwrap_or(0);
        let ticks = used.user + used.kernel;
        let usage = Usage {
            cpu_seconds: used
                .nanos
                .map_or(in_seconds(ticks), |nanos| nanos as f64 / 1e9),
            cpu_user_seconds: Some(in_seconds(used.user)),
            cpu_system_seconds: Some(in_seconds(used.kernel)),
            peak_memory_bytes: self.peak_memory,
            disk_written_bytes: Some(used.disk.written),
            disk_read_bytes: Some(used.disk.read),
            ..Usage::default()
        };
        Side {
            usage,
            busiest_thread: in_seconds(busiest) / seconds.max(1e-3),
        }
    }
}

fn pid(id: &u32) -> Pid {
    Pid::from_u32(*id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::thread_cpu_nanos;

    /// Takes so much of a core, however long a busy machine makes it wait for it.
    fn spin(nanos: u64) {
        let until = thread_cpu_nanos() + nanos;
        while thread_cpu_nanos() < until {}
    }

    #[test]
    fn a_busy_thread_shows_as_busy() {
        let mut watch = Watch::new(&[]);
        watch.begin();
        spin(150_000_000);
        let observed = watch.end();
        assert!(observed.broker.is_none());
        let usage = &observed.client.usage;
        assert!(
            usage.cpu_seconds > 0.0 && usage.peak_memory_bytes > 0,
            "{usage:?}"
        );
        assert!(observed.client.busiest_thread > 0.0, "{observed:?}");
    }

    #[test]
    fn what_a_process_used_stays_counted_when_it_is_gone() {
        let own = std::process::id();
        let mut watch = Watch::new(&[own]);
        watch.begin();
        let used = |watch: &mut Watch| {
            let broker = watch.end().broker.map(|side| side.usage.cpu_seconds);
            broker.unwrap_or_default()
        };
        spin(100_000_000);
        watch.settle();
        watch.follow(&[u32::MAX]);
        let settled = used(&mut watch);
        assert!(settled > 0.0);
        spin(100_000_000);
        assert_eq!(used(&mut watch), settled, "a process that is not followed");
    }
}
