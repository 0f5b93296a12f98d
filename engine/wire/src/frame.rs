//! Frames: every request and response is a 4-byte length and that many bytes.
//!
//! The length is checked against the limit before anything is reserved for it.

use bytes::BytesMut;
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
