//! Settings under Kafka's names: only those that the requirement decides.

use super::{Input, Settings, Topic};
use plimsoll_units::{Size, Span};

/// `message.max.bytes` and `max.request.size` that are enough by default.
const RECORD_DEFAULT: u64 = 1_048_576;
/// Room for framing around one large record.
const FRAMING: u64 = 4096;
/// `max.poll.records` and `max.poll.interval.ms` by default.
const POLL_RECORDS: u64 = 500;
const POLL_INTERVAL: Span = Span::from_secs(300);

/// A topic's settings.
pub(super) fn topic(input: &Input, topic: &Topic, roll: Span) -> Settings {
    let mut settings = listed([
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", topic.retention.millis().to_string()),
        (
            "segment.bytes",
            input.storage.segment.value.bytes().to_string(),
        ),
        ("segment.ms", roll.millis().to_string()),
        ("min.insync.replicas", in_sync(input)),
        ("compression.type", "producer".to_owned()),
    ]);
    if let Some(bytes) = larger_than_default(topic) {
        settings.insert("max.message.bytes".to_owned(), bytes.to_string());
    }
    settings
}

/// The producers' settings.
pub(super) fn producer(input: &Input, linger: Span) -> Settings {
    let mut settings = listed([
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("batch.size", input.storage.batch.value.bytes().to_string()),
        ("linger.ms", linger.millis().to_string()),
        ("compression.type", input.codec.clone()),
    ]);
    if let Some(bytes) = input.topics.iter().filter_map(larger_than_default).max() {
        settings.insert("max.request.size".to_owned(), bytes.to_string());
    }
    settings
}

/// Settings of a topic's consumers: a poll's records are done in half of the
/// poll interval.
pub(super) fn consumer(topic: &Topic) -> Settings {
    let mut settings = listed([(
        "partition.assignment.strategy",
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor".to_owned(),
    )]);
    if let Some(time) = topic.processing.filter(|time| time.nanos() > 0) {
        let fits = POLL_INTERVAL.nanos() / 2 / time.nanos();
        let records = fits.clamp(1, POLL_RECORDS);
        let interval = POLL_INTERVAL.max(time.times(2 * records));
        settings.insert("max.poll.records".to_owned(), records.to_string());
        settings.insert(
            "max.poll.interval.ms".to_owned(),
            interval.millis().to_string(),
        );
    }
    settings
}

/// The brokers' settings.
pub(super) fn broker(input: &Input) -> Settings {
    listed([
        ("auto.create.topics.enable", "false".to_owned()),
        ("default.replication.factor", input.replication.to_string()),
        ("min.insync.replicas", in_sync(input)),
        ("unclean.leader.election.enable", "false".to_owned()),
    ])
}

/// One less than the copies, so that writes survive one failure.
fn in_sync(input: &Input) -> String {
    input.replication.saturating_sub(1).max(1).to_string()
}

fn larger_than_default(topic: &Topic) -> Option<u64> {
    let bytes = topic.record.bytes(0, 0).saturating_add(FRAMING);
    (bytes > RECORD_DEFAULT).then_some(Size::from_bytes(bytes).bytes())
}

fn listed<const N: usize>(pairs: [(&str, String); N]) -> Settings {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
