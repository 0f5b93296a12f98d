//! Fetch requests and responses as this client uses them: version 11, one
//! topic, no session.
//!
//! Version 11 is the newest without compact fields; every broker from 2.4 to
//! 4.x speaks it. Record batches are left where they arrived.

use super::conn::CLIENT_ID;
use bytes::{Buf, BufMut, TryGetError};
use plimsoll_wire::types::{Offset, PartitionIndex, ProducerId};
use std::ops::Range;

/// Key of the fetch API.
pub const FETCH_KEY: i16 = 1;
/// The version spoken here.
pub const FETCH_VERSION: i16 = 11;

/// What to ask for.
#[derive(Clone, Debug)]
pub struct FetchRequest<'a> {
    /// The topic.
    pub topic: &'a str,
    /// How long the broker may wait.
    pub wait_ms_max: i32,
    /// For how many bytes.
    pub bytes_min: i32,
    /// Most bytes in all.
    pub bytes_max: i32,
    /// Most bytes of a partition.
    pub partition_bytes_max: i32,
    /// Whether to see committed transactions only.
    pub read_committed: bool,
}

impl FetchRequest<'_> {
    /// Writes the request for partitions at positions.
    pub fn encode(
        &self,
        correlation: i32,
        partitions: impl ExactSizeIterator<Item = (PartitionIndex, Offset)>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.topic.len() + partitions.len() * 32);
        out.put_u32(0);
        out.put_i16(FETCH_KEY);
        out.put_i16(FETCH_VERSION);
        out.put_i32(correlation);
        put_string(&mut out, CLIENT_ID);
        out.put_i32(-1); // not a replica
        out.put_i32(self.wait_ms_max);
        out.put_i32(self.bytes_min);
        out.put_i32(self.bytes_max);
        out.put_i8(i8::from(self.read_committed));
        out.put_i32(0); // no session
        out.put_i32(-1); // and none wanted
        out.put_u32(1);
        put_string(&mut out, self.topic);
        out.put_u32(partitions.len() as u32);
        for (partition, position) in partitions {
            out.put_i32(partition.get());
            out.put_i32(-1); // leader epoch unknown
            out.put_i64(position.get());
            out.put_i64(-1); // log start, a follower's business
            out.put_i32(self.partition_bytes_max);
        }
        out.put_u32(0); // forgotten topics
        put_string(&mut out, ""); // rack
        let length = (out.len() - 4) as u32;
        if let Some(field) = out.first_chunk_mut::<4>() {
            *field = length.to_be_bytes();
        }
        out
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.put_u16(text.len() as u16);
    out.put_slice(text.as_bytes());
}

/// One partition's part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Which partition.
    pub partition: PartitionIndex,
    /// Kafka's error code.
    pub code: i16,
    /// The aborted transactions in what was read, for a reader of committed
    /// records.
    pub aborted: Vec<AbortedTransaction>,
    /// Where its record batches are in the frame.
    pub records: Range<usize>,
}

/// A transaction whose records are to be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer: ProducerId,
    /// Where it began.
    pub first: Offset,
}

/// A response without its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    /// Which request it answers.
    pub correlation: i32,
    /// Kafka's error code for the whole.
    pub code: i16,
    /// How long the broker held the client back by a quota.
    pub throttled_ms: u32,
    /// Its partitions.
    pub partitions: Vec<Fetched>,
}

/// Reads a response.
pub fn decode(frame: &[u8]) -> Result<FetchResponse, TryGetError> {
    let mut rest = frame;
    let correlation = rest.try_get_i32()?;
    let throttled_ms = rest.try_get_i32()?.max(0).unsigned_abs();
    let code = rest.try_get_i16()?;
    let _session = rest.try_get_i32()?;
    let mut partitions = Vec::new();
    for _ in 0..rest.try_get_u32()? {
        let name = usize::from(rest.try_get_u16()?);
        skip(&mut rest, name)?;
        for _ in 0..rest.try_get_u32()? {
            partitions.push(decode_partition(frame.len(), &mut rest)?);
        }
    }
    Ok(FetchResponse {
        correlation,
        code,
        throttled_ms,
        partitions,
    })
}

fn decode_partition(frame: usize, rest: &mut &[u8]) -> Result<Fetched, TryGetError> {
    const MARKS: usize = 8 + 8 + 8; // high watermark, last stable offset, log start
    const ABORTED: usize = 8 + 8; // producer id, first offset
    let partition = PartitionIndex(rest.try_get_i32()?);
    let code = rest.try_get_i16()?;
    skip(rest, MARKS)?;
    let listed = usize::try_from(rest.try_get_i32()?).unwrap_or(0);
    let mut aborted = Vec::with_capacity(listed.min(rest.len() / ABORTED));
    for _ in 0..listed {
        aborted.push(AbortedTransaction {
            producer: ProducerId(rest.try_get_i64()?),
            first: Offset(rest.try_get_i64()?),
        });
    }
    let _preferred_replica = rest.try_get_i32()?;
    let length = usize::try_from(rest.try_get_i32()?).unwrap_or(0);
    let from = frame - rest.len();
    skip(rest, length)?;
    Ok(Fetched {
        partition,
        code,
        aborted,
        records: from..from + length,
    })
}

fn skip(rest: &mut &[u8], bytes: usize) -> Result<(), TryGetError> {
    let available = rest.len();
    *rest = rest.get(bytes..).ok_or(TryGetError {
        requested: bytes,
        available,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::messages::{self, RequestHeader, TopicName};
    use kafka_protocol::protocol::{Decodable, Encodable};

    #[test]
    fn a_request_is_read_back_by_another_codec() {
        let request = FetchRequest {
            topic: "orders",
            wait_ms_max: 500,
            bytes_min: 1,
            bytes_max: 1 << 20,
            partition_bytes_max: 1 << 18,
            read_committed: true,
        };
        let asked = [
            (PartitionIndex(2), Offset(40)),
            (PartitionIndex(5), Offset(0)),
        ];
        let mut body = Bytes::from(request.encode(3, asked.into_iter()));
        assert_eq!(bytes::Buf::get_u32(&mut body) as usize, body.len());
        let header = RequestHeader::decode(&mut body, 1).map(|h| h.correlation_id);
        assert_eq!(header.ok(), Some(3));
        let read = messages::FetchRequest::decode(&mut body, FETCH_VERSION).unwrap_or_default();
        assert!(body.is_empty());
        assert_eq!(
            (read.max_wait_ms, read.min_bytes, read.isolation_level),
            (500, 1, 1)
        );
        let positions: Vec<_> = read.topics[0]
            .partitions
            .iter()
            .map(|p| (p.partition, p.fetch_offset))
            .collect();
        assert_eq!(positions, [(2, 40), (5, 0)]);
    }

    #[test]
    fn records_are_found_where_they_stand_and_truncation_is_refused() {
        let partition = |index, records: &'static [u8]| {
            PartitionData::default()
                .with_partition_index(index)
                .with_error_code(6)
                .with_records(Some(Bytes::from_static(records)))
        };
        let response = messages::FetchResponse::default().with_responses(vec![
            FetchableTopicResponse::default()
                .with_topic(TopicName("orders".to_owned().into()))
                .with_partitions(vec![partition(0, b"batch"), partition(4, b"")]),
        ]);
        let mut frame = BytesMut::new();
        frame.put_i32(9);
        assert!(response.encode(&mut frame, FETCH_VERSION).is_ok());
        let read = decode(&frame).unwrap_or_default();
        let found: Vec<_> = read
            .partitions
            .iter()
            .map(|p| (p.partition.get(), p.code, &frame[p.records.clone()]))
            .collect();
        assert_eq!(
            (read.correlation, found),
            (9, vec![(0, 6, &b"batch"[..]), (4, 6, b"")])
        );
        for length in 0..frame.len() {
            assert!(decode(&frame[..length]).is_err(), "{length}");
        }
    }
}
