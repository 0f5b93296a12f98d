//! `__transaction_state`: key version 0, value versions 0 and 1, of one
//! transactional id. Version 1, the flexible one, is written, as Kafka 4 does
//! once `transaction.version` 2 is finalised.

use super::bytes::{Reader, SchemaError, Writer};
use super::classic::{millis, wait};
use crate::names::{TopicName, TransactionalId};
use bytes::Bytes;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId, TimestampMs};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionState {
    /// None has begun.
    Empty,
    /// Partitions have been added.
    Ongoing,
    /// To be committed; markers are being written.
    PrepareCommit,
    /// To be aborted; markers are being written.
    PrepareAbort,
    /// Every commit marker is written.
    CompleteCommit,
    /// Every abort marker is written.
    CompleteAbort,
    /// The transactional id has expired and is about to be forgotten.
    Dead,
    /// The coordinator aborts, after a timeout or for a newer producer.
    PrepareEpochFence,
}

/// The partitions a transaction writes to.
pub(crate) type TxnPartitions = BTreeMap<TopicName, BTreeSet<PartitionIndex>>;

/// The state of one transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionValue {
    /// The producer id in use.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The producer id of the last transaction, when the id has changed.
    pub previous_producer: ProducerId,
    /// The producer id the client goes on with once markers are written.
    pub next_producer: ProducerId,
    /// Its epoch.
    pub next_epoch: ProducerEpoch,
    /// After how long an open transaction is aborted.
    pub timeout: Duration,
    /// Where the transaction stands.
    pub state: TransactionState,
    /// The partitions it writes to.
    pub partitions: TxnPartitions,
    /// When this state was entered.
    pub updated_at: TimestampMs,
    /// When the transaction began; −1 when none has.
    pub started_at: TimestampMs,
    /// 2 when the client follows KIP-890, else 0.
    pub client_version: i16,
}

/// A record of `__transaction_state`; `None` for a value is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Whose state it is.
    pub id: TransactionalId,
    /// The state.
    pub value: Option<TransactionValue>,
}

impl TransactionState {
    /// The number Kafka stores for the state.
    pub const fn code(self) -> i8 {
        match self {
            Self::Empty => 0,
            Self::Ongoing => 1,
            Self::PrepareCommit => 2,
            Self::PrepareAbort => 3,
            Self::CompleteCommit => 4,
            Self::CompleteAbort => 5,
            Self::Dead => 6,
            Self::PrepareEpochFence => 7,
        }
    }

    fn from_code(code: i8) -> Result<Self, SchemaError> {
        Ok(match code {
            0 => Self::Empty,
            1 => Self::Ongoing,
            2 => Self::PrepareCommit,
            3 => Self::PrepareAbort,
            4 => Self::CompleteCommit,
            5 => Self::CompleteAbort,
            6 => Self::Dead,
            7 => Self::PrepareEpochFence,
            _ => {
                return Err(SchemaError::Undefined {
                    field: "transaction status",
                    value: i64::from(code),
                });
            }
        })
    }

    /// The name Kafka's tools print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }
}

impl TransactionRecord {
    const NEWEST: i16 = 1;
    const PREVIOUS_PRODUCER: u32 = 0;
    const NEXT_PRODUCER: u32 = 1;
    const CLIENT_VERSION: u32 = 2;
    const NEXT_EPOCH: u32 = 3;

    /// The record's key, as bytes.
    pub fn key(&self) -> Bytes {
        let mut out = Writer::version(0, false);
        out.str(self.id.as_str());
        out.finish()
    }

    /// The record's value, as bytes; `None` for a tombstone.
    pub fn encoded_value(&self) -> Option<Bytes> {
        self.value.as_ref().map(|v| v.encode_as(Self::NEWEST))
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// When the bytes are not what their versions promise.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, SchemaError> {
        let mut input = Reader::new(key);
        input.version("transaction key", 0)?;
        Ok(Self {
            id: input.str("transactional id")?.into(),
            value: value.map(TransactionValue::decode).transpose()?,
        })
    }
}

impl TransactionValue {
    pub(crate) fn encode_as(&self, version: i16) -> Bytes {
        let mut out = Writer::version(version, version >= 1);
        out.i64(self.producer.get());
        out.i16(self.epoch.get());
        out.i32(millis(self.timeout));
        out.i8(self.state.code());
        if self.state == TransactionState::Empty {
            out.null_array();
        } else {
            out.array(self.partitions.iter(), |out, (topic, indexes)| {
                out.str(topic.as_str());
                out.array(indexes.iter(), |out, index| out.i32(index.get()));
                out.no_tagged();
            });
        }
        out.i64(self.updated_at.get());
        out.i64(self.started_at.get());
        out.tagged(self.tagged());
        out.finish()
    }

    fn tagged(&self) -> Vec<(u32, Vec<u8>)> {
        let mut fields = Vec::new();
        let mut producer = |tag, id: ProducerId| {
            if id != ProducerId::NONE {
                fields.push((tag, Writer::body(|w| w.i64(id.get()))));
            }
        };
        producer(TransactionRecord::PREVIOUS_PRODUCER, self.previous_producer);
        producer(TransactionRecord::NEXT_PRODUCER, self.next_producer);
        let mut short = |tag, value: i16, default: i16| {
            if value != default {
                fields.push((tag, Writer::body(|w| w.i16(value))));
            }
        };
        short(TransactionRecord::CLIENT_VERSION, self.client_version, 0);
        short(TransactionRecord::NEXT_EPOCH, self.next_epoch.get(), -1);
        fields
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Reader::new(raw);
        let version = input.version("transaction value", TransactionRecord::NEWEST)?;
        input.flexible_from(version, 1);
        let producer = ProducerId(input.i64("producer id")?);
        let epoch = ProducerEpoch(input.i16("producer epoch")?);
        let timeout = wait(input.i32("transaction timeout")?);
        let state = TransactionState::from_code(input.i8("transaction status")?)?;
        let partitions = input.opt_array("partitions", |r| {
            let topic = TopicName::from(r.str("topic")?);
            let indexes = r.array("partition ids", |r| r.i32("partition").map(PartitionIndex))?;
            r.no_tagged()?;
            Ok((topic, indexes.into_iter().collect()))
        })?;
        let mut value = Self {
            producer,
            epoch,
            previous_producer: ProducerId::NONE,
            next_producer: ProducerId::NONE,
            next_epoch: ProducerEpoch::NONE,
            timeout,
            state,
            partitions: partitions.unwrap_or_default().into_iter().collect(),
            updated_at: TimestampMs(input.i64("last update")?),
            started_at: TimestampMs(input.i64("start")?),
            client_version: 0,
        };
        input.tagged(|tag, field| {
            match tag {
                TransactionRecord::PREVIOUS_PRODUCER => {
                    value.previous_producer = ProducerId(field.i64("previous producer id")?);
                }
                TransactionRecord::NEXT_PRODUCER => {
                    value.next_producer = ProducerId(field.i64("next producer id")?);
                }
                TransactionRecord::CLIENT_VERSION => {
                    value.client_version = field.i16("client transaction version")?;
                }
                TransactionRecord::NEXT_EPOCH => {
                    value.next_epoch = ProducerEpoch(field.i16("next producer epoch")?);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TransactionValue {
        TransactionValue {
            producer: ProducerId(4000),
            epoch: ProducerEpoch(3),
            previous_producer: ProducerId(3999),
            next_producer: ProducerId(4001),
            next_epoch: ProducerEpoch(0),
            timeout: Duration::from_secs(60),
            state: TransactionState::PrepareCommit,
            partitions: TxnPartitions::from([("t".into(), BTreeSet::from([PartitionIndex(1)]))]),
            updated_at: TimestampMs(12),
            started_at: TimestampMs(11),
            client_version: 2,
        }
    }

    #[test]
    fn version_1_keeps_all_and_version_0_what_it_has_room_for() {
        assert_eq!(
            TransactionValue::decode(&sample().encode_as(1)),
            Ok(sample())
        );
        let old = TransactionValue {
            previous_producer: ProducerId::NONE,
            next_producer: ProducerId::NONE,
            next_epoch: ProducerEpoch::NONE,
            client_version: 0,
            ..sample()
        };
        assert_eq!(TransactionValue::decode(&sample().encode_as(0)), Ok(old));
    }

    #[test]
    fn every_state_has_a_code_of_its_own_and_unknown_codes_are_refused() {
        for code in 0..8 {
            assert_eq!(
                TransactionState::from_code(code).map(|s| s.code()),
                Ok(code)
            );
        }
        assert!(TransactionState::from_code(8).is_err());
    }

    #[test]
    fn a_value_cut_anywhere_is_an_error() {
        let whole = sample().encode_as(1);
        for cut in 0..whole.len() {
            assert!(
                TransactionValue::decode(&whole[..cut]).is_err(),
                "cut at {cut}"
            );
        }
    }
}
