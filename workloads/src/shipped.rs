//! The workloads and samples that come with the program, so that they can be
//! run by name from any directory.

/// A workload that ships.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name: the file's, without `.toml`.
    pub name: &'static str,
    /// The TOML text.
    pub text: &'static str,
}

/// A file of records that ships.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Its name, as `records.sample` takes it.
    pub name: &'static str,
    /// The records, one a line.
    pub bytes: &'static [u8],
}

macro_rules! workloads {
    ($($name:literal),+ $(,)?) => {
        &[$(Workload {
            name: $name,
            text: include_str!(concat!("../", $name, ".toml")),
        }),+]
    };
}

const WORKLOADS: &[Workload] = workloads![
    "quickstart",
    "acks-and-compression",
    "batch-and-linger",
    "partition-scaling",
    "transactions",
    "consumer-scaling",
    "end-to-end-latency",
    "saturation",
    "backlog-drain",
    "catch-up-reads",
    "hot-key",
    "large-records",
    "many-partitions",
    "noisy-neighbour",
    "rebalances",
    "durable",
    "failover",
    "gate",
];

const SAMPLES: &[Sample] = &[Sample {
    name: "order-events",
    bytes: include_bytes!("../samples/order-events.jsonl"),
}];

impl Workload {
    /// What it answers: the first line of the file's opening comment.
    pub fn describe(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches('#').trim()
    }
}

/// Every shipped workload, in the order to try them.
pub fn workloads() -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter()
}

/// The shipped workload of that name.
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// Every shipped sample.
pub fn samples() -> impl Iterator<Item = &'static Sample> {
    SAMPLES.iter()
}

/// The shipped sample of that name.
pub fn sample(name: &str) -> Option<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name)
}

/// What to say to someone who asked for a workload that is not there.
pub(crate) fn advice(name: &str) -> String {
    let stem = name.rsplit('/').next().unwrap_or(name);
    let stem = stem.trim_end_matches(".toml");
    let alike = |workload: &&Workload| strsim::jaro_winkler(workload.name, stem) > 0.85;
    let names: Vec<_> = workloads().map(|workload| workload.name).collect();
    match workloads().find(alike) {
        Some(workload) => format!("did you mean `{}`?", workload.name),
        None => format!(
            "give the path of a TOML file, or one of {}",
            names.join(", ")
        ),
    }
}
