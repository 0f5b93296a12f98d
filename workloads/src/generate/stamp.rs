//! The stamp that every record carries, by which loss, repeats, reordering and
//! damage are found, and end-to-end latency is measured.
//!
//! ```text
//! offset  bytes  field       all numbers big-endian
//!      0      2  magic       "PL"
//!      2      1  version     3
//!      3      1  flags       1: its transaction is to be aborted; others are 0
//!      4      4  run         tells this run's records from those of others
//!      8      4  producer    number of the producer within the run
//!     12      8  sequence    counted by the producer for each partition, from 0
//!     20      8  intended    nanoseconds since the Unix epoch at which the
//!                            record was due to be sent
//!     28      4  checksum    of bytes 0 to 27, the key's length (all ones for
//!                            no key), the CRC-32C of the key, and the CRC-32C
//!                            of the value without the stamp
//! ```
//!
//! Key and value go into the checksum by their own: a producer that sends the same
//! body again knows it already, and whoever reads makes one pass over the bytes. The
//! few words that are left are folded by multiplication, which costs a tenth of
//! another CRC: a stamp is sealed and opened for every record that is measured.
//!
//! Made-up values that are long enough begin with it. The user's own records
//! stay as they are, and so do values that are too short: there it is a record
//! header named `plimsoll`, which adds about 45 bytes to each record.

use crc_fast::crc32_iscsi as crc32c;

/// Bytes of a stamp.
pub const STAMP_LEN: usize = 32;

/// The name of the record header that holds the stamp.
pub const STAMP_HEADER: &str = "plimsoll";

const MAGIC: [u8; 2] = *b"PL";
const VERSION: u8 = 3;
/// The flag of a record whose transaction is to be aborted.
const ABORTS: u8 = 1;
const CHECKED_LEN: usize = STAMP_LEN - 4;

/// Where a cell's records carry their stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampPlace {
    /// In place of the value's first [`STAMP_LEN`] bytes.
    ValuePrefix,
    /// In the record header [`STAMP_HEADER`].
    Header,
}

/// Which record this is, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Tells this run's records from those of others in the same topic.
    pub run: u32,
    /// The producer's number within the run.
    pub producer: u32,
    /// The record's number, counted by the producer for each partition.
    pub sequence: u64,
    /// When the record was due, in nanoseconds since the Unix epoch.
    pub intended_ns: u64,
    /// Its transaction is to be aborted: nobody who reads committed records
    /// may see it. Such records are numbered apart from the others.
    pub aborts: bool,
}

/// Why bytes are not the stamp of an undamaged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// The record is not one of ours.
    #[error("the record carries no stamp")]
    Absent,
    /// The stamp is of a version that this program does not know.
    #[error("the record's stamp has version {0}; 3 is known")]
    Version(u8),
    /// The stamp, the key or the value is not what was sent.
    #[error("the record's checksum is {found:08x}; its content gives {computed:08x}")]
    Corrupt {
        /// The checksum in the stamp.
        found: u32,
        /// The checksum of what was received.
        computed: u32,
    },
}

impl Stamp {
    /// The stamp's bytes for a record with this key and this value, of which
    /// the place of the stamp itself is left out.
    pub fn seal(&self, key: Option<&[u8]>, body: &[u8]) -> [u8; STAMP_LEN] {
        self.seal_known(key, body_checksum(body))
    }

    /// The same where the [`body_checksum`] is known.
    pub fn seal_known(&self, key: Option<&[u8]>, body: u32) -> [u8; STAMP_LEN] {
        let flags = if self.aborts { ABORTS } else { 0 };
        let start = u32::from_be_bytes([MAGIC[0], MAGIC[1], VERSION, flags]);
        let mut bytes = [0; STAMP_LEN];
        bytes[..8].copy_from_slice(&pair(start, self.run).to_be_bytes());
        bytes[8..12].copy_from_slice(&self.producer.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[20..CHECKED_LEN].copy_from_slice(&self.intended_ns.to_be_bytes());
        let checksum = self.checksum(start, key, body);
        bytes[CHECKED_LEN..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// Reads a stamp and checks it against the record's key and the rest of
    /// its value.
    pub fn open(bytes: &[u8], key: Option<&[u8]>, body: &[u8]) -> Result<Self, StampError> {
        let Ok(bytes) = <[u8; STAMP_LEN]>::try_from(bytes) else {
            return Err(StampError::Absent);
        };
        if bytes[..2] != MAGIC {
            return Err(StampError::Absent);
        }
        if bytes[2] != VERSION {
            return Err(StampError::Version(bytes[2]));
        }
        let stamp = Self {
            run: u32::from_be_bytes(part(&bytes, 4)),
            producer: u32::from_be_bytes(part(&bytes, 8)),
            sequence: u64::from_be_bytes(part(&bytes, 12)),
            intended_ns: u64::from_be_bytes(part(&bytes, 20)),
            aborts: bytes[3] & ABORTS != 0,
        };
        let found = u32::from_be_bytes(part(&bytes, CHECKED_LEN));
        let start = u32::from_be_bytes(part(&bytes, 0));
        let computed = stamp.checksum(start, key, body_checksum(body));
        match found == computed {
            true => Ok(stamp),
            false => Err(StampError::Corrupt { found, computed }),
        }
    }

    /// Reads the stamp at the start of a value and checks it against the rest.
    pub fn open_prefix(value: &[u8], key: Option<&[u8]>) -> Result<Self, StampError> {
        let (stamp, body) = value
            .split_at_checked(STAMP_LEN)
            .ok_or(StampError::Absent)?;
        Self::open(stamp, key, body)
    }

    /// The checksum of a stamp whose first four bytes are `start`.
    fn checksum(&self, start: u32, key: Option<&[u8]>, body: u32) -> u32 {
        let length = key.map_or(u32::MAX, |key| u32::try_from(key.len()).unwrap_or(u32::MAX));
        let origin = fold(
            pair(start, self.run) ^ SALT[0],
            pair(self.producer, length) ^ SALT[1],
        );
        let place = fold(self.sequence ^ SALT[2], self.intended_ns ^ SALT[3]);
        let contents = pair(key.map_or(0, crc32c), body);
        let all = fold(origin ^ contents, place ^ SALT[4]);
        (all >> 32) as u32 ^ all as u32
    }
}

fn part<const N: usize>(bytes: &[u8; STAMP_LEN], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

/// The checksum of a value without its stamp.
pub fn body_checksum(body: &[u8]) -> u32 {
    crc32c(body)
}

/// Random words, so that small numbers do not multiply to small ones.
const SALT: [u64; 5] = [
    0x9e37_79b9_7f4a_7c15,
    0xd1b5_4a32_d192_ed03,
    0x8cb9_2ba7_2f3d_8dd7,
    0xaef1_7502_108e_f2d9,
    0xf135_7aea_2e62_a9c5,
];

const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// Both halves of a product: every bit of it hangs on every bit of either.
const fn fold(one: u64, other: u64) -> u64 {
    let product = one as u128 * other as u128;
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_reads_back_and_any_flipped_bit_is_found(
            run: u32, producer: u32, sequence: u64, intended_ns: u64, aborts: bool,
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
            body in proptest::collection::vec(any::<u8>(), 0..100),
            flip: prop::sample::Index,
        ) {
            let stamp = Stamp { run, producer, sequence, intended_ns, aborts };
            let key = key.as_deref();
            let mut value = stamp.seal(key, &body).to_vec();
            value.extend_from_slice(&body);
            prop_assert_eq!(Stamp::open_prefix(&value, key), Ok(stamp));
            let bit = flip.index(value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Stamp::open_prefix(&value, key).is_err(), "bit {}", bit);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Stamp::open(&bytes, None, &[]);
            let _ = Stamp::open_prefix(&bytes, Some(&bytes));
        }
    }

    #[test]
    fn a_missing_key_is_not_an_empty_one() {
        let stamp = Stamp {
            run: 1,
            producer: 2,
            sequence: 3,
            intended_ns: 4,
            aborts: false,
        };
        assert_ne!(stamp.seal(None, b"v"), stamp.seal(Some(b""), b"v"));
        assert_ne!(stamp.seal(Some(b"a"), b"bc"), stamp.seal(Some(b"ab"), b"c"));
    }
}
