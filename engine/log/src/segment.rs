//! One segment: a stretch of the log in a file, with its indexes.
//!
//! A segment holds whole batches only: `size` ends after the last one, whatever
//! else a failed write left in the file. Its files are named after its base
//! offset, which no batch in it precedes.

use crate::disk::DiskFile;
use crate::error::LogError;
use crate::index::{Indexed, Newest, OffsetIndex, TimeIndex, TxnIndex};
use crate::names::Kind;
use crate::place::{Home, Slot};
use crate::walk::{Found, Headers, Stop};
use plimsoll_wire::batch::HEADER_LEN;
use plimsoll_wire::types::{Offset, TimestampMs};
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    /// Bytes of whole batches.
    pub(crate) size: u64,
    pub(crate) index: OffsetIndex,
    pub(crate) times: TimeIndex,
    pub(crate) txns: TxnIndex,
    /// When it began, where its first batch has no timestamp.
    pub(crate) created: TimestampMs,
    /// The first batch's timestamp, from which the segment's age counts.
    first_timestamp: OnceLock<TimestampMs>,
    newest: OnceLock<Option<Newest>>,
    log: Slot,
    unindexed_bytes: u64,
    unsynced: bool,
}

/// The end of a stretch of whole batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) pos: u64,
    pub(crate) next_offset: Offset,
}

/// Where a stretch must end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// No byte at or after this position.
    pub(crate) pos: u64,
    /// No batch that holds this offset.
    pub(crate) offset: Offset,
}

impl Limit {
    /// Every offset of the segment may be read.
    pub(crate) const NO_OFFSET: Offset = Offset(i64::MAX);
}

impl Segment {
    /// A segment without a batch, its log file created.
    pub(crate) fn create(home: Home<'_>, base: Offset, now: TimestampMs) -> Result<Self, LogError> {
        let segment = Self::existing(base, 0, now);
        segment.file(home)?;
        Ok(segment)
    }

    /// A segment whose log file has `size` bytes, without index entries.
    pub(crate) fn existing(base: Offset, size: u64, created: TimestampMs) -> Self {
        Self {
            base,
            size,
            index: OffsetIndex::default(),
            times: TimeIndex::default(),
            txns: TxnIndex::default(),
            created,
            first_timestamp: OnceLock::new(),
            newest: OnceLock::new(),
            log: Slot::default(),
            unindexed_bytes: 0,
            unsynced: false,
        }
    }

    #[inline]
    pub(crate) fn file(&self, home: Home<'_>) -> Result<&Arc<dyn DiskFile>, LogError> {
        self.log.get(home.file(self.base, Kind::Log))
    }

    /// Writes batches at the end. They count once [`Self::note`] is told.
    #[inline]
    pub(crate) fn write(&mut self, home: Home<'_>, bytes: &[u8]) -> Result<(), LogError> {
        self.unsynced = true;
        let place = home.file(self.base, Kind::Log);
        self.log
            .get(place)?
            .write_at(bytes, self.size)
            .map_err(place.failed("write"))
    }

    /// Writes batches at a position; for a segment that is not read yet.
    pub(crate) fn write_at(
        &mut self,
        home: Home<'_>,
        bytes: &[u8],
        pos: u64,
    ) -> Result<(), LogError> {
        self.unsynced = true;
        let place = home.file(self.base, Kind::Log);
        self.log
            .get(place)?
            .write_at(bytes, pos)
            .map_err(place.failed("write"))
    }

    /// Counts and indexes a batch that lies at the end.
    #[inline]
    pub(crate) fn note(
        &mut self,
        home: Home<'_>,
        found: &Found,
        interval: u64,
    ) -> Result<(), LogError> {
        let header = &found.header;
        let last_offset = header.last_offset();
        if self.size == 0 {
            let _ = self.first_timestamp.set(header.max_timestamp);
        }
        let newest = self.newest.get().copied().flatten();
        if newest.is_none_or(|newest| header.max_timestamp > newest.timestamp) {
            let timestamp = header.max_timestamp;
            self.newest = OnceLock::from(Some(Newest {
                timestamp,
                last_offset,
            }));
        }
        if self.unindexed_bytes > interval {
            let pos = found.pos;
            let place = home.file(self.base, Kind::Index);
            self.index.push(place, Indexed { last_offset, pos })?;
            self.index_newest(home)?;
            self.unindexed_bytes = 0;
        }
        self.unindexed_bytes += header.total_len() as u64;
        self.size = found.end();
        Ok(())
    }

    /// Lets the time index reach the newest timestamp, as a segment does that
    /// takes no more batches.
    pub(crate) fn index_newest(&mut self, home: Home<'_>) -> Result<(), LogError> {
        match self.newest.get().copied().flatten() {
            Some(newest) => self
                .times
                .push(home.file(self.base, Kind::TimeIndex), newest),
            None => Ok(()),
        }
    }

    /// The newest timestamp in the segment.
    pub(crate) fn newest(&self, home: Home<'_>) -> Result<Option<Newest>, LogError> {
        if let Some(newest) = self.newest.get() {
            return Ok(*newest);
        }
        let last = self.times.last(home.file(self.base, Kind::TimeIndex))?;
        Ok(*self.newest.get_or_init(|| last))
    }

    /// What the segment's age counts from: the first batch's timestamp, or
    /// `None` when it has none.
    pub(crate) fn first_timestamp(&self, home: Home<'_>) -> Result<Option<TimestampMs>, LogError> {
        let known = |timestamp: TimestampMs| Some(timestamp).filter(|t| t.get() >= 0);
        if let Some(timestamp) = self.first_timestamp.get() {
            return Ok(known(*timestamp));
        }
        if self.size == 0 {
            return Ok(None);
        }
        let first = self
            .walk(home, 0)?
            .next()
            .map_err(|stop| self.broken(home, stop))?;
        let timestamp = first.map_or(TimestampMs::NONE, |found| found.header.max_timestamp);
        Ok(known(*self.first_timestamp.get_or_init(|| timestamp)))
    }

    /// The headers from the batch at `pos` on.
    pub(crate) fn walk<'a>(&'a self, home: Home<'_>, pos: u64) -> Result<Headers<'a>, LogError> {
        Ok(Headers::new(&**self.file(home)?, pos, self.size))
    }

    /// The first batch that ends at or after `offset`.
    pub(crate) fn locate(&self, home: Home<'_>, offset: Offset) -> Result<Option<Found>, LogError> {
        let floor = self
            .index
            .floor(home.file(self.base, Kind::Index), offset)?;
        let mut walk = self.walk(home, floor.map_or(0, |entry| entry.pos))?;
        loop {
            match walk.next() {
                Ok(Some(found)) if found.header.last_offset() < offset => {}
                Ok(found) => return Ok(found),
                Err(stop) => return Err(self.broken(home, stop)),
            }
        }
    }

    /// How far whole batches go from `first` on without passing `limit`;
    /// `None` when `first` itself does.
    pub(crate) fn extent(
        &self,
        home: Home<'_>,
        first: &Found,
        limit: Limit,
    ) -> Result<Option<End>, LogError> {
        let fits =
            |found: &Found| found.end() <= limit.pos && found.header.next_offset() <= limit.offset;
        if !fits(first) {
            return Ok(None);
        }
        let mut end = End {
            pos: first.end(),
            next_offset: first.header.next_offset(),
        };
        let place = home.file(self.base, Kind::Index);
        if limit.pos.saturating_sub(end.pos) < HEADER_LEN as u64 {
            return Ok(Some(end));
        }
        let mut from = self
            .index
            .floor_of_pos(place, limit.pos)?
            .map_or(0, |entry| entry.pos);
        if limit.offset < Limit::NO_OFFSET {
            let by_offset = self.index.floor(place, limit.offset)?;
            from = from.min(by_offset.map_or(0, |entry| entry.pos));
        }
        let mut walk = self.walk(home, from.max(end.pos))?;
        while let Some(found) = walk.next().map_err(|stop| self.broken(home, stop))? {
            if found.pos > end.pos {
                // All before an indexed batch fits, even when it does not itself.
                end = End {
                    pos: found.pos,
                    next_offset: found.header.base_offset,
                };
            }
            if !fits(&found) {
                break;
            }
            end = End {
                pos: found.end(),
                next_offset: found.header.next_offset(),
            };
        }
        Ok(Some(end))
    }

    /// Cuts the segment to `end`, durably, its indexes with it.
    pub(crate) fn truncate(&mut self, home: Home<'_>, end: End) -> Result<(), LogError> {
        let place = home.file(self.base, Kind::Log);
        let file = self.log.get(place)?;
        file.truncate(end.pos).map_err(place.failed("truncate"))?;
        file.sync().map_err(place.failed("sync"))?;
        self.cut_indexes(home, end.next_offset)?;
        self.size = end.pos;
        self.first_timestamp = OnceLock::new();
        self.renew(home).map(drop)
    }

    /// Keeps of the indexes what concerns batches before `offset`.
    pub(crate) fn cut_indexes(&mut self, home: Home<'_>, offset: Offset) -> Result<(), LogError> {
        self.index.cut(home.file(self.base, Kind::Index), offset)?;
        self.times
            .cut(home.file(self.base, Kind::TimeIndex), offset)?;
        self.txns.cut(home.file(self.base, Kind::TxnIndex), offset)
    }

    /// Keeps of the indexes what a flush up to `offset` made durable; what lies
    /// past it may be garbage.
    pub(crate) fn keep_sound_indexes(
        &mut self,
        home: Home<'_>,
        offset: Offset,
    ) -> Result<(), LogError> {
        self.index
            .keep_sound(home.file(self.base, Kind::Index), offset)?;
        self.times
            .keep_sound(home.file(self.base, Kind::TimeIndex), offset)?;
        self.txns
            .keep_sound(home.file(self.base, Kind::TxnIndex), offset)
    }

    /// Empties the indexes, whatever their files hold.
    pub(crate) fn drop_indexes(&mut self, home: Home<'_>) -> Result<(), LogError> {
        self.index.0.clear(home.file(self.base, Kind::Index))?;
        self.times.0.clear(home.file(self.base, Kind::TimeIndex))?;
        self.txns.0.clear(home.file(self.base, Kind::TxnIndex))
    }

    /// Builds the offset and time indexes again from the headers.
    pub(crate) fn reindex(&mut self, home: Home<'_>, interval: u64) -> Result<(), LogError> {
        self.index.0.clear(home.file(self.base, Kind::Index))?;
        self.times.0.clear(home.file(self.base, Kind::TimeIndex))?;
        let size = std::mem::take(&mut self.size);
        self.unindexed_bytes = 0;
        self.newest = OnceLock::from(None);
        let file = Arc::clone(self.file(home)?);
        let mut walk = Headers::new(&*file, 0, size);
        while let Some(found) = walk.next().map_err(|stop| self.broken(home, stop))? {
            self.note(home, &found, interval)?;
        }
        self.index_newest(home)
    }

    /// Takes the files for not durable, whoever wrote them.
    pub(crate) fn mark_unsynced(&mut self) {
        self.unsynced = true;
        self.index.0.mark_unsynced();
        self.times.0.mark_unsynced();
        self.txns.0.mark_unsynced();
    }

    /// Reads again what is kept in memory about the batches after the last
    /// index entries; the offset after the last of them.
    pub(crate) fn renew(&mut self, home: Home<'_>) -> Result<Offset, LogError> {
        let indexed = self.index.last(home.file(self.base, Kind::Index))?;
        let times = self.times.last(home.file(self.base, Kind::TimeIndex))?;
        let indexed_to = indexed.map_or(0, |entry| entry.pos);
        let mut newest = times;
        let mut end = indexed.map_or(self.base, |entry| entry.last_offset.plus(1));
        let mut walk = self.walk(home, indexed_to)?;
        while let Some(found) = walk.next().map_err(|stop| self.broken(home, stop))? {
            let timestamp = found.header.max_timestamp;
            end = found.header.next_offset();
            if newest.is_none_or(|newest| timestamp > newest.timestamp) {
                let last_offset = found.header.last_offset();
                newest = Some(Newest {
                    timestamp,
                    last_offset,
                });
            }
        }
        self.newest = OnceLock::from(newest);
        self.unindexed_bytes = self.size - indexed_to.min(self.size);
        Ok(end)
    }

    /// The files to sync, what is in memory of the indexes written first;
    /// whether a name must be synced too.
    pub(crate) fn take_unsynced(
        &mut self,
        home: Home<'_>,
        out: &mut Vec<Arc<dyn DiskFile>>,
    ) -> Result<bool, LogError> {
        if std::mem::take(&mut self.unsynced) {
            out.push(Arc::clone(self.file(home)?));
        }
        let file = |kind| home.file(self.base, kind);
        let mut names = false;
        out.extend(self.index.0.take_unsynced(file(Kind::Index), &mut names)?);
        out.extend(
            self.times
                .0
                .take_unsynced(file(Kind::TimeIndex), &mut names)?,
        );
        out.extend(
            self.txns
                .0
                .take_unsynced(file(Kind::TxnIndex), &mut names)?,
        );
        Ok(names)
    }

    /// Ends the segment: it takes no more batches, and its indexes leave
    /// memory.
    pub(crate) fn seal(&mut self, home: Home<'_>) -> Result<(), LogError> {
        self.index_newest(home)?;
        self.index.0.seal(home.file(self.base, Kind::Index))?;
        self.times.0.seal(home.file(self.base, Kind::TimeIndex))?;
        self.txns.0.rest(home.file(self.base, Kind::TxnIndex))
    }

    /// Frees memory and handles that a resting segment does not need.
    pub(crate) fn rest(&mut self, home: Home<'_>) -> Result<(), LogError> {
        self.index.0.rest(home.file(self.base, Kind::Index))?;
        self.times.0.rest(home.file(self.base, Kind::TimeIndex))?;
        self.txns.0.rest(home.file(self.base, Kind::TxnIndex))?;
        if !self.unsynced {
            self.log.close();
        }
        Ok(())
    }

    /// Bytes on disk, indexes included.
    pub(crate) fn bytes_with_indexes(&self) -> u64 {
        self.size + self.index.0.bytes() + self.times.0.bytes() + self.txns.0.bytes()
    }

    /// What stopped a walk, as an error that names the file.
    pub(crate) fn broken(&self, home: Home<'_>, stop: Stop) -> LogError {
        let place = home.file(self.base, Kind::Log);
        match stop {
            Stop::Io(e) => place.failed("read")(e),
            Stop::NotABatch { pos, why } => {
                LogError::corrupt(&place.path(), format!("at position {pos}: {why}"))
            }
        }
    }
}
