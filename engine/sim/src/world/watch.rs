//! What nodes say of their replicas, looked at together at one instant.

use super::{Event, NodeIx, World};
use crate::clients::{compacting, once, plain, transactional};
use crate::facts::{Fact, Partition};
use crate::plan::OWN_TOPICS;
use plimsoll_broker::ReplicaView;
use plimsoll_cluster::Image;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often nodes are looked at.
const EVERY: Duration = Duration::from_millis(150);

/// The topics that are watched, beside the brokers' own.
const WATCHED: &[&str] = &[
    plain::KEPT,
    plain::LOOSE,
    once::TOPIC,
    transactional::INPUT,
    transactional::OUTPUT,
    compacting::TOPIC,
];

/// What was last said of each replica: facts are reported when they change.
pub(super) type Said = BTreeMap<(NodeIx, Partition), (i32, i64)>;

impl World {
    /// Begins to look at nodes, where there are several.
    pub fn watch(&mut self) {
        if self.nodes.len() > 1 {
            self.plan(self.now + EVERY, Event::Watch);
        }
    }

    pub(super) fn look_at_replicas(&mut self) {
        self.plan(self.now + EVERY, Event::Watch);
        let mut views: Vec<BTreeMap<Partition, ReplicaView>> = Vec::new();
        for node in &self.nodes {
            let all = node.broker().map(|broker| broker.replicas());
            let known = all.unwrap_or_default().into_iter();
            views.push(
                known
                    .filter_map(|view| Some((partition(&view)?, view)))
                    .collect(),
            );
        }
        for (ix, of_node) in views
            .iter()
            .enumerate()
            .map(|(n, of_node)| (NodeIx(n), of_node))
        {
            for (of, view) in of_node {
                if let Some(epoch) = view.leads_in {
                    self.look_at_leader(ix, of, (epoch.get(), view.high_watermark.get()), &views);
                }
            }
        }
    }

    fn look_at_leader(
        &mut self,
        node: NodeIx,
        of: &Partition,
        (epoch, at): (i32, i64),
        views: &[BTreeMap<Partition, ReplicaView>],
    ) {
        let before = self.said.insert((node, of.clone()), (epoch, at));
        if before == Some((epoch, at)) {
            return;
        }
        if before.is_none_or(|(before, _)| before != epoch) {
            let of = of.clone();
            self.report(&Fact::Leads { node, of, epoch });
        }
        self.report(&Fact::HighWatermark {
            node,
            of: of.clone(),
            epoch,
            at,
        });
        let ends = self.ends_in_sync(node, of, views);
        self.report(&Fact::InSync {
            of: of.clone(),
            high_watermark: at,
            ends,
        });
    }

    /// Where the logs end of those whom a leader takes to be in sync.
    fn ends_in_sync(
        &self,
        leader: NodeIx,
        of: &Partition,
        views: &[BTreeMap<Partition, ReplicaView>],
    ) -> Vec<(NodeIx, i64)> {
        let Some(broker) = self.nodes.get(leader.0).and_then(|node| node.broker()) else {
            return Vec::new();
        };
        let image = broker.image();
        let index = plimsoll_wire::types::PartitionIndex(of.index);
        let partition = image
            .topic(of.topic)
            .and_then(|topic| topic.partitions.get(&index));
        let members = partition
            .map(|partition| partition.isr.clone())
            .unwrap_or_default();
        members
            .iter()
            .filter_map(|id| {
                let ix = NodeIx::of(*id)?;
                let node = self.nodes.get(ix.0)?;
                // What it lost it is held to no more: it is let in as another run,
                // of which a leader that was deposed may not have heard.
                let run = |image: &Image| image.brokers().get(id).map(|of| of.incarnation);
                let is_another = run(&node.broker()?.image()) != run(&image);
                if !self.syncs_each && (node.is_exposed() || is_another) {
                    return None;
                }
                Some((ix, views.get(ix.0)?.get(of)?.log_end.get()))
            })
            .collect()
    }
}

fn partition(view: &ReplicaView) -> Option<Partition> {
    let mut watched = WATCHED.iter().chain(&OWN_TOPICS);
    let topic = watched.find(|topic| ***topic == *view.topic)?;
    Some(Partition {
        topic,
        index: view.index.get(),
    })
}
