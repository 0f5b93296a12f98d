//! The cluster's metadata as this node holds it: the published image, and the
//! one door through which it changes.
//!
//! A change is worked out against a copy of the image, written to the metadata
//! log as one batch, and only then published. Readers never wait.

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use plimsoll_cluster::{Image, MetadataLog, MetadataRecord, StorageFault};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::Offset;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The published image and the log behind it.
pub(crate) struct Metadata {
    published: ArcSwap<Image>,
    /// The offset of the last record in the published image.
    offset: AtomicI64,
    log: Mutex<Box<dyn MetadataLog>>,
}

/// A change being worked out: records, and the image as they would make it.
pub(crate) struct Change {
    image: Image,
    records: Vec<MetadataRecord>,
}

impl Change {
    /// The image with the records so far.
    pub(crate) const fn image(&self) -> &Image {
        &self.image
    }

    /// Adds a record.
    ///
    /// # Panics
    /// When the record does not fit the image: callers check first.
    pub(crate) fn push(&mut self, record: MetadataRecord) {
        if let Err(error) = self.image.replay(&record) {
            panic!("a handler made a record that does not fit: {error}");
        }
        self.records.push(record);
    }
}

/// The door to changes, held open by one caller at a time.
pub(crate) struct Door<'a> {
    metadata: &'a Metadata,
    log: MutexGuard<'a, Box<dyn MetadataLog>>,
}

impl Metadata {
    /// The image as it was replayed from `log`, whose last record lies at `offset`.
    pub(crate) fn new(image: Image, offset: Offset, log: Box<dyn MetadataLog>) -> Self {
        Self {
            published: ArcSwap::from_pointee(image),
            offset: AtomicI64::new(offset.get()),
            log: Mutex::new(log),
        }
    }

    /// The image as last published.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.published.load_full()
    }

    /// The offset of the last record in the published image.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.offset.load(Ordering::Acquire))
    }

    /// Waits until no one else is changing metadata.
    pub(crate) fn enter(&self) -> Door<'_> {
        Door {
            metadata: self,
            log: self.log.lock(),
        }
    }
}

impl Door<'_> {
    /// A change of nothing, to fill in.
    pub(crate) fn begin(&self) -> Change {
        Change {
            image: Image::clone(&self.metadata.published.load()),
            records: Vec::new(),
        }
    }

    /// The offset that the next record will have.
    pub(crate) fn next_offset(&self) -> Offset {
        self.metadata.offset().plus(1)
    }

    /// Makes the change durable, lets `apply` act on its records, and publishes it.
    pub(crate) fn commit(
        &mut self,
        change: Change,
        now: Now,
        apply: impl FnOnce(&Image, &[MetadataRecord]),
    ) -> Result<(), StorageFault> {
        if change.records.is_empty() {
            return Ok(());
        }
        let first = self.log.append(&change.records, now)?;
        apply(&change.image, &change.records);
        self.metadata.published.store(Arc::new(change.image));
        let count = i64::try_from(change.records.len()).unwrap_or(i64::MAX);
        self.metadata
            .offset
            .store(first.plus(count - 1).get(), Ordering::Release);
        Ok(())
    }
}
