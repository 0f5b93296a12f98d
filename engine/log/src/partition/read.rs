//! Reading by offset: which stretches of which files hold whole batches, from
//! the one that contains the offset on. No byte of a record is looked at.

use super::{PartitionLog, home};
use crate::disk::FileRange;
use crate::error::{LogError, ReadError};
use crate::segment::{End, Limit, Segment};
use plimsoll_wire::types::Offset;
use std::sync::Arc;

/// Stretches in one answer at most: small segments give many.
const RANGES_MAX: usize = 16;

/// Whole batches, as stretches of files in order.
#[derive(Clone, Debug)]
pub struct Slices {
    /// Nearly always the only one, so that an answer allocates nothing.
    first: Option<FileRange>,
    more: Vec<FileRange>,
    bytes: u64,
    next_offset: Offset,
}

impl Slices {
    fn none_at(next_offset: Offset) -> Self {
        Self {
            first: None,
            more: Vec::new(),
            bytes: 0,
            next_offset,
        }
    }

    /// The stretches in order.
    pub fn iter(&self) -> impl Iterator<Item = &FileRange> {
        self.first.iter().chain(&self.more)
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The offset after the last batch, or the one asked for when there is
    /// nothing.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    fn push(&mut self, range: FileRange, next_offset: Offset) {
        self.bytes += range.len;
        self.next_offset = next_offset;
        match self.first {
            None => self.first = Some(range),
            Some(_) => self.more.push(range),
        }
    }

    fn count(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }
}

impl IntoIterator for Slices {
    type Item = FileRange;
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<FileRange>, std::vec::IntoIter<FileRange>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

impl PartitionLog {
    /// Whole batches from the one that contains `from`, none reaching `upto`
    /// (the high watermark, last stable offset or log end), at most `max_bytes`
    /// of them, except that with `min_one` the first comes however large it is.
    ///
    /// An offset between `upto` and the log end reads nothing; outside of the
    /// log it is out of range.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        min_one: bool,
        upto: Offset,
    ) -> Result<Slices, ReadError> {
        if from < self.log_start || from > self.log_end {
            let (start, end) = (self.log_start, self.log_end);
            return Err(ReadError::OutOfRange {
                offset: from,
                start,
                end,
            });
        }
        let upto = upto.min(self.log_end);
        let mut slices = Slices::none_at(from);
        let mut left = max_bytes as u64;
        let mut at = self.segment_at(from);
        while let Some((segment, segment_end)) = self.segment_and_end(at) {
            let wanted = slices.next_offset;
            if wanted >= upto || slices.count() == RANGES_MAX {
                break;
            }
            let must = min_one && slices.is_empty();
            let ask = Ask {
                wanted,
                upto,
                left,
                must,
            };
            match self.stretch(segment, segment_end, ask)? {
                Stretch::Passed => {}
                Stretch::Full => break,
                Stretch::Some(range, end) => {
                    left = left.saturating_sub(range.len);
                    let whole = end.pos == segment.size;
                    slices.push(range, end.next_offset);
                    if !whole {
                        break;
                    }
                }
            }
            at += 1;
        }
        Ok(slices)
    }

    /// The number of the last segment that begins at or before `offset`.
    pub(super) fn segment_at(&self, offset: Offset) -> usize {
        if offset >= self.active.base {
            return self.sealed.len();
        }
        self.sealed
            .partition_point(|segment| segment.base <= offset)
            .saturating_sub(1)
    }

    /// A segment, and the offset where the next begins.
    pub(super) fn segment_and_end(&self, at: usize) -> Option<(&Segment, Offset)> {
        match self.sealed.get(at) {
            Some(segment) => {
                let next = self.sealed.get(at + 1).unwrap_or(&self.active);
                Some((segment, next.base))
            }
            None => (at == self.sealed.len()).then_some((&self.active, self.log_end)),
        }
    }

    fn stretch(
        &self,
        segment: &Segment,
        segment_end: Offset,
        ask: Ask,
    ) -> Result<Stretch, LogError> {
        let home = home!(self);
        let Some(first) = segment.locate(home, ask.wanted)? else {
            return Ok(Stretch::Passed);
        };
        let whole = segment_end <= ask.upto;
        let limit = Limit {
            pos: first.pos.saturating_add(ask.left),
            offset: if whole { Limit::NO_OFFSET } else { ask.upto },
        };
        let end = if limit.pos >= segment.size && whole {
            Some(End {
                pos: segment.size,
                next_offset: segment_end,
            })
        } else if ask.must && first.end() > limit.pos {
            segment.extent(
                home,
                &first,
                Limit {
                    pos: first.end(),
                    ..limit
                },
            )?
        } else {
            segment.extent(home, &first, limit)?
        };
        let Some(end) = end else {
            return Ok(Stretch::Full);
        };
        let file = Arc::clone(segment.file(home)?);
        let range = FileRange {
            file,
            pos: first.pos,
            len: end.pos - first.pos,
        };
        Ok(Stretch::Some(range, end))
    }
}

#[derive(Clone, Copy)]
struct Ask {
    wanted: Offset,
    upto: Offset,
    left: u64,
    /// The first batch comes however large it is.
    must: bool,
}

enum Stretch {
    /// The segment ends before the offset.
    Passed,
    /// Not even one batch fits.
    Full,
    Some(FileRange, End),
}
