//! An administrator: makes topics and looks whether they stay.

use super::Client;
use super::directory::topic_name;
use super::link::PATIENCE;
use crate::facts::Fact;
use crate::world::Broken;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, MetadataRequest, MetadataResponse,
};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

/// The versions of the requests.
const CREATE_TOPICS: i16 = 7;
const METADATA: i16 = 12;

/// A topic to be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// Its replicas.
    pub replicas: i16,
    /// Its settings.
    pub settings: Vec<(&'static str, String)>,
}

/// Makes topics, whatever it takes.
pub async fn make(mut client: Client, topics: Vec<Wanted>) {
    for topic in topics {
        while !create(&mut client, &topic).await {
            client.back_off().await;
        }
    }
    client.finish();
}

/// Makes topics now and then, and looks for those made before.
pub async fn tend(mut client: Client, replicas: i16) {
    let mut made: Vec<String> = Vec::new();
    while !client.is_over() {
        client
            .door
            .doze(Duration::from_secs(1), Duration::from_secs(8))
            .await;
        let wanted = Wanted {
            name: format!("extra-{}", made.len()),
            partitions: 1,
            replicas,
            settings: Vec::new(),
        };
        if client.door.dice.chance(400) && create(&mut client, &wanted).await {
            made.push(wanted.name);
        }
        if !made.is_empty() {
            let name = client.door.dice.pick(&made).clone();
            look_for(&mut client, &name).await;
        }
    }
    client.finish();
}

/// Whether the topic is there now, made by this request or by an earlier one.
async fn create(client: &mut Client, wanted: &Wanted) -> bool {
    let setting = |(name, value): &(&'static str, String)| {
        CreatableTopicConfig::default()
            .with_name((*name).into())
            .with_value(Some(value.clone().into()))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(&wanted.name))
        .with_num_partitions(wanted.partitions)
        .with_replication_factor(wanted.replicas)
        .with_configs(wanted.settings.iter().map(setting).collect());
    let query = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(3000);
    let node = client.directory.anyone();
    let api = (ApiKey::CreateTopics, CREATE_TOPICS);
    let answer: Result<CreateTopicsResponse, Broken> =
        client.ask_patiently(node, api, &query, PATIENCE).await;
    let code = answer.ok().and_then(|response| {
        let topic = response.topics.first()?;
        Some(ErrorCode::from_wire(topic.error_code))
    });
    match code {
        Some(ErrorCode::None) => {
            let topic = wanted.name.clone();
            client.report(&Fact::TopicMade { topic });
            true
        }
        Some(ErrorCode::TopicAlreadyExists) => true,
        _ => false,
    }
}

/// Looks for a topic that was made. A node of a cluster may not have heard of
/// it yet, and is asked again, until all have been at rest for a while.
async fn look_for(client: &mut Client, name: &str) {
    loop {
        let knows_all = {
            let world = client.door.world().borrow();
            world.nodes().len() == 1 || world.shows_all()
        };
        if is_there(client, name, knows_all).await {
            return;
        }
        client.back_off().await;
    }
}

/// Whether the search is over: the topic was seen, or is missing where all is
/// known.
async fn is_there(client: &mut Client, name: &str, knows_all: bool) -> bool {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    let node = client.directory.anyone();
    let answer: Result<MetadataResponse, Broken> =
        client.ask(node, (ApiKey::Metadata, METADATA), &query).await;
    let Ok(response) = answer else {
        return knows_all;
    };
    let code = response
        .topics
        .first()
        .map(|topic| ErrorCode::from_wire(topic.error_code));
    if code == Some(ErrorCode::UnknownTopicOrPartition) && knows_all {
        client.report(&Fact::TopicMissing {
            topic: name.to_owned(),
        });
    }
    knows_all || code == Some(ErrorCode::None)
}
