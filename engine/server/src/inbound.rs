//! From a stream of bytes to frames: how much to read next, and where.
//!
//! Memory follows the bytes that have arrived, never the length that a frame
//! claims: the buffer at most doubles and stays within the frame limit. A
//! large frame is read to its end and the next frame's length, no further, so
//! that no half of another large frame has to be moved; small frames are read
//! in bulk. A frame that outgrows an ordinary buffer needs leave first.

use crate::pool::{BUFFER_BYTES, BufferPool, KEEP_BUFFER_BYTES_MAX};
use bytes::buf::Limit;
use bytes::{BufMut as _, BytesMut};
use plimsoll_wire::frame::{self, FrameError, LENGTH_LEN};

/// How much is read at once when nothing large is expected.
const BULK_READ_BYTES: usize = 32 * 1024;

/// The bytes of one connection that are not yet a frame.
#[derive(Debug)]
pub struct Inbound {
    buffer: BytesMut,
    /// The size of the buffer, 0 while there is none.
    allocated: usize,
    frame_bytes_max: usize,
}

impl Inbound {
    /// Nothing read yet; a frame longer than `frame_bytes_max` is an error.
    pub fn new(frame_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            allocated: 0,
            frame_bytes_max,
        }
    }

    /// From now on a frame longer than this is an error.
    pub const fn limit(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// The next whole frame, without its length.
    pub fn frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        frame::split(&mut self.buffer, self.frame_bytes_max)
    }

    /// The memory that the half-read frame needs leave for, if it does.
    pub fn claim(&self) -> Option<usize> {
        self.frame_bytes()
            .filter(|&total| total > BUFFER_BYTES && total > self.buffer.len())
    }

    /// Where the next bytes go, limited to what is worth reading now. Call
    /// after [`Inbound::frame`] found none.
    pub fn room(&mut self, pool: &BufferPool) -> Limit<&mut BytesMut> {
        if self.allocated == 0 {
            self.buffer = pool.take();
        }
        let present = self.buffer.len();
        let want = match self.frame_bytes() {
            Some(total) if total > present + BULK_READ_BYTES => total - present + LENGTH_LEN,
            _ => BULK_READ_BYTES,
        };
        if self.buffer.capacity() - present < want {
            // To the front of the buffer while that moves a few bytes only, and
            // not when half of the frame would have to move.
            let _moved = self
                .buffer
                .try_reclaim(self.allocated.saturating_sub(present));
        }
        if self.buffer.capacity() - present < want {
            self.buffer.reserve(want.min(present.max(BUFFER_BYTES)));
        }
        self.allocated = self.allocated.max(self.buffer.capacity());
        let spare = self.buffer.capacity() - present;
        (&mut self.buffer).limit(want.min(spare))
    }

    /// To be called when nothing more has arrived: gives the buffer back when
    /// nothing is half read, and leaves one that grew for a frame long gone.
    pub fn rest(&mut self, pool: &BufferPool) {
        if self.buffer.is_empty() && self.allocated > 0 {
            pool.give(
                std::mem::take(&mut self.buffer),
                std::mem::take(&mut self.allocated),
            );
        } else if self.allocated > KEEP_BUFFER_BYTES_MAX && self.buffer.len() < BUFFER_BYTES {
            let mut smaller = pool.take();
            smaller.extend_from_slice(&self.buffer);
            self.allocated = smaller.capacity();
            self.buffer = smaller;
        }
    }

    /// How long the frame at the front says it is, its length included.
    fn frame_bytes(&self) -> Option<usize> {
        let length = self.buffer.first_chunk::<LENGTH_LEN>()?;
        let claimed = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        Some(claimed.min(self.frame_bytes_max) + LENGTH_LEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1 << 20;

    /// Feeds `stream` in reads of at most the sizes in `reads` and returns the
    /// frames, checking the bound on memory all along.
    fn frames(stream: &[u8], reads: &[usize]) -> Result<Vec<Vec<u8>>, FrameError> {
        let pool = BufferPool::default();
        let mut inbound = Inbound::new(LIMIT);
        let (mut rest, mut out) = (stream, Vec::new());
        let mut reads = reads.iter().cycle();
        let mut largest = 0;
        loop {
            while let Some(frame) = inbound.frame()? {
                out.push(frame.to_vec());
            }
            inbound.rest(&pool);
            if rest.is_empty() {
                return Ok(out);
            }
            let mut room = inbound.room(&pool);
            assert!(room.remaining_mut() > 0, "a read always has room");
            let take = rest
                .len()
                .min(room.remaining_mut())
                .min(*reads.next().unwrap_or(&1));
            room.put_slice(&rest[..take]);
            rest = &rest[take..];
            largest = largest.max(inbound.buffer.len());
            let held = inbound.allocated;
            assert!(
                held <= 4 * (largest + BUFFER_BYTES),
                "{held} bytes are held"
            );
        }
    }

    fn encode(sizes: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (i, &size) in sizes.iter().enumerate() {
            let body: Vec<u8> = (0..size).map(|b| (b + i) as u8).collect();
            stream.extend((size as i32).to_be_bytes());
            stream.extend(&body);
            expected.push(body);
        }
        (stream, expected)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
            sizes in prop::collection::vec(prop_oneof![0usize..300, 20_000usize..200_000], 0..12),
            reads in prop::collection::vec(prop_oneof![1usize..10, 1usize..100_000], 1..6),
        ) {
            let small = reads.iter().all(|&r| r < 10) && sizes.iter().sum::<usize>() > 100_000;
            prop_assume!(!small);
            let (stream, expected) = encode(&sizes);
            prop_assert_eq!(frames(&stream, &reads).unwrap(), expected);
        }
    }

    #[test]
    fn a_claim_costs_memory_only_as_its_bytes_arrive() {
        let mut stream = (LIMIT as i32).to_be_bytes().to_vec();
        stream.extend([0; 10]);
        assert!(frames(&stream, &[14]).unwrap().is_empty());
    }

    #[test]
    fn a_buffer_that_grew_for_one_large_frame_does_not_stay() {
        let pool = BufferPool::default();
        let large = 2 * KEEP_BUFFER_BYTES_MAX;
        let mut inbound = Inbound::new(large);
        let (stream, _) = encode(&[large, 0]);
        let mut rest = &stream[..stream.len() - 1];
        while !rest.is_empty() {
            assert!(inbound.frame().unwrap().is_none() || rest.len() < LENGTH_LEN);
            let mut room = inbound.room(&pool);
            let n = rest.len().min(room.remaining_mut());
            room.put_slice(&rest[..n]);
            rest = &rest[n..];
        }
        assert_eq!(inbound.frame().unwrap().map(|f| f.len()), Some(large));
        assert!(inbound.allocated >= large);
        inbound.rest(&pool);
        assert!(
            inbound.allocated <= 2 * BUFFER_BYTES,
            "{} bytes",
            inbound.allocated
        );
        inbound.room(&pool).put_u8(0);
        assert_eq!(inbound.frame().unwrap().map(|f| f.len()), Some(0));
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_at_its_length() {
        let check = |claimed: i32| assert!(frames(&claimed.to_be_bytes(), &[4]).is_err());
        check(LIMIT as i32 + 1);
        check(i32::MAX);
        check(-1);
        check(i32::MIN);
    }
}
