//! Which partition a record goes to, by the rules of the Java client, so that
//! both drivers spread the same records in the same way.
//!
//! Records with a key: murmur2 of the key, as the Java client hashes it.
//! Records without: the *uniform sticky* rule of KIP-794: stay on a partition
//! until a batch's worth of bytes went there, then move on. Java picks the next
//! partition at random; here it is the next in turn, so that a run is
//! reproducible and the spread is exactly even.

/// Java's murmur2, as `org.apache.kafka.common.utils.Utils.murmur2` computes it.
pub fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    const SEED: u32 = 0x9747_b28c;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Assigns partitions to the records of one producer.
#[derive(Clone, Debug)]
pub struct Partitioner {
    partitions: u32,
    sticky: u32,
    sticky_bytes: usize,
    batch_bytes: usize,
}

impl Partitioner {
    /// A partitioner over `partitions` (at least 1). `first` is where the
    /// producer starts, so that producers do not all begin on partition 0.
    pub fn new(partitions: u32, batch_bytes: usize, first: u32) -> Self {
        let partitions = partitions.max(1);
        Self {
            partitions,
            sticky: first % partitions,
            sticky_bytes: 0,
            batch_bytes,
        }
    }

    /// The partition of the next record, which is `record_bytes` long.
    pub fn assign(&mut self, key: Option<&[u8]>, record_bytes: usize) -> u32 {
        match key {
            Some(key) => (murmur2(key) & 0x7fff_ffff) % self.partitions,
            None => self.stick(record_bytes),
        }
    }

    fn stick(&mut self, record_bytes: usize) -> u32 {
        if self.sticky_bytes >= self.batch_bytes {
            self.sticky_bytes = 0;
            self.sticky = (self.sticky + 1) % self.partitions;
        }
        self.sticky_bytes += record_bytes;
        self.sticky
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_java_client() {
        // The vectors of the Java client's own UtilsTest.
        let check = |key: &[u8], expected: i32| {
            assert_eq!(murmur2(key).cast_signed(), expected, "{key:?}");
        };
        check(b"21", -973_932_308);
        check(b"foobar", -790_332_482);
        check(b"a-little-bit-long-string", -985_981_536);
        check(b"a-little-bit-longer-string", -1_486_304_829);
        check(
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58_897_971,
        );
        check(b"abc", 479_470_107);
    }

    #[test]
    fn records_without_a_key_move_on_after_a_batch() {
        let mut partitioner = Partitioner::new(3, 100, 1);
        let spread: Vec<u32> = (0..8).map(|_| partitioner.assign(None, 50)).collect();
        assert_eq!(spread, [1, 1, 2, 2, 0, 0, 1, 1]);
    }

    #[test]
    fn a_key_always_goes_to_the_same_partition() {
        let mut partitioner = Partitioner::new(7, 100, 0);
        let first = partitioner.assign(Some(b"order-17"), 10);
        partitioner.assign(None, 1000);
        assert_eq!(partitioner.assign(Some(b"order-17"), 10), first);
        assert!(first < 7);
    }
}
