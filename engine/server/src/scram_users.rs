//! SCRAM users given on the command line, in the notation of Kafka's
//! `kafka-storage.sh format --add-scram`:
//! `SCRAM-SHA-256=[name=alice,password=secret,iterations=8192]`.

use crate::error::ServerError;
use plimsoll_broker::ScramUser;
use plimsoll_wire::scram::{ITERATIONS_MAX, ITERATIONS_MIN, ScramMechanism};
use uuid::Uuid;

/// Reads one user. The error does not show the password.
pub fn parse(text: &str) -> Result<ScramUser, ServerError> {
    let error = |why: &str| ServerError::ScramUser(why.to_owned());
    let (mechanism, rest) = text.split_once('=').unwrap_or((text, ""));
    let mechanism = ScramMechanism::from_name(mechanism.trim())
        .ok_or_else(|| error("the mechanism is neither SCRAM-SHA-256 nor SCRAM-SHA-512"))?;
    let inside = rest
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or_else(|| error("the brackets are missing"))?;
    let (mut name, mut password, mut iterations) = (None, None, ITERATIONS_MIN);
    for pair in inside.split(',') {
        match pair.split_once('=') {
            Some(("name", value)) => name = Some(value),
            Some(("password", value)) => password = Some(value),
            Some(("iterations", value)) => {
                iterations = value
                    .parse()
                    .ok()
                    .filter(|n| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(n))
                    .ok_or_else(|| error("iterations is not between 4096 and 16384"))?;
            }
            _ => {
                return Err(error(
                    "it holds something else than name, password, iterations",
                ));
            }
        }
    }
    let salt = [Uuid::new_v4(), Uuid::new_v4()];
    Ok(ScramUser {
        name: name
            .filter(|name| !name.is_empty())
            .ok_or_else(|| error("the name is missing"))?
            .to_owned(),
        mechanism,
        password: password
            .filter(|password| !password.is_empty())
            .ok_or_else(|| error("the password is missing"))?
            .to_owned(),
        salt: salt.iter().flat_map(|id| *id.as_bytes()).collect(),
        iterations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_as_kafka_writes_them() {
        let user = parse("SCRAM-SHA-512=[name=alice,password=a=b,iterations=8192]").unwrap();
        assert_eq!(
            (user.name.as_str(), user.password.as_str()),
            ("alice", "a=b")
        );
        assert_eq!(user.mechanism, ScramMechanism::Sha512);
        assert_eq!((user.iterations, user.salt.len()), (8192, 32));
        let again = parse("SCRAM-SHA-256=[name=alice,password=a]").unwrap();
        assert_eq!(again.iterations, ITERATIONS_MIN);
        assert_ne!(again.salt, user.salt);
    }

    #[test]
    fn what_is_no_user_is_refused_without_its_password() {
        let check = |text: &str, expected: &str| {
            let shown = parse(text).unwrap_err().to_string();
            assert!(shown.contains(expected), "{shown}");
            assert!(!shown.contains("secret"), "{shown}");
        };
        check(
            "PLAIN=[name=a,password=secret]",
            "neither SCRAM-SHA-256 nor",
        );
        check(
            "SCRAM-SHA-256=name=a,password=secret",
            "the brackets are missing",
        );
        check("SCRAM-SHA-256=[password=secret]", "the name is missing");
        check("SCRAM-SHA-256=[name=a]", "the password is missing");
        check(
            "SCRAM-SHA-256=[name=a,password=secret,iterations=1]",
            "iterations is not between 4096 and 16384",
        );
        check("SCRAM-SHA-256=[name=a,secret]", "something else than");
    }
}
