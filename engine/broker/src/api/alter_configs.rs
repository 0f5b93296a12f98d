//! AlterConfigs 0–2: replaces all the settings of a topic or a broker.

use crate::broker::Broker;
use crate::config::Properties;
use crate::config_target::Target;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use kafka_protocol::messages::alter_configs_response::{
    AlterConfigsResourceResponse, AlterConfigsResponse,
};
use plimsoll_cluster::{ConfigChange, MetadataRecord};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeSet;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterConfigsRequest| {
        let results = broker.change(request.now, !query.validate_only, |change| {
            let mut seen = BTreeSet::new();
            let answers = query.resources.iter().map(|asked| {
                let first = seen.insert((asked.resource_type, &asked.resource_name));
                let altered = if first {
                    replace(broker, change, asked)
                } else {
                    Err(twice())
                };
                answer(asked, altered)
            });
            answers.collect::<Vec<_>>()
        });
        let responses = results.unwrap_or_else(|fault| {
            query
                .resources
                .iter()
                .map(|asked| answer(asked, Err(fault.clone())))
                .collect()
        });
        AlterConfigsResponse::default().with_responses(responses)
    })
}

/// A resource may be in a request once.
pub(crate) fn twice() -> Refusal {
    Refusal::new(
        ErrorCode::InvalidRequest,
        "the resource is in the request twice",
    )
}

fn replace(
    broker: &Broker,
    change: &mut Change,
    asked: &AlterConfigsResource,
) -> Result<(), Refusal> {
    let name = asked.resource_name.as_str();
    let target = Target::find(change.image(), broker.node(), asked.resource_type, name)?;
    let mut wanted = Properties::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            let words = format!("{}: a value is needed", config.name);
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        };
        target.check(&config.name, value)?;
        wanted.insert(config.name.to_string(), value.to_string());
    }
    let (resource, name) = target.resource();
    let present = change
        .image()
        .configs(resource, &name)
        .cloned()
        .unwrap_or_default();
    for key in present.keys().filter(|key| !wanted.contains_key(*key)) {
        let (name, key) = (name.clone(), key.clone());
        change.push(MetadataRecord::Config(ConfigChange {
            resource,
            name,
            key,
            value: None,
        }));
    }
    for (key, value) in wanted {
        if present.get(&key) != Some(&value) {
            let (name, value) = (name.clone(), Some(value));
            change.push(MetadataRecord::Config(ConfigChange {
                resource,
                name,
                key,
                value,
            }));
        }
    }
    Ok(())
}

fn answer(
    asked: &AlterConfigsResource,
    altered: Result<(), Refusal>,
) -> AlterConfigsResourceResponse {
    let answer = AlterConfigsResourceResponse::default()
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone());
    match altered {
        Ok(()) => answer,
        Err(refusal) => answer
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
