//! Which names topics may have.

use plimsoll_cluster::Image;
use std::fmt;

/// The longest name: a directory's name must also hold `-` and the partition.
const NAME_CHARS_MAX: usize = 249;

/// The topics that the broker writes itself.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Where transactions' states are kept.
pub(crate) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// The directory of the metadata log has this name: no topic may.
pub(crate) const METADATA_TOPIC: &str = "__cluster_metadata";

/// Whether a topic is the broker's own.
pub(crate) fn is_internal(name: &str) -> bool {
    name == OFFSETS_TOPIC || name == TRANSACTIONS_TOPIC
}

/// Why a name is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a topic may be called this.
pub(crate) fn check(name: &str) -> Result<(), BadName> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let problem = match name {
        "" => "topic name: it is empty".to_owned(),
        "." | ".." => format!("topic name: {name} names a directory"),
        METADATA_TOPIC => format!("topic name: {name} is the metadata log's"),
        _ if name.len() > NAME_CHARS_MAX => {
            format!(
                "topic name: {} characters, at most {NAME_CHARS_MAX} are accepted",
                name.len()
            )
        }
        _ if !name.chars().all(legal) => format!(
            "topic name: {name} is not accepted, only ASCII letters, digits, '.', '_' and '-' are"
        ),
        _ => return Ok(()),
    };
    Err(BadName(problem))
}

/// A topic whose name differs only in '.' and '_': their metrics would collide.
pub(crate) fn collision<'a>(image: &'a Image, name: &str) -> Option<&'a str> {
    if !name.contains(['.', '_']) {
        return None;
    }
    let folded = name.replace('.', "_");
    image
        .topics()
        .map(|topic| &*topic.name)
        .find(|other| *other != name && other.replace('.', "_") == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        let accepted = |name: &str| check(name).is_ok();
        assert!(accepted("orders.v1_eu-west"));
        assert!(accepted(&"a".repeat(249)));
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "größe",
            "a/b",
            "a\0",
            &"a".repeat(250),
        ] {
            assert!(!accepted(bad), "{bad:?}");
        }
    }
}
