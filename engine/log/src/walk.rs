//! Walking the batches of a log file.
//!
//! [`Headers`] reads headers alone, in small pieces: readers use it to step
//! from an index entry to a batch. [`Checked`] reads everything in large pieces
//! and compares checksums: recovery uses it. Both stop at the first bytes that
//! are not a whole batch, and never read past the end they are given.

use crate::disk::{DiskFile, read_full_at};
use plimsoll_wire::batch::{self, BatchHeader, HEADER_LEN};
use plimsoll_wire::types::Offset;
use std::io;

/// A batch that was passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Where it begins in the file.
    pub(crate) pos: u64,
    pub(crate) header: BatchHeader,
}

impl Found {
    /// Where the next batch begins.
    pub(crate) fn end(&self) -> u64 {
        self.pos + self.header.total_len() as u64
    }
}

/// Why a walk stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The bytes from here on are not a whole batch, for the reason given.
    NotABatch { pos: u64, why: String },
    /// The file could not be read.
    Io(io::Error),
}

impl Stop {
    fn at(pos: u64, why: impl ToString) -> Self {
        Self::NotABatch {
            pos,
            why: why.to_string(),
        }
    }
}

/// Bytes read at a time to find headers: an index interval's worth.
const PIECE_BYTES: usize = 4096;

/// Steps over headers.
pub(crate) struct Headers<'a> {
    file: &'a dyn DiskFile,
    pos: u64,
    end: u64,
    piece: [u8; PIECE_BYTES],
    piece_pos: u64,
    piece_len: usize,
    /// How much to read next: small when batches are large.
    want: usize,
}

impl<'a> Headers<'a> {
    /// From the batch at `pos` up to `end`.
    pub(crate) fn new(file: &'a dyn DiskFile, pos: u64, end: u64) -> Self {
        Self {
            file,
            pos,
            end,
            piece: [0; PIECE_BYTES],
            piece_pos: 0,
            piece_len: 0,
            want: 1024,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Found>, Stop> {
        let left = self.end.saturating_sub(self.pos);
        if left == 0 {
            return Ok(None);
        }
        let bytes = self.header_bytes(left)?;
        let header = BatchHeader::parse(bytes).map_err(|why| Stop::at(self.pos, why))?;
        let len = header.total_len();
        if len as u64 > left {
            return Err(Stop::at(
                self.pos,
                format!("batch of {len} bytes in the last {left}"),
            ));
        }
        let found = Found {
            pos: self.pos,
            header,
        };
        self.pos = found.end();
        self.want = if len >= PIECE_BYTES {
            HEADER_LEN
        } else {
            PIECE_BYTES
        };
        Ok(Some(found))
    }

    fn header_bytes(&mut self, left: u64) -> Result<&[u8], Stop> {
        let from = self.pos.wrapping_sub(self.piece_pos) as usize;
        let there = from
            .checked_add(HEADER_LEN)
            .is_some_and(|to| to <= self.piece_len);
        let from = if there && self.pos >= self.piece_pos {
            from
        } else {
            self.refill(left)?
        };
        let to = self.piece_len.min(from + HEADER_LEN);
        Ok(self.piece.get(from..to).unwrap_or_default())
    }

    fn refill(&mut self, left: u64) -> Result<usize, Stop> {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.want);
        let piece = self.piece.get_mut(..want).unwrap_or_default();
        self.piece_len = read_full_at(self.file, piece, self.pos).map_err(Stop::Io)?;
        self.piece_pos = self.pos;
        Ok(0)
    }
}

/// Bytes read at a time to check batches.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads whole batches and compares their checksums. The buffer is kept from
/// file to file.
#[derive(Default)]
pub(crate) struct Checked {
    buf: Vec<u8>,
    /// The bytes of the file that the buffer holds: where they begin.
    buf_pos: u64,
    filled: usize,
}

/// What a checked walk covers.
pub(crate) struct Span {
    pub(crate) pos: u64,
    pub(crate) end: u64,
    /// Where the next batch begins; it moves on with each.
    pub(crate) next_offset: Offset,
    /// Up to where a batch may begin later than that: where compaction may
    /// have been.
    pub(crate) gaps_upto: Offset,
}

impl Checked {
    /// Forgets what was read, for another file.
    pub(crate) fn reset(&mut self) {
        self.filled = 0;
        self.buf_pos = 0;
    }

    /// The next batch of `span`, checked, with its bytes.
    pub(crate) fn next(
        &mut self,
        file: &dyn DiskFile,
        span: &mut Span,
    ) -> Result<Option<(Found, &[u8])>, Stop> {
        let left = span.end.saturating_sub(span.pos);
        if left == 0 {
            return Ok(None);
        }
        let bytes = self.bytes(file, span, HEADER_LEN)?;
        let header = BatchHeader::parse(bytes).map_err(|why| Stop::at(span.pos, why))?;
        let len = header.total_len();
        if len as u64 > left {
            return Err(Stop::at(
                span.pos,
                format!("batch of {len} bytes in the last {left}"),
            ));
        }
        let base = header.base_offset;
        let next = base == span.next_offset || (base > span.next_offset && base <= span.gaps_upto);
        if !next || header.last_offset().get() == i64::MAX {
            let why = format!(
                "offset {} where {} is next",
                header.base_offset, span.next_offset
            );
            return Err(Stop::at(span.pos, why));
        }
        let bytes = self.bytes(file, span, len)?;
        batch::verify_crc(bytes).map_err(|why| Stop::at(span.pos, why))?;
        let found = Found {
            pos: span.pos,
            header,
        };
        span.pos = found.end();
        span.next_offset = header.next_offset();
        Ok(Some((found, bytes)))
    }

    /// `len` bytes from the span's position, or as many as it has.
    fn bytes(&mut self, file: &dyn DiskFile, span: &Span, len: usize) -> Result<&[u8], Stop> {
        let left = usize::try_from(span.end - span.pos).unwrap_or(usize::MAX);
        let len = len.min(left);
        let mut from = span.pos.saturating_sub(self.buf_pos) as usize;
        if span.pos < self.buf_pos || from + len > self.filled {
            let kept = if span.pos < self.buf_pos {
                0
            } else {
                self.filled.saturating_sub(from)
            };
            self.buf.copy_within(self.filled - kept..self.filled, 0);
            let size = CHUNK_BYTES.max(len).min(left);
            if self.buf.len() < size {
                self.buf.resize(size, 0);
            }
            let room = self.buf.get_mut(kept..size).unwrap_or_default();
            let pos = span.pos + kept as u64;
            self.filled = kept + read_full_at(file, room, pos).map_err(Stop::Io)?;
            self.buf_pos = span.pos;
            from = 0;
        }
        let to = (from + len).min(self.filled);
        Ok(self.buf.get(from..to).unwrap_or_default())
    }
}
