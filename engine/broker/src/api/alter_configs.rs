//! AlterConfigs 0–2: replaces all the settings of a topic or a broker.

use crate::access::Access;
use crate::broker::Broker;
use crate::config::Properties;
use crate::config_target::{Target, check_access};
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use kafka_protocol::messages::alter_configs_response::{
    AlterConfigsResourceResponse, AlterConfigsResponse,
};
use plimsoll_cluster::{AclOperation, ConfigChange, MetadataRecord};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use std::collections::BTreeSet;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterConfigsRequest| {
        let keep = !query.validate_only;
        let responses = alter_each(
            broker,
            (request.now, keep, &request.access(broker)),
            &query.resources,
            Each {
                resource,
                alter: |change: &mut Change, asked: &AlterConfigsResource| replace(change, asked),
                answer,
            },
        );
        AlterConfigsResponse::default().with_responses(responses)
    })
}

/// What is done with each resource of a request, and answered.
pub(crate) struct Each<K, W, R> {
    /// Its kind and name.
    pub(crate) resource: K,
    /// Works its change out.
    pub(crate) alter: W,
    /// What became of it.
    pub(crate) answer: R,
}

/// Alters every resource of a request in one change, kept unless it only
/// validates. A resource may be in a request once, and the client must be allowed
/// to alter its settings.
pub(crate) fn alter_each<A, R>(
    broker: &Broker,
    (now, keep, access): (Now, bool, &Access),
    asked: &[A],
    each: Each<
        impl Fn(&A) -> (i8, &str),
        impl Fn(&mut Change, &A) -> Result<(), Refusal>,
        impl Fn(&A, Result<(), Refusal>) -> R,
    >,
) -> Vec<R> {
    let results = broker.change(now, keep, |change| {
        let mut seen = BTreeSet::new();
        let answers = asked.iter().map(|one| {
            let named = (each.resource)(one);
            let altered = if seen.insert(named) {
                check_access(access, AclOperation::AlterConfigs, named)
                    .and_then(|()| (each.alter)(change, one))
            } else {
                let words = "the resource is in the request twice";
                Err(Refusal::new(ErrorCode::InvalidRequest, words))
            };
            (each.answer)(one, altered)
        });
        answers.collect::<Vec<_>>()
    });
    results.unwrap_or_else(|fault| {
        let refused = |one| (each.answer)(one, Err(fault.clone()));
        asked.iter().map(refused).collect()
    })
}

fn replace(change: &mut Change, asked: &AlterConfigsResource) -> Result<(), Refusal> {
    let name = asked.resource_name.as_str();
    let target = Target::find(change.image(), None, asked.resource_type, name)?;
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
