//! Reading the records of a batch.
//!
//! Records borrow from the batch, or from a scratch buffer when the batch is
//! compressed. Iteration ends at the first error, and a batch whose records do
//! not fill it exactly is an error too.

use super::{BatchError, BatchHeader, HEADER_LEN, TimestampType};
use crate::compression::{Compression, Workspace};
use crate::read::{ReadError, Reader};
use crate::types::{Offset, TimestampMs};

/// One record, borrowed: what [`RecordIter`] yields and
/// [`BatchBuilder`](super::BatchBuilder) takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the log.
    pub offset: Offset,
    /// The producer's time, or the broker's under LogAppendTime.
    pub timestamp: TimestampMs,
    /// What the record is about; compaction keeps the latest of each.
    pub key: Option<&'a [u8]>,
    /// What the record says; null deletes the key on a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Application headers, in order; keys may repeat.
    pub headers: Headers<'a>,
}

/// One application header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by convention; not checked.
    pub key: &'a [u8],
    /// Any bytes, or null.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record: as a batch has them, or as a caller lists them.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Checked when the record was read: `count` headers fill `bytes`.
    Encoded {
        count: usize,
        bytes: &'a [u8],
    },
    Listed(&'a [Header<'a>]),
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Self = Self(Source::Listed(&[]));

    /// Headers from a list.
    pub const fn listed(headers: &'a [Header<'a>]) -> Self {
        Self(Source::Listed(headers))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let claimed = reader.varint()?;
        let Ok(count) = usize::try_from(claimed) else {
            return Err(reader.negative(i64::from(claimed)));
        };
        let start = *reader;
        for _ in 0..count {
            read_header(reader)?;
        }
        let len = reader.position() - start.position();
        let bytes = start.rest().get(..len).unwrap_or_default();
        Ok(Self(Source::Encoded { count, bytes }))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Encoded { count, .. } => count,
            Source::Listed(headers) => headers.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The headers in order.
    pub const fn iter(&self) -> HeadersIter<'a> {
        HeadersIter(self.0)
    }
}

impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers<'_> {}

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Iterates over a record's headers.
#[derive(Clone)]
pub struct HeadersIter<'a>(Source<'a>);

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        match &mut self.0 {
            Source::Encoded { count, bytes } => {
                *count = count.checked_sub(1)?;
                let mut reader = Reader::new(bytes);
                let header = read_header(&mut reader).ok()?;
                *bytes = reader.rest();
                Some(header)
            }
            Source::Listed(headers) => {
                let (first, rest) = headers.split_first()?;
                *headers = rest;
                Some(*first)
            }
        }
    }
}

fn read_header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, ReadError> {
    let Some(key) = reader.varint_bytes()? else {
        return Err(reader.negative(-1));
    };
    let value = reader.varint_bytes()?;
    Ok(Header { key, value })
}

/// The records of the batch at the start of `batch`.
///
/// Compressed records are inflated into `scratch`, never past `cap` bytes; an
/// uncompressed batch leaves `scratch` alone. The checksum is not checked. Who
/// reads many batches keeps an [`Inflater`].
///
/// # Errors
/// When the header is bad, the batch is not all there, or it does not inflate
/// within `cap`. What is wrong with a record shows while iterating.
pub fn records<'a>(
    batch: &'a [u8],
    scratch: &'a mut Vec<u8>,
    cap: usize,
) -> Result<RecordIter<'a>, BatchError> {
    records_in(&mut Workspace::default(), batch, scratch, cap)
}

/// Reads the records of many batches, keeping the memory that it takes.
#[derive(Debug, Default)]
pub struct Inflater {
    scratch: Vec<u8>,
    workspace: Workspace,
}

impl Inflater {
    /// As [`records`].
    ///
    /// # Errors
    /// As [`records`].
    pub fn records<'a>(
        &'a mut self,
        batch: &'a [u8],
        cap: usize,
    ) -> Result<RecordIter<'a>, BatchError> {
        records_in(&mut self.workspace, batch, &mut self.scratch, cap)
    }
}

fn records_in<'a>(
    workspace: &mut Workspace,
    batch: &'a [u8],
    scratch: &'a mut Vec<u8>,
    cap: usize,
) -> Result<RecordIter<'a>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let Some(body) = batch.get(HEADER_LEN..header.total_len()) else {
        return Err(BatchError::Truncated {
            need: header.total_len(),
            have: batch.len(),
        });
    };
    let codec = header.compression();
    if codec == Compression::None {
        return Ok(RecordIter::new(&header, body));
    }
    scratch.clear();
    // Empty batches, kept for a producer's last sequence, have no block at all.
    if !(header.record_count == 0 && body.is_empty()) {
        workspace.decompress(codec, body, scratch, cap)?;
    }
    Ok(RecordIter::new(&header, scratch))
}

/// Iterates over the records of one batch, in offset order.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    reader: Reader<'a>,
    base_offset: Offset,
    base_timestamp: TimestampMs,
    /// Every record's timestamp under LogAppendTime.
    append_time: Option<TimestampMs>,
    count: i32,
    next: i32,
    done: bool,
}

impl<'a> RecordIter<'a> {
    /// Iterates over `uncompressed`, the records of the batch that `header`
    /// describes.
    pub fn new(header: &BatchHeader, uncompressed: &'a [u8]) -> Self {
        let append_time = match header.timestamp_type() {
            TimestampType::LogAppendTime => Some(header.max_timestamp),
            TimestampType::CreateTime => None,
        };
        Self {
            reader: Reader::new(uncompressed),
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
            count: header.record_count,
            next: 0,
            done: false,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, BatchError> {
        let index = self.next;
        let at_record = |source| BatchError::Record { index, source };
        let length = self.reader.varint().map_err(at_record)?;
        let Ok(len) = usize::try_from(length) else {
            return Err(at_record(self.reader.negative(i64::from(length))));
        };
        let mut reader = Reader::new(self.reader.take(len).map_err(at_record)?);
        let record = self.read_fields(&mut reader).map_err(at_record)?;
        match reader.remaining() {
            0 => Ok(record),
            left => Err(BatchError::RecordLength { index, left }),
        }
    }

    #[inline]
    fn read_fields(&self, reader: &mut Reader<'a>) -> Result<Record<'a>, ReadError> {
        let _unused_attributes = reader.i8()?;
        let timestamp_delta = reader.varlong()?;
        let offset_delta = reader.varint()?;
        let created = self.base_timestamp.get().wrapping_add(timestamp_delta);
        Ok(Record {
            offset: self.base_offset.plus(i64::from(offset_delta)),
            timestamp: self.append_time.unwrap_or(TimestampMs(created)),
            key: reader.varint_bytes()?,
            value: reader.varint_bytes()?,
            headers: Headers::read(reader)?,
        })
    }

    fn end(&self) -> Option<Result<Record<'a>, BatchError>> {
        match self.reader.remaining() {
            0 => None,
            left => Some(Err(BatchError::Trailing {
                count: self.count,
                left,
            })),
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.next == self.count {
            self.done = true;
            return self.end();
        }
        let record = self.read();
        self.done = record.is_err();
        self.next += 1;
        Some(record)
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}
