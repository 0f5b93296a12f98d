//! The machine and the build that a result came from.
//!
//! Results are compared only when their machines are the same;
//! [`Fingerprint::machine_hash`] decides that. The host's name is kept as a
//! hash: it tells two machines apart without telling the world what they are
//! called.

use crate::{mounts, revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// What was measured on. Fields that could not be read are empty, zero or
/// absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fingerprint {
    /// [`Fingerprint::machine_hash`] at the time of the run.
    pub hash: String,
    /// The processor's own name for itself.
    pub cpu_model: String,
    /// Hardware threads this process may use.
    pub logical_cores: u32,
    /// Physical cores of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_cores: Option<u32>,
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// Operating system and version.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// The CPU frequency governor, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// The hypervisor or container runtime that admits to being one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtualisation: Option<String>,
    /// Type of the file system under the data directory.
    pub filesystem: String,
    /// Device under the data directory.
    pub device: String,
    /// First 16 hex digits of the BLAKE3 hash of the host's name.
    pub hostname_hash: String,
    /// Git revision of the directory the command ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_revision: Option<String>,
    /// Version of plimsoll.
    pub plimsoll_version: String,
    /// `release` or `debug`: debug builds measure nothing worth knowing.
    pub build_profile: String,
}

impl Fingerprint {
    /// Reads this machine. `data_dir` is where the broker keeps its logs; it
    /// need not exist yet.
    pub fn read(data_dir: &Path) -> Self {
        let (cpu_model, memory_bytes) = hardware();
        let data_dir = nearest_existing(data_dir);
        let mount = mounts::holding(&data_dir);
        let (filesystem, device) = mount.map_or_else(Default::default, |m| (m.kind, m.source));
        let host = sysinfo::System::host_name().unwrap_or_default();
        let mut fingerprint = Self {
            hash: String::new(),
            cpu_model,
            logical_cores: std::thread::available_parallelism()
                .map_or(0, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            physical_cores: sysinfo::System::physical_core_count()
                .ok()
                .and_then(|n| u32::try_from(n).ok()),
            memory_bytes,
            architecture: std::env::consts::ARCH.to_string(),
            os: sysinfo::System::long_os_version().unwrap_or_default(),
            kernel: sysinfo::System::kernel_version().unwrap_or_default(),
            governor: line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtualisation: virtualisation(),
            filesystem,
            device,
            hostname_hash: short_hash(host.as_bytes()),
            git_revision: std::env::current_dir()
                .ok()
                .and_then(|dir| revision::of(&dir)),
            plimsoll_version: env!("CARGO_PKG_VERSION").to_string(),
            build_profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_string(),
        };
        fingerprint.hash = fingerprint.machine_hash();
        fingerprint
    }

    /// A stable hash of what makes two machines comparable: hardware, kernel,
    /// governor, file system and host; not the build, not the revision.
    pub fn machine_hash(&self) -> String {
        let text = [
            self.cpu_model.as_str(),
            &self.logical_cores.to_string(),
            &self.memory_bytes.to_string(),
            &self.architecture,
            &self.kernel,
            self.governor.as_deref().unwrap_or("-"),
            &self.filesystem,
            &self.hostname_hash,
        ]
        .join("\n");
        short_hash(text.as_bytes())
    }
}

/// The processor's name and the memory; nothing on a system that hides them.
fn hardware() -> (String, u64) {
    let Ok(mut system) = sysinfo::System::new() else {
        return Default::default();
    };
    system.refresh_memory();
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    let model = system.cpus().first().map(|cpu| cpu.brand().trim());
    (model.unwrap_or_default().to_string(), system.total_memory())
}

fn short_hash(bytes: &[u8]) -> String {
    let mut hex = blake3::hash(bytes).to_hex().to_string();
    hex.truncate(16);
    hex
}

/// The data directory is often created later; its parent's file system is its.
fn nearest_existing(path: &Path) -> std::path::PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    absolute
        .ancestors()
        .find_map(|dir| dir.canonicalize().ok())
        .unwrap_or(absolute)
}

fn line_of(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_string())
}

fn virtualisation() -> Option<String> {
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        return Some("container".to_string());
    }
    if let Some(kind) = line_of("/sys/hypervisor/type") {
        return Some(kind);
    }
    let flags = fs::read_to_string("/proc/cpuinfo").ok()?;
    let virtual_cpu = flags
        .lines()
        .find(|line| line.starts_with("flags"))?
        .split_whitespace()
        .any(|flag| flag == "hypervisor");
    virtual_cpu.then(|| "virtual machine".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_fingerprint_that_stays() {
        let missing = std::env::temp_dir().join("plimsoll-no-such-dir/data");
        let first = Fingerprint::read(&missing);
        let second = Fingerprint::read(&std::env::temp_dir());
        assert!(first.logical_cores > 0 && first.memory_bytes > 0);
        assert_eq!(first.hash.len(), 16);
        assert_eq!(first.hash, second.hash);
        assert_eq!(first.filesystem, second.filesystem);
    }

    #[track_caller]
    fn check_same_machine(change: impl Fn(&mut Fingerprint), same: bool) {
        let base = Fingerprint {
            cpu_model: "Example CPU @ 3 GHz".into(),
            logical_cores: 2,
            ..Fingerprint::default()
        };
        let mut other = base.clone();
        change(&mut other);
        assert_eq!(base.machine_hash() == other.machine_hash(), same);
    }

    #[test]
    fn the_hash_follows_the_machine_and_not_the_build() {
        check_same_machine(|f| f.plimsoll_version = "9".into(), true);
        check_same_machine(|f| f.git_revision = Some("0".repeat(40)), true);
        check_same_machine(|f| f.logical_cores = 4, false);
        check_same_machine(|f| f.kernel = "6.9".into(), false);
        check_same_machine(|f| f.governor = Some("powersave".into()), false);
    }
}
