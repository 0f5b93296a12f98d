//! ApiVersions 0–4: the APIs with their versions, and the features in force.
//!
//! A version that is not known is answered in version 0 with error 35 and the
//! range, so that a newer client can ask again. The response's header never
//! has tagged fields (KIP-511).

use crate::broker::Broker;
use crate::connection::Software;
use crate::convert::text;
use crate::features::FEATURES;
use crate::outcome::{Outcome, Response};
use crate::request::{Envelope, Request};
use crate::routes::ROUTES;
use kafka_protocol::messages::api_versions_request::ApiVersionsRequest;
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ApiVersionsRequest| {
        if request.version() >= 3 {
            let name = query.client_software_name.as_str();
            let version = query.client_software_version.as_str();
            if !(is_software(name) && is_software(version)) {
                return ApiVersionsResponse::default()
                    .with_error_code(ErrorCode::InvalidRequest.code());
            }
            let (name, version) = (name.to_owned(), version.to_owned());
            request.connection.software = Some(Software { name, version });
        }
        let controllers = broker.is_for_controllers(request.connection);
        with_features(broker, request.version()).with_api_keys(
            ROUTES
                .iter()
                .filter(|route| route.told && route.serves(controllers))
                .map(|route| range(route.api, route.advertised()))
                .collect(),
        )
    })
}

/// The answer to a version that is not served.
pub(crate) fn unsupported(correlation_id: i32) -> Response {
    let known = ROUTES
        .iter()
        .filter(|route| route.api == ApiKey::ApiVersions)
        .map(|route| range(route.api, route.advertised()))
        .collect();
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(known);
    Envelope {
        version: 0,
        correlation_id,
        tagged_header: false,
    }
    .encode(&response)
}

fn range(api: ApiKey, (min, max): (i16, i16)) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(api as i16)
        .with_min_version(min)
        .with_max_version(max)
}

/// What KIP-511 accepts as the name or version of a client's software.
fn is_software(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter()
        .all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

fn with_features(broker: &Broker, version: i16) -> ApiVersionsResponse {
    let response = ApiVersionsResponse::default();
    if version < 3 {
        return response;
    }
    let supported = FEATURES
        .iter()
        // Older clients reject a feature whose lowest level is 0.
        .filter(|feature| version >= 4 || feature.min > 0)
        .map(|feature| {
            SupportedFeatureKey::default()
                .with_name(text(feature.name))
                .with_min_version(feature.min)
                .with_max_version(feature.max)
        })
        .collect();
    let image = broker.image();
    let finalized = image
        .features()
        .iter()
        .map(|(name, level)| {
            FinalizedFeatureKey::default()
                .with_name(text(name.as_str()))
                .with_min_version_level(*level)
                .with_max_version_level(*level)
        })
        .collect();
    response
        .with_supported_features(supported)
        .with_finalized_features(finalized)
        .with_finalized_features_epoch(broker.metadata_offset().get())
}
