//! Topics and partitions.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use plimsoll_wire::types::{LeaderEpoch, NodeId, PartitionIndex};
use uuid::Uuid;

/// Writes a list of nodes.
fn write_nodes(out: &mut Writer, nodes: &[NodeId]) {
    out.array(nodes, |out, node| out.i32(node.get()));
}

/// Reads a list of nodes.
fn read_nodes(from: &mut Reader<'_>, field: &'static str) -> Result<Vec<NodeId>, ClusterError> {
    from.array(field, |from| from.i32(field).map(NodeId))
}

/// A topic exists. Its partitions follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The topic's name.
    pub name: String,
    /// The topic's id, which a later topic of the same name does not share.
    pub id: Uuid,
}

impl TopicRecord {
    pub(super) fn write(&self, out: &mut Writer) {
        out.string(&self.name);
        out.uuid(self.id);
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            name: from.string("topic name")?,
            id: from.uuid("topic id")?,
        };
        from.skip_tags()?;
        Ok(record)
    }
}

/// A partition with its replicas and its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// The partition's number.
    pub partition: PartitionIndex,
    /// The topic it belongs to.
    pub topic: Uuid,
    /// The nodes that hold it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The replicas in sync with the leader.
    pub isr: Vec<NodeId>,
    /// The replicas a reassignment takes away.
    pub removing: Vec<NodeId>,
    /// The replicas a reassignment adds.
    pub adding: Vec<NodeId>,
    /// The leader, or none.
    pub leader: NodeId,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// Counts the changes of this record.
    pub partition_epoch: i32,
    /// The replicas outside the ISR that hold all committed records (KIP-966).
    pub eligible: Vec<NodeId>,
    /// The replicas that were eligible before they stopped uncleanly.
    pub last_known_eligible: Vec<NodeId>,
}

impl PartitionRecord {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.partition.get());
        out.uuid(self.topic);
        write_nodes(out, &self.replicas);
        write_nodes(out, &self.isr);
        write_nodes(out, &self.removing);
        write_nodes(out, &self.adding);
        out.i32(self.leader.get());
        out.i32(self.leader_epoch.get());
        out.i32(self.partition_epoch);
        // One directory per replica; nil means that the replica chooses.
        out.array(&self.replicas, |out, _| out.uuid(Uuid::nil()));
        let lists = [(1, &self.eligible), (2, &self.last_known_eligible)];
        out.tagged(
            lists
                .into_iter()
                .filter(|(_, nodes)| !nodes.is_empty())
                .map(|(tag, nodes)| (tag, Writer::field(|out| write_nodes(out, nodes))))
                .collect(),
        );
    }

    pub(super) fn read(from: &mut Reader<'_>, version: u32) -> Result<Self, ClusterError> {
        let mut record = Self {
            partition: PartitionIndex(from.i32("partition")?),
            topic: from.uuid("topic id")?,
            replicas: read_nodes(from, "replicas")?,
            isr: read_nodes(from, "isr")?,
            removing: read_nodes(from, "removing replicas")?,
            adding: read_nodes(from, "adding replicas")?,
            leader: NodeId(from.i32("leader")?),
            leader_epoch: LeaderEpoch(from.i32("leader epoch")?),
            partition_epoch: from.i32("partition epoch")?,
            eligible: Vec::new(),
            last_known_eligible: Vec::new(),
        };
        if version >= 1 {
            from.array("directories", |from| from.uuid("directories"))?;
        }
        from.tagged(|tag, field| {
            match tag {
                1 => record.eligible = read_nodes(field, "eligible replicas")?,
                2 => record.last_known_eligible = read_nodes(field, "last eligible replicas")?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(record)
    }
}

/// Some fields of a partition change; absent ones stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionChange {
    /// The partition's number.
    pub partition: PartitionIndex,
    /// The topic it belongs to.
    pub topic: Uuid,
    /// The new in-sync replicas.
    pub isr: Option<Vec<NodeId>>,
    /// The new leader. A change of leader starts a new leader epoch.
    pub leader: Option<NodeId>,
    /// The new replicas.
    pub replicas: Option<Vec<NodeId>>,
    /// The replicas a reassignment takes away.
    pub removing: Option<Vec<NodeId>>,
    /// The replicas a reassignment adds.
    pub adding: Option<Vec<NodeId>>,
    /// The new eligible replicas.
    pub eligible: Option<Vec<NodeId>>,
    /// The replicas that were eligible before they stopped uncleanly.
    pub last_known_eligible: Option<Vec<NodeId>>,
}

impl PartitionChange {
    /// A change of nothing, to fill in.
    pub const fn of(topic: Uuid, partition: PartitionIndex) -> Self {
        Self {
            partition,
            topic,
            isr: None,
            leader: None,
            replicas: None,
            removing: None,
            adding: None,
            eligible: None,
            last_known_eligible: None,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.partition.get());
        out.uuid(self.topic);
        let nodes = |nodes: &Option<Vec<NodeId>>| {
            nodes
                .as_ref()
                .map(|nodes| Writer::field(|out| write_nodes(out, nodes)))
        };
        let leader = self
            .leader
            .map(|leader| Writer::field(|out| out.i32(leader.get())));
        let fields = [
            (0, nodes(&self.isr)),
            (1, leader),
            (2, nodes(&self.replicas)),
            (3, nodes(&self.removing)),
            (4, nodes(&self.adding)),
            (6, nodes(&self.eligible)),
            (7, nodes(&self.last_known_eligible)),
        ];
        out.tagged(
            fields
                .into_iter()
                .filter_map(|(tag, f)| f.map(|f| (tag, f)))
                .collect(),
        );
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let partition = PartitionIndex(from.i32("partition")?);
        let mut change = Self::of(from.uuid("topic id")?, partition);
        from.tagged(|tag, field| {
            match tag {
                0 => change.isr = Some(read_nodes(field, "isr")?),
                1 => change.leader = Some(NodeId(field.i32("leader")?)),
                2 => change.replicas = Some(read_nodes(field, "replicas")?),
                3 => change.removing = Some(read_nodes(field, "removing replicas")?),
                4 => change.adding = Some(read_nodes(field, "adding replicas")?),
                6 => change.eligible = Some(read_nodes(field, "eligible replicas")?),
                7 => {
                    change.last_known_eligible = Some(read_nodes(field, "last eligible replicas")?);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(change)
    }
}

/// A topic and its partitions are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveTopic {
    /// The topic's id.
    pub id: Uuid,
}

impl RemoveTopic {
    pub(super) fn write(&self, out: &mut Writer) {
        out.uuid(self.id);
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            id: from.uuid("topic id")?,
        };
        from.skip_tags()?;
        Ok(record)
    }
}
