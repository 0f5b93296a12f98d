//! DescribeUserScramCredentials 0: which users can prove a password, and how.
//! Nothing of the passwords is told.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use plimsoll_cluster::{AclOperation, Image};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeMap;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeUserScramCredentialsRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::Describe, Guarded::Cluster);
        if let Err(code) = permitted {
            return DescribeUserScramCredentialsResponse::default()
                .with_error_code(code.code())
                .with_error_message(Some(text(code.name())));
        }
        let image = broker.image();
        let asked = query.users.unwrap_or_default();
        let results = if asked.is_empty() {
            image
                .scram()
                .keys()
                .map(|user| describe(&image, user))
                .collect()
        } else {
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            for user in &asked {
                *times.entry(user.name.as_str()).or_default() += 1;
            }
            let answer = |(user, times): (&str, usize)| match times {
                1 => describe(&image, user),
                _ => DescribeUserScramCredentialsResult::default()
                    .with_user(text(user))
                    .with_error_code(ErrorCode::DuplicateResource.code())
                    .with_error_message(Some(text("the user is in the request twice"))),
            };
            times.into_iter().map(answer).collect()
        };
        DescribeUserScramCredentialsResponse::default().with_results(results)
    })
}

fn describe(image: &Image, user: &str) -> DescribeUserScramCredentialsResult {
    let result = DescribeUserScramCredentialsResult::default().with_user(text(user));
    let Some(mechanisms) = image.scram().get(user) else {
        let words = format!("no SCRAM credential of user {user}");
        return result
            .with_error_code(ErrorCode::ResourceNotFound.code())
            .with_error_message(Some(text(words)));
    };
    let infos = mechanisms.iter().map(|(mechanism, credential)| {
        CredentialInfo::default()
            .with_mechanism(mechanism.code())
            .with_iterations(i32::try_from(credential.iterations).unwrap_or(i32::MAX))
    });
    result.with_credential_infos(infos.collect())
}
