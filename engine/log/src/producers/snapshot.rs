//! The producer snapshot file, version 1.
//!
//! Layout, big-endian: version (i16), CRC-32C (u32) of what follows, count
//! (i32), then for each producer its id (i64), epoch (i16), last sequence
//! (i32), last offset (i64), offset delta (i32), timestamp (i64), coordinator
//! epoch (i32) and the first offset of its open transaction (i64, −1: none).
//!
//! Kafka keeps of a producer's five batches only this last one, so that a
//! producer which had more in flight when its broker stopped is told that its
//! retries are out of order. Here the older ones follow behind the entries,
//! where Kafka does not look but the checksum reaches: a version (i16), then
//! for each producer a count (u8) and, oldest first, last sequence (i32), last
//! offset (i64), offset delta (i32) and timestamp (i64). A snapshot that Kafka
//! wrote ends with its entries.

use super::{BatchMark, Producer};
use plimsoll_wire::batch::crc32c;
use plimsoll_wire::read::Reader;
use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

const VERSION: i16 = 1;
/// Bytes before what the checksum covers.
const CRC_END: usize = 6;
/// Bytes of one producer.
const ENTRY: usize = 46;
/// The version of what follows the entries.
const OLDER_VERSION: i16 = 1;

pub(crate) fn encode(producers: &[(&ProducerId, &Producer)]) -> Vec<u8> {
    let mut covered = Vec::with_capacity(4 + producers.len() * ENTRY);
    covered.extend((producers.len() as i32).to_be_bytes());
    for (id, producer) in producers {
        let mark = producer.last_batch().copied().unwrap_or(NO_BATCH);
        covered.extend(id.get().to_be_bytes());
        covered.extend(producer.epoch.get().to_be_bytes());
        covered.extend(mark.last_sequence.get().to_be_bytes());
        covered.extend(mark.last_offset.get().to_be_bytes());
        covered.extend(mark.offset_delta.to_be_bytes());
        covered.extend(producer.last_timestamp.get().to_be_bytes());
        covered.extend(producer.coordinator_epoch.to_be_bytes());
        covered.extend(producer.txn_start.map_or(-1, Offset::get).to_be_bytes());
    }
    covered.extend(OLDER_VERSION.to_be_bytes());
    for (_, producer) in producers {
        let count_at = covered.len();
        covered.push(0);
        for mark in producer.older_batches() {
            covered.extend(mark.last_sequence.get().to_be_bytes());
            covered.extend(mark.last_offset.get().to_be_bytes());
            covered.extend(mark.offset_delta.to_be_bytes());
            covered.extend(mark.timestamp.get().to_be_bytes());
            if let Some(count) = covered.get_mut(count_at) {
                *count += 1;
            }
        }
    }
    let mut bytes = Vec::with_capacity(CRC_END + covered.len());
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend(crc32c(&covered).to_be_bytes());
    bytes.extend(covered);
    bytes
}

const NO_BATCH: BatchMark = BatchMark {
    last_sequence: Sequence::NONE,
    last_offset: Offset(-1),
    offset_delta: 0,
    timestamp: TimestampMs::NONE,
};

/// The producers of a snapshot, or why the bytes are none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<(ProducerId, Producer)>, String> {
    let mut reader = Reader::new(bytes);
    let text = |e: plimsoll_wire::read::ReadError| e.to_string();
    let version = reader.i16().map_err(text)?;
    if version != VERSION {
        return Err(format!("snapshot version {version}, expected {VERSION}"));
    }
    let stored = reader.u32().map_err(text)?;
    let computed = crc32c(reader.rest());
    if stored != computed {
        return Err(format!(
            "snapshot crc {stored:#010x}, computed {computed:#010x}"
        ));
    }
    let count = usize::try_from(reader.i32().map_err(text)?).unwrap_or(usize::MAX);
    let have = reader.remaining();
    if have < count.saturating_mul(ENTRY) {
        return Err(format!("snapshot of {count} producers in {have} bytes"));
    }
    let mut producers = (0..count)
        .map(|_| entry(&mut reader))
        .collect::<Result<Vec<_>, _>>()
        .map_err(text)?;
    if reader.remaining() == 0 {
        return Ok(producers);
    }
    let version = reader.i16().map_err(text)?;
    if version != OLDER_VERSION {
        return Err(format!(
            "snapshot with older batches of version {version}, expected {OLDER_VERSION}"
        ));
    }
    for (_, producer) in &mut producers {
        let older = older_batches(&mut reader).map_err(text)?;
        producer.precede(&older);
    }
    match reader.remaining() {
        0 => Ok(producers),
        left => Err(format!("snapshot with {left} bytes too many")),
    }
}

fn older_batches(
    reader: &mut Reader<'_>,
) -> Result<Vec<BatchMark>, plimsoll_wire::read::ReadError> {
    let count = reader.u8()?;
    (0..count)
        .map(|_| {
            Ok(BatchMark {
                last_sequence: Sequence(reader.i32()?),
                last_offset: Offset(reader.i64()?),
                offset_delta: reader.i32()?,
                timestamp: TimestampMs(reader.i64()?),
            })
        })
        .collect()
}

fn entry(
    reader: &mut Reader<'_>,
) -> Result<(ProducerId, Producer), plimsoll_wire::read::ReadError> {
    let id = ProducerId(reader.i64()?);
    let epoch = ProducerEpoch(reader.i16()?);
    let last_sequence = Sequence(reader.i32()?);
    let last_offset = Offset(reader.i64()?);
    let offset_delta = reader.i32()?;
    let timestamp = TimestampMs(reader.i64()?);
    let coordinator_epoch = reader.i32()?;
    let txn_start = reader.i64()?;
    let mark = BatchMark {
        last_sequence,
        last_offset,
        offset_delta,
        timestamp,
    };
    let mark = Some(mark).filter(|mark| mark.last_offset.get() >= 0);
    let mut producer = Producer::restored(epoch, mark, timestamp);
    producer.coordinator_epoch = coordinator_epoch;
    producer.txn_start = Some(Offset(txn_start)).filter(|start| start.get() >= 0);
    Ok((id, producer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producers() -> Vec<(ProducerId, Producer)> {
        let mark = BatchMark {
            last_sequence: Sequence(41),
            last_offset: Offset(1000),
            offset_delta: 9,
            timestamp: TimestampMs(77),
        };
        let older = |n: i32| BatchMark {
            last_sequence: Sequence(41 - 10 * n),
            last_offset: Offset(1000 - 20 * i64::from(n)),
            ..mark
        };
        let mut open = Producer::restored(ProducerEpoch(3), Some(mark), TimestampMs(77));
        open.precede(&[older(2), older(1)]);
        open.txn_start = Some(Offset(991));
        open.coordinator_epoch = 5;
        let idle = Producer::restored(ProducerEpoch(0), None, TimestampMs(5));
        vec![(ProducerId(1), open), (ProducerId(2), idle)]
    }

    fn encoded() -> Vec<u8> {
        let producers = producers();
        encode(&producers.iter().map(|(id, p)| (id, p)).collect::<Vec<_>>())
    }

    #[test]
    fn producers_come_back_as_they_were_stored() {
        assert_eq!(decode(&encoded()).unwrap(), producers());
        assert_eq!(decode(&encode(&[])).unwrap(), []);
        let older = 2 + (1 + 2 * 24) + 1;
        assert_eq!(encoded().len(), CRC_END + 4 + 2 * ENTRY + older);
    }

    #[test]
    fn a_snapshot_that_kafka_wrote_ends_with_its_entries() {
        let mut covered = encoded()[CRC_END..CRC_END + 4 + 2 * ENTRY].to_vec();
        let mut bytes = VERSION.to_be_bytes().to_vec();
        bytes.extend(crc32c(&covered).to_be_bytes());
        bytes.append(&mut covered);
        let read = decode(&bytes).unwrap();
        assert_eq!(read[0].1.last_batch(), producers()[0].1.last_batch());
        assert_eq!(read[0].1.older_batches().count(), 0);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let whole = encoded();
        for at in 0..whole.len() {
            assert!(decode(&whole[..at]).is_err(), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            assert!(decode(&flipped).is_err(), "flipped at {at}");
        }
    }
}
