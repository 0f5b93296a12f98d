//! The connection to a group's coordinator, and what a member of either protocol
//! asks of it.

use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until, timespec};
use crate::driver::{ConsumerJob, FinishLine};
use crate::error::{DriveError, is_retriable};
use crate::native::conn::{Asked, Conn};
use crate::native::control::{Control, text};
use crate::shared_group::SharedGroup;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use plimsoll_wire::types::Offset;
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a coordinator may take to be found and to answer what it need not
/// wait for.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to say goodbye.
const PART: Duration = Duration::from_secs(2);
/// The longest wait between two looks at whether the run goes on.
const LOOK_NANOS: u64 = 20_000_000;
/// How long to wait while a coordinator is moving or loading.
const RETRY_GAP_NANOS: u64 = 20_000_000;

/// Who a member is to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub member: StrBytes,
    /// The group's generation, or the member's epoch.
    pub epoch: i32,
}

/// A group's coordinator, wherever it is.
pub struct GroupCoordinator {
    bootstrap: Bootstrap,
    group: GroupId,
    topic: TopicName,
    finish: Arc<FinishLine>,
    /// Where it is asked what it may answer late.
    conn: Option<Conn>,
    /// Where it is asked about offsets, which it answers at once.
    offsets: Option<Conn>,
}

impl GroupCoordinator {
    /// The coordinator of a consumer's group, which is looked for when it is
    /// needed.
    pub fn new(job: &ConsumerJob, group: &SharedGroup) -> Self {
        Self {
            bootstrap: job.route.bootstrap.clone(),
            group: GroupId(text(group.name())),
            topic: TopicName(text(&job.route.topic)),
            finish: Arc::clone(&job.finish),
            conn: None,
            offsets: None,
        }
    }

    /// The group's id.
    pub const fn group(&self) -> &GroupId {
        &self.group
    }

    /// The topic that the group reads.
    pub const fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Whether the run has ended early.
    pub fn is_abandoned(&self) -> bool {
        self.finish.is_abandoned()
    }

    /// The connections are of no use any more.
    pub fn lose(&mut self) {
        self.conn = None;
        self.offsets = None;
    }

    fn conn(&mut self) -> Result<&mut Conn, DriveError> {
        let conn = self.conn.take().map_or_else(|| self.find(), Ok)?;
        Ok(self.conn.insert(conn))
    }

    /// Asks what is answered at once, by `deadline`.
    fn call<R: Request>(
        &mut self,
        request: &R,
        versions: (i16, i16),
        deadline: Mono,
    ) -> Result<R::Response, DriveError> {
        loop {
            let conn = self.offsets.take().map_or_else(|| self.find(), Ok)?;
            match self.offsets.insert(conn).call(request, versions, deadline) {
                Err(error) if may_pass(&error) && Mono::now() < deadline => {
                    self.lose();
                    sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
                }
                answered => return answered,
            }
        }
    }

    fn find(&self) -> Result<Conn, DriveError> {
        let mut control = Control::reach_by(&self.bootstrap, Mono::now().after(ANSWER))?;
        Ok(control.group_coordinator(&self.group)?.into_conn())
    }

    /// Tells the coordinator that a member goes, and ends the connections. One
    /// that does not hear it will find out.
    pub fn part<R: Request>(&mut self, request: &R, versions: (i16, i16)) {
        let told = self.call(request, versions, Mono::now().after(PART));
        if let Err(error) = told {
            tracing::debug!(%error, "the group's coordinator was not told");
        }
        self.lose();
    }

    /// Sends a request; [`GroupCoordinator::answer`] takes its response.
    pub fn ask<R: Request>(
        &mut self,
        request: &R,
        versions: (i16, i16),
    ) -> Result<Asked, DriveError> {
        self.conn()?
            .ask(request, versions, Mono::now().after(ANSWER))
    }

    /// The response to a request of type `R`, when it has arrived.
    pub fn answer<R: Request>(&mut self, asked: Asked) -> Result<Option<R::Response>, DriveError> {
        let conn = self.conn()?;
        conn.receive()?;
        conn.answer::<R>(asked)
    }

    /// Asks, and waits for the answer for as long as the run goes on; `None` when
    /// it does not.
    pub fn wait<R: Request>(
        &mut self,
        request: &R,
        versions: (i16, i16),
    ) -> Result<Option<R::Response>, DriveError> {
        let asked = self.ask(request, versions)?;
        loop {
            if let Some(response) = self.answer::<R>(asked)? {
                return Ok(Some(response));
            }
            if self.is_abandoned() {
                // The answer would be taken for that of the next request.
                self.lose();
                return Ok(None);
            }
            let conn = self.conn()?;
            let mut fds = [PollFd::new(&*conn, PollFlags::IN)];
            // Whatever woke it, the answer is looked for again.
            let _woken = poll(&mut fds, Some(&timespec(LOOK_NANOS)));
        }
    }

    /// Waits a little, and looks for the coordinator again where `code` says that
    /// it moved. An error that waiting does not help is returned.
    pub fn pause(&mut self, code: i16, what: &str) -> Result<(), DriveError> {
        if !is_retriable(code) {
            return DriveError::check(code, what, None);
        }
        self.lose();
        sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
        Ok(())
    }

    /// Commits positions for a member. That it has been replaced meanwhile is no
    /// error: what it read is read again.
    pub fn commit(
        &mut self,
        identity: &Identity,
        positions: &BTreeMap<u32, Offset>,
    ) -> Result<(), DriveError> {
        let partitions = positions.iter().map(|(partition, offset)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(partition.cast_signed())
                .with_committed_offset(offset.get())
                .with_committed_metadata(Some(text("")))
        });
        let topic = OffsetCommitRequestTopic::default()
            .with_name(self.topic.clone())
            .with_partitions(partitions.collect());
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(identity.member.clone())
            .with_generation_id_or_member_epoch(identity.epoch)
            .with_topics(vec![topic]);
        let deadline = Mono::now().after(ANSWER);
        loop {
            let answered = self.call(&request, (2, 9), deadline)?;
            let all = answered.topics.iter().flat_map(|topic| &topic.partitions);
            let mut codes = all.map(|partition| partition.error_code);
            let code = codes.find(|code| *code != 0).unwrap_or(0);
            if code == 0 || is_replaced(code) || Mono::now() >= deadline {
                return Ok(());
            }
            self.pause(code, "committing offsets")?;
        }
    }

    /// Where reading of each of these partitions goes on.
    pub fn committed(&mut self, partitions: &[u32]) -> Result<BTreeMap<u32, Offset>, DriveError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let topic = OffsetFetchRequestTopic::default()
            .with_name(self.topic.clone())
            .with_partition_indexes(partitions.iter().map(|p| p.cast_signed()).collect());
        let request = OffsetFetchRequest::default()
            .with_group_id(self.group.clone())
            .with_topics(Some(vec![topic]));
        let deadline = Mono::now().after(ANSWER);
        loop {
            let response = self.call(&request, (1, 7), deadline)?;
            if response.error_code != 0 && Mono::now() < deadline {
                self.pause(response.error_code, "fetching offsets")?;
                continue;
            }
            DriveError::check(response.error_code, "fetching offsets", None)?;
            // Where nothing is committed, reading begins with the first record.
            let mut found: BTreeMap<u32, Offset> =
                partitions.iter().map(|p| (*p, Offset(0))).collect();
            for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
                DriveError::check(partition.error_code, "fetching offsets", None)?;
                let index = partition.partition_index.cast_unsigned();
                if let Some(offset) = found.get_mut(&index) {
                    *offset = Offset(partition.committed_offset.max(0));
                }
            }
            return Ok(found);
        }
    }
}

/// Whether another connection may do.
pub const fn may_pass(error: &DriveError) -> bool {
    matches!(error, DriveError::Io { .. } | DriveError::Timeout { .. })
}

/// Whether a code says that the group has gone on without the member.
pub fn is_replaced(code: i16) -> bool {
    let replaced = [
        ResponseError::UnknownMemberId,
        ResponseError::IllegalGeneration,
        ResponseError::RebalanceInProgress,
        ResponseError::FencedMemberEpoch,
        ResponseError::StaleMemberEpoch,
        ResponseError::FencedInstanceId,
    ];
    replaced.iter().any(|error| error.code() == code)
}

/// A heartbeat that is on its way, and when the next one is due.
#[derive(Debug, Default)]
pub struct Beat {
    asked: Option<(Asked, Mono)>,
    next: Mono,
}

impl Beat {
    /// As if one had just been sent.
    pub fn reset(&mut self, now: Mono, interval: Duration) {
        self.asked = None;
        self.next = now.after(interval);
    }

    /// Whether there is nothing to send and nothing to hear.
    pub fn rests(&self, now: Mono) -> bool {
        self.asked.is_none() && now < self.next
    }

    /// Sends one when it is due; its answer, when there is one.
    pub fn step<R: Request>(
        &mut self,
        coordinator: &mut GroupCoordinator,
        (now, interval): (Mono, Duration),
        request: impl FnOnce() -> R,
        versions: (i16, i16),
    ) -> Result<Option<R::Response>, DriveError> {
        let Some((asked, sent)) = self.asked else {
            if now >= self.next {
                self.next = now.after(interval);
                self.asked = Some((coordinator.ask(&request(), versions)?, now));
            }
            return Ok(None);
        };
        let answer = coordinator.answer::<R>(asked);
        match &answer {
            Ok(None) if now.elapsed_since(sent) > ANSWER => {
                // Whoever is asked next may know.
                coordinator.lose();
                self.asked = None;
            }
            Ok(None) => {}
            _ => self.asked = None,
        }
        answer
    }
}
