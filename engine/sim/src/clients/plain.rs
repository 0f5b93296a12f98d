//! A producer without idempotence at acks 0, 1 or all: one batch at a time,
//! retried until it is acknowledged, so that a record may lie there twice.

use super::Client;
use super::batches::{Draft, Make, Produce, make};
use super::link::{PATIENCE, body};
use crate::facts::{Fact, Partition, Promise, RecordId};
use bytes::Bytes;
use plimsoll_wire::batch;
use plimsoll_wire::compression::Compression;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::ProduceResponse;
use std::time::Duration;

/// The topic of producers with acks=all.
pub const KEPT: &str = "kept";
/// The topic of producers with acks 0 and 1.
pub const LOOSE: &str = "loose";
/// The version that plain producers speak.
pub const PRODUCE: i16 = 9;
/// How long the broker waits for its replicas.
pub const TIMEOUT_MS: i32 = 2000;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It lies there.
    At(i64),
    /// It may be tried again.
    Retry(ErrorCode),
    /// It may not.
    Never(ErrorCode),
}

/// Reads the answer to a batch for one partition.
pub fn placed(version: i16, bytes: &[u8]) -> Result<Placed, String> {
    let response = ProduceResponse::decode(version, bytes).map_err(|error| error.to_string())?;
    let one = response
        .topics
        .first()
        .and_then(|topic| topic.partitions.first());
    let one = one.ok_or("an answer without the partition")?;
    Ok(match one.error {
        ErrorCode::None => Placed::At(one.base_offset.get()),
        error if error.is_retriable() => Placed::Retry(error),
        error => Placed::Never(error),
    })
}

/// Drafts of the next few records of a writer.
pub fn drafts(client: &mut Client, next: &mut u32, most: usize) -> Vec<Draft> {
    let writer = u32::try_from(client.door.id().0).unwrap_or(u32::MAX);
    let count = 1 + client.door.dice.below(most);
    (0..count)
        .map(|_| {
            *next += 1;
            Draft {
                id: Some(RecordId {
                    writer,
                    number: *next,
                }),
                key: Some(*next),
                padding: client.door.dice.below(120),
            }
        })
        .collect()
}

/// A codec for the next batch.
pub fn codec(client: &mut Client) -> Compression {
    *client.door.dice.pick(&[
        Compression::None,
        Compression::None,
        Compression::None,
        Compression::Lz4,
    ])
}

/// Writes until clients are to finish.
pub async fn write(mut client: Client, topic: &'static str, partitions: i32, acks: i16) {
    let mut next = 0;
    while !client.is_over() {
        let index = i32::try_from(client.door.dice.below(partitions as usize)).unwrap_or(0);
        let to = Partition { topic, index };
        let drafts = drafts(&mut client, &mut next, 4);
        let promise = if acks == -1 {
            Promise::Kept
        } else {
            Promise::None
        };
        for draft in &drafts {
            client.report(&Fact::Sent {
                id: draft.id.expect("plain records have ids"),
                to: to.clone(),
                key: draft.key,
                promise,
                txn: None,
            });
        }
        let how = Make {
            producer: batch::Producer::NONE,
            transactional: false,
            compression: codec(&mut client),
            timestamp: client.wall(),
        };
        let batch = make(&drafts, how);
        if acks == 0 {
            throw(&mut client, &to, &batch).await;
        } else {
            insist(&mut client, &to, acks, &drafts, &batch).await;
        }
        client
            .door
            .doze(Duration::from_millis(20), Duration::from_millis(900))
            .await;
    }
    client.finish();
}

fn question(to: &Partition, acks: i16, batch: &Bytes) -> super::link::Question {
    let produce = Produce {
        topic: to.topic,
        partition: to.index,
        acks,
        timeout_ms: TIMEOUT_MS,
        transactional_id: None,
        version: PRODUCE,
    };
    produce.question(batch)
}

/// Sends without an answer.
async fn throw(client: &mut Client, to: &Partition, batch: &Bytes) {
    if let Some(leader) = client.leader(to.topic, to.index).await
        && !client.tell(leader, &question(to, 0, batch))
    {
        client.forget_leader(to.topic, to.index);
    }
}

/// Sends until it is acknowledged.
async fn insist(client: &mut Client, to: &Partition, acks: i16, drafts: &[Draft], batch: &Bytes) {
    let question = question(to, acks, batch);
    loop {
        let Some(leader) = client.leader(to.topic, to.index).await else {
            continue;
        };
        let answer = match client.post(leader, &question, PATIENCE) {
            Some(answer) => answer.await,
            None => {
                client.back_off().await;
                client.forget_leader(to.topic, to.index);
                continue;
            }
        };
        let placed = answer.map(|answer| placed(PRODUCE, &body(&question, &answer)));
        match placed {
            Ok(Ok(Placed::At(base))) => return client.acknowledge(to, drafts, base),
            Err(_) | Ok(Ok(Placed::Retry(_))) => {
                client.forget_leader(to.topic, to.index);
                client.back_off().await;
            }
            Ok(Ok(Placed::Never(error))) => {
                let what = format!("produce to {to:?}: {error:?}");
                return client.report(&Fact::Nonsense { what });
            }
            Ok(Err(what)) => return client.report(&Fact::Nonsense { what }),
        }
    }
}

impl Client {
    /// Tells the checkers that a batch was acknowledged.
    pub fn acknowledge(&self, to: &Partition, drafts: &[Draft], base: i64) {
        let count = drafts.len() as u64;
        self.door.world().borrow_mut().tally.acknowledged += count;
        for (offset, draft) in (base..).zip(drafts) {
            let to = to.clone();
            match (draft.id, draft.key) {
                (Some(id), _) => self.report(&Fact::Acknowledged { id, to, offset }),
                (None, Some(key)) => self.report(&Fact::Tombstone { to, key, offset }),
                (None, None) => {}
            }
        }
    }

    /// A writer has finished.
    pub fn finish(&self) {
        self.door.world().borrow_mut().writers -= 1;
    }

    /// A writer of what processors read has finished.
    pub fn finish_input(&self) {
        self.door.world().borrow_mut().input_writers -= 1;
    }
}
