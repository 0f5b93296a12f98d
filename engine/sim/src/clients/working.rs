//! What a group's member does with the partitions it was given: reads them
//! from the committed offset on and commits how far it has come.

use super::Client;
use super::progress::{Membership, commit, resume};
use super::reader::{Polled, Tail};
use crate::facts::{Fact, Partition, Reader};
use crate::moment::Moment;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

/// A member's session: how long it may go unheard.
pub const SESSION: Duration = Duration::from_secs(6);
/// How often a member is heard.
pub const BEAT: Duration = Duration::from_secs(1);
/// How long a poll of a member waits.
const WAIT_MS: i32 = 200;

/// A partition that a member works on.
#[derive(Debug)]
struct Job {
    tail: Tail,
    committed: i64,
    end: Option<i64>,
}

/// All that a member works on, and until when it may.
#[derive(Debug)]
pub struct Work {
    group: &'static str,
    member: usize,
    jobs: Vec<Job>,
    heard: Moment,
}

impl Work {
    /// A member without work.
    pub const fn new(group: &'static str, member: usize) -> Self {
        Self {
            group,
            member,
            jobs: Vec::new(),
            heard: Moment::START,
        }
    }

    /// What the member works on.
    pub fn partitions(&self) -> Vec<Partition> {
        self.jobs.iter().map(|job| job.tail.from.clone()).collect()
    }

    /// Whether the member may still work: it was heard within its session.
    pub fn may_work(&self, client: &Client) -> bool {
        client.now().since(self.heard) < SESSION
    }

    /// The coordinator has agreed to what was sent at `asked`: the member's
    /// session begins anew.
    pub fn heard(&mut self, client: &Client, asked: Moment, epoch: i32) {
        self.heard = self.heard.max(asked);
        self.declare(client, epoch);
    }

    fn declare(&self, client: &Client, epoch: i32) {
        client.report(&Fact::Owns {
            group: self.group,
            member: self.member,
            epoch,
            partitions: self.partitions(),
            until: self.heard + SESSION,
        });
    }

    /// The member stops working on everything.
    pub fn drop_all(&mut self, client: &Client) {
        self.jobs.clear();
        client.report(&Fact::Disowns {
            group: self.group,
            member: self.member,
        });
    }

    /// The member stops working on what it is not to keep.
    pub fn keep(&mut self, client: &Client, keep: &[Partition], epoch: i32) {
        self.jobs.retain(|job| keep.contains(&job.tail.from));
        self.declare(client, epoch);
    }

    /// The member begins to work on more.
    pub async fn take(
        &mut self,
        client: &mut Client,
        member: &Membership,
        partitions: &[Partition],
    ) -> Result<(), ErrorCode> {
        for from in partitions {
            if self.jobs.iter().any(|job| job.tail.from == *from) {
                continue;
            }
            let offset = resume(client, member, from).await?;
            let reader = Reader {
                id: self.member,
                committed_only: false,
            };
            client.report(&Fact::Repositioned {
                reader,
                from: from.clone(),
                offset: -1,
                to: offset,
            });
            self.jobs.push(Job {
                tail: Tail::new(reader, from.clone(), offset),
                committed: offset,
                end: None,
            });
        }
        self.declare(client, member.epoch);
        Ok(())
    }

    /// Polls everything once and commits what is new.
    pub async fn turn(
        &mut self,
        client: &mut Client,
        member: &Membership,
    ) -> Result<(), ErrorCode> {
        if self.jobs.is_empty() {
            client.sleep(Duration::from_millis(300)).await;
        }
        for job in &mut self.jobs {
            if client.now().since(self.heard) >= SESSION {
                return Err(ErrorCode::UnknownMemberId);
            }
            if let Polled::Up(end) = job.tail.poll(client, WAIT_MS).await {
                job.end = Some(end);
            }
            if job.tail.offset != job.committed && client.door.dice.chance(600) {
                commit(client, member, &job.tail.from, job.tail.offset).await?;
                job.committed = job.tail.offset;
            }
        }
        Ok(())
    }

    /// Whether there is nothing left to read or commit.
    pub fn is_done(&self) -> bool {
        self.jobs
            .iter()
            .all(|job| job.end == Some(job.tail.offset) && job.committed == job.tail.offset)
    }
}
