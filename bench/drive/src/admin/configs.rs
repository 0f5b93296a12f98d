//! A topic's settings: what they are, where they come from, and how to change
//! them one by one.

use super::topics::first;
use super::{Admin, DriveError};
use crate::native::control::text;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use std::collections::BTreeMap;

/// Kafka's number for a topic among resources.
const TOPIC: i8 = 2;
/// Kafka's numbers for what to do with a setting.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Where a setting's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on a broker or for all brokers.
    Broker,
    /// Set nowhere.
    Default,
    /// A source that this client does not know, by Kafka's number.
    Other(i8),
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its property name.
    pub name: String,
    /// Its value; absent when it is secret.
    pub value: Option<String>,
    /// Where that comes from.
    pub source: ConfigSource,
}

impl ConfigSource {
    const fn of(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2..=4 => Self::Broker,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

impl Admin {
    /// The settings of a topic, by name.
    pub fn topic_configs(&mut self, topic: &str) -> Result<Vec<ConfigEntry>, DriveError> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let response = self.ask(&request, (1, 4))?;
        let what = format!("describing the settings of topic {topic}");
        let result = first(&response.results, &what)?;
        DriveError::check(result.error_code, &what, result.error_message.as_deref())?;
        let entries = result.configs.iter().map(|config| ConfigEntry {
            name: config.name.to_string(),
            value: config.value.as_ref().map(ToString::to_string),
            source: ConfigSource::of(config.config_source),
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Sets some of a topic's settings and takes others back to their default,
    /// all or none.
    pub fn alter_topic_configs(
        &mut self,
        topic: &str,
        set: &BTreeMap<String, String>,
        unset: &[String],
    ) -> Result<(), DriveError> {
        let config = |name: &str, operation, value| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(operation)
                .with_value(value)
        };
        let setting = set
            .iter()
            .map(|(name, value)| config(name, SET, Some(text(value))));
        let unsetting = unset.iter().map(|name| config(name, DELETE, None));
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configs(setting.chain(unsetting).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let code =
            |r: &<IncrementalAlterConfigsRequest as kafka_protocol::protocol::Request>::Response| {
                r.responses.first().map_or(0, |t| t.error_code)
            };
        let response = self.ask_controller(&request, (0, 1), code)?;
        let what = format!("altering the settings of topic {topic}");
        let result = first(&response.responses, &what)?;
        DriveError::check(result.error_code, &what, result.error_message.as_deref())
    }
}
