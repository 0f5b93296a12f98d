//! AlterUserScramCredentials 0: passwords are given, changed and taken away.
//! All the changes of one user are made, or none.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
};
use plimsoll_cluster::{
    AclOperation, Image, MetadataRecord, RemoveScramCredential, ScramCredential,
};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::scram::{Credential, ITERATIONS_MAX, ITERATIONS_MIN, ScramMechanism};
use std::collections::{BTreeMap, BTreeSet};

/// A user's records, or why none of them is made.
type Verdict = Result<Vec<MetadataRecord>, Refusal>;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterUserScramCredentialsRequest| {
        let permitted = request
            .access(broker)
            .check(AclOperation::Alter, Guarded::Cluster);
        let change = |change: &mut Change| {
            let mut answers = BTreeMap::new();
            for (user, verdict) in verdicts(change.image(), &query) {
                let answer = verdict.map(|records| {
                    records.into_iter().for_each(|record| change.push(record));
                });
                answers.insert(user, answer);
            }
            answers
        };
        let altered = permitted
            .map_err(Refusal::from)
            .and_then(|()| broker.change(request.now, true, change));
        let answers = altered.unwrap_or_else(|fault| {
            let users = verdicts(&Image::default(), &query).into_keys();
            users.map(|user| (user, Err(fault.clone()))).collect()
        });
        let results = answers
            .into_iter()
            .map(|(user, answer)| result(user, answer));
        AlterUserScramCredentialsResponse::default().with_results(results.collect())
    })
}

fn verdicts(image: &Image, query: &AlterUserScramCredentialsRequest) -> BTreeMap<String, Verdict> {
    let mut seen = BTreeSet::new();
    let mut verdicts: BTreeMap<String, Verdict> = BTreeMap::new();
    let deletions = query.deletions.iter().map(|asked| {
        let (user, mechanism) = (asked.name.to_string(), asked.mechanism);
        (user, mechanism, delete(image, asked))
    });
    let upsertions = query.upsertions.iter().map(|asked| {
        let (user, mechanism) = (asked.name.to_string(), asked.mechanism);
        (user, mechanism, upsert(asked))
    });
    for (user, mechanism, record) in deletions.chain(upsertions) {
        let first = seen.insert((user.clone(), mechanism));
        let record = if first {
            record
        } else {
            let words = "a credential is in the request twice";
            Err(Refusal::new(ErrorCode::DuplicateResource, words))
        };
        let entry = verdicts.entry(user).or_insert_with(|| Ok(Vec::new()));
        match (entry.as_mut(), record) {
            (Ok(records), Ok(record)) => records.push(record),
            (Ok(_), Err(refusal)) => *entry = Err(refusal),
            (Err(_), _) => {}
        }
    }
    verdicts
}

fn named(user: &str, code: i8) -> Result<ScramMechanism, Refusal> {
    if user.is_empty() {
        let words = "a user's name may not be empty";
        return Err(Refusal::new(ErrorCode::UnacceptableCredential, words));
    }
    ScramMechanism::from_code(code).ok_or_else(|| {
        let words = format!("mechanism {code} is not known, give 1 or 2");
        Refusal::new(ErrorCode::UnsupportedSaslMechanism, words)
    })
}

fn delete(image: &Image, asked: &ScramCredentialDeletion) -> Result<MetadataRecord, Refusal> {
    let user = asked.name.as_str();
    let mechanism = named(user, asked.mechanism)?;
    let kept = image.scram().get(user);
    if kept.is_none_or(|kept| !kept.contains_key(&mechanism)) {
        let words = format!("user {user} has no credential of {}", mechanism.name());
        return Err(Refusal::new(ErrorCode::ResourceNotFound, words));
    }
    let user = user.to_owned();
    let record = RemoveScramCredential { user, mechanism };
    Ok(MetadataRecord::RemoveScramCredential(record))
}

fn upsert(asked: &ScramCredentialUpsertion) -> Result<MetadataRecord, Refusal> {
    let user = asked.name.as_str();
    let mechanism = named(user, asked.mechanism)?;
    let unacceptable = |words: String| Refusal::new(ErrorCode::UnacceptableCredential, words);
    let iterations = u32::try_from(asked.iterations)
        .ok()
        .filter(|n| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(n))
        .ok_or_else(|| {
            unacceptable(format!(
                "{} iterations, give {ITERATIONS_MIN} to {ITERATIONS_MAX}",
                asked.iterations
            ))
        })?;
    if asked.salt.is_empty() || asked.salted_password.is_empty() {
        return Err(unacceptable(
            "a salt and a salted password are needed".into(),
        ));
    }
    let salt = asked.salt.to_vec();
    let user = user.to_owned();
    let credential = Credential::of_salted(mechanism, &asked.salted_password, salt, iterations);
    Ok(MetadataRecord::ScramCredential(ScramCredential {
        user,
        mechanism,
        credential,
    }))
}

fn result(user: String, answer: Result<(), Refusal>) -> AlterUserScramCredentialsResult {
    let result = AlterUserScramCredentialsResult::default().with_user(text(user));
    match answer {
        Ok(()) => result,
        Err(refusal) => result
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
