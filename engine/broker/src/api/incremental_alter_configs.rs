//! IncrementalAlterConfigs 0–1: sets, removes, appends to and subtracts from
//! single settings of a topic or a broker.

use super::alter_configs::{Each, alter_each};
use crate::broker::Broker;
use crate::config::{Layers, Properties};
use crate::config_target::{Target, appended, subtracted};
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use plimsoll_cluster::{ConfigChange, Image, MetadataRecord};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeSet;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: IncrementalAlterConfigsRequest| {
        let keep = !query.validate_only;
        let responses = alter_each(
            broker,
            (request.now, keep, &request.access(broker)),
            &query.resources,
            Each {
                resource,
                alter: |change: &mut Change, asked: &AlterConfigsResource| {
                    alter(broker, change, asked)
                },
                answer,
            },
        );
        IncrementalAlterConfigsResponse::default().with_responses(responses)
    })
}

/// The operation that removes a setting.
const DELETE: i8 = 1;

/// Alters one resource: all of its settings or none.
fn alter(
    broker: &Broker,
    change: &mut Change,
    asked: &AlterConfigsResource,
) -> Result<(), Refusal> {
    let name = asked.resource_name.as_str();
    let target = Target::find(change.image(), None, asked.resource_type, name)?;
    let layers = broker.layers();
    let mut seen = BTreeSet::new();
    let mut records = Vec::with_capacity(asked.configs.len());
    for config in &asked.configs {
        if !seen.insert(&config.name) {
            let words = format!("{}: is in the request twice", config.name);
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        }
        if is_absent(&target, config) {
            continue;
        }
        let value = value(change.image(), &layers, &target, config)?;
        let (resource, name) = target.resource();
        let key = config.name.to_string();
        records.push(MetadataRecord::Config(ConfigChange {
            resource,
            name,
            key,
            value,
        }));
    }
    for record in records {
        change.push(record);
    }
    Ok(())
}

/// Whether a setting is to be removed from a broker that has none of that name, which
/// is so already. Kafka's reassignment tool removes throttles that only Kafka has.
fn is_absent(target: &Target, config: &AlterableConfig) -> bool {
    let of_broker = matches!(target, Target::Node(_) | Target::Cluster);
    of_broker && config.config_operation == DELETE && target.property(&config.name).is_err()
}

/// The value that a setting shall have; none removes it.
fn value(
    image: &Image,
    layers: &Layers,
    target: &Target,
    config: &AlterableConfig,
) -> Result<Option<String>, Refusal> {
    const SET: i8 = 0;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    let name = config.name.as_str();
    let property = target.property(name)?;
    let given = config.value.as_ref().map(|value| value.as_str());
    let needed = || {
        let words = format!("{name}: a value is needed");
        given.ok_or_else(|| Refusal::new(ErrorCode::InvalidRequest, words))
    };
    let (resource, of) = target.resource();
    let own = image.configs(resource, &of);
    let present = || {
        let set = own.and_then(|own| own.get(name)).cloned();
        let inherited = || match target {
            Target::Topic(_) => Some(layers.topic(&Properties::new(), name)?.0),
            Target::Node(_) | Target::Cluster => layers.broker(name).map(str::to_owned),
        };
        set.or_else(inherited)
            .or_else(|| property.default.map(str::to_owned))
            .unwrap_or_default()
    };
    let wanted = match config.config_operation {
        SET => needed()?.to_owned(),
        DELETE => return Ok(None),
        APPEND => appended(property, &present(), needed()?)?,
        SUBTRACT => subtracted(property, &present(), needed()?)?,
        other => {
            let words = format!("{name}: operation {other}, 0 to 3 is accepted");
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        }
    };
    target.check(name, &wanted)?;
    Ok(Some(wanted))
}

fn resource(asked: &AlterConfigsResource) -> (i8, &str) {
    (asked.resource_type, &asked.resource_name)
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
