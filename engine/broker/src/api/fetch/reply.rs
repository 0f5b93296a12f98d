//! A fetch's response: headers in memory, records in their files.

use super::Conversation;
use super::gather::{Gathered, Read};
use crate::fetch_sessions::{Session, Target, Told};
use crate::leader_hints::LeaderHints;
use crate::outcome::{Part, Response};
use crate::request::Envelope;
use plimsoll_log::Slices;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{FetchResponse, FetchedPartition, FetchedTopic, RecordsLen};
use plimsoll_wire::frame::Piece;
use plimsoll_wire::types::NodeId;

/// The response to a fetch that failed as a whole.
pub(crate) fn refused(envelope: Envelope, error: ErrorCode) -> Response {
    let response = FetchResponse {
        throttle_time_ms: 0,
        error,
        session_id: 0,
        topics: Vec::new(),
        node_endpoints: Vec::new(),
    };
    assemble(envelope, &response, Vec::new())
}

/// The response to a client that fetches too much: nothing, and for how long it
/// rests. Its session is as it was.
pub(crate) fn resting(
    envelope: Envelope,
    conversation: &Conversation,
    throttle_time_ms: i32,
) -> Response {
    let session_id = match conversation {
        Conversation::None | Conversation::Full(..) => 0,
        Conversation::Incremental(id, _) => *id,
    };
    let response = FetchResponse {
        throttle_time_ms,
        error: ErrorCode::None,
        session_id,
        topics: Vec::new(),
        node_endpoints: Vec::new(),
    };
    assemble(envelope, &response, Vec::new())
}

/// The response that tells what was gathered.
pub(crate) fn answer(
    envelope: Envelope,
    targets: &[Target],
    conversation: &Conversation,
    gathered: Gathered,
    mut hints: LeaderHints<'_>,
) -> Response {
    let (session_id, mut session, only_news) = match conversation {
        Conversation::None => (0, None, false),
        Conversation::Full(id, session) => (*id, Some(session.lock()), false),
        Conversation::Incremental(id, session) => (*id, Some(session.lock()), true),
    };
    let mut topics: Vec<FetchedTopic<'_, RecordsLen>> = Vec::new();
    let mut records = Vec::with_capacity(gathered.reads.len());
    for (target, mut read) in targets.iter().zip(gathered.reads) {
        let news = session
            .as_deref_mut()
            .is_none_or(|session| tell(session, target, &read));
        if only_news && !news {
            continue;
        }
        let partition = partition(target, &mut read, &mut hints);
        records.push(read.slices);
        match topics.last_mut() {
            Some(last) if last.topic == target.topic.wire() => last.partitions.push(partition),
            _ => topics.push(FetchedTopic {
                topic: target.topic.wire(),
                partitions: vec![partition],
            }),
        }
    }
    let response = FetchResponse {
        throttle_time_ms: 0,
        error: ErrorCode::None,
        session_id,
        topics,
        node_endpoints: hints.endpoints(),
    };
    assemble(envelope, &response, records)
}

/// Notes in the session what the client is told. Answers whether it is news.
fn tell(session: &mut Session, target: &Target, read: &Read) -> bool {
    let told = (!read.error.is_error()).then_some(Told {
        high_watermark: read.high_watermark,
        log_start: read.log_start,
    });
    session.tell(target.slot, told)
        || read.bytes() > 0
        || read.diverging.is_some()
        || read.nearer.is_some()
}

fn partition(
    target: &Target,
    read: &mut Read,
    hints: &mut LeaderHints<'_>,
) -> FetchedPartition<RecordsLen> {
    let partition = target.partition.as_ref().ok();
    FetchedPartition {
        index: target.index,
        error: read.error,
        high_watermark: read.high_watermark,
        last_stable_offset: read.last_stable,
        log_start_offset: read.log_start,
        aborted_transactions: read.aborted.take(),
        preferred_read_replica: read.nearer.unwrap_or(NodeId::NONE),
        diverging_epoch: read.diverging,
        current_leader: partition.and_then(|partition| hints.of(partition, read.error)),
        snapshot_id: None,
        records: RecordsLen(usize::try_from(read.bytes()).unwrap_or(usize::MAX)),
    }
}

/// Puts the files' ranges where the codec left room for them.
fn assemble(
    envelope: Envelope,
    response: &FetchResponse<'_, RecordsLen>,
    mut records: Vec<Option<Slices>>,
) -> Response {
    let pieces = response.encode_frame(envelope.version, envelope.correlation_id);
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => parts.push(Part::Bytes(bytes)),
            Piece::Records(number) => {
                let slices = records.get_mut(number).and_then(Option::take);
                parts.extend(slices.into_iter().flatten().map(Part::File));
            }
        }
    }
    Response::of(parts)
}
