//! Topics that come to be because someone asks for them, and the broker's own.

use crate::broker::Broker;
use crate::config::Properties;
use crate::convert::{text, topic};
use crate::outgoing::{Errand, Lane, PeerFault};
use crate::topic_name::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC};
use crate::topics::{self, Layout, NewTopic};
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::Decodable;
use plimsoll_cluster::Image;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;

/// The version in which another node is asked to create topics.
const CREATE_TOPICS_VERSION: i16 = 7;

impl Broker {
    /// Creates topics that were asked for and do not exist. What cannot be
    /// created stays missing, and the client is told so. Unless this node is
    /// alone they are there a moment later, and the client asks again.
    pub(crate) fn auto_create(&self, now: Now, names: &[&str]) {
        if !self.is_alone() && !self.metadata.is_active() {
            self.ask_to_create(now, names);
            return;
        }
        let created = self.change(now, true, |change| {
            for name in names {
                if change.image().topic(name).is_some() {
                    continue;
                }
                let made = self.by_name(change.image(), name);
                if let Err(refusal) = topics::create(change, &made, self.random_id()) {
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

    /// Has the controller create topics.
    fn ask_to_create(&self, now: Now, names: &[&str]) {
        let Some(controller) = self.active_controller() else {
            return;
        };
        let image = self.image();
        let topics = names.iter().map(|name| {
            let new = self.by_name(&image, name);
            let (partitions, replicas) = match new.layout {
                Layout::Counted {
                    partitions,
                    replicas,
                } => (partitions, replicas),
                Layout::Chosen(_) => (-1, -1),
            };
            let configs = new.settings.iter().map(|(name, value)| {
                CreatableTopicConfig::default()
                    .with_name(text(name.as_str()))
                    .with_value(Some(text(value.as_str())))
            });
            CreatableTopic::default()
                .with_name(topic(name))
                .with_num_partitions(partitions)
                .with_replication_factor(replicas)
                .with_configs(configs.collect())
        });
        let query = CreateTopicsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(i32::MAX);
        let errand = Errand {
            to: controller,
            lane: Lane::Other,
            deadline: now.mono.after(self.limits().cluster.request_timeout),
        };
        let then = |_: &Self, _, answer: Result<Bytes, PeerFault>| match answer {
            Err(fault) => tracing::info!(%fault, "the controller was asked to create a topic"),
            Ok(body) => tell_of_refusals(body),
        };
        let api = (ApiKey::CreateTopics, CREATE_TOPICS_VERSION);
        self.outbox.ask(errand, api, &query, Box::new(then));
    }

    /// A topic as its name says it should be.
    fn by_name(&self, image: &Image, name: &str) -> NewTopic {
        let (layout, settings) = match name {
            OFFSETS_TOPIC => self.offsets_topic(image),
            TRANSACTIONS_TOPIC => self.transactions_topic(image),
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
        NewTopic {
            name: name.to_owned(),
            layout,
            settings,
        }
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

/// Says why the controller did not create topics. Others may have asked as well.
fn tell_of_refusals(mut body: Bytes) {
    let Ok(response) = CreateTopicsResponse::decode(&mut body, CREATE_TOPICS_VERSION) else {
        tracing::info!("the controller's answer about a new topic cannot be read");
        return;
    };
    for topic in response.topics {
        let code = ErrorCode::from_wire(topic.error_code);
        if code.is_error() && code != ErrorCode::TopicAlreadyExists {
            let words = topic.error_message.map(|words| words.to_string());
            let (topic, code, why) = (topic.name.0.as_str(), code.name(), words);
            tracing::info!(topic, code, why, "the controller does not create a topic");
        }
    }
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// As many replicas as are wanted, and as there are brokers that are let in.
fn at_most_one_per_broker(image: &Image, wanted: Option<i64>) -> i16 {
    let live = image.brokers().values().filter(|broker| !broker.fenced);
    let brokers = i64::try_from(live.count()).unwrap_or(i64::MAX).max(1);
    i16::try_from(wanted.unwrap_or(1).min(brokers)).unwrap_or(i16::MAX)
}
