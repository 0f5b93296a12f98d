//! The one thing a coordinator reads in consumers' opaque metadata: which
//! topics they subscribe to (ConsumerProtocolSubscription, all versions).

use crate::schema::bytes::Reader;

/// The topics of a subscription, or `None` when it cannot be read.
pub(crate) fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut input = Reader::new(metadata);
    let version = input.i16("version").ok()?;
    if version < 0 {
        return None;
    }
    let topics = input.array("topics", |r| r.str("topic").map(str::to_owned));
    topics.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_damage_is_not() {
        let check = |raw: &[u8], expected: Option<&[&str]>| {
            let topics = subscribed_topics(raw);
            let topics = topics
                .as_ref()
                .map(|t| t.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(topics.as_deref(), expected, "{raw:?}");
        };
        check(
            b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff",
            Some(&["a", "bc"]),
        );
        check(b"\0\0\0\0\0\0", Some(&[]));
        check(b"\0\0\0\0\0\x01\0\x05ab", None);
        check(b"\xff\xff", None);
        check(b"", None);
    }
}
