//! The cluster's metadata as this node holds it: the published image, and the
//! quorum behind it.
//!
//! The active controller works a change out against an image that holds all it
//! has appended, also what is not yet committed. A batch is replayed once it is
//! committed; the node then acts on its records and publishes the image.
//! Readers never wait.
//!
//! Two locks: the seat's is held for as long as the quorum works, the
//! applier's while this node acts on what was committed. The seat's is never
//! held while waiting for another.

use crate::outcome::Wake;
use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use plimsoll_cluster::quorum::{
    AppendRefused, Committed, Effects, LogPlace, LogSnapshot, News, Quorum, QuorumMessage,
    Standing, VoterState, decode_batch, encode_batch,
};
use plimsoll_cluster::{Image, MetadataRecord, StorageFault};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, TimestampMs};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When so many bytes of batches lie after the last snapshot, another is made.
const SNAPSHOT_AFTER_BYTES: u64 = 8 << 20;

/// The published image and the quorum behind it.
pub(crate) struct Metadata {
    published: ArcSwap<Image>,
    /// The offset of the last record in the published image.
    offset: AtomicI64,
    seat: Mutex<Seat>,
    /// Held while this node acts on committed records.
    pub(crate) applier: Mutex<()>,
    waiting: Mutex<Vec<Arc<dyn Wake>>>,
}

/// A change being worked out: records, and the image as they would make it.
pub(crate) struct Change {
    image: Image,
    records: Vec<MetadataRecord>,
    /// The offset that its first record will have.
    first: Offset,
}

impl Change {
    /// The image with the records so far.
    pub(crate) const fn image(&self) -> &Image {
        &self.image
    }

    /// The offset that the change's first record will have.
    pub(crate) const fn first_offset(&self) -> Offset {
        self.first
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

/// What an answer of the active controller rests on: all that it had appended
/// when it was worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    /// The term in which it was appended.
    pub(crate) term: LeaderEpoch,
    /// The offset of the last record.
    pub(crate) upto: Offset,
}

/// What became of what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is not committed yet.
    Open,
    /// It is committed and published here.
    Kept,
    /// Its term has ended, and whether it is committed is not known: by now
    /// another leader's records may lie in its place.
    Unknown,
}

/// Committed records that this node has yet to act on.
pub(crate) struct Step {
    /// The image with them.
    pub(crate) image: Arc<Image>,
    /// The records, or none when the whole image is new.
    pub(crate) records: Option<Vec<MetadataRecord>>,
    /// The offset of the last one.
    pub(crate) at: Offset,
}

/// This node's seat: its part of the quorum, or of those who follow it.
struct Seat {
    quorum: Box<dyn Quorum>,
    /// The image with all committed records, and the offset of the last.
    image: Arc<Image>,
    at: Offset,
    /// What was appended here and is not committed, oldest first.
    in_flight: VecDeque<Flight>,
    /// The last term in which this node was active, and how much was committed
    /// while it was.
    kept: Ground,
    todo: VecDeque<Step>,
}

/// A change that was appended.
struct Flight {
    /// The offset of its last record.
    at: Offset,
    /// The term it was appended in: another leader's may lie at its place.
    term: LeaderEpoch,
    /// The image as it makes it.
    image: Arc<Image>,
}

/// Why a change was not made.
pub(crate) type Refused = AppendRefused;

/// Messages for other voters.
pub(crate) type Messages = Vec<(NodeId, QuorumMessage)>;

impl Metadata {
    /// Metadata of which nothing is known yet but what `snapshot` says.
    pub(crate) fn new(
        quorum: Box<dyn Quorum>,
        snapshot: Option<&LogSnapshot>,
    ) -> Result<Self, StorageFault> {
        let (image, at) = match snapshot {
            Some(snapshot) => (image_of(snapshot)?, snapshot.last_offset),
            None => (Image::default(), Offset(-1)),
        };
        let image = Arc::new(image);
        Ok(Self {
            published: ArcSwap::new(Arc::clone(&image)),
            offset: AtomicI64::new(at.get()),
            seat: Mutex::new(Seat {
                quorum,
                image,
                at,
                in_flight: VecDeque::new(),
                kept: Ground {
                    term: LeaderEpoch::NONE,
                    upto: Offset(-1),
                },
                todo: VecDeque::new(),
            }),
            applier: Mutex::new(()),
            waiting: Mutex::default(),
        })
    }

    /// The image as last published.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.published.load_full()
    }

    /// The image with all that is committed, acted on or not, and the offset of
    /// its last record.
    pub(crate) fn committed(&self) -> (Arc<Image>, Offset) {
        let seat = self.seat.lock();
        (Arc::clone(&seat.image), seat.at)
    }

    /// The offset of the last record in the published image.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.offset.load(Ordering::Acquire))
    }

    /// Where this node stands in the quorum.
    pub(crate) fn standing(&self) -> Standing {
        self.seat.lock().quorum.standing()
    }

    /// The voters as this node knows them.
    pub(crate) fn voters(&self) -> Vec<VoterState> {
        self.seat.lock().quorum.voters()
    }

    /// Where this node's part of the log ends.
    pub(crate) fn place(&self) -> LogPlace {
        self.seat.lock().quorum.place()
    }

    /// What an observer whose log ends at `place` is to be told.
    pub(crate) fn news_after(&self, place: LogPlace) -> News {
        self.seat.lock().quorum.news_after(place)
    }

    /// Whether this node is the active controller.
    pub(crate) fn is_active(&self) -> bool {
        self.standing().active
    }

    /// All that was appended here in a term, committed or not.
    pub(crate) fn ground(&self, term: LeaderEpoch) -> Ground {
        let seat = self.seat.lock();
        let upto = seat.in_flight.back().map_or(seat.at, |flight| flight.at);
        Ground { term, upto }
    }

    /// What became of what was appended. That something is committed at its
    /// offset says nothing: once its term is over, that may be another's.
    pub(crate) fn fate(&self, of: Ground) -> Fate {
        let (kept, standing) = {
            let seat = self.seat.lock();
            (seat.kept, seat.quorum.standing())
        };
        if kept.term == of.term && kept.upto >= of.upto {
            match self.offset() >= of.upto {
                true => Fate::Kept,
                false => Fate::Open,
            }
        } else if standing.term == of.term && standing.active {
            Fate::Open
        } else {
            Fate::Unknown
        }
    }

    /// Works a change out and appends it when `keep` says so. Answers with what
    /// `work_out` does, and with messages to send.
    pub(crate) fn change<T>(
        &self,
        now: Now,
        keep: bool,
        work_out: impl FnOnce(&mut Change) -> T,
    ) -> Result<(T, Messages), Refused> {
        let mut seat = self.seat.lock();
        let standing = seat.quorum.standing();
        if !standing.active {
            return Err(Refused::NotLeader);
        }
        let ahead = seat
            .in_flight
            .back()
            .map_or(&seat.image, |flight| &flight.image);
        let mut change = Change {
            image: Image::clone(ahead),
            records: Vec::new(),
            first: standing.end.plus(1),
        };
        let outcome = work_out(&mut change);
        if !keep || change.records.is_empty() {
            return Ok((outcome, Vec::new()));
        }
        let count = i64::try_from(change.records.len()).unwrap_or(i64::MAX);
        let last = change.first.plus(count - 1);
        seat.in_flight.push_back(Flight {
            at: last,
            term: standing.term,
            image: Arc::new(change.image),
        });
        match seat.quorum.append(&change.records, now) {
            Ok((at, effects)) => {
                debug_assert_eq!(at, last, "the quorum's offsets and ours agree");
                let messages = self.take(seat, effects)?;
                Ok((outcome, messages))
            }
            Err(refused) => {
                seat.in_flight.pop_back();
                Err(refused)
            }
        }
    }

    /// Lets the quorum do something, and takes over what came of it.
    pub(crate) fn drive(
        &self,
        act: impl FnOnce(&mut dyn Quorum) -> Result<Effects, StorageFault>,
    ) -> Result<Messages, StorageFault> {
        let mut seat = self.seat.lock();
        let effects = act(&mut *seat.quorum)?;
        self.take(seat, effects)
    }

    /// Takes over what came of the quorum's work. Observers are told of what was
    /// committed before this node acts on it.
    fn take(
        &self,
        mut seat: MutexGuard<'_, Seat>,
        effects: Effects,
    ) -> Result<Messages, StorageFault> {
        let is_news = !effects.committed.is_empty();
        let messages = seat.take(effects);
        drop(seat);
        if is_news {
            self.wake_all();
        }
        messages
    }

    /// What was committed and not acted on, oldest first.
    pub(crate) fn take_steps(&self) -> VecDeque<Step> {
        std::mem::take(&mut self.seat.lock().todo)
    }

    /// Publishes an image that has been acted on.
    pub(crate) fn publish(&self, image: Arc<Image>, at: Offset) {
        self.published.store(image);
        self.offset.store(at.get(), Ordering::Release);
        self.wake_all();
    }

    /// `wake` is told once, when something is committed or published.
    pub(crate) fn wait(&self, wake: &Arc<dyn Wake>) {
        self.waiting.lock().push(Arc::clone(wake));
    }

    /// Tells everyone who waits.
    pub(crate) fn wake_all(&self) {
        for wake in std::mem::take(&mut *self.waiting.lock()) {
            wake.wake();
        }
    }

    /// Makes a snapshot when enough was written since the last one.
    pub(crate) fn snapshot_if_due(&self, now: Now) -> Result<(), StorageFault> {
        let mut seat = self.seat.lock();
        if seat.quorum.bytes_since_snapshot() < SNAPSHOT_AFTER_BYTES {
            return Ok(());
        }
        let (image, at) = (Arc::clone(&seat.image), seat.at);
        let records = encode_batch(Offset(0), LeaderEpoch(0), TimestampMs(0), &image.records())
            .map_err(|error| StorageFault(error.to_string()))?;
        seat.quorum.snapshot(at, records.into(), now)
    }
}

fn image_of(snapshot: &LogSnapshot) -> Result<Image, StorageFault> {
    let fault = |error: plimsoll_cluster::ClusterError| StorageFault(error.to_string());
    let mut image = Image::default();
    for record in decode_batch(&snapshot.records).map_err(fault)? {
        image.replay(&record).map_err(fault)?;
    }
    Ok(image)
}

impl Seat {
    fn take(&mut self, effects: Effects) -> Result<Messages, StorageFault> {
        if let Some(snapshot) = &effects.snapshot {
            self.image = Arc::new(image_of(snapshot)?);
            self.at = snapshot.last_offset;
            self.in_flight.clear();
            self.todo.push_back(Step {
                image: Arc::clone(&self.image),
                records: None,
                at: self.at,
            });
        }
        for batch in effects.committed {
            self.commit(batch)?;
        }
        let standing = self.quorum.standing();
        if standing.active {
            self.kept = Ground {
                term: standing.term,
                upto: self.at,
            };
        } else {
            self.in_flight.clear();
        }
        Ok(effects.messages)
    }

    fn commit(&mut self, batch: Committed) -> Result<(), StorageFault> {
        match self.in_flight.front() {
            Some(flight) if flight.at == batch.last_offset && flight.term == batch.term => {
                self.image = Arc::clone(&flight.image);
                self.in_flight.pop_front();
            }
            _ => {
                let image = Arc::make_mut(&mut self.image);
                for record in &batch.records {
                    image.replay(record).map_err(|error| {
                        StorageFault(format!("offset {}: {error}", batch.last_offset))
                    })?;
                }
            }
        }
        self.at = batch.last_offset;
        self.todo.push_back(Step {
            image: Arc::clone(&self.image),
            records: Some(batch.records),
            at: batch.last_offset,
        });
        Ok(())
    }
}
