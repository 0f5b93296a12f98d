//! What a classic consumer was assigned, out of the bytes that its group's
//! leader wrote (ConsumerProtocolAssignment: a version, then partitions by
//! topic, then whatever the leader added).
//!
//! The bytes are another client's: nothing is reserved for a length before the
//! bytes are there.

use super::TopicPartition;
use bytes::{Buf, TryGetError};
use plimsoll_wire::types::PartitionIndex;

/// The partitions in `raw`; none when it is empty or no consumer's.
pub(crate) fn partitions(raw: &[u8]) -> Vec<TopicPartition> {
    decode(raw).unwrap_or_default()
}

fn decode(mut raw: &[u8]) -> Result<Vec<TopicPartition>, TryGetError> {
    let mut found = Vec::new();
    let _version = raw.try_get_i16()?;
    for _ in 0..raw.try_get_u32()? {
        let length = usize::from(raw.try_get_u16()?);
        let Some((name, rest)) = raw.split_at_checked(length) else {
            return Err(short(length, raw.len()));
        };
        raw = rest;
        let topic = String::from_utf8_lossy(name);
        for _ in 0..raw.try_get_u32()? {
            found.push((topic.to_string(), PartitionIndex(raw.try_get_i32()?)));
        }
    }
    Ok(found)
}

const fn short(requested: usize, available: usize) -> TryGetError {
    TryGetError {
        requested,
        available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_damaged_ones_are_nothing() {
        let check = |raw: &[u8], expected: &[(&str, i32)]| {
            let expected: Vec<TopicPartition> = expected
                .iter()
                .map(|(topic, index)| ((*topic).to_owned(), PartitionIndex(*index)))
                .collect();
            assert_eq!(partitions(raw), expected, "{raw:?}");
        };
        let two = b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01\0\0\0\x04\xff\xff\xff\xff";
        check(two, &[("t", 1), ("t", 4)]);
        check(b"", &[]);
        check(&two[..12], &[]);
        check(b"\0\0\xff\xff\xff\xff\0\x01t", &[]);
        check(b"\0\0\0\0\0\x01\0\x09t\0\0\0\x01", &[]);
    }
}
