//! What a client's config request is about: a topic, this broker or all of them.

use crate::access::{Access, Guarded};
use crate::config::{ConfigError, Kind, Property, broker_property, check_broker_live, check_topic};
use crate::config::{elements, topic_property};
use crate::refusal::Refusal;
use crate::topic_name;
use plimsoll_cluster::{AclOperation, Image, ResourceType};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;

/// Kafka's number for the log levels of a broker's loggers.
const BROKER_LOGGER: i8 = 8;

/// Whether a client may do something to the settings of what a request names.
pub(crate) fn check_access(
    access: &Access,
    operation: AclOperation,
    (resource_type, name): (i8, &str),
) -> Result<(), Refusal> {
    let guarded = match ResourceType::from_code(resource_type) {
        Some(ResourceType::Topic) => Guarded::Topic(name),
        Some(ResourceType::Group) => Guarded::Group(name),
        _ => Guarded::Cluster,
    };
    Ok(access.check(operation, guarded)?)
}

/// What settings belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A topic that exists.
    Topic(String),
    /// One node.
    Node(NodeId),
    /// Every node.
    Cluster,
}

impl Target {
    /// The thing that a request names. Only `own` may say which settings are in
    /// force there; the controller, without it, sets those of any node.
    pub(crate) fn find(
        image: &Image,
        own: Option<NodeId>,
        resource_type: i8,
        name: &str,
    ) -> Result<Self, Refusal> {
        let invalid = |words: String| Err(Refusal::new(ErrorCode::InvalidRequest, words));
        match ResourceType::from_code(resource_type) {
            Some(ResourceType::Topic) => {
                topic_name::check(name).map_err(|bad| {
                    Refusal::new(ErrorCode::InvalidTopicException, bad.to_string())
                })?;
                if image.topic(name).is_none() {
                    let words = format!("topic {name} does not exist");
                    return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, words));
                }
                Ok(Self::Topic(name.to_owned()))
            }
            Some(ResourceType::Broker) if name.is_empty() => Ok(Self::Cluster),
            Some(ResourceType::Broker) => {
                let named = name.parse().ok().map(NodeId);
                match (named, own) {
                    (Some(node), Some(own)) if node == own => Ok(Self::Node(node)),
                    (Some(node), None) if image.brokers().contains_key(&node) => {
                        Ok(Self::Node(node))
                    }
                    (_, Some(own)) => invalid(format!(
                        "broker {name}: ask this broker, {own}, or give no name"
                    )),
                    (_, None) => invalid(format!(
                        "broker {name} is not registered; give one that is, or no name for all"
                    )),
                }
            }
            Some(ResourceType::ClientMetrics) => {
                invalid("client metrics are not collected, so they have no settings".into())
            }
            Some(ResourceType::Group) => {
                invalid("groups have no settings of their own, they follow the broker's".into())
            }
            None if resource_type == BROKER_LOGGER => {
                invalid("log levels are chosen at start, not at run time".into())
            }
            None => invalid(format!("resource type {resource_type}: 2 or 4 is accepted")),
        }
    }

    /// Its kind and name, as the image keeps them.
    pub(crate) fn resource(&self) -> (ResourceType, String) {
        match self {
            Self::Topic(name) => (ResourceType::Topic, name.clone()),
            Self::Node(node) => (ResourceType::Broker, node.to_string()),
            Self::Cluster => (ResourceType::Broker, String::new()),
        }
    }

    /// The property of this name.
    pub(crate) fn property(&self, name: &str) -> Result<&'static Property, ConfigError> {
        match self {
            Self::Topic(_) => topic_property(name).map(|topic| &topic.property),
            Self::Node(_) | Self::Cluster => broker_property(name),
        }
    }

    /// Whether the setting may be made at run time.
    pub(crate) fn check(&self, name: &str, value: &str) -> Result<(), ConfigError> {
        match self {
            Self::Topic(_) => check_topic(name, value),
            Self::Node(_) | Self::Cluster => check_broker_live(name, value),
        }
    }
}

/// A list with elements added, those it has already not again.
pub(crate) fn appended(
    property: &Property,
    list: &str,
    added: &str,
) -> Result<String, ConfigError> {
    let mut kept = list_of(property, list)?;
    for element in elements(added) {
        if !kept.contains(&element) {
            kept.push(element);
        }
    }
    Ok(kept.join(","))
}

/// A list without some of its elements.
pub(crate) fn subtracted(
    property: &Property,
    list: &str,
    removed: &str,
) -> Result<String, ConfigError> {
    let mut kept = list_of(property, list)?;
    kept.retain(|element| !elements(removed).any(|gone| gone == *element));
    Ok(kept.join(","))
}

fn list_of<'a>(property: &Property, list: &'a str) -> Result<Vec<&'a str>, ConfigError> {
    match property.kind {
        Kind::List(_) | Kind::Replicas => Ok(elements(list).collect()),
        _ => Err(ConfigError::NotAList {
            name: property.name.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_and_shrink_by_elements() {
        let policy = &topic_property("cleanup.policy")
            .expect("it exists")
            .property;
        assert_eq!(
            appended(policy, "delete", "compact,delete"),
            Ok("delete,compact".into())
        );
        assert_eq!(
            subtracted(policy, "delete, compact", "delete"),
            Ok("compact".into())
        );
        let number = &topic_property("retention.ms").expect("it exists").property;
        assert!(appended(number, "5", "6").is_err());
    }
}
