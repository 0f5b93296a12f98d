//! A fetch that waits for its bytes.

use super::Conversation;
use super::gather::{Gathered, Limits, Reader, gather};
use super::reply;
use crate::broker::Broker;
use crate::fetch_sessions::Target;
use crate::fetch_wait::FetchWait;
use crate::leader_hints::LeaderHints;
use crate::listener::Listener;
use crate::metrics::Requests;
use crate::outcome::{Outcome, Response, Wake};
use crate::parked::{Parked, Waiting};
use crate::partition::Awaited;
use crate::quotas::{Bound, Mute, throttle_ms};
use crate::request::Envelope;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::Now;
use std::sync::Arc;
use std::time::Duration;

/// How often a fetch looks again because bytes arrived while it looked. Then
/// it answers with what there is.
const LOOKS_MAX: usize = 8;

/// A fetch, and what it needs to be answered.
pub(crate) struct ParkedFetch {
    pub(crate) envelope: Envelope,
    pub(crate) targets: Vec<Target>,
    pub(crate) conversation: Conversation,
    pub(crate) limits: Limits,
    pub(crate) wait: Option<(Arc<FetchWait>, Arc<dyn Wake>)>,
    /// What bounds the client.
    pub(crate) bound: Option<Bound>,
    pub(crate) mute: Arc<Mute>,
    pub(crate) requests: Arc<Requests>,
    /// Where the client came in.
    pub(crate) listener: Arc<Listener>,
}

impl ParkedFetch {
    /// The response with what was gathered, or with nothing when the client
    /// fetches more than its quota: then it rests.
    pub(crate) fn reply(&self, broker: &Broker, gathered: Gathered, now: Now) -> Response {
        let rest = self.bound.clone().map_or(Duration::ZERO, |bound| {
            broker.count_fetched(bound, gathered.bytes, now.mono)
        });
        if !rest.is_zero() {
            self.mute.until(now.mono.after(rest));
            return reply::resting(self.envelope, &self.conversation, throttle_ms(rest));
        }
        self.count(&gathered);
        let hints = LeaderHints::new(broker, &self.listener);
        reply::answer(
            self.envelope,
            &self.targets,
            &self.conversation,
            gathered,
            hints,
        )
    }

    fn count(&self, gathered: &Gathered) {
        for (target, read) in self.targets.iter().zip(&gathered.reads) {
            let failed = u64::from(read.error.is_error());
            if failed > 0 {
                self.requests.failed(ApiKey::Fetch, read.error);
            }
            if let Ok(partition) = &target.partition {
                let traffic = partition.traffic();
                traffic.fetch_requests.add(1);
                traffic.failed_fetch_requests.add(failed);
                traffic.bytes_out.add(read.bytes());
            }
        }
    }

    /// Waits for more than was gathered.
    pub(crate) fn park(
        mut self,
        broker: &Broker,
        gathered: Gathered,
        now: Now,
        wait: Duration,
        waker: &Arc<dyn Wake>,
    ) -> Outcome {
        match self.wait_for_more(broker, gathered, now, waker) {
            Some(response) => Outcome::Ready(response),
            None => Outcome::Parked(Parked::new(now.mono.after(wait), self)),
        }
    }

    /// Asks the partitions to be told of more. Answers when there is enough
    /// already.
    fn wait_for_more(
        &mut self,
        broker: &Broker,
        mut gathered: Gathered,
        now: Now,
        waker: &Arc<dyn Wake>,
    ) -> Option<Response> {
        let replica = matches!(self.limits.reader, Reader::Replica(..));
        let what = if replica {
            Awaited::Appended
        } else {
            Awaited::Committed
        };
        for _ in 0..LOOKS_MAX {
            let missing = self.limits.bytes_min.saturating_sub(gathered.bytes);
            let missing = i64::try_from(missing).unwrap_or(i64::MAX);
            let wait = FetchWait::new(missing, Arc::clone(waker));
            let more = self
                .targets
                .iter()
                .zip(&gathered.reads)
                .any(|(target, read)| {
                    let partition = target.partition.as_ref();
                    let seen = if replica {
                        target.from
                    } else {
                        read.high_watermark
                    };
                    partition.is_ok_and(|partition| partition.lock().wait(&wait, what, seen))
                });
            if !more {
                self.wait = Some((wait, Arc::clone(waker)));
                return None;
            }
            wait.cancel();
            gathered = gather(broker, &self.targets, &self.limits, now);
            if gathered.is_enough(&self.limits) {
                break;
            }
        }
        Some(self.reply(broker, gathered, now))
    }
}

impl Waiting for ParkedFetch {
    fn poll(&mut self, broker: &Broker, now: Now, expired: bool) -> Option<Response> {
        let woken = self.wait.as_ref().is_none_or(|(wait, _)| wait.is_done());
        if !expired && !woken {
            return None;
        }
        let gathered = gather(broker, &self.targets, &self.limits, now);
        if expired || gathered.is_enough(&self.limits) {
            return Some(self.reply(broker, gathered, now));
        }
        let (_, waker) = self.wait.take()?;
        self.wait_for_more(broker, gathered, now, &waker)
    }
}

impl Drop for ParkedFetch {
    fn drop(&mut self) {
        if let Some((wait, _)) = &self.wait {
            wait.cancel();
        }
    }
}
