//! Who leads what: after a broker left or came back, and when someone asks.

use crate::broker::Broker;
use crate::config::{Layers, Properties};
use crate::metadata::Change;
use plimsoll_cluster::succession::{Rules, Wish, decide};
use plimsoll_cluster::{Image, MetadataRecord, PartitionChange, PartitionImage, ResourceType};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{NodeId, PartitionIndex};
use uuid::Uuid;

/// Which leaders are elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Election {
    /// Of partitions that have none.
    Orphans,
    /// The preferred one, where it does not lead.
    Preferred,
    /// Anyone, where there is none: records may be lost.
    Unclean,
}

/// What became of one partition's election.
type Elected = Result<(), ErrorCode>;

impl Broker {
    /// What holds for a partition of a topic.
    fn with_rules<T>(
        &self,
        image: &Image,
        topic: &str,
        unclean: bool,
        act: impl FnOnce(&Rules<'_>) -> T,
    ) -> T {
        let settings = settings_of(image, topic);
        let layers = self.layers();
        let in_sync_min = layers.topic_number(settings, "min.insync.replicas");
        let may_lead = |node: NodeId| may_lead(image, node);
        act(&Rules {
            may_lead: &may_lead,
            unclean: unclean
                || unclean_allowed(&layers, settings)
                || mutation::is(Mutation::ElectAnyone),
            in_sync_min: in_sync_min
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(1),
        })
    }

    /// Fulfils the wishes of all partitions for which there is one.
    pub(crate) fn decide_all(
        &self,
        change: &mut Change,
        mut wish: impl FnMut(&PartitionImage) -> Option<Wish>,
    ) {
        let mut found = Vec::new();
        let image = change.image();
        for topic in image.topics() {
            let wishes: Vec<_> = topic
                .partitions
                .iter()
                .filter_map(|(index, now)| wish(now).map(|wish| (*index, now, wish)))
                .collect();
            if wishes.is_empty() {
                continue;
            }
            self.with_rules(image, &topic.name, false, |rules| {
                for (index, now, wish) in wishes {
                    found.extend(decide(topic.id, index, now, &wish, rules));
                }
            });
        }
        for made in found {
            change.push(MetadataRecord::PartitionChange(made));
        }
    }

    /// Fulfils a wish for one partition. Answers whether anything changes.
    pub(crate) fn decide_one(
        &self,
        change: &mut Change,
        (topic, index): (&str, PartitionIndex),
        wish: &Wish,
        unclean: bool,
    ) -> Result<bool, ErrorCode> {
        let image = change.image();
        let made = {
            let (id, now) = find(image, topic, index)?;
            self.with_rules(image, topic, unclean, |rules| {
                decide(id, index, now, wish, rules)
            })
        };
        Ok(push(change, made))
    }

    /// Holds elections wherever they change something.
    pub(crate) fn elect(&self, change: &mut Change, election: Election) {
        self.decide_all(change, |partition| match election {
            Election::Preferred => {
                let first = partition.replicas.first();
                (first != Some(&partition.leader)).then(|| Wish {
                    preferred: true,
                    ..Wish::default()
                })
            }
            Election::Orphans | Election::Unclean => {
                (partition.leader == NodeId::NONE).then(Wish::default)
            }
        });
    }

    /// Holds one partition's election, as someone asked.
    pub(crate) fn elect_one(
        &self,
        change: &mut Change,
        (topic, index): (&str, PartitionIndex),
        election: Election,
    ) -> Elected {
        let (_, now) = find(change.image(), topic, index)?;
        let preferred = now.replicas.first().copied();
        let needed = match election {
            Election::Preferred => preferred != Some(now.leader),
            Election::Orphans | Election::Unclean => now.leader == NodeId::NONE,
        };
        if !needed {
            return Err(ErrorCode::ElectionNotNeeded);
        }
        let wish = Wish {
            preferred: election == Election::Preferred,
            ..Wish::default()
        };
        let unclean = election == Election::Unclean;
        self.decide_one(change, (topic, index), &wish, unclean)?;
        let (_, now) = find(change.image(), topic, index)?;
        match election {
            Election::Preferred if preferred != Some(now.leader) => {
                Err(ErrorCode::PreferredLeaderNotAvailable)
            }
            _ if now.leader == NodeId::NONE => Err(ErrorCode::EligibleLeadersNotAvailable),
            _ => Ok(()),
        }
    }

    /// Lets preferred leaders take over again.
    pub(super) fn balance_leaders(&self, now: Now) {
        let made = self.change(now, true, |change| self.elect(change, Election::Preferred));
        if let Err(refusal) = made {
            tracing::warn!(why = refusal.words, "cannot balance leaders");
        }
    }
}

/// Whether a node may lead partitions.
pub(crate) fn may_lead(image: &Image, node: NodeId) -> bool {
    image
        .brokers()
        .get(&node)
        .is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
}

fn settings_of<'a>(image: &'a Image, topic: &str) -> &'a Properties {
    static NONE: Properties = Properties::new();
    image.configs(ResourceType::Topic, topic).unwrap_or(&NONE)
}

fn unclean_allowed(layers: &Layers, own: &Properties) -> bool {
    layers
        .topic(own, "unclean.leader.election.enable")
        .is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"))
}

/// A partition, and its topic's id.
pub(crate) fn find<'a>(
    image: &'a Image,
    topic: &str,
    index: PartitionIndex,
) -> Result<(Uuid, &'a PartitionImage), ErrorCode> {
    let topic = image
        .topic(topic)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic.partitions.get(&index);
    partition
        .map(|partition| (topic.id, partition))
        .ok_or(ErrorCode::UnknownTopicOrPartition)
}

fn push(change: &mut Change, made: Option<PartitionChange>) -> bool {
    let changes = made.is_some();
    if let Some(made) = made {
        change.push(MetadataRecord::PartitionChange(made));
    }
    changes
}
