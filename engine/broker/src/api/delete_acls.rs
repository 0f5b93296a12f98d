//! DeleteAcls 1–3: the access control entries that filters mean are gone, and
//! told.

use crate::acl_filter::{AclFilter, Said};
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::{
    DeleteAclsFilterResult, DeleteAclsMatchingAcl,
};
use kafka_protocol::messages::{DeleteAclsRequest, DeleteAclsResponse};
use plimsoll_cluster::{AclBinding, AclOperation, MetadataRecord, RemoveAccessControlEntry};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DeleteAclsRequest| {
        let permitted = broker.check_acls(&request.access(broker), AclOperation::Alter);
        let made = permitted.and_then(|()| {
            broker.change(request.now, true, |change| {
                let each = query.filters.iter();
                each.map(|asked| delete(change, asked)).collect::<Vec<_>>()
            })
        });
        let outcomes = made.unwrap_or_else(|refusal| {
            let each = query.filters.iter();
            each.map(|_| Err(refusal.clone())).collect()
        });
        let results = outcomes.into_iter().map(result);
        DeleteAclsResponse::default().with_filter_results(results.collect())
    })
}

fn delete(change: &mut Change, asked: &DeleteAclsFilter) -> Result<Vec<AclBinding>, Refusal> {
    let filter = AclFilter::read(&Said {
        resource: asked.resource_type_filter,
        name: asked.resource_name_filter.as_deref(),
        pattern: asked.pattern_type_filter,
        principal: asked.principal_filter.as_deref(),
        host: asked.host_filter.as_deref(),
        operation: asked.operation,
        permission: asked.permission_type,
    })?;
    let all = change.image().acls().iter();
    let meant = all.filter(|(_, entry)| filter.fits(entry));
    let meant: Vec<_> = meant.map(|(id, entry)| (id, entry.clone())).collect();
    let gone = meant.into_iter().map(|(id, entry)| {
        let record = RemoveAccessControlEntry { id };
        change.push(MetadataRecord::RemoveAccessControlEntry(record));
        entry
    });
    Ok(gone.collect())
}

fn result(outcome: Result<Vec<AclBinding>, Refusal>) -> DeleteAclsFilterResult {
    let result = DeleteAclsFilterResult::default();
    match outcome {
        Ok(gone) => result.with_matching_acls(gone.into_iter().map(matching).collect()),
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}

fn matching(entry: AclBinding) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_resource_type(entry.resource.code())
        .with_resource_name(text(entry.name))
        .with_pattern_type(entry.pattern.code())
        .with_principal(text(entry.principal))
        .with_host(text(entry.host))
        .with_operation(entry.operation.code())
        .with_permission_type(entry.permission.code())
}
