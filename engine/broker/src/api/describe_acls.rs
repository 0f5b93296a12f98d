//! DescribeAcls 1–3: the access control entries that a filter means, by thing.

use crate::acl_filter::{AclFilter, Said};
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use plimsoll_cluster::{AclBinding, AclOperation, AclPattern, AclResource};
use std::collections::BTreeMap;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeAclsRequest| {
        let permitted = broker.check_acls(&request.access(broker), AclOperation::Describe);
        let found = permitted.and_then(|()| find(broker, &query));
        let answer = DescribeAclsResponse::default();
        match found {
            Ok(resources) => answer.with_resources(resources),
            Err(refusal) => answer
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(refusal.words))),
        }
    })
}

fn find(
    broker: &Broker,
    query: &DescribeAclsRequest,
) -> Result<Vec<DescribeAclsResource>, Refusal> {
    let filter = AclFilter::read(&Said {
        resource: query.resource_type_filter,
        name: query.resource_name_filter.as_deref(),
        pattern: query.pattern_type_filter,
        principal: query.principal_filter.as_deref(),
        host: query.host_filter.as_deref(),
        operation: query.operation,
        permission: query.permission_type,
    })?;
    type Thing<'a> = (AclResource, AclPattern, &'a str);
    let image = broker.image();
    let mut things: BTreeMap<Thing<'_>, Vec<AclDescription>> = BTreeMap::new();
    for (_, entry) in image.acls().iter().filter(|(_, entry)| filter.fits(entry)) {
        let thing = (entry.resource, entry.pattern, entry.name.as_str());
        things.entry(thing).or_default().push(description(entry));
    }
    let resources = things.into_iter().map(|((kind, pattern, name), acls)| {
        DescribeAclsResource::default()
            .with_resource_type(kind.code())
            .with_resource_name(text(name))
            .with_pattern_type(pattern.code())
            .with_acls(acls)
    });
    Ok(resources.collect())
}

fn description(entry: &AclBinding) -> AclDescription {
    AclDescription::default()
        .with_principal(text(entry.principal.as_str()))
        .with_host(text(entry.host.as_str()))
        .with_operation(entry.operation.code())
        .with_permission_type(entry.permission.code())
}
