//! Appending the integers of a record to a buffer.

/// Appends `value` as a zigzag variable-length integer.
#[inline]
pub(super) fn varint(out: &mut Vec<u8>, value: i32) {
    unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends `value` as a zigzag variable-length integer.
#[inline]
pub(super) fn varlong(out: &mut Vec<u8>, value: i64) {
    unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends bytes behind their length, or −1 for null.
#[inline]
pub(super) fn bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    bytes_behind(out, &[], bytes);
}

/// Appends `front` and `bytes` as one, behind their length, or −1 for null, which
/// is what no bytes behind nothing are.
#[inline]
pub(super) fn bytes_behind(out: &mut Vec<u8>, front: &[u8], bytes: Option<&[u8]>) {
    if front.is_empty() && bytes.is_none() {
        return varint(out, -1);
    }
    let bytes = bytes.unwrap_or_default();
    varint(out, length(front.len() + bytes.len()));
    out.extend_from_slice(front);
    out.extend_from_slice(bytes);
}

/// How many bytes [`varint`] takes.
#[inline]
pub(super) const fn varint_len(value: i32) -> usize {
    unsigned_len(((value << 1) ^ (value >> 31)) as u32 as u64)
}

/// How many bytes [`varlong`] takes.
#[inline]
pub(super) const fn varlong_len(value: i64) -> usize {
    unsigned_len(((value << 1) ^ (value >> 63)) as u64)
}

/// How many bytes [`bytes`] takes.
#[inline]
pub(super) fn bytes_len(bytes: Option<&[u8]>) -> usize {
    bytes_behind_len(&[], bytes)
}

/// How many bytes [`bytes_behind`] takes.
#[inline]
pub(super) fn bytes_behind_len(front: &[u8], bytes: Option<&[u8]>) -> usize {
    if front.is_empty() && bytes.is_none() {
        return 1;
    }
    let len = front.len() + bytes.map_or(0, <[u8]>::len);
    varint_len(length(len)) + len
}

/// A length as the wire has it.
///
/// # Panics
/// Past 2 GiB, which no batch can hold.
pub(super) fn length(len: usize) -> i32 {
    match i32::try_from(len) {
        Ok(len) => len,
        Err(_) => panic!("{len} bytes do not fit a record batch"),
    }
}

#[inline]
fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const fn unsigned_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Reader;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_read_back_and_take_the_length_foretold(value: i64, narrow: i32) {
            let mut out = Vec::new();
            varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_len(value));
            varint(&mut out, narrow);
            prop_assert_eq!(out.len(), varlong_len(value) + varint_len(narrow));
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varlong(), Ok(value));
            prop_assert_eq!(reader.varint(), Ok(narrow));
        }
    }
}
