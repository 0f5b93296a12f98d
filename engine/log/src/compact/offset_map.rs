//! The latest offset of each key, in 24 bytes a key.
//!
//! A key is known by 128 bits of its BLAKE3 hash, so that nobody finds two keys
//! that are taken for one. Slots are probed one after another; the table never
//! grows, it is full at nine tenths.

use super::INFLATED_BYTES_MAX;
use plimsoll_wire::batch::{self, BatchError, BatchHeader};
use plimsoll_wire::types::Offset;

/// What a slot takes.
pub(super) const SLOT_BYTES: usize = 24;

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES);

#[derive(Clone, Copy)]
struct Slot {
    key: [u64; 2],
    /// Negative: free.
    offset: i64,
}

const FREE: Slot = Slot {
    key: [0; 2],
    offset: -1,
};

pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    used: usize,
    limit: usize,
}

impl OffsetMap {
    /// A map for as many records, or as many as fit in `bytes_max`.
    pub(super) fn for_records(records: i64, bytes_max: usize) -> Self {
        let wanted = usize::try_from(records)
            .unwrap_or(usize::MAX)
            .saturating_mul(10)
            / 9;
        let slots = wanted.saturating_add(2).min(bytes_max / SLOT_BYTES).max(2);
        Self {
            slots: vec![FREE; slots],
            used: 0,
            limit: (slots * 9 / 10).max(1),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.used as u64
    }

    /// Notes the keys of a batch; `false`, and only some noted, when they do
    /// not all fit.
    pub(super) fn note(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<bool, BatchError> {
        if header.record_count == 0 {
            return Ok(true);
        }
        for record in batch::records(bytes, scratch, INFLATED_BYTES_MAX)? {
            let record = record?;
            if let Some(key) = record.key
                && !self.put(key, record.offset)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let key = hash(key);
        let at = self.find(key);
        let full = self.used >= self.limit;
        let Some(slot) = self.slots.get_mut(at) else {
            return false;
        };
        if slot.offset < 0 {
            if full {
                return false;
            }
            self.used += 1;
        }
        *slot = Slot {
            key,
            offset: slot.offset.max(offset.get()),
        };
        true
    }

    /// The latest offset of a key in the part that was mapped.
    pub(super) fn latest(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.slots.get(self.find(hash(key)))?;
        (slot.offset >= 0).then_some(Offset(slot.offset))
    }

    /// The slot that has the key, or the free one where it belongs. One is
    /// always free.
    fn find(&self, key: [u64; 2]) -> usize {
        let [first, _] = key;
        let len = self.slots.len();
        let mut at = (first % len as u64) as usize;
        while let Some(slot) = self.slots.get(at) {
            if slot.offset < 0 || slot.key == key {
                break;
            }
            at = if at + 1 == len { 0 } else { at + 1 };
        }
        at
    }
}

fn hash(key: &[u8]) -> [u64; 2] {
    let digest = blake3::hash(key);
    let word = |at: usize| {
        let bytes = digest.as_bytes().get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    [word(0), word(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_offset_of_each_key_is_kept() {
        let mut map = OffsetMap::for_records(1000, usize::MAX);
        for offset in 0..1000_i64 {
            assert!(map.put(&(offset % 300).to_be_bytes(), Offset(offset)));
        }
        assert_eq!(map.len(), 300);
        for key in 0..300_i64 {
            let latest = (0..1000)
                .rev()
                .find(|offset| offset % 300 == key)
                .map(Offset);
            assert_eq!(map.latest(&key.to_be_bytes()), latest);
        }
        assert_eq!(map.latest(b"none"), None);
    }

    #[test]
    fn a_full_map_takes_known_keys_only() {
        let mut map = OffsetMap::for_records(i64::MAX, 10 * SLOT_BYTES);
        for key in 0..9_u8 {
            assert!(map.put(&[key], Offset(i64::from(key))));
        }
        assert!(!map.put(&[9], Offset(9)));
        assert!(map.put(&[3], Offset(10)));
        assert_eq!(map.latest(&[3]), Some(Offset(10)));
        assert_eq!(map.latest(&[9]), None);
    }
}
