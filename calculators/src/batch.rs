//! The bytes of a record batch, from its shape. Format v2 (KIP-98): a header of
//! 61 bytes, then records of varints and payload.

use crate::error::InputError;
use crate::exact::Exact;
use plimsoll_units::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes before the first record.
pub const HEADER_BYTES: u64 = 61;
/// What the producer fills by default, `batch.size`.
pub const DEFAULT_BATCH_BYTES: u64 = 16_384;
/// Lengths in a batch are signed 32-bit numbers.
const BYTES_MAX: u64 = i32::MAX as u64;
/// More records than any batch that brokers take by default could hold.
const RECORDS_MAX: u32 = 1_000_000;

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderShape {
    /// Bytes of its name.
    pub key: Size,
    /// Bytes of its value.
    pub value: Size,
}

/// What the records of a batch look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordShape {
    /// Bytes of the key; none for a null key.
    #[serde(default)]
    pub key: Option<Size>,
    /// Bytes of the value.
    pub value: Size,
    /// Headers of every record.
    #[serde(default)]
    pub headers: Vec<HeaderShape>,
}

/// A batch of equal records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchShape {
    /// The records.
    pub record: RecordShape,
    /// How many there are.
    pub records: u32,
    /// Milliseconds from the first record's timestamp to the last one's; those
    /// between are spread evenly.
    #[serde(default)]
    pub spread_ms: u64,
}

impl RecordShape {
    /// Records of `value` bytes, without keys or headers.
    pub const fn of(value: Size) -> Self {
        Self {
            key: None,
            value,
            headers: Vec::new(),
        }
    }

    /// Key and value, which is what the document calls the message.
    pub fn payload_bytes(&self) -> u64 {
        let key = self.key.map_or(0, Size::bytes);
        self.value.bytes().saturating_add(key)
    }

    /// Bytes of a record whose offset and timestamp are so far from the batch's.
    pub fn bytes(&self, offset_delta: u64, timestamp_delta: u64) -> u64 {
        let (key_length, key) = match self.key {
            Some(key) => (varint(key.bytes()), key.bytes()),
            None => (1, 0),
        };
        let field = |size: Size| varint(size.bytes()).saturating_add(size.bytes());
        let headers = self.headers.iter().map(|header| {
            let name = field(header.key);
            name.saturating_add(field(header.value))
        });
        let headers = headers.fold(varint(self.headers.len() as u64), u64::saturating_add);
        let body = (1 + varint(timestamp_delta) + varint(offset_delta) + key_length)
            .saturating_add(key)
            .saturating_add(field(self.value))
            .saturating_add(headers);
        body.saturating_add(varint(body))
    }

    fn check(&self) -> Result<(), InputError> {
        match self.bytes(0, 0) <= BYTES_MAX {
            true => Ok(()),
            false => Err(InputError::refused(
                "size",
                self.value,
                "a record below 2GiB",
            )),
        }
    }
}

impl BatchShape {
    /// As many records as fit into `batch_bytes`, at least one, as a producer
    /// under load sends them.
    pub fn filling(record: RecordShape, batch_bytes: Size) -> Result<Self, InputError> {
        record.check()?;
        let mut shape = Self {
            record,
            records: 0,
            spread_ms: 0,
        };
        let mut bytes = HEADER_BYTES;
        while shape.records < RECORDS_MAX {
            bytes = bytes.saturating_add(shape.record.bytes(shape.records.into(), 0));
            if bytes > batch_bytes.bytes() && shape.records > 0 {
                break;
            }
            shape.records += 1;
        }
        Ok(shape)
    }

    /// Refuses shapes that no batch has.
    pub fn check(&self) -> Result<(), InputError> {
        self.record.check()?;
        crate::error::within("batch records", self.records, 1, RECORDS_MAX)?;
        match self.bytes() <= BYTES_MAX {
            true => Ok(()),
            false => Err(InputError::refused(
                "batch records",
                self.records,
                "a batch below 2GiB",
            )),
        }
    }

    /// Bytes of all records, before compression.
    pub fn record_bytes(&self) -> u64 {
        let last = u64::from(self.records.saturating_sub(1)).max(1);
        (0..u64::from(self.records))
            .map(|index| {
                let timestamp = u128::from(self.spread_ms) * u128::from(index) / u128::from(last);
                let timestamp = u64::try_from(timestamp).unwrap_or(u64::MAX);
                self.record.bytes(index, timestamp)
            })
            .fold(0, u64::saturating_add)
    }

    /// Bytes of the batch, before compression.
    pub fn bytes(&self) -> u64 {
        self.record_bytes().saturating_add(HEADER_BYTES)
    }

    /// Bytes in the log for each record, when the records of a batch shrink to
    /// one part in `ratio`.
    pub fn bytes_per_record(&self, ratio: Exact) -> Exact {
        let records = Exact::from(self.record_bytes()) / ratio;
        (records + Exact::from(HEADER_BYTES)) / Exact::from(self.records)
    }
}

/// Bytes of a number that is not negative as a zigzag varint.
fn varint(value: u64) -> u64 {
    let bits = 65 - u64::from(value.leading_zeros());
    bits.max(1).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_take_a_byte_for_every_seven_bits_with_the_sign() {
        let check = |value: u64, bytes: u64| assert_eq!(varint(value), bytes, "{value}");
        check(0, 1);
        check(63, 1);
        check(64, 2);
        check(8191, 2);
        check(8192, 3);
        check(1 << 20, 4);
        check(u64::MAX, 10);
    }

    #[test]
    fn a_batch_is_its_header_and_its_records() {
        let check = |key: Option<u64>, value: u64, records: u32, spread_ms: u64, bytes: u64| {
            let record = RecordShape {
                key: key.map(Size::from_bytes),
                value: Size::from_bytes(value),
                headers: Vec::new(),
            };
            let shape = BatchShape {
                record,
                records,
                spread_ms,
            };
            assert_eq!(shape.bytes(), bytes, "{shape:?}");
        };
        // length, attributes, timestamp, offset, key length, value length, headers
        check(None, 10, 1, 0, 61 + 7 + 10);
        check(Some(3), 10, 1, 0, 61 + 7 + 13);
        check(None, 100, 1, 0, 61 + 9 + 100);
        check(None, 10, 65, 0, 61 + 65 * 17 + 1);
        check(None, 10, 2, 64, 61 + 17 + 18);
    }

    #[test]
    fn headers_count_their_name_and_value() {
        let mut record = RecordShape::of(Size::from_bytes(10));
        let without = record.bytes(0, 0);
        record.headers = vec![HeaderShape {
            key: Size::from_bytes(5),
            value: Size::from_bytes(7),
        }];
        assert_eq!(record.bytes(0, 0), without + 1 + 5 + 1 + 7);
    }

    #[test]
    fn a_full_batch_is_the_largest_that_fits() {
        let record = RecordShape::of(Size::from_bytes(1000));
        let shape = BatchShape::filling(record.clone(), Size::from_bytes(16_384)).expect("fits");
        assert_eq!((shape.records, shape.bytes()), (16, 61 + 16 * 1009));
        let alone = BatchShape::filling(record, Size::from_bytes(100)).expect("one goes alone");
        assert_eq!(alone.records, 1);
    }
}
