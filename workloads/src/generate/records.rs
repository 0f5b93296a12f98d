//! Whole records: key, value and headers.

use super::{
    InputError, Purpose,
    keys::Keys,
    payloads::{PayloadPool, Payloads},
    random,
    stamp::{STAMP_LEN, StampPlace},
};
use crate::language::{PayloadSpec, RecordSpec};
use rand::RngCore;
use std::sync::Arc;

/// Which of a cell's workers, counted from 0, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its number, below `of`.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// A cell's records, prepared and shared by its workers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    spec: RecordSpec,
    pool: PayloadPool,
    headers: Arc<[Header]>,
    place: StampPlace,
    seed: u64,
}

/// A header that every record of a cell carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// One worker's records.
#[derive(Clone, Debug)]
pub struct RecordStream {
    keys: Keys,
    payloads: Payloads,
    headers: Arc<[Header]>,
}

/// One record to send, without its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'s> {
    /// The key, if it has one.
    pub key: Option<&'s [u8]>,
    /// The value. Where stamps stand in the value, they take the place of its
    /// first [`STAMP_LEN`] bytes.
    pub value: &'s [u8],
    /// The headers, without the stamp's.
    pub headers: &'s [Header],
    /// The value's number, where the same value comes again under it.
    pub number: Option<usize>,
}

impl Records {
    /// Reads the sample if there is one, and makes everything that the workers
    /// share.
    pub fn prepare(spec: &RecordSpec, seed: u64) -> Result<Self, InputError> {
        let mut rng = random(seed, Purpose::Headers, 0);
        let header = |index: u32| {
            let mut value = vec![0; spec.header_bytes.len()];
            rng.fill_bytes(&mut value);
            Header {
                name: format!("h{index}"),
                value,
            }
        };
        let place = match spec.payload() {
            PayloadSpec::Synthetic { size, .. } if size.min().len() >= STAMP_LEN => {
                StampPlace::ValuePrefix
            }
            _ => StampPlace::Header,
        };
        Ok(Self {
            pool: PayloadPool::prepare(spec, seed)?,
            headers: (0..spec.headers).map(header).collect(),
            place,
            seed,
            spec: spec.clone(),
        })
    }

    /// Where the records carry their stamp.
    pub fn stamp_place(&self) -> StampPlace {
        self.place
    }

    /// The mean length of a value in bytes.
    pub fn mean_bytes(&self) -> f64 {
        self.pool.mean_bytes()
    }

    /// The length of the longest value in bytes.
    pub fn max_bytes(&self) -> usize {
        self.pool.max_bytes()
    }

    /// The records of one worker.
    pub fn worker(&self, worker: Worker) -> RecordStream {
        RecordStream {
            keys: Keys::new(&self.spec.keys, worker, self.seed),
            payloads: self.pool.worker(worker, self.seed),
            headers: Arc::clone(&self.headers),
        }
    }
}

impl RecordStream {
    /// The next record. There is always one.
    #[expect(
        clippy::should_implement_trait,
        reason = "the item borrows from the generator"
    )]
    pub fn next(&mut self) -> Record<'_> {
        let (value, own_key, number) = self.payloads.next();
        Record {
            number,
            key: self.keys.next().or(own_key),
            value,
            headers: &self.headers,
        }
    }
}
