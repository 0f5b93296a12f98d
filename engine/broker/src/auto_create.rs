//! Topics that come to be because someone asks for them, and the broker's own.

use crate::broker::Broker;
use crate::config::Properties;
use crate::metadata::Change;
use crate::refusal::Refusal;
use crate::topic_name::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::topics::{self, Layout, NewTopic};
use plimsoll_cluster::Image;
use plimsoll_wire::time::Now;

impl Broker {
    /// Creates topics that were asked for and do not exist. What cannot be
    /// created stays missing, and the client is told so.
    pub(crate) fn auto_create(&self, now: Now, names: &[&str]) {
        let created = self.change(now, true, |change| {
            for name in names {
                if change.image().topic(name).is_none()
                    && let Err(refusal) = self.create_by_name(change, name)
                {
                    tracing::info!(topic = *name, why = refusal.words, "topic is not created");
                }
            }
        });
        if let Err(refusal) = created {
            tracing::error!(
                why = refusal.words,
                "cannot create topics that were asked for"
            );
        }
    }

    /// Creates the topic, as its name says it should be.
    fn create_by_name(&self, change: &mut Change, name: &str) -> Result<(), Refusal> {
        let layers = self.layers();
        let limits = self.limits();
        let text = |property: &str| layers.broker(property).unwrap_or_default().to_owned();
        let (layout, settings) = match name {
            OFFSETS_TOPIC => {
                let replicas = at_most_one_per_broker(
                    change.image(),
                    layers.number("offsets.topic.replication.factor"),
                );
                let segment = text("offsets.topic.segment.bytes");
                let settings = [
                    ("cleanup.policy", "compact".into()),
                    ("compression.type", "producer".into()),
                    ("segment.bytes", segment),
                ];
                (
                    Layout::Counted {
                        partitions: limits.offsets_partitions,
                        replicas,
                    },
                    settings.to_vec(),
                )
            }
            TRANSACTIONS_TOPIC => {
                let replicas = at_most_one_per_broker(
                    change.image(),
                    layers.number("transaction.state.log.replication.factor"),
                );
                let in_sync = layers.number("transaction.state.log.min.isr").unwrap_or(1);
                let settings = [
                    ("cleanup.policy", "compact".into()),
                    ("compression.type", "uncompressed".into()),
                    ("segment.bytes", text("transaction.state.log.segment.bytes")),
                    (
                        "min.insync.replicas",
                        in_sync.min(replicas.into()).to_string(),
                    ),
                    ("unclean.leader.election.enable", "false".into()),
                ];
                let partitions = limits.transaction_partitions;
                (
                    Layout::Counted {
                        partitions,
                        replicas,
                    },
                    settings.to_vec(),
                )
            }
            _ => {
                let partitions = limits.default_partitions;
                let replicas = limits.default_replication_factor;
                (
                    Layout::Counted {
                        partitions,
                        replicas,
                    },
                    Vec::new(),
                )
            }
        };
        let settings: Properties = settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let new = NewTopic {
            name: name.to_owned(),
            layout,
            settings,
        };
        topics::create(change, &new, self.random_id())
    }
}

/// As many replicas as are wanted, and as there are brokers.
fn at_most_one_per_broker(image: &Image, wanted: Option<i64>) -> i16 {
    let brokers = i64::try_from(image.brokers().len())
        .unwrap_or(i64::MAX)
        .max(1);
    i16::try_from(wanted.unwrap_or(1).min(brokers)).unwrap_or(i16::MAX)
}
