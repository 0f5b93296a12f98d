//! AlterClientQuotas 0–1: quotas are set and removed, all of an entity's or none.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_client_quotas_response::{
    EntityData as AnsweredEntity, EntryData as Answered,
};
use kafka_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};
use plimsoll_cluster::{
    AclOperation, ClientQuota, MetadataRecord, QuotaEntity, QuotaKey, QuotaName, QuotaValue,
};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeSet;

/// Quotas that Kafka knows and this engine does not enforce.
const NOT_ENFORCED: [&str; 3] = [
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterClientQuotasRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::AlterConfigs, Guarded::Cluster);
        let made = permitted.map_err(Refusal::from).and_then(|()| {
            broker.change(request.now, !query.validate_only, |change| {
                let mut seen = BTreeSet::new();
                let each = query.entries.iter();
                each.map(|asked| alter(change, &mut seen, asked))
                    .collect::<Vec<_>>()
            })
        });
        let outcomes = made.unwrap_or_else(|refusal| {
            let each = query.entries.iter();
            each.map(|_| Err(refusal.clone())).collect()
        });
        let entries = query.entries.iter().zip(outcomes);
        let entries = entries.map(|(asked, outcome)| answer(asked, outcome));
        AlterClientQuotasResponse::default().with_entries(entries.collect())
    })
}

fn invalid(words: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, words)
}

fn alter(
    change: &mut Change,
    seen: &mut BTreeSet<QuotaEntity>,
    asked: &EntryData,
) -> Result<(), Refusal> {
    let entity = entity(&asked.entity)?;
    if !seen.insert(entity.clone()) {
        return Err(invalid("entity: it is in the request twice".into()));
    }
    let mut keys = BTreeSet::new();
    let mut records = Vec::with_capacity(asked.ops.len());
    for op in &asked.ops {
        let (key, value) = quota(op)?;
        if !keys.insert(key) {
            let words = format!("{}: it is in the request twice", key.name());
            return Err(invalid(words));
        }
        if change.image().quotas().get(&entity, key) != value {
            let entity = entity.clone();
            records.push(MetadataRecord::ClientQuota(ClientQuota {
                entity,
                key,
                value,
            }));
        }
    }
    for record in records {
        change.push(record);
    }
    Ok(())
}

fn entity(parts: &[EntityData]) -> Result<QuotaEntity, Refusal> {
    let mut entity = QuotaEntity::default();
    for part in parts {
        let kind = part.entity_type.as_str();
        let place = match kind {
            QuotaEntity::USER => &mut entity.user,
            QuotaEntity::CLIENT => &mut entity.client,
            "ip" => {
                let words = "entity type: ip: the rate of new connections is not bounded, user \
                             or client-id is accepted";
                return Err(invalid(words.into()));
            }
            _ => {
                let words = format!("entity type: {kind:?}, user or client-id is accepted");
                return Err(invalid(words));
            }
        };
        if part
            .entity_name
            .as_ref()
            .is_some_and(|name| name.is_empty())
        {
            return Err(invalid(format!("{kind}: its name may not be empty")));
        }
        if place.is_some() {
            return Err(invalid(format!("entity type: {kind} is given twice")));
        }
        *place = Some(QuotaName::of(part.entity_name.as_deref()));
    }
    if entity == QuotaEntity::default() {
        return Err(invalid("entity: give a user, a client-id or both".into()));
    }
    Ok(entity)
}

/// What is bounded, and how; no bound removes it.
fn quota(op: &OpData) -> Result<(QuotaKey, Option<QuotaValue>), Refusal> {
    let name = op.key.as_str();
    let accepted = || QuotaKey::ALL.map(QuotaKey::name).join(" or ");
    if NOT_ENFORCED.contains(&name) {
        let words = format!("{name}: it is not enforced here, {} is", accepted());
        return Err(invalid(words));
    }
    let key = QuotaKey::from_name(name)
        .ok_or_else(|| invalid(format!("quota: {name:?}, {} is accepted", accepted())))?;
    if op.remove {
        return Ok((key, None));
    }
    let value = QuotaValue::new(op.value)
        .filter(|value| value.get().fract() == 0.0)
        .ok_or_else(|| {
            let words = format!("{name}: {}, a whole number above 0 is accepted", op.value);
            invalid(words)
        })?;
    Ok((key, Some(value)))
}

fn answer(asked: &EntryData, outcome: Result<(), Refusal>) -> Answered {
    let parts = asked.entity.iter().map(|part| {
        AnsweredEntity::default()
            .with_entity_type(part.entity_type.clone())
            .with_entity_name(part.entity_name.clone())
    });
    let answer = Answered::default().with_entity(parts.collect());
    match outcome {
        Ok(()) => answer.with_error_message(None),
        Err(refusal) => answer
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
