//! What this machine's client can send at all, with a cell's settings, and what
//! each record costs it: the cell's producers against a null sink, as fast as
//! they can.
//!
//! It costs about a second for each setting of the producers, so it is kept in
//! the user's cache, by machine, binary and setting. A binary that was built
//! anew, or a machine that changed, is measured anew.

use crate::embedded::{Embedded, Options as Child, Role};
use anyhow::Context as _;
use plimsoll_drive::cell::{Options, Target, run_cell};
use plimsoll_results::{CellResult, ClientCapacity};
use plimsoll_workloads::language::RateSpec;
use plimsoll_workloads::units::Span;
use plimsoll_workloads::{Cell, CellSpec, Run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{env, fs};

const WARMUP: Span = Span::from_millis(150);
const DURATION: Span = Span::from_millis(500);
const DRAIN: Span = Span::from_secs(5);
/// The most settings that are kept.
const KEPT_MAX: usize = 1000;

/// Settings and what the client could do with each.
type Known = BTreeMap<String, ClientCapacity>;

/// Measures capacities, each once.
#[derive(Debug)]
pub struct Capacities {
    /// The file that they are kept in, where there is a place for it.
    file: Option<PathBuf>,
    known: Known,
    /// The machine and the binary.
    prefix: String,
}

impl Capacities {
    /// What is known of the machine of this fingerprint.
    pub fn open(machine: &str) -> Self {
        let file = cache_dir().map(|dir| dir.join("plimsoll").join("null-sink.json"));
        let known = file.as_deref().and_then(read).unwrap_or_default();
        let prefix = format!("{machine} {}", binary());
        Self {
            file,
            known,
            prefix,
        }
    }

    /// What the client can do with a cell's settings.
    ///
    /// # Errors
    /// When the null sink cannot be started or spoken to.
    pub fn of(&mut self, cell: &Cell, run: &Run) -> anyhow::Result<ClientCapacity> {
        let spec = producing_alone(&cell.spec);
        let settings = serde_json::to_string(&spec)?;
        let key = format!("{} {settings}", self.prefix);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let mut cell = cell.clone();
        cell.spec = spec;
        let capacity = measure(&cell, run)?;
        self.known.insert(key, capacity.clone());
        self.keep();
        Ok(capacity)
    }

    /// A cache that cannot be written costs time and nothing else.
    fn keep(&mut self) {
        let of_this = |key: &String| key.starts_with(&self.prefix);
        if self.known.len() > KEPT_MAX {
            self.known.retain(|key, _| of_this(key));
        }
        let Some(file) = &self.file else { return };
        let kept = serde_json::to_vec(&self.known)
            .map_err(std::io::Error::other)
            .and_then(|json| {
                let dir = file.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(dir)?;
                let mut whole = tempfile::NamedTempFile::new_in(dir)?;
                std::io::Write::write_all(&mut whole, &json)?;
                whole.persist(file).map_err(|error| error.error)
            });
        if let Err(error) = kept {
            tracing::debug!(file = %file.display(), %error, "the client's capacity is not kept");
        }
    }
}

/// Whether a cell's result raises the question of what the client can do: it
/// was to send as much as possible, or sent less than it should.
pub fn is_in_question(result: &CellResult) -> bool {
    let throughput = &result.throughput;
    match throughput.target_records_per_s {
        None => true,
        Some(target) => {
            result.search.is_some()
                || throughput.records_per_s < target * plimsoll_drive::audit::ACHIEVED_MIN
        }
    }
}

/// The cell's producers as fast as they can, and nothing else of it.
fn producing_alone(spec: &CellSpec) -> CellSpec {
    let mut spec = spec.clone();
    spec.cluster = Default::default();
    spec.broker = Default::default();
    spec.topic.configs = Default::default();
    spec.topic.replication_factor = 1;
    spec.consumer = Default::default();
    spec.consumer.count = 0;
    spec.transactions = Default::default();
    spec.search = Default::default();
    spec.faults = Vec::new();
    spec.load = Default::default();
    spec.load.rate = RateSpec::Max;
    spec.load.warmup = WARMUP;
    spec.load.duration = DURATION;
    spec.load.drain = DRAIN;
    spec
}

fn measure(cell: &Cell, run: &Run) -> anyhow::Result<ClientCapacity> {
    let sink = Embedded::start(&Child {
        role: Role::NullSink,
        ..Child::default()
    })?;
    let target = Target {
        bootstrap: vec![sink.address().to_owned()].into(),
        broker_pids: vec![sink.pid()],
        rig: None,
    };
    let options = Options {
        dir: None,
        progress: &mut |_| {},
        interrupt: &|| None,
    };
    let result = run_cell(&target, cell, run, options).context("cannot load the null sink")?;
    sink.stop().context("cannot stop the null sink")?;
    let records = result.throughput.records_per_s;
    let client = result
        .resources
        .client
        .map_or(0.0, |usage| usage.cpu_seconds);
    let sent = records * result.throughput.window_s;
    Ok(ClientCapacity {
        records_per_s: records,
        cpu_nanos_per_record: if sent > 0.0 { client * 1e9 / sent } else { 0.0 },
    })
}

fn read(file: &Path) -> Option<Known> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Where the user's programs keep what they can find out again.
fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".cache"));
    set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)
}

/// Tells this build from others.
fn binary() -> String {
    let of = || {
        let file = fs::metadata(env::current_exe().ok()?).ok()?;
        let built = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}-{}", file.len(), built.as_nanos()))
    };
    of().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}
