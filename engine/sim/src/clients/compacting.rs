//! A writer of a compacted topic: few keys, written over and over, now and
//! then a tombstone.

use super::Client;
use super::batches::Draft;
use super::once::{Lane, Refused, Within, identity};
use super::plain::PRODUCE;
use crate::facts::{Fact, Partition, RecordId};
use std::time::Duration;

/// The compacted topic.
pub const TOPIC: &str = "latest";
/// How many keys a writer has.
const KEYS: usize = 8;

/// Writes until clients are to finish. Each writer has keys of its own.
pub async fn write(mut client: Client, index: i32) {
    let by = identity(&mut client).await;
    let to = Partition {
        topic: TOPIC,
        index,
    };
    let mut lane = Lane::new(to.clone(), by);
    let writer = u32::try_from(client.door.id().0).unwrap_or(u32::MAX);
    let mut number = 0;
    while !client.is_over() || !lane.is_settled() {
        if lane.has_room() && !client.is_over() {
            let count = 1 + client.door.dice.below(5);
            let mut drafts = Vec::new();
            for _ in 0..count {
                number += 1;
                let key = u32::try_from(client.door.dice.below(KEYS)).unwrap_or(0);
                let is_gone = client.door.dice.chance(80);
                drafts.push(Draft {
                    id: (!is_gone).then_some(RecordId { writer, number }),
                    key: Some(writer * 100 + key),
                    padding: client.door.dice.below(200),
                });
            }
            let within = Within {
                txn: None,
                version: PRODUCE,
            };
            lane.add(&mut client, drafts, within);
        }
        lane.send(&mut client).await;
        if let Err(Refused::Never(error)) = lane.settle(&mut client).await {
            let error = format!("{error:?}");
            client.report(&Fact::SequenceBroken { writer, to, error });
            break;
        }
        if !client.is_over() {
            client
                .door
                .doze(Duration::from_millis(5), Duration::from_millis(400))
                .await;
        }
    }
    client.finish();
}
