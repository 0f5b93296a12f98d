//! A file of fixed-size entries that only grows: what all three indexes are.
//!
//! The newest entries stay in memory, because that is where readers at the
//! tail look, and reach the file in bulk; older ones are read from the file.
//! So an append costs no system call, and memory stays within
//! [`WINDOW_ENTRIES_MAX`] entries however large the segment. What a crash loses
//! of the file is rebuilt from the log.

use crate::disk::{DiskFile, read_exact_at};
use crate::error::LogError;
use crate::place::{Place, Slot};
use std::sync::Arc;

/// Entries in memory at most. At one entry per 4096 bytes of log, a reader
/// that is less than 1 MiB behind finds its place without touching the file.
const WINDOW_ENTRIES_MAX: usize = 512;

/// Entries searched by reading them at once rather than one by one.
const BLOCK_ENTRIES: u32 = 256;

/// A growing file of entries of `N` bytes.
#[derive(Debug, Default)]
pub(crate) struct Entries<const N: usize> {
    /// Entries in all.
    count: u32,
    /// Entries in the file.
    stored: u32,
    /// The newest entries, those not in the file among them.
    window: Vec<[u8; N]>,
    slot: Slot,
    /// Whether the file has changed since the last sync.
    unsynced: bool,
    /// Whether the file's name was there when the log was opened, or has been
    /// handed over to be made durable since.
    named: bool,
}

impl<const N: usize> Entries<N> {
    /// The entries of a file of `len` bytes; `None` when they do not fill it.
    pub(crate) fn of_file(len: u64) -> Option<Self> {
        let entry = N as u64;
        let count = u32::try_from(len / entry)
            .ok()
            .filter(|_| len.is_multiple_of(entry))?;
        Some(Self {
            count,
            stored: count,
            named: true,
            ..Self::default()
        })
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes in the file once all entries have reached it.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.count) * N as u64
    }

    #[inline]
    pub(crate) fn push(&mut self, place: Place<'_>, entry: [u8; N]) -> Result<(), LogError> {
        if self.window.len() >= WINDOW_ENTRIES_MAX {
            self.save(place)?;
            self.window.drain(..WINDOW_ENTRIES_MAX / 2);
        }
        self.window.push(entry);
        self.count += 1;
        Ok(())
    }

    /// Writes to the file what it lacks.
    pub(crate) fn save(&mut self, place: Place<'_>) -> Result<(), LogError> {
        let missing = (self.count - self.stored) as usize;
        let from = self.window.len().saturating_sub(missing);
        let Some(entries) = self
            .window
            .get(from..)
            .filter(|entries| !entries.is_empty())
        else {
            return Ok(());
        };
        let pos = u64::from(self.stored) * N as u64;
        let file = self.slot.get(place)?;
        file.write_at(entries.as_flattened(), pos)
            .map_err(place.failed("write"))?;
        self.stored = self.count;
        self.unsynced = true;
        Ok(())
    }

    /// Takes the file for changed since the last sync, if there is one.
    pub(crate) fn mark_unsynced(&mut self) {
        self.unsynced |= self.stored > 0;
    }

    /// The file to sync, when it has changed since it was last asked for;
    /// `names` is set when its name must be synced too.
    pub(crate) fn take_unsynced(
        &mut self,
        place: Place<'_>,
        names: &mut bool,
    ) -> Result<Option<Arc<dyn DiskFile>>, LogError> {
        self.save(place)?;
        if !std::mem::take(&mut self.unsynced) {
            return Ok(None);
        }
        *names |= !std::mem::replace(&mut self.named, true);
        Ok(Some(Arc::clone(self.slot.get(place)?)))
    }

    /// Ends the file, creating it when there is no entry, so that a missing
    /// file is known to be lost.
    pub(crate) fn seal(&mut self, place: Place<'_>) -> Result<(), LogError> {
        self.slot.get(place)?;
        self.rest(place)
    }

    /// Drops everything, and whatever else the file holds.
    pub(crate) fn clear(&mut self, place: Place<'_>) -> Result<(), LogError> {
        let slot = std::mem::take(&mut self.slot);
        let file = slot.existing(place)?;
        let unsynced = file.is_some();
        if let Some(file) = file {
            file.truncate(0).map_err(place.failed("truncate"))?;
        }
        *self = Self {
            slot,
            unsynced,
            named: unsynced,
            ..Self::default()
        };
        Ok(())
    }

    /// Frees memory and the handle.
    pub(crate) fn rest(&mut self, place: Place<'_>) -> Result<(), LogError> {
        self.save(place)?;
        self.window = Vec::new();
        if !self.unsynced {
            self.slot.close();
        }
        Ok(())
    }

    /// Drops the entries from number `count` on.
    pub(crate) fn truncate(&mut self, place: Place<'_>, count: u32) -> Result<(), LogError> {
        if count >= self.count {
            return Ok(());
        }
        let first = self.window_first();
        self.window.truncate(count.saturating_sub(first) as usize);
        self.count = count;
        if self.stored > count {
            let len = u64::from(count) * N as u64;
            self.slot
                .get(place)?
                .truncate(len)
                .map_err(place.failed("truncate"))?;
            self.stored = count;
            self.unsynced = true;
        }
        Ok(())
    }

    pub(crate) fn last(&self, place: Place<'_>) -> Result<Option<[u8; N]>, LogError> {
        match self.count.checked_sub(1) {
            Some(last) => self.get(place, last).map(Some),
            None => Ok(None),
        }
    }

    /// The entry numbered `at`, which must exist.
    pub(crate) fn get(&self, place: Place<'_>, at: u32) -> Result<[u8; N], LogError> {
        if let Some(in_window) = at.checked_sub(self.window_first())
            && let Some(entry) = self.window.get(in_window as usize)
        {
            return Ok(*entry);
        }
        let mut entry = [0; N];
        self.read(place, at, entry.as_mut_slice())?;
        Ok(entry)
    }

    /// How many entries, from the first on, satisfy `before`, which must hold
    /// for a prefix of them.
    pub(crate) fn partition_point(
        &self,
        place: Place<'_>,
        before: impl Fn(&[u8; N]) -> bool,
    ) -> Result<u32, LogError> {
        let window_first = self.window_first();
        if self.window.first().is_some_and(&before) {
            return Ok(window_first + self.window.partition_point(before) as u32);
        }
        let (low, high) = self.narrow(place, &before)?;
        let mut block = [[0; N]; BLOCK_ENTRIES as usize];
        let block = block.get_mut(..(high - low) as usize).unwrap_or_default();
        self.read(place, low, block.as_flattened_mut())?;
        Ok(low + block.partition_point(before) as u32)
    }

    /// The last entry that satisfies `before`, which must hold for a prefix.
    pub(crate) fn floor(
        &self,
        place: Place<'_>,
        before: impl Fn(&[u8; N]) -> bool,
    ) -> Result<Option<[u8; N]>, LogError> {
        if self.window.first().is_some_and(&before) {
            let count = self.window.partition_point(before);
            return Ok(count
                .checked_sub(1)
                .and_then(|at| self.window.get(at))
                .copied());
        }
        let (low, high) = self.narrow(place, &before)?;
        // The entry before the range may be the one.
        let first = low.saturating_sub(1);
        let mut block = [[0; N]; BLOCK_ENTRIES as usize + 1];
        let block = block.get_mut(..(high - first) as usize).unwrap_or_default();
        self.read(place, first, block.as_flattened_mut())?;
        let count = block.partition_point(before);
        Ok(count.checked_sub(1).and_then(|at| block.get(at)).copied())
    }

    /// A range of the file, of a block at most, that ends the prefix which
    /// satisfies `before`.
    fn narrow(
        &self,
        place: Place<'_>,
        before: &impl Fn(&[u8; N]) -> bool,
    ) -> Result<(u32, u32), LogError> {
        let (mut low, mut high) = (0, self.window_first());
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            if before(&self.get(place, middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok((low, high))
    }

    /// Keeps the entries up to the first that `follows` refuses, given the one
    /// before it. Unlike a search it holds on a file whose tail is garbage.
    pub(crate) fn keep_while(
        &mut self,
        place: Place<'_>,
        follows: impl Fn(Option<&[u8; N]>, &[u8; N]) -> bool,
    ) -> Result<(), LogError> {
        let mut kept = 0;
        let mut last = None;
        self.for_each(place, |entry| {
            let keep = follows(last.as_ref(), entry);
            kept += u32::from(keep);
            last = Some(*entry);
            keep
        })?;
        self.truncate(place, kept)
    }

    /// Calls `each` with every entry in order until it returns `false`.
    pub(crate) fn for_each(
        &self,
        place: Place<'_>,
        mut each: impl FnMut(&[u8; N]) -> bool,
    ) -> Result<(), LogError> {
        let window_first = self.window_first();
        let mut block = [[0; N]; BLOCK_ENTRIES as usize];
        let mut at = 0;
        while at < window_first {
            let len = BLOCK_ENTRIES.min(window_first - at);
            let block = block.get_mut(..len as usize).unwrap_or_default();
            self.read(place, at, block.as_flattened_mut())?;
            if !block.iter().all(&mut each) {
                return Ok(());
            }
            at += len;
        }
        // The closure stops the rest as `all` does above.
        let _ = self.window.iter().all(each);
        Ok(())
    }

    fn window_first(&self) -> u32 {
        self.count - self.window.len() as u32
    }

    fn read(&self, place: Place<'_>, at: u32, buf: &mut [u8]) -> Result<(), LogError> {
        if buf.is_empty() {
            return Ok(());
        }
        let file = self.slot.get(place)?;
        read_exact_at(&**file, buf, u64::from(at) * N as u64).map_err(place.failed("read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;
    use crate::disk::Disk;
    use crate::names::Kind;
    use crate::place::Home;
    use plimsoll_wire::types::Offset;
    use std::path::Path;

    fn check(total: u32, rest_at: Option<u32>, cut: u32) {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        let place = Home::live(&disk, Path::new("/d")).file(Offset(0), Kind::Index);
        let mut entries = Entries::<4>::default();
        for i in 0..total {
            entries.push(place, (i * 2).to_be_bytes()).unwrap();
            assert!(entries.window.len() <= WINDOW_ENTRIES_MAX);
            if rest_at == Some(i) {
                entries.rest(place).unwrap();
            }
        }
        entries.truncate(place, cut).unwrap();
        let left = total.min(cut);
        assert_eq!(entries.count(), left);
        for probe in 0..total * 2 + 2 {
            let found = entries
                .partition_point(place, |e| u32::from_be_bytes(*e) < probe)
                .unwrap();
            assert_eq!(
                found,
                probe.div_ceil(2).min(left),
                "{total} {rest_at:?} {cut} {probe}"
            );
            let floor = entries
                .floor(place, |e| u32::from_be_bytes(*e) < probe)
                .unwrap();
            assert_eq!(
                floor.map(u32::from_be_bytes),
                found.checked_sub(1).map(|at| at * 2)
            );
        }
        let mut seen = Vec::new();
        entries
            .for_each(place, |e| {
                seen.push(u32::from_be_bytes(*e));
                true
            })
            .unwrap();
        assert_eq!(seen, (0..left).map(|i| i * 2).collect::<Vec<_>>());
        entries.save(place).unwrap();
        let file = Entries::<4>::of_file(entries.bytes()).unwrap();
        assert_eq!(file.last(place).unwrap(), entries.last(place).unwrap());
    }

    #[test]
    fn entries_are_found_wherever_they_are() {
        for total in [0, 1, 511, 512, 513, 1500] {
            for rest_at in [None, Some(0), Some(600)] {
                for cut in [0, 1, 500, 1100, u32::MAX] {
                    check(total, rest_at, cut);
                }
            }
        }
    }

    #[test]
    fn a_file_that_entries_do_not_fill_is_none() {
        assert!(Entries::<8>::of_file(17).is_none());
        assert_eq!(Entries::<8>::of_file(16).unwrap().count(), 2);
    }
}
