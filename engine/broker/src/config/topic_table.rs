//! The properties of a topic, and the broker properties that give their defaults.

use super::property::{Kind, Property, Update};

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A broker property that gives a topic property its default.
#[derive(Clone, Copy, Debug)]
pub struct Synonym {
    /// The broker property's name.
    pub name: &'static str,
    /// What its value is multiplied with: its unit in milliseconds, or 1.
    pub factor: i64,
}

/// A property of a topic.
#[derive(Clone, Copy, Debug)]
pub struct TopicProperty {
    /// The property itself. Its default is the last resort.
    pub property: Property,
    /// The broker properties that are asked first, in this order.
    pub synonyms: &'static [Synonym],
}

const fn same(name: &'static str) -> Synonym {
    Synonym { name, factor: 1 }
}

const fn topic(
    name: &'static str,
    kind: Kind,
    synonyms: &'static [Synonym],
    doc: &'static str,
) -> TopicProperty {
    let mut property = Property::new(name, kind, doc);
    property.update = Update::Live;
    TopicProperty { property, synonyms }
}

const fn with_default(mut topic: TopicProperty, default: &'static str) -> TopicProperty {
    topic.property.default = Some(default);
    topic
}

const fn refused(mut topic: TopicProperty, reason: &'static str) -> TopicProperty {
    topic.property = topic.property.refused(reason);
    topic
}

const NO_TIERS: &str = "records are kept on local disks only";

/// Every topic property, by name.
pub const TOPIC_PROPERTIES: &[TopicProperty] = &[
    topic(
        "cleanup.policy",
        Kind::List(&["compact", "delete"]),
        &[same("log.cleanup.policy")],
        "How old records go: deleted by age and size, compacted to the latest of each key, or both.",
    ),
    topic(
        "compression.gzip.level",
        Kind::Int(-1, 9),
        &[same("compression.gzip.level")],
        "The level when the broker compresses with gzip; -1 takes the codec's own.",
    ),
    topic(
        "compression.lz4.level",
        Kind::Int(1, 17),
        &[same("compression.lz4.level")],
        "The level when the broker compresses with lz4.",
    ),
    topic(
        "compression.type",
        Kind::Choice(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        &[same("compression.type")],
        "The codec records are stored in; producer keeps what the producer chose.",
    ),
    topic(
        "compression.zstd.level",
        Kind::Int(-131_072, 22),
        &[same("compression.zstd.level")],
        "The level when the broker compresses with zstd.",
    ),
    topic(
        "delete.retention.ms",
        Kind::Long(0, LONG),
        &[same("log.cleaner.delete.retention.ms")],
        "How long a compacted topic keeps a deletion marker after it was first cleaned.",
    ),
    topic(
        "file.delete.delay.ms",
        Kind::Long(0, LONG),
        &[same("log.segment.delete.delay.ms")],
        "How long a deleted segment's files stay on disk.",
    ),
    topic(
        "flush.messages",
        Kind::Long(1, LONG),
        &[same("log.flush.interval.messages")],
        "Force the log to disk after this many records.",
    ),
    topic(
        "flush.ms",
        Kind::Long(0, LONG),
        &[
            same("log.flush.interval.ms"),
            same("log.flush.scheduler.interval.ms"),
        ],
        "Force the log to disk after this long.",
    ),
    with_default(
        topic(
            "follower.replication.throttled.replicas",
            Kind::Replicas,
            &[],
            "The replicas whose catching up is throttled at the follower.",
        ),
        "",
    ),
    topic(
        "index.interval.bytes",
        Kind::Int(0, INT),
        &[same("log.index.interval.bytes")],
        "How many bytes of records lie between two index entries.",
    ),
    with_default(
        topic(
            "leader.replication.throttled.replicas",
            Kind::Replicas,
            &[],
            "The replicas whose catching up is throttled at the leader.",
        ),
        "",
    ),
    refused(
        with_default(
            topic(
                "local.retention.bytes",
                Kind::Long(-2, LONG),
                &[],
                "How many bytes stay on local disk once they are in remote storage; -2 is retention.bytes.",
            ),
            "-2",
        ),
        NO_TIERS,
    ),
    refused(
        with_default(
            topic(
                "local.retention.ms",
                Kind::Long(-2, LONG),
                &[],
                "How long records stay on local disk once they are in remote storage; -2 is retention.ms.",
            ),
            "-2",
        ),
        NO_TIERS,
    ),
    topic(
        "max.compaction.lag.ms",
        Kind::Long(1, LONG),
        &[same("log.cleaner.max.compaction.lag.ms")],
        "How long a record may stay uncompacted.",
    ),
    topic(
        "max.message.bytes",
        Kind::Int(0, INT),
        &[same("message.max.bytes")],
        "The largest record batch that is accepted.",
    ),
    topic(
        "message.timestamp.after.max.ms",
        Kind::Long(0, LONG),
        &[same("log.message.timestamp.after.max.ms")],
        "How far ahead of the broker's clock a record's timestamp may lie.",
    ),
    topic(
        "message.timestamp.before.max.ms",
        Kind::Long(0, LONG),
        &[same("log.message.timestamp.before.max.ms")],
        "How far behind the broker's clock a record's timestamp may lie.",
    ),
    topic(
        "message.timestamp.type",
        Kind::Choice(&["CreateTime", "LogAppendTime"]),
        &[same("log.message.timestamp.type")],
        "Whether records carry the producer's timestamp or the broker's.",
    ),
    topic(
        "min.cleanable.dirty.ratio",
        Kind::Double(0.0, 1.0),
        &[same("log.cleaner.min.cleanable.ratio")],
        "The share of uncompacted bytes from which a log is compacted.",
    ),
    topic(
        "min.compaction.lag.ms",
        Kind::Long(0, LONG),
        &[same("log.cleaner.min.compaction.lag.ms")],
        "How long a record stays uncompacted at least.",
    ),
    topic(
        "min.insync.replicas",
        Kind::Int(1, INT),
        &[same("min.insync.replicas")],
        "How many replicas must be in sync for acks=all to be accepted.",
    ),
    refused(
        with_default(
            topic(
                "preallocate",
                Kind::Bool,
                &[same("log.preallocate")],
                "Whether a segment's file takes its full size when it is created.",
            ),
            "false",
        ),
        "segments grow as they are written",
    ),
    refused(
        with_default(
            topic(
                "remote.log.copy.disable",
                Kind::Bool,
                &[],
                "Whether tiered data is read only.",
            ),
            "false",
        ),
        NO_TIERS,
    ),
    refused(
        with_default(
            topic(
                "remote.log.delete.on.disable",
                Kind::Bool,
                &[],
                "Whether tiered data is deleted when tiering is turned off.",
            ),
            "false",
        ),
        NO_TIERS,
    ),
    refused(
        with_default(
            topic(
                "remote.storage.enable",
                Kind::Bool,
                &[],
                "Whether old segments move to remote storage.",
            ),
            "false",
        ),
        NO_TIERS,
    ),
    topic(
        "retention.bytes",
        Kind::Long(-1, LONG),
        &[same("log.retention.bytes")],
        "The size a partition may reach before old segments go; -1 sets no limit.",
    ),
    topic(
        "retention.ms",
        Kind::Long(-1, LONG),
        &[
            same("log.retention.ms"),
            Synonym {
                name: "log.retention.minutes",
                factor: MINUTE_MS,
            },
            Synonym {
                name: "log.retention.hours",
                factor: HOUR_MS,
            },
        ],
        "How long records are kept; -1 sets no limit.",
    ),
    topic(
        "segment.bytes",
        Kind::Int(14, INT),
        &[same("log.segment.bytes")],
        "The size of a log segment's file.",
    ),
    topic(
        "segment.index.bytes",
        Kind::Int(4, INT),
        &[same("log.index.size.max.bytes")],
        "The size of a segment's index file.",
    ),
    topic(
        "segment.jitter.ms",
        Kind::Long(0, LONG),
        &[
            same("log.roll.jitter.ms"),
            Synonym {
                name: "log.roll.jitter.hours",
                factor: HOUR_MS,
            },
        ],
        "A random time taken off segment.ms, so that segments do not all roll at once.",
    ),
    topic(
        "segment.ms",
        Kind::Long(1, LONG),
        &[
            same("log.roll.ms"),
            Synonym {
                name: "log.roll.hours",
                factor: HOUR_MS,
            },
        ],
        "The age at which a segment is closed although it is not full.",
    ),
    topic(
        "unclean.leader.election.enable",
        Kind::Bool,
        &[same("unclean.leader.election.enable")],
        "Whether a replica that is not in sync may lead as a last resort, with loss of data.",
    ),
];
