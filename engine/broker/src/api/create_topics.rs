//! CreateTopics 2–7: topics with their partitions and settings, all of a
//! request in one metadata batch; each topic succeeds or fails by itself.
//! From version 5 the answer holds the settings in force, from 7 the topic's id.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::config::{Properties, TOPIC_PROPERTIES};
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::topics::{self, Layout, NewTopic};
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::collections::BTreeMap;

/// "Use the default", and "I chose replicas myself".
const UNSAID: i32 = -1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: CreateTopicsRequest| {
        let named = Named::count(&query.topics);
        let version = request.version();
        let access = request.access(broker);
        let results = broker.change(request.now, !query.validate_only, |change| {
            let one = |asked: &CreatableTopic| {
                let made = named
                    .check(&asked.name)
                    .and_then(|()| may_create(&access, &asked.name.0))
                    .and_then(|()| create(broker, change, asked));
                let made = result(broker, change, version, asked, made);
                without_hidden(&access, made)
            };
            query.topics.iter().map(one).collect::<Vec<_>>()
        });
        let topics = results.unwrap_or_else(|fault| {
            let refuse = |asked: &CreatableTopic| refused(&asked.name, &fault);
            query.topics.iter().map(refuse).collect()
        });
        CreateTopicsResponse::default().with_topics(topics)
    })
}

/// How often each name is in the request.
struct Named<'a>(BTreeMap<&'a TopicName, usize>);

impl<'a> Named<'a> {
    fn count(topics: &'a [CreatableTopic]) -> Self {
        let mut counts = BTreeMap::new();
        for topic in topics {
            *counts.entry(&topic.name).or_default() += 1;
        }
        Self(counts)
    }

    fn check(&self, name: &TopicName) -> Result<(), Refusal> {
        if self.0.get(name).is_some_and(|count| *count > 1) {
            let words = format!("topic name: {} is in the request twice", name.0);
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        }
        Ok(())
    }
}

/// Whoever may create topics at all may create each.
fn may_create(access: &Access, name: &str) -> Result<(), Refusal> {
    let create = AclOperation::Create;
    if access.allows(create, Guarded::Cluster) {
        return Ok(());
    }
    Ok(access.check(create, Guarded::Topic(name))?)
}

/// What is told of a topic that was created to a client that may not describe
/// its settings: that it exists.
fn without_hidden(access: &Access, made: CreatableTopicResult) -> CreatableTopicResult {
    let topic = Guarded::Topic(&made.name.0);
    match access.check(AclOperation::DescribeConfigs, topic) {
        Err(code)
            if made.error_code == 0 && made.configs.as_ref().is_some_and(|c| !c.is_empty()) =>
        {
            made.with_topic_config_error_code(code.code())
                .with_num_partitions(UNSAID)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new()))
        }
        _ => made,
    }
}

fn create(broker: &Broker, change: &mut Change, asked: &CreatableTopic) -> Result<(), Refusal> {
    let mut settings = Properties::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            let words = format!("{}: a value is needed", config.name);
            return Err(Refusal::new(ErrorCode::InvalidConfig, words));
        };
        settings.insert(config.name.to_string(), value.to_string());
    }
    let layout = layout(broker, asked)?;
    let new = NewTopic {
        name: asked.name.0.to_string(),
        layout,
        settings,
    };
    topics::create(change, &new, broker.random_id())
}

fn layout(broker: &Broker, asked: &CreatableTopic) -> Result<Layout, Refusal> {
    let limits = broker.limits();
    if asked.assignments.is_empty() {
        let or_default = |asked, default| if asked == UNSAID { default } else { asked };
        let replicas = asked.replication_factor;
        return Ok(Layout::Counted {
            partitions: or_default(asked.num_partitions, limits.default_partitions),
            replicas: if replicas == -1 {
                limits.default_replication_factor
            } else {
                replicas
            },
        });
    }
    if asked.num_partitions != UNSAID || asked.replication_factor != -1 {
        return Err(Refusal::new(
            ErrorCode::InvalidRequest,
            "replica assignment: partitions and replication factor must be -1 beside it",
        ));
    }
    let mut chosen: Vec<_> = asked.assignments.iter().collect();
    chosen.sort_by_key(|assignment| assignment.partition_index);
    let contiguous = (0..)
        .zip(&chosen)
        .all(|(index, a)| a.partition_index == index);
    if !contiguous {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicaAssignment,
            "replica assignment: partitions must be numbered 0, 1, 2 without a gap",
        ));
    }
    let nodes =
        |a: &&kafka_protocol::messages::create_topics_request::CreatableReplicaAssignment| {
            a.broker_ids.iter().map(|id| NodeId(id.0)).collect()
        };
    Ok(Layout::Chosen(chosen.iter().map(nodes).collect()))
}

fn refused(name: &TopicName, refusal: &Refusal) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name.clone())
        .with_error_code(refusal.code.code())
        .with_error_message(Some(text(refusal.words.as_str())))
        .with_num_partitions(UNSAID)
        .with_replication_factor(-1)
        .with_configs(None)
}

fn result(
    broker: &Broker,
    change: &Change,
    version: i16,
    asked: &CreatableTopic,
    made: Result<(), Refusal>,
) -> CreatableTopicResult {
    if let Err(refusal) = made {
        return refused(&asked.name, &refusal);
    }
    let answer = CreatableTopicResult::default().with_name(asked.name.clone());
    let Some(topic) = change.image().topic(&asked.name.0) else {
        return answer;
    };
    if version < 5 {
        return answer;
    }
    let replicas = topic
        .partitions
        .values()
        .next()
        .map_or(0, |first| first.replicas.len());
    answer
        .with_topic_id(topic.id)
        .with_num_partitions(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX))
        .with_replication_factor(i16::try_from(replicas).unwrap_or(i16::MAX))
        .with_configs(Some(configs(broker, asked)))
}

/// Every setting of the new topic, as it is in force.
fn configs(broker: &Broker, asked: &CreatableTopic) -> Vec<CreatableTopicConfigs> {
    let own: Properties = asked
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    let layers = broker.layers();
    TOPIC_PROPERTIES
        .iter()
        .filter_map(|topic| {
            let (value, source) = layers.topic(&own, topic.property.name)?;
            Some(
                CreatableTopicConfigs::default()
                    .with_name(text(topic.property.name))
                    .with_value(Some(text(value)))
                    .with_config_source(source as i8),
            )
        })
        .collect()
}
