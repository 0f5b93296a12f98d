//! Transaction markers: the control batch that ends a transaction in one
//! partition.

use crate::broker::Broker;
use crate::own_log::{OwnWriteError, write_own};
use crate::topic_name::OFFSETS_TOPIC;
use plimsoll_coordinator::Producer;
use plimsoll_coordinator::transaction::{Markers, TopicPartition};
use plimsoll_log::AppendError;
use plimsoll_wire::batch::{self, BatchBuilder, BatchSettings};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{PartitionIndex, Sequence};

/// The end of a producer's transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// Whose transaction.
    pub(crate) producer: Producer,
    /// Commit, or abort.
    pub(crate) commit: bool,
    /// The epoch of the coordinator that decided.
    pub(crate) coordinator_epoch: i32,
}

impl Ending {
    /// The control batch. Its record's key is a version and a type, its value a
    /// version and the coordinator's epoch.
    fn batch(&self, now: Now) -> Option<Vec<u8>> {
        const VERSION: [u8; 2] = [0, 0];
        let producer = batch::Producer {
            id: self.producer.id,
            epoch: self.producer.epoch,
            base_sequence: Sequence::NONE,
        };
        let settings = BatchSettings {
            producer,
            transactional: true,
            control: true,
            ..BatchSettings::default()
        };
        let kind = i16::from(self.commit).to_be_bytes();
        let key = [VERSION, kind].concat();
        let value = [&VERSION[..], &self.coordinator_epoch.to_be_bytes()].concat();
        let mut builder = BatchBuilder::new(settings);
        builder.push(now.wall, Some(&key), Some(&value));
        builder.build().ok()
    }
}

impl Broker {
    /// Writes the markers that a coordinator asks for. Answers with the
    /// partitions that need none any more.
    pub(super) fn write_markers(&self, asked: &Markers, now: Now) -> Vec<TopicPartition> {
        let ending = Ending {
            producer: asked.producer,
            commit: asked.commit,
            coordinator_epoch: asked.coordinator_epoch,
        };
        let done = |(topic, index): &&TopicPartition| {
            if mutation::is(Mutation::SkipMarker) && index.get() == 1 {
                return true;
            }
            match self.write_marker(topic.as_str(), *index, &ending, now) {
                // A deleted partition and a fenced marker are as good as written.
                Ok(()) | Err(ErrorCode::UnknownTopicOrPartition) => true,
                Err(ErrorCode::InvalidProducerEpoch) => true,
                Err(ErrorCode::TransactionCoordinatorFenced) => true,
                Err(_) => false,
            }
        };
        asked.partitions.iter().filter(done).cloned().collect()
    }

    /// Ends a transaction in one partition.
    pub(crate) fn write_marker(
        &self,
        topic: &str,
        index: PartitionIndex,
        ending: &Ending,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let partition = self.catalog().partition(topic, index)?.clone();
        let batch = ending.batch(now).ok_or(ErrorCode::UnknownServerError)?;
        let written = if topic == OFFSETS_TOPIC {
            let of = (ending.producer.id, ending.commit);
            self.end_group_transaction(&partition, batch, of, now)
        } else {
            write_own(&partition, batch, now).map(|_| ())
        };
        written.map_err(|error| match error {
            OwnWriteError::Append(AppendError::StaleProducerEpoch { .. }) => {
                ErrorCode::InvalidProducerEpoch
            }
            OwnWriteError::Append(AppendError::StaleCoordinatorEpoch { .. }) => {
                ErrorCode::TransactionCoordinatorFenced
            }
            OwnWriteError::Gone | OwnWriteError::Append(_) => ErrorCode::KafkaStorageError,
        })
    }
}
