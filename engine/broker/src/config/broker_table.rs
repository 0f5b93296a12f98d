//! The properties of a broker.
//!
//! Everything Kafka 4.1 knows is either honoured, or accepted with a warning
//! when it only tunes machinery that does not exist here, or refused when
//! ignoring it would break what the operator relies on.

use super::property::{Kind, Property};
use super::security_table::SECURITY_PROPERTIES;

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;

const fn p(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Property {
    Property::new(name, kind, doc).default(default)
}

/// A property whose default is null.
const fn unset(name: &'static str, kind: Kind, doc: &'static str) -> Property {
    Property::new(name, kind, doc)
}

/// Accepted with a warning: it tunes machinery that does not exist here.
const fn idle(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    why: &'static str,
) -> Property {
    Property::new(name, kind, "No effect here.")
        .default(default)
        .no_effect(why)
}

const THREADS: &str = "one thread per core does this work";

/// Identity, addresses and limits of the node.
#[rustfmt::skip] // one property a line
pub const NODE_PROPERTIES: &[Property] = &[
    p("node.id", Kind::Int(0, INT), "1", "This node's number within the cluster."),
    unset("broker.id", Kind::Int(-1, INT), "The older name of node.id."),
    unset("broker.rack", Kind::Text, "The rack this node stands in."),
    p("log.dir", Kind::Text, "/tmp/kafka-logs", "Where partitions are kept when log.dirs is not set."),
    unset("log.dirs", Kind::List(&[]), "The directories partitions are kept in."),
    p("listeners", Kind::List(&[]), "PLAINTEXT://:9092", "The addresses this node listens on."),
    unset("advertised.listeners", Kind::List(&[]), "The addresses clients are told to use."),
    p("process.roles", Kind::List(&["broker", "controller"]), "broker,controller", "The parts this node plays."),
    p("socket.request.max.bytes", Kind::Int(1, INT), "104857600", "The largest request that is read."),
    p("queued.max.request.bytes", Kind::Long(-1, LONG), "-1", "The memory that large requests may take while they are read."),
    p("max.connections", Kind::Int(0, INT), "2147483647", "How many connections are open at once."),
    p("max.connections.per.ip", Kind::Int(0, INT), "2147483647", "How many connections one address may open."),
    p("connections.max.idle.ms", Kind::Long(-1, LONG), "600000", "When an idle connection is closed."),
    p("auto.create.topics.enable", Kind::Bool, "true", "Whether asking for a topic creates it."),
    p("delete.topic.enable", Kind::Bool, "true", "Whether topics may be deleted."),
    p("num.partitions", Kind::Int(1, INT), "1", "The partitions of a topic that asks for the default."),
    p("default.replication.factor", Kind::Int(1, i16::MAX as i64), "1", "The replicas of a topic that asks for the default."),
    p("fetch.max.bytes", Kind::Int(1024, INT), "57671680", "The most bytes one fetch answers with."),
    p("max.incremental.fetch.session.cache.slots", Kind::Int(0, INT), "1000", "How many fetch sessions are kept."),
    p("max.request.partition.size.limit", Kind::Int(1, INT), "2000", "The most partitions one page of a topic description holds."),
    p("quota.window.num", Kind::Int(1, INT), "11", "How many samples of a client's rate are kept."),
    p("quota.window.size.seconds", Kind::Int(1, INT), "1", "The span of each sample."),
    unset("authorizer.class.name", Kind::Text, "Who decides what a client may do; unset, every client may do everything."),
    unset("super.users", Kind::Text, "Who may do everything, as User:NAME, parted by semicolons."),
    p("allow.everyone.if.no.acl.found", Kind::Bool, "false", "Whether a thing that no access control entry bears on is open to everyone."),
    p("auto.leader.rebalance.enable", Kind::Bool, "true", "Whether preferred leaders take over again."),
];

/// The cluster: its quorum, its members, their replication.
#[rustfmt::skip] // one property a line
pub const CLUSTER_PROPERTIES: &[Property] = &[
    p("controller.quorum.voters", Kind::List(&[]), "", "The controllers, each as ID@HOST:PORT; none is a cluster of this node alone."),
    unset("cluster.id", Kind::Text, "The cluster's id, which a data directory keeps; by default one that follows from the voters."),
    p("controller.quorum.fetch.timeout.ms", Kind::Int(200, INT), "2000", "How long the quorum's leader may be silent before another is elected."),
    p("broker.heartbeat.interval.ms", Kind::Int(1, INT), "2000", "How often a broker tells the controller that it lives."),
    p("broker.session.timeout.ms", Kind::Int(1, INT), "9000", "How long a broker may be silent before others lead in its place."),
    p("request.timeout.ms", Kind::Int(1, INT), "30000", "How long a request to another node may take."),
    p("replica.lag.time.max.ms", Kind::Long(1, LONG), "30000", "How long a follower may lag before it is out of sync."),
    p("replica.fetch.max.bytes", Kind::Int(1, INT), "1048576", "The bytes of one partition in a follower's fetch."),
    p("replica.fetch.wait.max.ms", Kind::Int(0, INT), "500", "How long a follower's fetch waits for records."),
    p("replica.fetch.min.bytes", Kind::Int(0, INT), "1", "How many bytes are worth an answer before that."),
    p("replica.fetch.backoff.ms", Kind::Int(1, INT), "1000", "How long a follower rests after a fetch that failed."),
    p("replica.fetch.response.max.bytes", Kind::Int(1, INT), "10485760", "The bytes of a whole follower's fetch."),
    unset("replica.selector.class", Kind::Choice(&["org.apache.kafka.common.replica.RackAwareReplicaSelector", "org.apache.kafka.common.replica.LeaderSelector"]), "Which replica consumers with a client.rack are sent to; the leader when unset."),
    p("leader.replication.throttled.rate", Kind::Long(0, LONG), "9223372036854775807", "Bytes a second that this node sends to throttled replicas which catch up.").live(),
    p("follower.replication.throttled.rate", Kind::Long(0, LONG), "9223372036854775807", "Bytes a second that this node's throttled replicas catch up with.").live(),
    p("leader.imbalance.check.interval.seconds", Kind::Long(1, LONG), "300", "How often preferred leaders are looked at."),
    p("controlled.shutdown.enable", Kind::Bool, "true", "Whether a stopping node hands its partitions over first."),
    p("controller.listener.names", Kind::List(&[]), "", "The listeners that controllers are reached by."),
];

/// The log, its retention and its compaction: the defaults of topics.
#[rustfmt::skip] // one property a line
pub const LOG_PROPERTIES: &[Property] = &[
    p("message.max.bytes", Kind::Int(0, INT), "1048588", "The largest record batch that is accepted.").live(),
    p("min.insync.replicas", Kind::Int(1, INT), "1", "How many replicas must be in sync for acks=all.").live(),
    p("unclean.leader.election.enable", Kind::Bool, "false", "Whether an out-of-sync replica may lead.").live(),
    p("compression.type", Kind::Choice(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), "producer", "The codec records are stored in.").live(),
    p("compression.gzip.level", Kind::Int(-1, 9), "-1", "The gzip level of stored records.").live(),
    p("compression.lz4.level", Kind::Int(1, 17), "9", "The lz4 level of stored records.").live(),
    p("compression.zstd.level", Kind::Int(-131_072, 22), "3", "The zstd level of stored records.").live(),
    p("log.cleanup.policy", Kind::List(&["compact", "delete"]), "delete", "How old records go.").live(),
    p("log.segment.bytes", Kind::Int(14, INT), "1073741824", "The size of a log segment.").live(),
    unset("log.roll.ms", Kind::Long(1, LONG), "The age at which a segment is closed.").live(),
    p("log.roll.hours", Kind::Int(1, INT), "168", "The age at which a segment is closed."),
    unset("log.roll.jitter.ms", Kind::Long(0, LONG), "A random time taken off log.roll.ms.").live(),
    p("log.roll.jitter.hours", Kind::Int(0, INT), "0", "A random time taken off log.roll.hours."),
    unset("log.retention.ms", Kind::Long(-1, LONG), "How long records are kept; -1 sets no limit.").live(),
    unset("log.retention.minutes", Kind::Int(-1, INT), "How long records are kept."),
    p("log.retention.hours", Kind::Int(-1, INT), "168", "How long records are kept."),
    p("log.retention.bytes", Kind::Long(-1, LONG), "-1", "The size a partition may reach.").live(),
    p("log.retention.check.interval.ms", Kind::Long(1, LONG), "300000", "How often retention is checked."),
    p("log.index.interval.bytes", Kind::Int(0, INT), "4096", "The bytes between two index entries.").live(),
    p("log.index.size.max.bytes", Kind::Int(4, INT), "10485760", "The size of an index file.").live(),
    p("log.segment.delete.delay.ms", Kind::Long(0, LONG), "60000", "How long deleted files stay on disk.").live(),
    p("log.preallocate", Kind::Bool, "false", "Whether a segment's file takes its full size at once.").live().refused("segments grow as they are written"),
    p("log.flush.interval.messages", Kind::Long(1, LONG), "9223372036854775807", "Force a log to disk after this many records.").live(),
    unset("log.flush.interval.ms", Kind::Long(0, LONG), "Force a log to disk after this long.").live(),
    p("log.flush.scheduler.interval.ms", Kind::Long(1, LONG), "9223372036854775807", "How often logs due for a flush are looked for."),
    p("log.flush.offset.checkpoint.interval.ms", Kind::Int(0, INT), "60000", "How often recovery points are written."),
    p("log.flush.start.offset.checkpoint.interval.ms", Kind::Int(0, INT), "60000", "How often log start offsets are written.").no_effect("they are written with the recovery points"),
    p("log.message.timestamp.type", Kind::Choice(&["CreateTime", "LogAppendTime"]), "CreateTime", "Whose timestamp records carry.").live(),
    p("log.message.timestamp.before.max.ms", Kind::Long(0, LONG), "9223372036854775807", "How far behind a timestamp may lie.").live(),
    p("log.message.timestamp.after.max.ms", Kind::Long(0, LONG), "3600000", "How far ahead a timestamp may lie.").live(),
    p("num.recovery.threads.per.data.dir", Kind::Int(1, INT), "2", "How many logs of one directory are opened at once at a start."),
    p("log.cleaner.enable", Kind::Bool, "true", "Whether compacted topics are compacted."),
    p("log.cleaner.threads", Kind::Int(0, 64), "1", "How many logs are compacted at once."),
    p("log.cleaner.dedupe.buffer.size", Kind::Long(0, LONG), "134217728", "The memory of the compaction's key map.").live(),
    p("log.cleaner.io.buffer.load.factor", Kind::Double(0.0, 1.0), "0.9", "How full the key map may get.").live(),
    p("log.cleaner.io.max.bytes.per.second", Kind::Double(0.0, f64::MAX), "1.7976931348623157E308", "How fast compaction reads and writes, all threads together.").live(),
    p("log.cleaner.backoff.ms", Kind::Long(0, LONG), "15000", "How long an idle cleaner sleeps.").live(),
    p("log.cleaner.min.cleanable.ratio", Kind::Double(0.0, 1.0), "0.5", "The uncompacted share from which a log is compacted.").live(),
    p("log.cleaner.delete.retention.ms", Kind::Long(0, LONG), "86400000", "How long deletion markers are kept.").live(),
    p("log.cleaner.min.compaction.lag.ms", Kind::Long(0, LONG), "0", "How long a record stays uncompacted at least.").live(),
    p("log.cleaner.max.compaction.lag.ms", Kind::Long(1, LONG), "9223372036854775807", "How long a record may stay uncompacted.").live(),
    p("producer.id.expiration.ms", Kind::Int(1, INT), "86400000", "When an idle producer's sequences are forgotten.").live(),
];

/// Groups, offsets and transactions.
#[rustfmt::skip] // one property a line
pub const COORDINATOR_PROPERTIES: &[Property] = &[
    p("group.coordinator.rebalance.protocols", Kind::List(&["classic", "consumer"]), "classic,consumer", "The group protocols that are served.").refused("both protocols are always served"),
    p("group.initial.rebalance.delay.ms", Kind::Int(0, INT), "3000", "How long an empty group waits for more members."),
    p("group.min.session.timeout.ms", Kind::Int(1, INT), "6000", "The shortest session timeout."),
    p("group.max.session.timeout.ms", Kind::Int(1, INT), "1800000", "The longest session timeout."),
    p("group.max.size", Kind::Int(1, INT), "2147483647", "The most members of a classic group."),
    p("group.consumer.session.timeout.ms", Kind::Int(1, INT), "45000", "The session timeout of the new protocol."),
    p("group.consumer.min.session.timeout.ms", Kind::Int(1, INT), "45000", "The shortest such timeout.").no_effect("groups have no settings of their own to bound"),
    p("group.consumer.max.session.timeout.ms", Kind::Int(1, INT), "60000", "The longest such timeout.").no_effect("groups have no settings of their own to bound"),
    p("group.consumer.heartbeat.interval.ms", Kind::Int(1, INT), "5000", "The heartbeat of the new protocol."),
    p("group.consumer.min.heartbeat.interval.ms", Kind::Int(1, INT), "5000", "The shortest such heartbeat.").no_effect("groups have no settings of their own to bound"),
    p("group.consumer.max.heartbeat.interval.ms", Kind::Int(1, INT), "15000", "The longest such heartbeat.").no_effect("groups have no settings of their own to bound"),
    p("group.consumer.max.size", Kind::Int(1, INT), "2147483647", "The most members of a consumer group."),
    p("group.consumer.assignors", Kind::List(&["uniform", "range"]), "uniform,range", "The assignors on offer, the first by default.").refused("both assignors are always on offer"),
    p("group.consumer.migration.policy", Kind::Choice(&["disabled", "downgrade", "upgrade", "bidirectional"]), "bidirectional", "Whether groups change protocol while they run."),
    p("offset.metadata.max.bytes", Kind::Int(0, INT), "4096", "The longest metadata of a committed offset."),
    p("offsets.topic.num.partitions", Kind::Int(1, INT), "50", "The partitions of the offsets topic."),
    p("offsets.topic.replication.factor", Kind::Short(1, i16::MAX as i64), "3", "The replicas of the offsets topic, at most one per node."),
    p("offsets.topic.segment.bytes", Kind::Int(14, INT), "104857600", "The segment size of the offsets topic."),
    p("offsets.topic.compression.codec", Kind::Int(0, 4), "0", "The codec of the offsets topic.").refused("offsets are stored uncompressed"),
    p("offsets.retention.minutes", Kind::Int(1, INT), "10080", "How long an empty group's offsets are kept."),
    p("offsets.retention.check.interval.ms", Kind::Long(1, LONG), "600000", "How often expired offsets are looked for."),
    p("offsets.commit.timeout.ms", Kind::Int(1, INT), "5000", "How long a commit waits for its replicas."),
    p("transaction.state.log.num.partitions", Kind::Int(1, INT), "50", "The partitions of the transactions topic."),
    p("transaction.state.log.replication.factor", Kind::Short(1, i16::MAX as i64), "3", "The replicas of the transactions topic, at most one per node."),
    p("transaction.state.log.min.isr", Kind::Int(1, INT), "2", "The in-sync replicas of the transactions topic, at most its replicas."),
    p("transaction.state.log.segment.bytes", Kind::Int(14, INT), "104857600", "The segment size of the transactions topic."),
    p("transaction.max.timeout.ms", Kind::Int(1, INT), "900000", "The longest transaction timeout."),
    p("transactional.id.expiration.ms", Kind::Int(1, INT), "604800000", "When an idle transactional id is forgotten."),
    p("transaction.abort.timed.out.transaction.cleanup.interval.ms", Kind::Int(1, INT), "10000", "How often timed-out transactions are looked for.").no_effect("a transaction is aborted when its time is up"),
    p("transaction.remove.expired.transaction.cleanup.interval.ms", Kind::Int(1, INT), "3600000", "How often expired transactional ids are looked for."),
    p("transaction.two.phase.commit.enable", Kind::Bool, "false", "Whether transactions may be left prepared.").refused("transactions always time out"),
];

/// What only this engine has.
#[rustfmt::skip] // one property a line
pub const OWN_PROPERTIES: &[Property] = &[
    p("plimsoll.durable", Kind::Bool, "false", "Whether produce requests are answered only once their records are synced; those that come together share the syncs."),
    p("plimsoll.lost.log.dirs", Kind::Choice(&["wait", "recreate"]), "wait", "Whether logs that lay in a log directory that is gone for ever begin anew, without their records."),
];

/// Kafka's own tuning that has nothing to tune here.
#[rustfmt::skip] // one property a line
pub const IDLE_PROPERTIES: &[Property] = &[
    idle("num.network.threads", Kind::Int(1, INT), "3", THREADS),
    idle("num.io.threads", Kind::Int(1, INT), "8", THREADS),
    idle("background.threads", Kind::Int(1, INT), "10", THREADS),
    idle("num.replica.fetchers", Kind::Int(1, INT), "1", "one fetch to each leader is under way at a time"),
    idle("num.replica.alter.log.dirs.threads", Kind::Int(1, INT), "1", THREADS),
    idle("queued.max.requests", Kind::Int(1, INT), "500", "requests are answered as they are read"),
    idle("socket.send.buffer.bytes", Kind::Int(-1, INT), "102400", "the system sizes socket buffers"),
    idle("socket.receive.buffer.bytes", Kind::Int(-1, INT), "102400", "the system sizes socket buffers"),
    idle("socket.listen.backlog.size", Kind::Int(1, INT), "50", "the system sizes the backlog"),
    idle("replica.socket.timeout.ms", Kind::Int(1, INT), "30000", "a fetch waits little longer than it asks the leader to"),
    idle("replica.socket.receive.buffer.bytes", Kind::Int(1, INT), "65536", "the system sizes socket buffers"),
    idle("replica.high.watermark.checkpoint.interval.ms", Kind::Long(1, LONG), "5000", "it is written with the recovery points"),
    idle("fetch.purgatory.purge.interval.requests", Kind::Int(0, INT), "1000", "waiting requests leave at once"),
    idle("producer.purgatory.purge.interval.requests", Kind::Int(0, INT), "1000", "waiting requests leave at once"),
    idle("delete.records.purgatory.purge.interval.requests", Kind::Int(0, INT), "1", "waiting requests leave at once"),
    idle("controller.quorum.bootstrap.servers", Kind::List(&[]), "", "the voters are named by controller.quorum.voters"),
    idle("inter.broker.listener.name", Kind::Text, "", "nodes use the first listener that clients use"),
    idle("offsets.load.buffer.size", Kind::Int(1, INT), "5242880", "offsets are loaded by whole segments"),
    idle("transaction.state.log.load.buffer.size", Kind::Int(1, INT), "5242880", "transactions are loaded by whole segments"),
    idle("producer.id.expiration.check.interval.ms", Kind::Int(1, INT), "600000", "idle producers are looked for with retention"),
    idle("log.cleaner.io.buffer.size", Kind::Int(0, INT), "524288", "the cleaner sizes its buffers by the largest batch"),
    idle("log.initial.task.delay.ms", Kind::Long(0, LONG), "30000", "background work starts when it is due"),
    idle("metric.reporters", Kind::List(&[]), "", "metrics are read over HTTP"),
    idle("metrics.num.samples", Kind::Int(1, INT), "2", "metrics are read over HTTP"),
    idle("metrics.sample.window.ms", Kind::Long(1, LONG), "30000", "metrics are read over HTTP"),
    idle("metrics.recording.level", Kind::Text, "INFO", "metrics are read over HTTP"),
    idle("group.coordinator.threads", Kind::Int(1, INT), "4", THREADS),
    idle("group.coordinator.append.linger.ms", Kind::Int(-1, INT), "5", "a group's records are written at once"),
    idle("transaction.partition.verification.enable", Kind::Bool, "true", "one node verifies without asking"),
];

/// Kafka's properties that the engine refuses by their prefix, and why.
pub const REFUSED_FAMILIES: &[(&str, &str)] = &[
    (
        "alter.",
        "it belongs to policies and moved directories, which are not offered",
    ),
    (
        "client.quota.",
        "users and clients are named by themselves in quotas",
    ),
    (
        "connection.failed.authentication.",
        "a client that fails is answered and closed at once",
    ),
    ("controller.", "the quorum has no such setting"),
    ("delegation.token.", "delegation tokens are not offered"),
    ("group.share.", "share groups are not offered"),
    ("initial.broker.", "a broker asks until it is let in"),
    ("log.local.", "records are kept on local disks only"),
    ("metadata.", "the metadata log is kept whole"),
    (
        "principal.builder.",
        "a client is the user that it proved to be",
    ),
    ("remote.", "records are kept on local disks only"),
    (
        "sasl.",
        "of SASL only the mechanisms PLAIN and SCRAM are offered",
    ),
    ("security.", "brokers speak plain text among themselves"),
    ("share.", "share groups are not offered"),
    (
        "ssl.",
        "certificates and keys are read as PEM, without a password",
    ),
    ("telemetry.", "client metrics are not collected"),
    ("zookeeper.", "metadata is kept in its own log"),
];

/// Every broker property.
pub fn broker_properties() -> impl Iterator<Item = &'static Property> {
    [
        NODE_PROPERTIES,
        LOG_PROPERTIES,
        COORDINATOR_PROPERTIES,
        OWN_PROPERTIES,
        CLUSTER_PROPERTIES,
        IDLE_PROPERTIES,
        SECURITY_PROPERTIES,
    ]
    .into_iter()
    .flatten()
}
