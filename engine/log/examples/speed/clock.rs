//! Time on the wall and on the processor, and memory.

use std::time::{Duration, Instant};

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub wall: Duration,
    /// This thread's time on a processor, which other load leaves nearly as it
    /// is.
    pub cpu: Duration,
}

/// Runs something and measures it.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let (began, cpu) = (Instant::now(), cpu_ns());
    let done = work();
    let took = Took {
        wall: began.elapsed(),
        cpu: Duration::from_nanos(cpu_ns().saturating_sub(cpu)),
    };
    (done, took)
}

fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = stat.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(0)
}

/// The middle of some times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Lets the high-water mark of memory begin again; the memory now, in bytes.
pub fn reset_peak() -> u64 {
    // Refused by old kernels: then the peak is that of the whole run.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    status("VmRSS:")
}

/// The most memory since [`reset_peak`], in bytes.
pub fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
