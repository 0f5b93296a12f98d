//! Frames: every request and response is a 4-byte length and that many bytes.
//!
//! The length of what arrives is checked against the limit before anything is
//! reserved for it. What leaves is written behind room for its length, which
//! [`finish`] fills in, or in pieces where records come from elsewhere.

use crate::write::Writer;
use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of the length before a frame.
pub const LENGTH_LEN: usize = 4;

/// The default of `socket.request.max.bytes`: 100 MiB.
pub const REQUEST_MAX_BYTES: usize = 104_857_600;

/// Why bytes are not a frame. The peer is not speaking Kafka or has lost its
/// place; the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The length is negative.
    #[error("frame length {length}, expected 0 or more")]
    Negative {
        /// The length.
        length: i32,
    },
    /// The length passes the limit.
    #[error("frame length {length}, expected at most {limit}")]
    TooLarge {
        /// The length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// Takes the first whole frame off `buffer`, without its length. `None` when
/// more bytes are needed: [`missing`] says how many.
pub fn split(buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, FrameError> {
    match whole_len(buffer, limit)? {
        Some(whole) if buffer.len() >= whole => {
            let mut frame = buffer.split_to(whole);
            let _length = frame.split_to(LENGTH_LEN);
            Ok(Some(frame))
        }
        _ => Ok(None),
    }
}

/// How many bytes `buffer` lacks of its first frame: what to reserve before the
/// next read. Zero when the frame is whole.
pub fn missing(buffer: &[u8], limit: usize) -> Result<usize, FrameError> {
    let whole = whole_len(buffer, limit)?.unwrap_or(LENGTH_LEN);
    Ok(whole.saturating_sub(buffer.len()))
}

/// Bytes of the first frame with its length, once that has arrived.
fn whole_len(buffer: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(length) = buffer.first_chunk().copied().map(i32::from_be_bytes) else {
        return Ok(None);
    };
    let Ok(len) = usize::try_from(length) else {
        return Err(FrameError::Negative { length });
    };
    if len > limit {
        return Err(FrameError::TooLarge { length: len, limit });
    }
    Ok(Some(LENGTH_LEN + len))
}

/// Where a frame under construction begins in its buffer.
#[derive(Debug)]
#[must_use = "a frame must be finished to get its length"]
pub struct Start(usize);

/// Begins a frame at the end of `out`.
pub fn begin(out: &mut BytesMut) -> Start {
    let start = Start(out.len());
    out.put_bytes(0, LENGTH_LEN);
    start
}

/// Ends the frame that began at `start` by filling in its length, which also
/// counts `elsewhere` bytes that are not in `out`.
///
/// # Panics
/// When the frame takes 2 GiB or `start` is of another buffer.
pub fn finish(out: &mut BytesMut, start: Start, elsewhere: usize) {
    let written = out.len().saturating_sub(start.0 + LENGTH_LEN);
    let length = i32::try_from(written + elsewhere);
    match (length, out.get_mut(start.0..start.0 + LENGTH_LEN)) {
        (Ok(length), Some(room)) => room.copy_from_slice(&length.to_be_bytes()),
        _ => panic!("frame of {written} and {elsewhere} bytes at {}", start.0),
    }
}

/// A part of a frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// The records of the partition with this number, counted from 0 in the
    /// order of the message.
    Records(usize),
}

/// Writes a frame in pieces, leaving places for records in between.
#[derive(Debug)]
pub(crate) struct PieceWriter {
    pieces: Vec<Piece>,
    /// The first piece, kept writable for the length at its start.
    first: BytesMut,
    buffer: BytesMut,
    /// Bytes of all pieces so far, records included.
    len: usize,
}

impl PieceWriter {
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(bytes);
        buffer.put_bytes(0, LENGTH_LEN);
        Self {
            pieces: Vec::new(),
            first: BytesMut::new(),
            buffer,
            len: 0,
        }
    }

    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    pub const fn writer(&mut self, flexible: bool) -> Writer<'_> {
        Writer::new(&mut self.buffer, flexible)
    }

    /// Leaves a place for `len` bytes of the records numbered `number`.
    pub fn records(&mut self, number: usize, len: usize) {
        if len == 0 {
            return;
        }
        self.end_bytes();
        self.pieces.push(Piece::Records(number));
        self.len += len;
    }

    fn end_bytes(&mut self) {
        let bytes = self.buffer.split();
        self.len += bytes.len();
        if self.pieces.is_empty() {
            self.first = bytes;
            self.pieces.push(Piece::Bytes(Bytes::new()));
        } else if !bytes.is_empty() {
            self.pieces.push(Piece::Bytes(bytes.freeze()));
        }
    }

    /// Fills in the frame's length and gives up its pieces.
    ///
    /// # Panics
    /// When the frame takes 2 GiB.
    pub fn finish(mut self) -> Vec<Piece> {
        self.end_bytes();
        let Ok(length) = i32::try_from(self.len - LENGTH_LEN) else {
            panic!("frame of {} bytes", self.len);
        };
        if let Some(room) = self.first.first_chunk_mut() {
            *room = length.to_be_bytes();
        }
        if let Some(first) = self.pieces.first_mut() {
            *first = Piece::Bytes(self.first.freeze());
        }
        self.pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_is_judged_before_its_bytes_arrive() {
        let check = |bytes: &[u8], expected: Result<usize, FrameError>| {
            assert_eq!(missing(bytes, 100), expected, "{bytes:?}");
        };
        check(&[], Ok(4));
        check(&[0, 0], Ok(2));
        check(&[0, 0, 0, 3], Ok(3));
        check(&[0, 0, 0, 3, 1, 2, 3, 4], Ok(0));
        check(&[0, 0, 0, 0], Ok(0));
        check(&[0xff; 4], Err(FrameError::Negative { length: -1 }));
        let (length, limit) = (101, 100);
        check(&[0, 0, 0, 101], Err(FrameError::TooLarge { length, limit }));
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_however_they_arrive(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            step in 1usize..20,
        ) {
            let mut sent = Vec::new();
            for frame in &frames {
                sent.extend_from_slice(&(frame.len() as i32).to_be_bytes());
                sent.extend_from_slice(frame);
            }
            let mut buffer = BytesMut::new();
            let mut got = Vec::new();
            for piece in sent.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = split(&mut buffer, 40).unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(buffer.is_empty());
        }
    }
}
