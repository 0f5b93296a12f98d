//! CreateAcls 1–3: access control entries. One that is there already is not
//! written again.

use crate::acl_filter::{Said, binding};
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::{CreateAclsRequest, CreateAclsResponse};
use plimsoll_cluster::{AccessControlEntry, AclOperation, MetadataRecord};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: CreateAclsRequest| {
        let permitted = broker.check_acls(&request.access(broker), AclOperation::Alter);
        let made = permitted.and_then(|()| {
            broker.change(request.now, true, |change| {
                let each = query.creations.iter();
                each.map(|asked| create(broker, change, asked))
                    .collect::<Vec<_>>()
            })
        });
        let outcomes = made.unwrap_or_else(|refusal| {
            let each = query.creations.iter();
            each.map(|_| Err(refusal.clone())).collect()
        });
        let results = outcomes.into_iter().map(result);
        CreateAclsResponse::default().with_results(results.collect())
    })
}

fn create(broker: &Broker, change: &mut Change, asked: &AclCreation) -> Result<(), Refusal> {
    let binding = binding(&Said {
        resource: asked.resource_type,
        name: Some(&asked.resource_name),
        pattern: asked.resource_pattern_type,
        principal: Some(&asked.principal),
        host: Some(&asked.host),
        operation: asked.operation,
        permission: asked.permission_type,
    })?;
    if !change.image().acls().contains(&binding) {
        let id = broker.random_id();
        let entry = AccessControlEntry { id, binding };
        change.push(MetadataRecord::AccessControlEntry(entry));
    }
    Ok(())
}

fn result(outcome: Result<(), Refusal>) -> AclCreationResult {
    let result = AclCreationResult::default();
    match outcome {
        Ok(()) => result,
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
