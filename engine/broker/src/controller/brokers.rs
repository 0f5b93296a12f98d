//! Brokers that come, live and go.

use super::elections::Election;
use crate::broker::Broker;
use crate::membership::{Beat, BeatReply};
use crate::metadata::Change;
use kafka_protocol::messages::BrokerRegistrationRequest;
use plimsoll_cluster::succession::Wish;
use plimsoll_cluster::{
    BrokerEndpoint, BrokerFeature, BrokerImage, BrokerRegistrationChange, Image, MetadataRecord,
    RegisterBroker, UnregisterBroker,
};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{BrokerEpoch, NodeId};

impl Broker {
    /// A broker's run asks to be let into the cluster.
    pub(crate) fn register_broker(
        &self,
        query: &BrokerRegistrationRequest,
        now: Now,
    ) -> Result<BrokerEpoch, ErrorCode> {
        if query.cluster_id.as_str() != self.cluster_id() {
            return Err(ErrorCode::InconsistentClusterId);
        }
        let node = NodeId(query.broker_id.0);
        if self.metadata.is_active() && self.is_taken(node, query, now) {
            return Err(ErrorCode::DuplicateBrokerRegistration);
        }
        let made = self.change(now, true, |change| self.register(change, query));
        let epoch = made.map_err(|refusal| refusal.code)?;
        self.heard_of(node, now);
        Ok(epoch)
    }

    /// Whether another run of this node lives.
    fn is_taken(&self, node: NodeId, query: &BrokerRegistrationRequest, now: Now) -> bool {
        let image = self.metadata.image();
        let Some(broker) = image.brokers().get(&node) else {
            return false;
        };
        let heard = self.controller.state.lock().heard.get(&node).copied();
        let lives =
            heard.is_some_and(|at| now.mono.since(at) < self.limits().cluster.session_timeout);
        broker.incarnation != query.incarnation_id && !broker.fenced && lives
    }

    fn register(&self, change: &mut Change, query: &BrokerRegistrationRequest) -> BrokerEpoch {
        let node = NodeId(query.broker_id.0);
        let before = change.image().brokers().get(&node).cloned();
        if let Some(known) = before
            .as_ref()
            .filter(|b| b.incarnation == query.incarnation_id)
        {
            return known.epoch;
        }
        let epoch = BrokerEpoch(change.first_offset().get());
        change.push(MetadataRecord::RegisterBroker(record_of(query, epoch)));
        if let Some(before) = before {
            let clean = before.epoch.get() == query.previous_broker_epoch
                || mutation::is(Mutation::TrustUncleanStop);
            self.leave_isrs(change, node, clean);
        }
        epoch
    }

    /// A broker says that it lives, and what it wants.
    pub(crate) fn hear_broker(
        &self,
        node: NodeId,
        beat: Beat,
        now: Now,
    ) -> Result<BeatReply, ErrorCode> {
        if !self.metadata.is_active() {
            return Err(ErrorCode::NotController);
        }
        let image = self.metadata.image();
        let broker = image.brokers().get(&node);
        let broker = broker.ok_or(ErrorCode::BrokerIdNotRegistered)?;
        if broker.epoch != beat.epoch {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        self.heard_of(node, now);
        let caught_up = beat.offset.get() >= beat.epoch.get();
        let mut fenced = broker.fenced;
        if beat.wants_stop {
            return self.let_go(node, broker, caught_up, now);
        }
        if fenced && caught_up && !beat.wants_fence {
            self.set_fenced(node, false, now)?;
            fenced = false;
        } else if !fenced && beat.wants_fence {
            self.set_fenced(node, true, now)?;
            fenced = true;
        }
        Ok(BeatReply {
            caught_up,
            fenced,
            may_stop: false,
        })
    }

    /// A broker that wants to stop leads nothing any more, and is let go once
    /// that is so.
    fn let_go(
        &self,
        node: NodeId,
        broker: &BrokerImage,
        caught_up: bool,
        now: Now,
    ) -> Result<BeatReply, ErrorCode> {
        if !broker.in_controlled_shutdown {
            let made = self.change(now, true, |change| {
                change.push(registration_change(node, change.image(), None, Some(true)));
                self.leave_isrs(change, node, true);
            });
            made.map_err(|refusal| refusal.code)?;
        }
        let published = self.metadata.image();
        let shuts_down = published
            .brokers()
            .get(&node)
            .is_some_and(|broker| broker.in_controlled_shutdown);
        Ok(BeatReply {
            caught_up,
            fenced: broker.fenced,
            may_stop: shuts_down,
        })
    }

    pub(super) fn heard_of(&self, node: NodeId, now: Now) {
        self.controller.state.lock().heard.insert(node, now.mono);
    }

    pub(super) fn set_fenced(&self, node: NodeId, fenced: bool, now: Now) -> Result<(), ErrorCode> {
        let made = self.change(now, true, |change| {
            let known = change.image().brokers().get(&node);
            if known.is_none_or(|broker| broker.fenced == fenced) {
                return;
            }
            change.push(registration_change(
                node,
                change.image(),
                Some(fenced),
                None,
            ));
            if fenced {
                self.leave_isrs(change, node, true);
            } else {
                // It may lead what nobody else could.
                self.elect(change, Election::Orphans);
            }
        });
        made.map_err(|refusal| refusal.code)
    }

    /// Fences brokers that were silent for a whole session.
    pub(super) fn end_sessions(&self, now: Now) {
        let timeout = self.limits().cluster.session_timeout;
        let image = self.metadata.image();
        let mut silent = Vec::new();
        {
            let mut state = self.controller.state.lock();
            for (node, broker) in image.brokers() {
                let heard = *state.heard.entry(*node).or_insert(now.mono);
                if !broker.fenced && now.mono.since(heard) > timeout {
                    silent.push(*node);
                }
            }
        }
        for node in silent {
            tracing::warn!(%node, "fenced: nothing was heard of it for {timeout:?}");
            if let Err(code) = self.set_fenced(node, true, now) {
                tracing::warn!(%node, why = code.name(), "cannot fence");
            }
        }
    }

    /// Takes a node out of every ISR. After an unclean stop it is not eligible
    /// to lead either: it may have lost what was not durable.
    fn leave_isrs(&self, change: &mut Change, node: NodeId, clean: bool) {
        self.decide_all(change, |partition| {
            let in_sync = partition.isr.contains(&node);
            if !clean && (in_sync || partition.eligible.contains(&node)) {
                return Some(Wish {
                    unclean_stop: Some(node),
                    ..Wish::default()
                });
            }
            (in_sync || partition.leader == node).then(|| Wish {
                isr: Some(
                    partition
                        .isr
                        .iter()
                        .copied()
                        .filter(|n| *n != node)
                        .collect(),
                ),
                ..Wish::default()
            })
        });
    }

    /// Forgets a broker that will not come back.
    pub(crate) fn unregister_broker(&self, node: NodeId, now: Now) -> Result<(), ErrorCode> {
        let made = self.change(now, true, |change| {
            let broker = change.image().brokers().get(&node);
            let epoch = broker.ok_or(ErrorCode::BrokerIdNotRegistered)?.epoch;
            self.leave_isrs(change, node, true);
            change.push(MetadataRecord::UnregisterBroker(UnregisterBroker {
                broker: node,
                epoch,
            }));
            Ok(())
        });
        made.map_err(|refusal| refusal.code)?
    }
}

fn registration_change(
    node: NodeId,
    image: &Image,
    fenced: Option<bool>,
    in_controlled_shutdown: Option<bool>,
) -> MetadataRecord {
    let epoch = image.brokers().get(&node).map(|broker| broker.epoch);
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
        broker: node,
        epoch: epoch.unwrap_or(BrokerEpoch(-1)),
        fenced,
        in_controlled_shutdown,
    })
}

fn record_of(query: &BrokerRegistrationRequest, epoch: BrokerEpoch) -> RegisterBroker {
    let endpoints = query.listeners.iter().map(|listener| BrokerEndpoint {
        name: listener.name.to_string(),
        host: listener.host.to_string(),
        port: listener.port,
        security_protocol: listener.security_protocol,
    });
    let features = query.features.iter().map(|feature| BrokerFeature {
        name: feature.name.to_string(),
        min: feature.min_supported_version,
        max: feature.max_supported_version,
    });
    RegisterBroker {
        broker: NodeId(query.broker_id.0),
        incarnation: query.incarnation_id,
        epoch,
        endpoints: endpoints.collect(),
        features: features.collect(),
        rack: query.rack.as_ref().map(ToString::to_string),
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs: query.log_dirs.clone(),
    }
}
