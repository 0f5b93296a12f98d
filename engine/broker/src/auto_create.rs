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
        let (layout, settings) = match name {
            OFFSETS_TOPIC => self.offsets_topic(change.image()),
            TRANSACTIONS_TOPIC => self.transactions_topic(change.image()),
            _ => {
                let limits = self.limits();
                let partitions = limits.default_partitions;
                let replicas = limits.default_replication_factor;
                (
                    Layout::Counted {
                        partitions,
                        replicas,
                    },
                    Properties::new(),
                )
            }
        };
        let new = NewTopic {
            name: name.to_owned(),
            layout,
            settings,
        };
        topics::create(change, &new, self.random_id())
    }

    fn offsets_topic(&self, image: &Image) -> (Layout, Properties) {
        let layers = self.layers();
        let wanted = layers.number("offsets.topic.replication.factor");
        let layout = Layout::Counted {
            partitions: self.limits().offsets_partitions,
            replicas: at_most_one_per_broker(image, wanted),
        };
        let segment = layers
            .broker("offsets.topic.segment.bytes")
            .unwrap_or_default();
        let settings = properties(&[
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", segment),
        ]);
        (layout, settings)
    }

    fn transactions_topic(&self, image: &Image) -> (Layout, Properties) {
        let layers = self.layers();
        let wanted = layers.number("transaction.state.log.replication.factor");
        let replicas = at_most_one_per_broker(image, wanted);
        let in_sync = layers.number("transaction.state.log.min.isr").unwrap_or(1);
        let in_sync = in_sync.min(replicas.into()).to_string();
        let segment = layers
            .broker("transaction.state.log.segment.bytes")
            .unwrap_or_default();
        let settings = properties(&[
            ("cleanup.policy", "compact"),
            ("compression.type", "uncompressed"),
            ("segment.bytes", segment),
            ("min.insync.replicas", &in_sync),
            ("unclean.leader.election.enable", "false"),
        ]);
        (
            Layout::Counted {
                partitions: self.limits().transaction_partitions,
                replicas,
            },
            settings,
        )
    }
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// As many replicas as are wanted, and as there are brokers.
fn at_most_one_per_broker(image: &Image, wanted: Option<i64>) -> i16 {
    let brokers = i64::try_from(image.brokers().len())
        .unwrap_or(i64::MAX)
        .max(1);
    i16::try_from(wanted.unwrap_or(1).min(brokers)).unwrap_or(i16::MAX)
}
