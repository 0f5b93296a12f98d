//! Leaders have the ISR of their partitions changed.
//!
//! A wish is fulfilled only when it comes from the leader of the current epoch
//! and was formed on the partition's current state, and when everyone whom it
//! adds is let into the cluster in that very run. A leader that leaves itself out
//! gives its place up.

use crate::broker::Broker;
use crate::metadata::Change;
use plimsoll_cluster::succession::Wish;
use plimsoll_cluster::{Image, PartitionImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex};
use uuid::Uuid;

/// A leader wants this ISR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IsrWish {
    pub(crate) topic: Uuid,
    pub(crate) partition: PartitionIndex,
    /// The epoch in which the asker leads.
    pub(crate) leader_epoch: LeaderEpoch,
    /// The state it has seen.
    pub(crate) partition_epoch: i32,
    /// The members, each with the epoch of its run; −1 for any.
    pub(crate) isr: Vec<(NodeId, BrokerEpoch)>,
}

/// What became of one wish: the partition's new state.
pub(crate) type Altered = Result<PartitionImage, ErrorCode>;

impl Broker {
    /// Fulfils a leader's wishes.
    pub(crate) fn alter_isrs(
        &self,
        (asker, epoch): (NodeId, BrokerEpoch),
        wishes: &[IsrWish],
        now: Now,
    ) -> Result<Vec<Altered>, ErrorCode> {
        let made = self.change(now, true, |change| {
            let broker = change.image().brokers().get(&asker);
            if broker.is_none_or(|broker| broker.epoch != epoch) {
                return Err(ErrorCode::StaleBrokerEpoch);
            }
            Ok(wishes
                .iter()
                .map(|wish| self.alter_isr(change, asker, wish))
                .collect())
        });
        made.map_err(|refusal| refusal.code)?
    }

    fn alter_isr(&self, change: &mut Change, asker: NodeId, wish: &IsrWish) -> Altered {
        let name = {
            let image = change.image();
            let topic = image.topic_by_id(wish.topic);
            let topic = topic.ok_or(ErrorCode::UnknownTopicId)?;
            let now = topic
                .partitions
                .get(&wish.partition)
                .ok_or(ErrorCode::UnknownTopicOrPartition)?;
            check(image, asker, wish, now)?;
            topic.name.to_string()
        };
        let members = wish.isr.iter().map(|(node, _)| *node).collect();
        let wanted = Wish {
            isr: Some(members),
            ..Wish::default()
        };
        self.decide_one(change, (&name, wish.partition), &wanted, false)?;
        super::elections::find(change.image(), &name, wish.partition).map(|(_, now)| now.clone())
    }
}

fn check(
    image: &Image,
    asker: NodeId,
    wish: &IsrWish,
    now: &PartitionImage,
) -> Result<(), ErrorCode> {
    if now.leader != asker || wish.leader_epoch < now.leader_epoch {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if wish.leader_epoch > now.leader_epoch {
        return Err(ErrorCode::NotController);
    }
    if wish.partition_epoch != now.partition_epoch {
        return Err(ErrorCode::InvalidUpdateVersion);
    }
    let is_replica = |(node, _): &(NodeId, BrokerEpoch)| now.replicas.contains(node);
    if wish.isr.is_empty() || !wish.isr.iter().all(is_replica) {
        return Err(ErrorCode::InvalidRequest);
    }
    let fits = |(node, epoch): &(NodeId, BrokerEpoch)| {
        let broker = image.brokers().get(node);
        broker.is_some_and(|broker| {
            let same_run = epoch.get() == -1 || broker.epoch == *epoch;
            same_run && !broker.fenced && !broker.in_controlled_shutdown
        })
    };
    let added = wish.isr.iter().filter(|(node, _)| !now.isr.contains(node));
    if !added.into_iter().all(fits) {
        return Err(ErrorCode::IneligibleReplica);
    }
    Ok(())
}
