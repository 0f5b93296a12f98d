//! Produce requests as they are written by this client: version 7, one topic.
//!
//! Version 7 is the oldest that carries every codec and the newest without
//! compact fields; every broker from 2.1 to 4.x speaks it, and the batches
//! inside are the same in all. The request is the *glue* between batches, so
//! that batches go from where they were built to the socket uncopied.

use super::conn::CLIENT_ID;
use crate::error::DriveError;
use bytes::{Buf, BufMut};
use plimsoll_wire::types::{Offset, PartitionIndex};

/// Key of the produce API.
pub const PRODUCE_KEY: i16 = 0;
/// The version written here.
pub const PRODUCE_VERSION: i16 = 7;

/// A request without its batches: batch `n` belongs before `glue[cuts[n]..]`.
#[derive(Debug, Default)]
pub struct Glue {
    /// All bytes that are not batches.
    pub bytes: Vec<u8>,
    /// Where each batch goes.
    pub cuts: Vec<usize>,
}

/// What every request of a producer has in common.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The producer's transactional id, when it has one.
    pub transactional_id: Option<&'a str>,
    /// 0, 1 or −1.
    pub acks: i16,
    /// How long the broker may wait for replicas.
    pub timeout_ms: i32,
}

/// Writes the glue of a request for `batches`, each a partition and a length.
pub fn encode(
    envelope: &Envelope<'_>,
    correlation: i32,
    batches: impl ExactSizeIterator<Item = (u32, usize)>,
) -> Glue {
    let mut out = Vec::with_capacity(64 + envelope.topic.len() + batches.len() * 8);
    let mut cuts = Vec::with_capacity(batches.len());
    out.put_u32(0);
    out.put_i16(PRODUCE_KEY);
    out.put_i16(PRODUCE_VERSION);
    out.put_i32(correlation);
    put_string(&mut out, CLIENT_ID);
    match envelope.transactional_id {
        Some(id) => put_string(&mut out, id),
        None => out.put_i16(-1),
    }
    out.put_i16(envelope.acks);
    out.put_i32(envelope.timeout_ms);
    out.put_u32(1);
    put_string(&mut out, envelope.topic);
    out.put_u32(batches.len() as u32);
    let mut carried = 0;
    for (partition, length) in batches {
        out.put_u32(partition);
        out.put_u32(length as u32);
        cuts.push(out.len());
        carried += length;
    }
    let length = (out.len() - 4 + carried) as u32;
    if let Some(field) = out.first_chunk_mut::<4>() {
        *field = length.to_be_bytes();
    }
    Glue { bytes: out, cuts }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.put_u16(text.len() as u16);
    out.put_slice(text.as_bytes());
}

/// The broker's word on one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which partition's.
    pub partition: PartitionIndex,
    /// Kafka's error code, 0 when it was appended.
    pub code: i16,
    /// Where it was appended.
    pub base_offset: Offset,
}

/// A response, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Which request it answers.
    pub correlation: i32,
    /// What became of each batch.
    pub verdicts: Vec<Verdict>,
    /// How long the broker held the client back by a quota.
    pub throttled_ms: u32,
}

/// Reads a response.
pub fn decode(frame: &[u8]) -> Result<Decoded, bytes::TryGetError> {
    const VERDICT_BYTES: usize = 4 + 2 + 8 + 8 + 8;
    let mut rest = frame;
    let correlation = rest.try_get_i32()?;
    let mut verdicts = Vec::new();
    for _ in 0..rest.try_get_u32()? {
        let name = usize::from(rest.try_get_u16()?);
        rest = rest.get(name..).unwrap_or_default();
        let partitions = rest.try_get_u32()? as usize;
        verdicts.reserve(partitions.min(rest.len() / VERDICT_BYTES));
        for _ in 0..partitions {
            verdicts.push(Verdict {
                partition: PartitionIndex(rest.try_get_i32()?),
                code: rest.try_get_i16()?,
                base_offset: Offset(rest.try_get_i64()?),
            });
            let _append_time = rest.try_get_i64()?;
            let _log_start = rest.try_get_i64()?;
        }
    }
    Ok(Decoded {
        correlation,
        verdicts,
        throttled_ms: rest.try_get_i32()?.max(0).unsigned_abs(),
    })
}

impl Verdict {
    /// Whether the batch is in the log. A repeat of one that was appended
    /// before is, too.
    pub fn is_appended(&self) -> bool {
        self.code == 0 || self.code == DUPLICATE_SEQUENCE
    }

    /// Whether the batch only has to wait for an earlier one that is to be
    /// sent again.
    pub const fn is_out_of_order(&self) -> bool {
        self.code == OUT_OF_ORDER_SEQUENCE
    }

    /// The verdict on a batch that the response passes over: try again.
    pub const fn unanswered(partition: u32) -> Self {
        let partition = PartitionIndex(partition.cast_signed());
        Self {
            partition,
            code: NETWORK_EXCEPTION,
            base_offset: Offset(-1),
        }
    }

    /// The failure, in words.
    pub fn refusal(&self) -> DriveError {
        DriveError::Refused {
            request: format!("producing to partition {}", self.partition),
            code: self.code,
            message: "the broker gave no detail".to_owned(),
        }
    }
}

const NETWORK_EXCEPTION: i16 = 13;
const OUT_OF_ORDER_SEQUENCE: i16 = 45;
const DUPLICATE_SEQUENCE: i16 = 46;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::produce_response::{
        PartitionProduceResponse, TopicProduceResponse,
    };
    use kafka_protocol::messages::{ProduceRequest, ProduceResponse, RequestHeader};
    use kafka_protocol::protocol::{Decodable, Encodable};

    #[test]
    fn glue_and_batches_make_a_request() {
        let envelope = Envelope {
            topic: "orders",
            transactional_id: None,
            acks: -1,
            timeout_ms: 1500,
        };
        let batches: [&[u8]; 2] = [b"first", b"the second"];
        let lengths = [(3u32, batches[0].len()), (9, batches[1].len())];
        let glue = encode(&envelope, 77, lengths.into_iter());
        let mut whole = Vec::new();
        let mut from = 0;
        for (cut, batch) in glue.cuts.iter().zip(batches) {
            whole.extend_from_slice(&glue.bytes[from..*cut]);
            whole.extend_from_slice(batch);
            from = *cut;
        }
        whole.extend_from_slice(&glue.bytes[from..]);
        let mut body = Bytes::from(whole);
        assert_eq!(bytes::Buf::get_u32(&mut body) as usize, body.len());
        let header =
            RequestHeader::decode(&mut body, 1).map(|h| (h.correlation_id, h.request_api_version));
        assert_eq!(header.ok(), Some((77, PRODUCE_VERSION)));
        let request = ProduceRequest::decode(&mut body, PRODUCE_VERSION).unwrap_or_default();
        assert_eq!((request.acks, request.timeout_ms), (-1, 1500));
        let topic = &request.topic_data[0];
        assert_eq!(&**topic.name, "orders");
        let carried: Vec<_> = topic
            .partition_data
            .iter()
            .map(|p| (p.index, p.records.clone()))
            .collect();
        let expected = [
            (3, Some(Bytes::from_static(b"first"))),
            (9, Some(Bytes::from_static(b"the second"))),
        ];
        assert_eq!(carried, expected);
        assert!(body.is_empty());
    }

    #[test]
    fn verdicts_are_read_and_truncated_responses_refused() {
        let partition = |index, code, offset| {
            PartitionProduceResponse::default()
                .with_index(index)
                .with_error_code(code)
                .with_base_offset(offset)
        };
        let response = ProduceResponse::default().with_responses(vec![
            TopicProduceResponse::default()
                .with_name(kafka_protocol::messages::TopicName(
                    "orders".to_owned().into(),
                ))
                .with_partition_responses(vec![partition(0, 0, 41), partition(5, 6, -1)]),
        ]);
        let mut frame = BytesMut::new();
        frame.put_i32(9);
        assert!(response.encode(&mut frame, PRODUCE_VERSION).is_ok());
        let verdict = |partition, code, offset| Verdict {
            partition: PartitionIndex(partition),
            code,
            base_offset: Offset(offset),
        };
        assert_eq!(
            decode(&frame),
            Ok(Decoded {
                correlation: 9,
                verdicts: vec![verdict(0, 0, 41), verdict(5, 6, -1)],
                throttled_ms: 0,
            })
        );
        for length in 0..frame.len() {
            assert!(decode(&frame[..length]).is_err(), "{length}");
        }
    }
}
