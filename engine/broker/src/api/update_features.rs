//! UpdateFeatures 0–2: features are raised, or lowered when the request allows it
//! (KIP-584). All of a request take effect or none. A level of 0 turns a feature
//! off, for which a request must allow a downgrade.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::features::FEATURES;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::update_features_response::UpdatableFeatureResult;
use kafka_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use plimsoll_cluster::{AclOperation, FeatureLevel, Image, MetadataRecord};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeSet;

/// The first version that says how a feature may be lowered.
const BY_TYPE: i16 = 1;
/// The last version that answers for each feature.
const EACH: i16 = 1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: UpdateFeaturesRequest| {
        let version = request.version();
        let updates = &query.feature_updates;
        let permitted = request
            .access(broker)
            .check(AclOperation::Alter, Guarded::Cluster);
        let made = permitted.map_err(Refusal::from).and_then(|()| {
            broker.change(request.now, !query.validate_only, |change| {
                update(change, updates, version)
            })
        });
        let answer = UpdateFeaturesResponse::default();
        match made.and_then(|made| made) {
            Ok(()) if version <= EACH => {
                let result = |one: &FeatureUpdateKey| {
                    UpdatableFeatureResult::default().with_feature(one.feature.clone())
                };
                answer.with_results(updates.iter().map(result).collect())
            }
            Ok(()) => answer,
            Err(refusal) => answer
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(refusal.words))),
        }
    })
}

fn update(change: &mut Change, asked: &[FeatureUpdateKey], version: i16) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let mut records = Vec::with_capacity(asked.len());
    for one in asked {
        if !seen.insert(&one.feature) {
            let words = format!("feature {}: is in the request twice", one.feature);
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        }
        check(change.image(), one, version)?;
        records.push(MetadataRecord::FeatureLevel(FeatureLevel {
            name: one.feature.to_string(),
            level: one.max_version_level,
        }));
    }
    records.into_iter().for_each(|record| change.push(record));
    Ok(())
}

fn check(image: &Image, one: &FeatureUpdateKey, version: i16) -> Result<(), Refusal> {
    const UPGRADE: i8 = 1;
    const UNSAFE_DOWNGRADE: i8 = 3;
    let (name, level) = (one.feature.as_str(), one.max_version_level);
    let invalid = |words: String| Err(Refusal::new(ErrorCode::InvalidUpdateVersion, words));
    let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
        let known: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
        return invalid(format!(
            "feature {name}: there is no such feature, only {}",
            known.join(", ")
        ));
    };
    let (min, max) = (feature.min, feature.max);
    if !(min..=max).contains(&level) {
        return invalid(format!(
            "feature {name}: level {level}, {min} to {max} is served"
        ));
    }
    let lacks = image.brokers().iter().find(|(_, broker)| {
        let supported = broker.supported.iter().find(|one| one.name == name);
        level > 0 && supported.is_none_or(|one| !(one.min..=one.max).contains(&level))
    });
    if let Some((node, _)) = lacks {
        return invalid(format!(
            "feature {name}: broker {node} does not serve level {level}"
        ));
    }
    let may_lower = match version {
        BY_TYPE.. => (UPGRADE + 1..=UNSAFE_DOWNGRADE).contains(&one.upgrade_type),
        _ => one.allow_downgrade,
    };
    let now = image.features().get(name).copied().unwrap_or(0);
    if level < now && !may_lower {
        return invalid(format!(
            "feature {name}: level {level} is below {now}, allow a downgrade"
        ));
    }
    Ok(())
}
