//! A number that only grows.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that any thread adds to. Readers may see additions of other threads
/// late, and never lose one.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
