//! The checksum of a batch: CRC-32C (Castagnoli) from the attributes on.
//!
//! `crc-fast` picks the widest carry-less multiplication that the processor
//! has at run time, and a table when it has none.

use super::{BatchError, at};
use crate::read::Reader;

/// The CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Checks the stored checksum of `batch`, which must be exactly one batch.
pub fn verify_crc(batch: &[u8]) -> Result<(), BatchError> {
    let short = BatchError::Truncated {
        need: at::ATTRIBUTES,
        have: batch.len(),
    };
    let (Some(field), Some(covered)) = (batch.get(at::CRC..), batch.get(at::ATTRIBUTES..)) else {
        return Err(short);
    };
    let stored = Reader::new(field).u32().map_err(|_| short)?;
    let computed = crc32c(covered);
    if stored == computed {
        Ok(())
    } else {
        Err(BatchError::Crc { stored, computed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value and the vectors of RFC 3720, appendix B.4.
        let check = |bytes: &[u8], expected: u32| assert_eq!(crc32c(bytes), expected);
        check(b"123456789", 0xe306_9283);
        check(&[0; 32], 0x8a91_36aa);
        check(&[0xff; 32], 0x62a8_ab43);
        check(&[], 0);
    }
}
