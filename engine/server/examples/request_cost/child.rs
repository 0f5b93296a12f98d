//! A server as a child process, and what its threads have cost.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A child that said `ready ADDRESS…` and ends with this process.
pub struct Child {
    process: std::process::Child,
    addresses: Vec<SocketAddr>,
}

impl Child {
    /// Starts a program and waits for its ready line.
    pub fn start(program: PathBuf, args: &[impl AsRef<OsStr>]) -> io::Result<Self> {
        let mut process = Command::new(&program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| io::Error::other(format!("cannot start {}: {e}", program.display())))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let words = line.split_whitespace().skip(1);
        let addresses = words.flat_map(|word| word.parse()).collect::<Vec<_>>();
        if addresses.is_empty() {
            return Err(io::Error::other(format!(
                "{} is not ready: {line:?}",
                program.display()
            )));
        }
        Ok(Self { process, addresses })
    }

    /// The address at a place of the ready line.
    pub fn address(&self, place: usize) -> SocketAddr {
        self.addresses[place]
    }

    /// The CPU time of all threads that live, as the scheduler accounts it.
    pub fn cpu_seconds(&self) -> io::Result<f64> {
        let tasks = format!("/proc/{}/task", self.process.id());
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(tasks)? {
            let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let run = stat
                .split_whitespace()
                .next()
                .and_then(|n| n.parse::<u64>().ok());
            nanoseconds += run.ok_or_else(|| io::Error::other("schedstat is not readable"))?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// The most memory that the process ever had resident.
    pub fn peak_memory_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.ok_or_else(|| io::Error::other("VmHWM is not readable"))? * 1024)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _exit = self.process.wait();
    }
}

/// A directory that is gone afterwards.
pub fn temporary_directory(name: &str) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("cost-{name}-"))
        .tempdir()
}
