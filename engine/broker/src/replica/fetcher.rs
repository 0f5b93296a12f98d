//! A follower's fetches: one under way to each leader, for all partitions that
//! this node follows there.
//!
//! Each fetch names the epoch of the last record that the follower has, so that
//! a leader whose log parted there says where (KIP-320). The follower truncates
//! to that place and asks again; it never truncates by the high watermark. What
//! a leader answers counts only while the partition is still followed in the
//! term in which it was asked.
//!
//! A log whose disk has failed is not fetched for any more: where a fetch begins
//! tells the leader what this node has, and what a disk refused to keep it has
//! not.

use crate::broker::Broker;
use crate::outgoing::{Errand, Lane, Peer, PeerFault, client_id};
use crate::partition::Partition;
use bytes::Bytes;
use parking_lot::Mutex;
use plimsoll_log::{AppendError, EpochEnd, LogError, PartitionLog};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchedPartition, IsolationLevel,
    Replica, Session,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The version in which followers fetch: the first with the replica's state.
const VERSION: i16 = 15;
/// How much longer than its wait at the leader a fetch may take.
const SLACK: Duration = Duration::from_secs(5);

/// How soon a partition is looked at again that is held back.
const THROTTLED_POLL: Duration = Duration::from_millis(100);

/// A partition by its topic's id and its number.
type Place = (Uuid, PartitionIndex);

/// The fetches to all leaders.
#[derive(Default)]
pub(crate) struct Fetchers {
    by_leader: Mutex<BTreeMap<NodeId, Fetcher>>,
}

/// The fetches to one leader.
#[derive(Default)]
struct Fetcher {
    partitions: BTreeMap<Place, Followed>,
    under_way: bool,
    /// Not before then.
    at: Instant,
}

/// A partition that is followed.
struct Followed {
    partition: Arc<Partition>,
    /// Not before then: the last answer was an error.
    at: Instant,
}

/// What was asked of a partition.
struct AskedFor {
    place: Place,
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    from: Offset,
}

impl Fetchers {
    /// A partition is followed from now on, or no more when `leader` is none.
    pub(crate) fn assign(&self, partition: &Arc<Partition>, leader: Option<NodeId>, now: Now) {
        let place = (partition.topic_id, partition.index);
        let mut by_leader = self.by_leader.lock();
        for (node, fetcher) in by_leader.iter_mut() {
            if Some(*node) != leader {
                fetcher.partitions.remove(&place);
            }
        }
        if let Some(leader) = leader {
            let followed = Followed {
                partition: Arc::clone(partition),
                at: now.mono,
            };
            by_leader
                .entry(leader)
                .or_default()
                .partitions
                .insert(place, followed);
        }
    }
}

impl Broker {
    /// Sends the fetches that may be sent. Answers when others may.
    pub(crate) fn start_fetches(&self, now: Now) -> Instant {
        let leaders: Vec<NodeId> = self.fetchers.by_leader.lock().keys().copied().collect();
        let mut next = Instant(Duration::MAX);
        for leader in leaders {
            next = next.min(self.start_fetch(leader, now));
        }
        next
    }

    /// Sends the next fetch to a leader, when none is under way.
    fn start_fetch(&self, leader: NodeId, now: Now) -> Instant {
        let limits = self.limits();
        let mut due = Vec::new();
        let mut next = Instant(Duration::MAX);
        {
            let mut by_leader = self.fetchers.by_leader.lock();
            let Some(fetcher) = by_leader.get_mut(&leader) else {
                return next;
            };
            if fetcher.under_way || fetcher.partitions.is_empty() {
                return next;
            }
            if now.mono < fetcher.at {
                return fetcher.at;
            }
            let brake = self.brake(now.mono);
            for (place, followed) in &fetcher.partitions {
                if brake
                    .as_ref()
                    .is_some_and(|brake| brake.holds(&followed.partition))
                {
                    next = next.min(now.mono.after(THROTTLED_POLL));
                } else if followed.at <= now.mono {
                    due.push((*place, Arc::clone(&followed.partition)));
                } else {
                    next = next.min(followed.at);
                }
            }
            if due.is_empty() {
                return next;
            }
            fetcher.under_way = true;
            fetcher.at = now.mono.after(limits.cluster.fetch_backoff);
        }
        let asked = asked_for(due);
        let peer = self.peer(leader);
        let (Some(peer), false) = (peer, asked.is_empty()) else {
            let mut by_leader = self.fetchers.by_leader.lock();
            if let Some(fetcher) = by_leader.get_mut(&leader) {
                fetcher.under_way = false;
            }
            return now.mono.after(limits.cluster.fetch_backoff);
        };
        self.send_fetch(&peer, asked, now);
        next
    }

    fn send_fetch(&self, peer: &Arc<Peer>, asked: Vec<AskedFor>, now: Now) {
        let limits = self.limits();
        let leader = peer.node;
        let errand = Errand {
            to: Arc::clone(peer),
            lane: Lane::Fetch,
            deadline: now.mono.after(limits.cluster.fetch_wait).after(SLACK),
        };
        let topics = topics_of(&asked, limits.cluster.fetch_partition_bytes_max);
        let request = FetchRequest {
            cluster_id: None,
            replica: Replica {
                id: self.node(),
                epoch: self.epoch(),
            },
            max_wait_ms: i32::try_from(limits.cluster.fetch_wait.as_millis()).unwrap_or(500),
            min_bytes: limits.cluster.fetch_bytes_min,
            max_bytes: limits.cluster.fetch_bytes_max,
            isolation: IsolationLevel::ReadUncommitted,
            session: Session::NONE,
            topics,
            forgotten: Vec::new(),
            rack_id: "",
        };
        let make =
            |correlation_id: i32| request.encode_frame(VERSION, correlation_id, Some(client_id()));
        let then = move |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.fetch_answered(leader, &asked, answer, now);
        };
        self.outbox.send(errand, true, Box::new(then), make);
    }

    fn fetch_answered(
        &self,
        leader: NodeId,
        asked: &[AskedFor],
        answer: Result<Bytes, PeerFault>,
        now: Now,
    ) {
        let backoff = now.mono.after(self.limits().cluster.fetch_backoff);
        let read = answer.as_ref().map_err(|fault| fault.to_string());
        let read = read.and_then(|body| {
            FetchResponse::decode(VERSION, body).map_err(|error| error.to_string())
        });
        let failed = match read {
            Ok(response) if !response.error.is_error() => {
                self.take_fetched(leader, asked, &response, now);
                false
            }
            Ok(response) => {
                tracing::debug!(%leader, why = response.error.name(), "a fetch was refused");
                true
            }
            Err(why) => {
                tracing::debug!(%leader, why, "a fetch failed");
                true
            }
        };
        if let Some(fetcher) = self.fetchers.by_leader.lock().get_mut(&leader) {
            fetcher.under_way = false;
            fetcher.at = if failed { backoff } else { now.mono };
        }
        if !failed {
            self.start_fetch(leader, now);
        }
    }

    fn take_fetched(
        &self,
        leader: NodeId,
        asked: &[AskedFor],
        response: &FetchResponse<'_, &[u8]>,
        now: Now,
    ) {
        let backoff = now.mono.after(self.limits().cluster.fetch_backoff);
        let brake = self.brake(now.mono);
        let mut truncated = false;
        let mut resting = Vec::new();
        for topic in &response.topics {
            let Topic::Id(id) = topic.topic else {
                continue;
            };
            for fetched in &topic.partitions {
                let place = (id, fetched.index);
                let found = asked.binary_search_by_key(&place, |asked| asked.place);
                let Some(asked) = found.ok().and_then(|at| asked.get(at)) else {
                    continue;
                };
                match take_partition(asked, fetched, now) {
                    Ok(cut) => {
                        truncated |= cut;
                        if let Some(brake) = &brake {
                            brake.count(&asked.partition, fetched.records.len(), now.mono);
                        }
                    }
                    Err(why) => {
                        let (topic, index) = (&asked.partition.topic, fetched.index.get());
                        tracing::debug!(%leader, %topic, partition = index, why, "cannot follow");
                        resting.push(place);
                    }
                }
            }
        }
        if truncated {
            // Before anything is appended in the place of what was cut off.
            self.checkpoint();
        }
        self.act_on_faults();
        if !resting.is_empty() {
            let mut by_leader = self.fetchers.by_leader.lock();
            if let Some(fetcher) = by_leader.get_mut(&leader) {
                for place in resting {
                    if let Some(followed) = fetcher.partitions.get_mut(&place) {
                        followed.at = backoff;
                    }
                }
            }
        }
    }

    /// Where another broker is reached.
    pub(crate) fn peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        let image = self.metadata.image();
        let endpoints = &image.brokers().get(&node)?.endpoints;
        let plain = endpoints.iter().find(|one| one.security_protocol == 0);
        let endpoint = plain.or_else(|| endpoints.first())?;
        Some(Arc::new(Peer {
            node,
            host: endpoint.host.clone(),
            port: endpoint.port,
        }))
    }
}

/// From where each partition is fetched; those that are not followed any more
/// are left out.
fn asked_for(due: Vec<(Place, Arc<Partition>)>) -> Vec<AskedFor> {
    let asked = due.into_iter().filter_map(|(place, partition)| {
        let held = partition.lock();
        let epoch = held.followed()?;
        let log = held.log().ok().filter(|log| !log.is_offline())?;
        let from = log.log_end();
        drop(held);
        Some(AskedFor {
            place,
            partition,
            epoch,
            from,
        })
    });
    asked.collect()
}

fn topics_of(asked: &[AskedFor], max_bytes: i32) -> Vec<FetchTopic<'static>> {
    let mut topics: Vec<FetchTopic<'static>> = Vec::new();
    for one in asked {
        let held = one.partition.lock();
        let Ok(log) = held.log() else {
            continue;
        };
        let partition = FetchPartition {
            index: one.place.1,
            current_leader_epoch: one.epoch,
            fetch_offset: one.from,
            last_fetched_epoch: last_epoch(log),
            log_start_offset: log.log_start(),
            max_bytes,
            directory_id: Uuid::nil(),
            high_watermark: None,
        };
        match topics.last_mut() {
            Some(last) if last.topic == Topic::Id(one.place.0) => last.partitions.push(partition),
            _ => topics.push(FetchTopic {
                topic: Topic::Id(one.place.0),
                partitions: vec![partition],
            }),
        }
    }
    topics
}

/// Takes over what a leader has of a partition. Answers whether the log was
/// truncated below what a checkpoint says.
fn take_partition(
    asked: &AskedFor,
    fetched: &FetchedPartition<&[u8]>,
    now: Now,
) -> Result<bool, String> {
    let mut held = asked.partition.lock();
    if held.followed() != Some(asked.epoch) {
        return Ok(false);
    }
    let partition = &asked.partition;
    let failed = |action: &str, error: &LogError| {
        let _code = partition.storage_failed(action, error);
        error.to_string()
    };
    let log = held.log_mut().map_err(|code| code.name().to_owned())?;
    if log.log_end() != asked.from {
        return Ok(false);
    }
    if fetched.error == ErrorCode::OffsetOutOfRange {
        let start = fetched.log_start_offset;
        if start <= log.log_end() {
            return Err("the leader's log does not reach back to this one's end".into());
        }
        // The leader's log begins after this one ends: it begins anew there.
        log.restart_at(start, now.wall)
            .map_err(|error| failed("begin a log anew", &error))?;
        return Ok(true);
    }
    if fetched.error.is_error() {
        return Err(fetched.error.name().to_owned());
    }
    if let Some(end) = fetched.diverging_epoch {
        let theirs = EpochEnd {
            epoch: end.epoch,
            end: end.end_offset,
        };
        let (to, _) = log.truncation_for(theirs);
        tracing::info!(
            topic = %partition.topic,
            partition = partition.index.get(),
            from = log.log_end().get(),
            to = to.get(),
            "truncating to where the leader's log parts"
        );
        log.truncate_to(to, now.wall)
            .map_err(|error| failed("truncate a log", &error))?;
        let end = log.log_end();
        return Ok(end < partition.stored_to());
    }
    let before = log.log_end();
    let appended = log.append_follower(fetched.records, now.wall);
    let bytes = usize::try_from(log.log_end().get() - before.get()).unwrap_or(0);
    if fetched.log_start_offset > log.log_start() && fetched.log_start_offset <= log.log_end() {
        let upto = fetched.high_watermark.min(log.log_end());
        log.set_high_watermark(log.high_watermark().max(upto));
        let _start = log.delete_records_to(fetched.log_start_offset.min(upto));
    }
    held.follow_high_watermark(fetched.high_watermark);
    if bytes > 0 {
        held.grew(bytes);
    }
    appended.map(|_| false).map_err(|error| match error {
        AppendError::Log(error) => failed("write what was fetched", &error),
        error => error.to_string(),
    })
}

/// The term of the log's last record.
fn last_epoch(log: &PartitionLog) -> LeaderEpoch {
    if log.log_end() > log.log_start() {
        log.epoch_of(log.log_end().plus(-1))
    } else {
        LeaderEpoch::NONE
    }
}
