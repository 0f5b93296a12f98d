//! The load itself: send times, keys, values and their stamps.
//!
//! [`Schedule`] and [`Records`] are prepared once a cell, which is where files
//! are read and memory is taken, and shared by its workers. What a worker gets
//! from them, [`Arrivals`] and a [`RecordStream`], is its own, is a function
//! of the seed and the worker's number, and allocates nothing as it goes.

mod arrivals;
mod error;
mod keys;
mod payloads;
mod profile;
mod records;
mod sample;
mod sizes;
mod stamp;
mod trace;
mod transactions;

pub use arrivals::{Arrivals, Schedule};
pub use error::InputError;
pub use keys::Keys;
pub use payloads::Payloads;
pub use records::{Header, Record, RecordStream, Records, Worker};
pub use sample::Sample;
pub use stamp::{STAMP_HEADER, STAMP_LEN, Stamp, StampError, StampPlace, body_checksum};
pub use trace::Trace;
pub use transactions::{Membership, Transactions};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for; each is independent of the others.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Arrivals = 1,
    Keys = 2,
    Sizes = 3,
    Pool = 4,
    Headers = 5,
    Transactions = 6,
}

/// The random numbers of one worker for one purpose.
fn random(seed: u64, purpose: Purpose, worker: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((purpose as u64) << 32 | u64::from(worker));
    rng
}
