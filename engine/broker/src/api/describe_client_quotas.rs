//! DescribeClientQuotas 0–1: the quotas of the entities that a filter means.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use plimsoll_cluster::{AclOperation, QuotaEntity, QuotaKey, QuotaName, QuotaValue};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeMap;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeClientQuotasRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::DescribeConfigs, Guarded::Cluster);
        let filter = permitted
            .map_err(Refusal::from)
            .and_then(|()| Filter::read(&query));
        let answer = DescribeClientQuotasResponse::default();
        match filter {
            Ok(filter) => {
                let image = broker.image();
                let meant = image.quotas().iter().filter(|(of, _)| filter.fits(of));
                answer.with_entries(Some(meant.map(entry).collect()))
            }
            Err(refusal) => answer
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(refusal.words)))
                .with_entries(None),
        }
    })
}

/// What is wanted of one part of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// This one.
    Exactly(QuotaName),
    /// Whichever.
    Any,
}

impl Wanted {
    fn fits(&self, name: Option<&QuotaName>) -> bool {
        match self {
            Self::Exactly(wanted) => name == Some(wanted),
            Self::Any => name.is_some(),
        }
    }
}

/// Which entities are meant.
#[derive(Debug, Default)]
struct Filter {
    user: Option<Wanted>,
    client: Option<Wanted>,
    /// It names what no entity here has.
    impossible: bool,
    /// Whether entities with other parts are not meant.
    strict: bool,
}

impl Filter {
    fn read(query: &DescribeClientQuotasRequest) -> Result<Self, Refusal> {
        let mut filter = Self {
            strict: query.strict,
            ..Self::default()
        };
        let mut seen = Vec::new();
        for component in &query.components {
            let kind = component.entity_type.as_str();
            if seen.contains(&kind) {
                return Err(invalid(format!("entity type: {kind} is asked for twice")));
            }
            seen.push(kind);
            let wanted = Some(wanted(component)?);
            match kind {
                QuotaEntity::USER => filter.user = wanted,
                QuotaEntity::CLIENT => filter.client = wanted,
                "ip" => filter.impossible = true,
                _ => {
                    let words = format!("entity type: {kind:?}, user or client-id is accepted");
                    return Err(invalid(words));
                }
            }
        }
        Ok(filter)
    }

    fn fits(&self, entity: &QuotaEntity) -> bool {
        let fits = |wanted: &Option<Wanted>, name: Option<&QuotaName>| match wanted {
            Some(wanted) => wanted.fits(name),
            None => !self.strict || name.is_none(),
        };
        !self.impossible
            && fits(&self.user, entity.user.as_ref())
            && fits(&self.client, entity.client.as_ref())
    }
}

fn wanted(component: &ComponentData) -> Result<Wanted, Refusal> {
    const EXACT: i8 = 0;
    const DEFAULT: i8 = 1;
    const SPECIFIED: i8 = 2;
    match (component.match_type, &component._match) {
        (EXACT, Some(name)) => Ok(Wanted::Exactly(QuotaName::Of(name.to_string()))),
        (EXACT, None) => Err(invalid("match: a name is needed for match type 0".into())),
        (DEFAULT | SPECIFIED, Some(name)) => Err(invalid(format!(
            "match: {name}, none is accepted for match type {}",
            component.match_type
        ))),
        (DEFAULT, None) => Ok(Wanted::Exactly(QuotaName::Default)),
        (SPECIFIED, None) => Ok(Wanted::Any),
        (other, _) => Err(invalid(format!("match type: {other}, 0 to 2 is accepted"))),
    }
}

fn invalid(words: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, words)
}

fn entry((entity, quotas): (&QuotaEntity, &BTreeMap<QuotaKey, QuotaValue>)) -> EntryData {
    let parts = entity.parts().map(|(kind, name)| {
        EntityData::default()
            .with_entity_type(text(kind))
            .with_entity_name(name.name().map(text))
    });
    let values = quotas.iter().map(|(key, value)| {
        ValueData::default()
            .with_key(text(key.name()))
            .with_value(value.get())
    });
    EntryData::default()
        .with_entity(parts.collect())
        .with_values(values.collect())
}
