//! One file of a [`MemDisk`](super::MemDisk): what readers see, what would
//! survive, and the changes in between.

/// Which file, whatever its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InodeId(u64);

impl InodeId {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What a device writes at once or not at all.
const SECTOR_BYTES: u64 = 512;

#[derive(Clone, Default)]
pub(super) struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { pos: u64, bytes: Vec<u8> },
    Truncate(u64),
}

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.seen.len() as u64
    }

    pub(super) fn read(&self, buf: &mut [u8], pos: u64) -> usize {
        let from = usize::try_from(pos).unwrap_or(usize::MAX);
        let there = self.seen.get(from..).unwrap_or_default();
        let len = there.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..len), there.get(..len)) {
            to.copy_from_slice(from);
        }
        len
    }

    pub(super) fn write(&mut self, bytes: &[u8], pos: u64) {
        overwrite(&mut self.seen, pos, bytes);
        self.unsynced.push(Change::Write {
            pos,
            bytes: bytes.to_vec(),
        });
    }

    pub(super) fn truncate(&mut self, len: u64) {
        resize(&mut self.seen, len);
        self.unsynced.push(Change::Truncate(len));
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { pos, bytes } => overwrite(&mut self.durable, pos, &bytes),
                Change::Truncate(len) => resize(&mut self.durable, len),
            }
        }
    }

    /// What a failed sync does on Linux: readers still see the bytes, and no
    /// later sync will write them.
    pub(super) fn forget_unsynced(&mut self) {
        self.unsynced.clear();
    }

    pub(super) fn after_crash(&self, random: &mut Random) -> Self {
        let mut bytes = self.durable.clone();
        let kept_in_16 = random.below(17);
        for change in &self.unsynced {
            match change {
                Change::Write {
                    pos,
                    bytes: written,
                } => {
                    for (at, sector) in sectors(*pos, written) {
                        if random.below(16) < kept_in_16 {
                            overwrite(&mut bytes, at, sector);
                        }
                    }
                }
                Change::Truncate(len) => {
                    if random.below(16) < kept_in_16 {
                        resize(&mut bytes, *len);
                    }
                }
            }
        }
        Self {
            seen: bytes.clone(),
            durable: bytes,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn flip(&mut self, pos: u64, mask: u8) {
        let Ok(at) = usize::try_from(pos) else { return };
        for bytes in [&mut self.seen, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
    }

    pub(super) fn cut(&mut self, len: u64) {
        self.sync();
        self.seen
            .truncate(usize::try_from(len).unwrap_or(usize::MAX));
        self.durable.clone_from(&self.seen);
    }
}

/// The pieces of a write that reach the device together.
fn sectors(pos: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut pos = pos;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = SECTOR_BYTES - pos % SECTOR_BYTES;
        let len = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (sector, after) = rest.split_at(len);
        let at = pos;
        pos += len as u64;
        rest = after;
        Some((at, sector))
    })
}

fn overwrite(bytes: &mut Vec<u8>, pos: u64, with: &[u8]) {
    let Ok(from) = usize::try_from(pos) else {
        return;
    };
    let to = from.saturating_add(with.len());
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    if let Some(place) = bytes.get_mut(from..to) {
        place.copy_from_slice(with);
    }
}

fn resize(bytes: &mut Vec<u8>, len: u64) {
    bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
}

/// A small generator (splitmix64), so that a seed names a crash.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_survive_and_unsynced_sectors_may() {
        let mut inode = Inode::default();
        inode.write(&[1; 1000], 0);
        inode.sync();
        inode.write(&[2; 2000], 500);
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let after = inode.after_crash(&mut Random::new(seed));
            assert_eq!(after.seen[..500], [1; 500], "seed {seed}");
            lengths.insert(after.seen.len());
        }
        assert!(
            lengths.contains(&1000) && lengths.contains(&2500),
            "{lengths:?}"
        );
    }
}
