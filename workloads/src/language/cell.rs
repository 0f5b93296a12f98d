//! One cell of a sweep: every setting with a single value.

use super::{
    arrivals::ArrivalSpec,
    choices::{Acks, Assignor, DriverKind, GroupProtocol, Isolation, PoisonEnd, TransactionMode},
    compression::Compression,
    faults::{self, FaultSpec},
    fields::{Configs, Field, Params, Setting, settings},
    keys::KeySpec,
    rates::RateSpec,
    several::{self, WORKLOAD, WorkloadSpec},
    sizes::SizeSpec,
    sources::{Source, Split},
};
use crate::units::{Count, Rate, Share, Size, Span};
use plimsoll_units::TextError;
use serde::{Deserialize, Serialize};
use std::path::Path;

settings! {
    /// The embedded cluster. A cluster named with `--target` is as it is.
    pub struct ClusterSpec in "cluster" {
        /// Nodes of the embedded cluster, in one process: 1, 3 or 5, and a cell that
        /// asks for another count is refused.
        nodes: u32 = 1, "", 1..=9;
    }
}

settings! {
    /// The topic that a cell writes to and reads from; each cell has its own.
    pub struct TopicSpec in "topic" {
        /// Partitions: how far work can be spread, and a cost for each.
        partitions: u32 = 1, "num.partitions", 1..=100_000;
        /// Copies of each partition; not more than there are brokers.
        replication_factor: u32 = 1, "default.replication.factor", 1..=32;
    }
    /// The topic's own settings, under Kafka's names (`segment.bytes`, …).
    with configs: Configs;
}

settings! {
    /// The producers. Rates in `load` are of all of them together.
    pub struct ProducerSpec in "producer" {
        /// How many producers, each with its own connection; with 0 the cell only
        /// reads what `load.prefill` wrote.
        count: u32 = 1, "", 0..=10_000;
        /// What a producer waits for: 0 nothing, 1 the leader, all the in-sync
        /// replicas.
        acks: Acks = Acks::All, "acks";
        /// Codec of the batches, with a level after a colon (`zstd:9`).
        compression: Compression = Compression::NONE, "compression.type";
        /// Bytes at which a partition's batch is sent without waiting longer.
        batch_bytes: Size = Size::from_bytes(16 * 1024), "batch.size", SIZE_RANGE;
        /// How long a batch waits for more records.
        linger: Span = Span::from_millis(5), "linger.ms", Span::ZERO..=Span::from_secs(3600);
        /// Requests in flight on a connection.
        in_flight: u32 = 5, "max.in.flight.requests.per.connection", 1..=10_000;
        /// Whether the broker drops a producer's repeats. Unset it is on where
        /// the other settings allow it, as in Kafka's own client.
        idempotence: Option<bool> = None, "enable.idempotence";
        /// Memory for records that wait to be sent; a full buffer blocks.
        buffer_bytes: Size = Size::from_bytes(32 * 1024 * 1024), "buffer.memory", SIZE_RANGE;
    }
}

settings! {
    /// Transactions. Without `records` there are none.
    pub struct TransactionSpec in "transactions" {
        /// Records in each transaction.
        records: Option<u32> = None, "";
        /// Share of the transactions that are aborted on purpose.
        abort_rate: Share = Share::default(), "";
        /// What a transaction is: `produce` sends the load in transactions;
        /// `read-process-write` sends it plainly to a topic of its own, from
        /// which processors copy it in transactions with their offsets.
        mode: TransactionMode = TransactionMode::Produce, "";
        /// Processors that share the partitions of a `read-process-write`.
        processors: u32 = 1, "", 1..=1000;
        /// Time after which the broker aborts a transaction by itself.
        timeout: Span = Span::from_secs(60), "transaction.timeout.ms", Span::from_millis(100)..=Span::from_secs(3600);
    }
}

settings! {
    /// The consumers.
    pub struct ConsumerSpec in "consumer" {
        /// Consumers in each group; 0 measures producing alone.
        count: u32 = 1, "", 0..=10_000;
        /// Groups, each of which reads everything.
        groups: u32 = 1, "", 1..=1000;
        /// Bytes that the broker waits for before it answers a fetch.
        fetch_min_bytes: Size = Size::from_bytes(1), "fetch.min.bytes", SIZE_RANGE;
        /// How long it waits for them.
        fetch_wait: Span = Span::from_millis(500), "fetch.max.wait.ms", Span::ZERO..=Span::from_secs(3600);
        /// Most bytes in one answer.
        fetch_max_bytes: Size = Size::from_bytes(50 * 1024 * 1024), "fetch.max.bytes", SIZE_RANGE;
        /// Most bytes of one partition in one answer.
        partition_fetch_bytes: Size = Size::from_bytes(1024 * 1024), "max.partition.fetch.bytes", SIZE_RANGE;
        /// Whether records of open and aborted transactions are read.
        isolation: Isolation = Isolation::ReadUncommitted, "isolation.level";
        /// When consumers begin to read, counted from the start of the warm-up;
        /// until then a backlog builds up.
        start_after: Span = Span::ZERO, "", Span::ZERO..=Span::from_secs(86_400);
        /// How many of the groups begin late, the others reading along from the
        /// start; all of them when unset.
        late_groups: Option<u32> = None, "";
        /// Time that a consumer spends on each record, one after the other.
        processing: Span = Span::ZERO, "", Span::ZERO..=Span::from_secs(3600);
        /// Whether the cluster shares a group's partitions out among those of its
        /// consumers that are there, as for a program that subscribes. Otherwise
        /// each consumer has its partitions from the start and keeps them.
        group: bool = false, "";
        /// How the partitions of a `group` are shared out.
        protocol: GroupProtocol = GroupProtocol::Classic, "group.protocol";
        /// Who of a `group` gets which partitions; when unset, `range` by the
        /// classic protocol, and as the cluster likes by the other.
        assignor: Option<Assignor> = None, "partition.assignment.strategy";
        /// How often the consumers of a `group` commit how far they have read;
        /// they also do when partitions are taken away.
        commit_interval: Span = Span::from_secs(5), "auto.commit.interval.ms", Span::from_millis(10)..=Span::from_secs(3600);
        /// How long a consumer of a `group` may be silent before the others get
        /// its partitions.
        session_timeout: Span = Span::from_secs(45), "session.timeout.ms", Span::from_millis(100)..=Span::from_secs(3600);
        /// How often a consumer of a `group` says that it is there, and hears
        /// whether partitions are to move.
        heartbeat: Span = Span::from_secs(3), "heartbeat.interval.ms", Span::from_millis(10)..=Span::from_secs(3600);
        /// Every so often within the measured time, one of a `group`'s consumers
        /// leaves and joins again, each in turn; nobody does when unset.
        restart_every: Option<Span> = None, "";
    }
}

settings! {
    /// Records that no consumer can process, however often it tries.
    pub struct PoisonSpec in "poison" {
        /// Their share of the records.
        rate: Share = Share::default(), "";
        /// How often a consumer tries one again; each try takes
        /// `consumer.processing`.
        retries: u32 = 3, "", 0..=1000;
        /// The pause before each further try.
        backoff: Span = Span::from_millis(10), "", Span::ZERO..=Span::from_secs(3600);
        /// What is done with it then: `dlq` sends it to the topic's name with
        /// `-dlq`, `skip` goes on with the next record. Both are counted.
        then: PoisonEnd = PoisonEnd::DeadLetter, "";
    }
}

settings! {
    /// The records: made up, or the user's own.
    pub struct RecordSpec in "records" {
        /// Size of a made-up record's value, or a distribution of sizes; 1KiB
        /// when unset.
        size: Option<SizeSpec> = None, "";
        /// Share of a made-up value that compression can remove: 0 is noise,
        /// 1 is all the same; 0.5 when unset.
        compressibility: Option<Share> = None, "";
        /// A file of your own records, or a shipped sample by its name. They
        /// are sent in the file's order, over and over.
        sample: Option<Source> = None, "";
        /// How the sample is split into records; at lines when unset.
        split: Option<Split> = None, "";
        /// Keys, which decide the partition of each record.
        keys: KeySpec = KeySpec::None, "";
        /// Headers on each record.
        headers: u32 = 0, "", 0..=100;
        /// Bytes in each header's value.
        header_bytes: Size = Size::from_bytes(16), "", Size::from_bytes(0)..=Size::from_bytes(64 * 1024);
    }
}

settings! {
    /// The offered load and how long it lasts.
    pub struct LoadSpec in "load" {
        /// Records or bytes a second by all producers together, or max.
        rate: RateSpec = RateSpec::Max, "";
        /// How records are spaced around the rate.
        arrivals: ArrivalSpec = ArrivalSpec::Constant, "";
        /// Records written before all else, as fast as possible and not
        /// measured: what is there to be read.
        prefill: Count = Count::new(0), "";
        /// Load before the measurement starts; its samples are left out.
        warmup: Span = Span::from_secs(5), "", Span::ZERO..=Span::from_secs(86_400);
        /// The measured time.
        duration: Span = Span::from_secs(30), "", Span::from_millis(100)..=Span::from_secs(30 * 86_400);
        /// How long to wait at most for what is still on its way.
        drain: Span = Span::from_secs(30), "", Span::ZERO..=Span::from_secs(86_400);
        /// Latency that the 99th percentile of the response should hold. A
        /// client that is late by more than a hundredth of it is no measure, and
        /// a search looks for the highest rate that holds it.
        objective: Option<Span> = None, "";
    }
}

settings! {
    /// The search for the highest rate, with `load.rate = "search"`. It probes
    /// for a short time each, doubling the rate until an objective fails, then
    /// halves the interval, and holds the answer for `load.duration`.
    pub struct SearchSpec in "search" {
        /// The rate that is tried first.
        from: Rate = Rate::THOUSAND, "";
        /// Where to stop: how far the lowest rate that failed may be above the
        /// highest that held.
        precision: Share = Share::from_billionths(20_000_000), "", Share::from_billionths(1_000_000)..=Share::from_billionths(500_000_000);
        /// Load before each probe is measured.
        warmup: Span = Span::from_millis(500), "", Span::ZERO..=Span::from_secs(3600);
        /// Measured time of each probe.
        probe: Span = Span::from_secs(2), "", Span::from_millis(100)..=Span::from_secs(86_400);
        /// Most failed deliveries, as a share of the records sent.
        errors: Share = Share::from_billionths(1_000_000), "";
        /// By how much of the rate a subscription may fall behind.
        backlog: Share = Share::from_billionths(10_000_000), "";
    }
}

/// What a byte setting may be; Kafka's own are 32-bit.
const SIZE_RANGE: std::ops::RangeInclusive<Size> =
    Size::from_bytes(1)..=Size::from_bytes(i32::MAX as u64);

/// Everything that defines one cell. The field paths are the TOML paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellSpec {
    /// The client that carries the load.
    pub driver: DriverKind,
    /// The embedded cluster.
    pub cluster: ClusterSpec,
    /// The embedded brokers' settings, under Kafka's names.
    pub broker: Configs,
    /// The topic.
    pub topic: TopicSpec,
    /// The producers.
    pub producer: ProducerSpec,
    /// Transactions.
    pub transactions: TransactionSpec,
    /// The consumers.
    pub consumer: ConsumerSpec,
    /// Records that cannot be processed.
    #[serde(default)]
    pub poison: PoisonSpec,
    /// The records.
    pub records: RecordSpec,
    /// The load.
    pub load: LoadSpec,
    /// The search for the highest rate.
    #[serde(default)]
    pub search: SearchSpec,
    /// Several workloads that run at once, in place of the one that the sections
    /// above describe; empty where there is only that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadSpec>,
    /// What happens to nodes of the embedded cluster meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpec>,
}

/// The records of a resolved cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PayloadSpec<'c> {
    /// Made-up values.
    Synthetic {
        /// Their sizes.
        size: &'c SizeSpec,
        /// The share that compression can remove.
        compressibility: Share,
    },
    /// The records of a file.
    Sample {
        /// The file.
        source: &'c Source,
        /// How it is split.
        split: &'c Split,
    },
}

const DRIVER: Field = Field {
    name: "driver",
    doc: " The client that carries the load: native is lean, librdkafka is what people run.",
    kafka: "",
    default: || "native".into(),
    range: || None,
    schema: |generator| generator.subschema_for::<DriverKind>(),
};

const DEFAULT_SIZE: SizeSpec = SizeSpec::Fixed(Size::from_bytes(1024));
const DEFAULT_SPLIT: Split = Split::Lines;

impl Default for CellSpec {
    fn default() -> Self {
        Self {
            driver: DriverKind::Native,
            cluster: ClusterSpec::default(),
            broker: Configs::default(),
            topic: TopicSpec::default(),
            producer: ProducerSpec::default(),
            transactions: TransactionSpec::default(),
            consumer: ConsumerSpec::default(),
            poison: PoisonSpec::default(),
            records: RecordSpec::default(),
            load: LoadSpec::default(),
            search: SearchSpec::default(),
            workloads: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl ConsumerSpec {
    /// Groups that begin late: the last ones.
    pub fn late_groups(&self) -> u32 {
        match self.start_after {
            Span::ZERO => 0,
            _ => self.late_groups.unwrap_or(self.groups).min(self.groups),
        }
    }
}

impl ProducerSpec {
    /// Whether the producers are idempotent, asked for or by default.
    pub fn is_idempotent(&self) -> bool {
        let allowed = self.acks == Acks::All && self.in_flight <= IDEMPOTENT_IN_FLIGHT_MAX;
        self.idempotence.unwrap_or(allowed)
    }
}

/// Requests in flight up to which the broker can still tell repeats (it keeps
/// the last five batches of a producer).
pub(super) const IDEMPOTENT_IN_FLIGHT_MAX: u32 = 5;

impl RecordSpec {
    /// What the values are.
    pub fn payload(&self) -> PayloadSpec<'_> {
        match &self.sample {
            Some(source) => PayloadSpec::Sample {
                source,
                split: self.split.as_ref().unwrap_or(&DEFAULT_SPLIT),
            },
            None => PayloadSpec::Synthetic {
                size: self.size.as_ref().unwrap_or(&DEFAULT_SIZE),
                compressibility: self.compressibility.or(Share::new(0.5)).unwrap_or_default(),
            },
        }
    }
}

impl CellSpec {
    /// The sections that hold settings, with the settings, in the order of the
    /// documentation.
    pub fn sections() -> [(&'static str, &'static [Field]); 10] {
        [
            ("", &[DRIVER]),
            (TopicSpec::SECTION, TopicSpec::FIELDS),
            (ProducerSpec::SECTION, ProducerSpec::FIELDS),
            (TransactionSpec::SECTION, TransactionSpec::FIELDS),
            (ConsumerSpec::SECTION, ConsumerSpec::FIELDS),
            (PoisonSpec::SECTION, PoisonSpec::FIELDS),
            (RecordSpec::SECTION, RecordSpec::FIELDS),
            (LoadSpec::SECTION, LoadSpec::FIELDS),
            (SearchSpec::SECTION, SearchSpec::FIELDS),
            (ClusterSpec::SECTION, ClusterSpec::FIELDS),
        ]
    }

    /// Adds a workload that follows the settings of the top.
    pub(super) fn begin_workload(&mut self, name: String) {
        let cell = Self {
            workloads: Vec::new(),
            ..self.clone()
        };
        self.workloads.push(WorkloadSpec::new(name, cell));
    }

    /// Sets one setting from its text, also in every workload that follows it;
    /// `None` when there is no such path.
    pub(super) fn set(
        &mut self,
        path: &str,
        text: &str,
        base: &Path,
    ) -> Option<Result<(), TextError>> {
        if let Some((name, path)) = several::split(path) {
            let mut workloads = self.workloads.iter_mut();
            let workload = workloads.find(|workload| workload.name == name)?;
            workload.owns(path);
            return workload.cell.set_own(path, text, base);
        }
        let following = self.workloads.iter_mut().filter(|w| w.follows(path));
        for workload in following {
            // What is wrong with it is told once, below.
            let _told_below = workload.cell.set_own(path, text, base);
        }
        self.set_own(path, text, base)
    }

    fn set_own(&mut self, path: &str, text: &str, base: &Path) -> Option<Result<(), TextError>> {
        if path == DRIVER.name {
            return Some(DriverKind::read(text).map(|driver| self.driver = driver));
        }
        let (section, name) = path.split_once('.')?;
        if name.is_empty() {
            return None;
        }
        match section {
            "broker" => {
                self.broker.set(name, text);
                Some(Ok(()))
            }
            TopicSpec::SECTION => match name.strip_prefix("configs.") {
                Some(property) => {
                    self.topic.configs.set(property, text);
                    Some(Ok(()))
                }
                None => self.topic.set(name, text, base),
            },
            ClusterSpec::SECTION => self.cluster.set(name, text, base),
            ProducerSpec::SECTION => self.producer.set(name, text, base),
            TransactionSpec::SECTION => self.transactions.set(name, text, base),
            ConsumerSpec::SECTION => self.consumer.set(name, text, base),
            PoisonSpec::SECTION => self.poison.set(name, text, base),
            RecordSpec::SECTION => self.records.set(name, text, base),
            LoadSpec::SECTION => self.load.set(name, text, base),
            SearchSpec::SECTION => self.search.set(name, text, base),
            FaultSpec::SECTION => faults::set(&mut self.faults, name, text, base),
            _ => None,
        }
    }

    /// Every setting that has a value, by its dotted path; of several workloads,
    /// what holds for all and what each sets itself.
    pub fn params(&self) -> Params {
        let mut out = Params::new();
        if !self.workloads.is_empty() {
            let names: Vec<_> = self.workloads.iter().map(|w| w.name.as_str()).collect();
            out.insert(WORKLOAD.to_owned(), names.join(", ").into());
        }
        for workload in &self.workloads {
            workload.params(&mut out);
        }
        out.insert(DRIVER.name.to_owned(), self.driver.to_string().into());
        self.cluster.params(&mut out);
        self.broker.params("broker", &mut out);
        self.topic.params(&mut out);
        self.producer.params(&mut out);
        self.transactions.params(&mut out);
        self.consumer.params(&mut out);
        self.poison.params(&mut out);
        self.records.params(&mut out);
        self.load.params(&mut out);
        if self.load.rate == RateSpec::Search {
            self.search.params(&mut out);
        }
        faults::params(&self.faults, &mut out);
        out
    }

    /// Spells out what unset settings mean, so that two cells that do the same
    /// are the same.
    #[must_use]
    pub(crate) fn resolved(mut self) -> Self {
        self.producer.idempotence = Some(self.producer.is_idempotent());
        let records = &mut self.records;
        if records.sample.is_some() {
            records.split.get_or_insert(DEFAULT_SPLIT);
        } else {
            records.size.get_or_insert(DEFAULT_SIZE);
            if records.compressibility.is_none() {
                records.compressibility = Share::new(0.5);
            }
        }
        for workload in &mut self.workloads {
            workload.cell = std::mem::take(&mut workload.cell).resolved();
        }
        self
    }

    /// The workloads of the cell: itself, or those that run at once.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        let only = self.workloads.is_empty().then_some(self);
        only.into_iter()
            .chain(self.workloads.iter().map(|workload| &workload.cell))
    }

    /// The intended time of one run of the cell: warm-up and measurement.
    pub fn load_time(&self) -> Span {
        self.load.warmup.plus(self.load.duration)
    }
}
