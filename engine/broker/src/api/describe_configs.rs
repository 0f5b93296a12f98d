//! DescribeConfigs 1–4: settings in force, where each comes from, and from
//! version 3 what it means. A broker without a name stands for what is set for
//! all brokers at run time.

use crate::broker::Broker;
use crate::config::{
    Kind, Layers, Properties, Property, Setting, Source, TOPIC_PROPERTIES, Update,
    broker_properties,
};
use crate::config_target::{Target, check_access};
use crate::convert::text;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::describe_configs_request::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use plimsoll_cluster::{AclOperation, ResourceType};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeConfigsRequest| {
        let detail = Detail {
            synonyms: query.include_synonyms,
            documentation: query.include_documentation && request.version() >= 3,
            types: request.version() >= 3,
        };
        let access = request.access(broker);
        let results = query.resources.iter().map(|asked| {
            let named = (asked.resource_type, asked.resource_name.as_str());
            match check_access(&access, AclOperation::DescribeConfigs, named) {
                Ok(()) => describe(broker, asked, &detail),
                Err(refusal) => refused(asked, refusal),
            }
        });
        DescribeConfigsResponse::default().with_results(results.collect())
    })
}

/// How much the client wants to know of each setting.
struct Detail {
    synonyms: bool,
    documentation: bool,
    types: bool,
}

fn refused(asked: &DescribeConfigsResource, refusal: Refusal) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone())
        .with_error_code(refusal.code.code())
        .with_error_message(Some(text(refusal.words)))
}

fn describe(
    broker: &Broker,
    asked: &DescribeConfigsResource,
    detail: &Detail,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone());
    let name = asked.resource_name.as_str();
    let settings_free = [
        ResourceType::ClientMetrics.code(),
        ResourceType::Group.code(),
    ];
    if settings_free.contains(&asked.resource_type) {
        return result;
    }
    let image = broker.image();
    let layers = broker.layers();
    match Target::find(&image, Some(broker.node()), asked.resource_type, name) {
        Err(refusal) => refused(asked, refusal),
        Ok(target) => {
            let own = match &target {
                Target::Topic(name) => image.configs(ResourceType::Topic, name),
                _ => None,
            };
            let found = settings(&target, &layers, own.unwrap_or(&Properties::new()));
            let wanted = |property: &Property| {
                asked.configuration_keys.as_ref().is_none_or(|keys| {
                    keys.is_empty() || keys.iter().any(|key| key.as_str() == property.name)
                })
            };
            let entries = found
                .into_iter()
                .filter(|found| wanted(found.property))
                .map(|found| entry(&target, found, detail));
            result.with_configs(entries.collect())
        }
    }
}

/// A property, its value in force, and all that is set for it.
struct Found {
    property: &'static Property,
    value: Option<String>,
    source: Source,
    all: Vec<Setting>,
}

fn settings(target: &Target, layers: &Layers, own: &Properties) -> Vec<Found> {
    let of_topic = || {
        TOPIC_PROPERTIES.iter().map(|topic| {
            let property = &topic.property;
            let (value, source) = layers.topic(own, property.name).unzip();
            let all = layers.of_topic(own, property.name);
            Found {
                property,
                value,
                source: source.unwrap_or(Source::Default),
                all,
            }
        })
    };
    let of_node = |property: &'static Property| {
        let all = layers.of_property(property);
        let value = all.first().map(|winner| winner.value.clone());
        let source = all.first().map_or(Source::Default, |winner| winner.source);
        Found {
            property,
            value,
            source,
            all,
        }
    };
    match target {
        Target::Topic(_) => of_topic().collect(),
        Target::Node(_) => broker_properties().map(of_node).collect(),
        Target::Cluster => broker_properties()
            .filter_map(|property| {
                let value = layers.cluster.get(property.name)?.clone();
                let (name, source) = (property.name, Source::Cluster);
                let all = vec![Setting {
                    name,
                    value: value.clone(),
                    source,
                }];
                Some(Found {
                    property,
                    value: Some(value),
                    source,
                    all,
                })
            })
            .collect(),
    }
}

fn entry(target: &Target, found: Found, detail: &Detail) -> DescribeConfigsResourceResult {
    let secret = found.property.kind == Kind::Password;
    let synonym = |setting: Setting| {
        DescribeConfigsSynonym::default()
            .with_name(text(setting.name))
            .with_value((!secret).then(|| text(setting.value)))
            .with_source(setting.source as i8)
    };
    let synonyms = if detail.synonyms {
        found.all
    } else {
        Vec::new()
    };
    let read_only = !matches!(target, Target::Topic(_)) && found.property.update == Update::Restart;
    let entry = DescribeConfigsResourceResult::default()
        .with_name(text(found.property.name))
        .with_value(found.value.filter(|_| !secret).map(text))
        .with_is_sensitive(secret)
        .with_read_only(read_only)
        .with_config_source(found.source as i8)
        .with_synonyms(synonyms.into_iter().map(synonym).collect());
    let entry = if detail.types {
        entry.with_config_type(found.property.kind.code())
    } else {
        entry
    };
    if detail.documentation {
        entry.with_documentation(Some(text(found.property.doc)))
    } else {
        entry
    }
}
