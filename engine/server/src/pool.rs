//! Read buffers, shared by the connections of one worker.
//!
//! A connection holds a buffer only while a frame is half read, so an idle
//! connection costs none, and the buffer that the last request warmed in the
//! cache serves the next one, whoever sends it.

use bytes::BytesMut;
use parking_lot::Mutex;

/// What a fresh buffer holds.
pub const BUFFER_BYTES: usize = 64 * 1024;
/// The largest buffer that is kept for reuse.
pub const KEEP_BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What all kept buffers may hold together.
const KEEP_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Buffers waiting for a reader, the last one returned on top.
#[derive(Debug, Default)]
pub struct BufferPool {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<BytesMut>,
    bytes: usize,
    /// Whether a buffer beyond the first was taken since the last trim.
    used: bool,
}

impl BufferPool {
    /// An empty buffer with at least some capacity.
    pub fn take(&self) -> BytesMut {
        let mut kept = self.kept.lock();
        kept.used = true;
        let Some(buffer) = kept.buffers.pop() else {
            drop(kept);
            return BytesMut::with_capacity(BUFFER_BYTES);
        };
        kept.bytes -= buffer.capacity();
        buffer
    }

    /// Takes a buffer of `allocated` bytes back, unless frames cut from it are
    /// still in use or it is larger than is worth keeping.
    pub fn give(&self, mut buffer: BytesMut, allocated: usize) {
        buffer.clear();
        if allocated > KEEP_BUFFER_BYTES_MAX || !buffer.try_reclaim(allocated) {
            return;
        }
        let bytes = buffer.capacity();
        let mut kept = self.kept.lock();
        if bytes <= KEEP_BUFFER_BYTES_MAX && kept.bytes + bytes <= KEEP_BYTES_MAX {
            kept.bytes += bytes;
            kept.buffers.push(buffer);
        }
    }

    /// Frees every kept buffer if none was taken since the last call. To be
    /// called every few seconds.
    pub fn trim(&self) {
        let mut kept = self.kept.lock();
        if !std::mem::take(&mut kept.used) {
            *kept = Kept::default();
        }
    }

    /// The bytes held for reuse.
    #[cfg(test)]
    fn kept_bytes(&self) -> usize {
        self.kept.lock().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_reused_and_one_in_use_is_not_kept() {
        let pool = BufferPool::default();
        let mut buffer = pool.take();
        buffer.extend_from_slice(b"a frame");
        let at = buffer.as_ptr();
        let frame = buffer.split();
        drop(frame);
        pool.give(buffer, BUFFER_BYTES);
        let mut again = pool.take();
        again.extend_from_slice(b"another");
        assert_eq!(again.as_ptr(), at, "the same memory serves the next reader");
        let frame = again.split();
        pool.give(again, BUFFER_BYTES);
        assert_eq!(pool.kept_bytes(), 0, "a frame still points into it");
        assert_eq!(&frame[..], b"another");
    }

    #[test]
    fn what_is_kept_is_bounded_and_trimmed_when_unused() {
        let pool = BufferPool::default();
        pool.give(
            BytesMut::with_capacity(KEEP_BUFFER_BYTES_MAX + 1),
            KEEP_BUFFER_BYTES_MAX + 1,
        );
        assert_eq!(pool.kept_bytes(), 0, "too large to keep");
        for _ in 0..1000 {
            pool.give(BytesMut::with_capacity(BUFFER_BYTES), BUFFER_BYTES);
        }
        assert!(pool.kept_bytes() <= KEEP_BYTES_MAX);
        let taken = pool.take();
        pool.trim();
        assert!(pool.kept_bytes() > 0, "in use a moment ago");
        pool.trim();
        assert_eq!(pool.kept_bytes(), 0);
        drop(taken);
    }
}
