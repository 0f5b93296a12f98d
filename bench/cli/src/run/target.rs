//! Where the load goes: a broker of our own for each cell, or a cluster that
//! is there.

use crate::embedded::{self, Embedded, Nodes};
use crate::target_config;
use anyhow::{Context as _, bail, ensure};
use plimsoll_drive::access::Bootstrap;
use plimsoll_drive::cell::{self, ClusterInfo, Rig, Target};
use plimsoll_drive::observe::local_listeners;
use plimsoll_results::TargetKind;
use plimsoll_workloads::{CellSpec, Plan};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `--target` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetChoice {
    /// A fresh broker for each cell.
    Embedded,
    /// The same, of another binary.
    Program(PathBuf),
    /// A Kafka cluster that is there.
    External(Bootstrap),
}

/// A cluster for the time of one cell.
#[derive(Debug)]
pub struct Cluster {
    /// What the driver is told.
    pub target: Target,
    brokers: Brokers,
}

/// The processes that are ours to end.
#[derive(Debug)]
enum Brokers {
    External,
    OneProcess(Embedded),
    Nodes(Arc<Nodes>),
}

impl TargetChoice {
    /// Reads `embedded` or `HOST:PORT,…`.
    pub fn parse(text: &str, config: Option<&Path>) -> anyhow::Result<Self> {
        if text == "embedded" {
            if let Some(path) = config {
                bail!(
                    "--target-config {}: the embedded broker needs none; give --target HOST:PORT",
                    path.display()
                );
            }
            return Ok(Self::Embedded);
        }
        let addresses: Vec<String> = text.split(',').map(|a| a.trim().to_owned()).collect();
        for address in &addresses {
            let port = address
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty());
            let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) {
                bail!(
                    "--target {text}: `{address}` is no address; accepted: embedded or HOST:PORT,…"
                );
            }
        }
        let security = config.map(target_config::read).transpose()?;
        Ok(Self::External(Bootstrap {
            addresses,
            security: security.unwrap_or_default(),
        }))
    }

    /// Makes sure that an external cluster answers.
    pub fn reach(&self) -> anyhow::Result<ClusterInfo> {
        match self {
            Self::Embedded | Self::Program(_) => Ok(ClusterInfo {
                nodes: 1,
                ..ClusterInfo::default()
            }),
            Self::External(bootstrap) => Ok(cell::reach(bootstrap)?),
        }
    }

    /// A cluster for a cell with these settings.
    pub fn start(&self, spec: &CellSpec) -> anyhow::Result<Cluster> {
        let bootstrap = match self {
            Self::External(bootstrap) => bootstrap,
            Self::Embedded => return start_embedded(spec, None),
            Self::Program(path) => return start_embedded(spec, Some(path.clone())),
        };
        let broker_pids = local_listeners(&bootstrap.addresses);
        Ok(Cluster {
            target: Target {
                bootstrap: bootstrap.clone(),
                broker_pids,
                rig: None,
            },
            brokers: Brokers::External,
        })
    }

    /// Refuses a plan with faults where there is no node to cause them in.
    pub fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        let faulty = plan.cells.iter().any(|cell| !cell.spec.faults.is_empty());
        ensure!(
            !faulty || !matches!(self, Self::External(_)),
            "faults: they are caused in the embedded cluster alone; leave --target out, or \
             [[faults]]"
        );
        Ok(())
    }

    /// Whether the plan has settings that this target does not take.
    pub fn ignores(&self, plan: &Plan) -> bool {
        let asks = |spec: &CellSpec| !spec.broker.is_empty() || spec.cluster.nodes != 1;
        matches!(self, Self::External(_)) && plan.cells.iter().any(|cell| asks(&cell.spec))
    }

    /// What the result calls it.
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Embedded | Self::Program(_) => TargetKind::Embedded,
            Self::External(_) => TargetKind::External,
        }
    }

    /// The addresses, when they are not a cell's own.
    pub fn addresses(&self) -> Vec<String> {
        match self {
            Self::Embedded | Self::Program(_) => Vec::new(),
            Self::External(bootstrap) => bootstrap.addresses.clone(),
        }
    }

    /// How connections are secured, without a secret.
    pub fn security(&self) -> String {
        match self {
            Self::Embedded | Self::Program(_) => Bootstrap::default().security.describe(),
            Self::External(bootstrap) => bootstrap.security.describe(),
        }
    }
}

fn start_embedded(spec: &CellSpec, program: Option<PathBuf>) -> anyhow::Result<Cluster> {
    let nodes = spec.cluster.nodes;
    ensure!(
        matches!(nodes, 1 | 3 | 5),
        "cluster.nodes = {nodes}: a quorum needs an odd number; accepted: 1, 3 or 5"
    );
    let properties = spec
        .broker
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<Vec<_>>();
    if !spec.faults.is_empty() {
        return start_nodes(program.as_ref(), &properties, nodes);
    }
    let mut extra = Vec::new();
    if nodes != 1 {
        extra = vec!["--nodes".into(), nodes.to_string().into()];
    }
    let options = embedded::Options {
        program,
        properties,
        extra,
        ..embedded::Options::default()
    };
    let broker = Embedded::start(&options)?;
    let target = Target {
        bootstrap: broker
            .address()
            .split(',')
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .into(),
        broker_pids: vec![broker.pid()],
        rig: None,
    };
    Ok(Cluster {
        target,
        brokers: Brokers::OneProcess(broker),
    })
}

/// A process for each node, so that faults can be caused in one of them.
fn start_nodes(
    program: Option<&PathBuf>,
    properties: &[(String, String)],
    count: u32,
) -> anyhow::Result<Cluster> {
    let nodes = Arc::new(Nodes::start(program, properties, count)?);
    let target = Target {
        bootstrap: nodes.addresses().to_vec().into(),
        broker_pids: nodes.pids(),
        rig: Some(Arc::clone(&nodes) as Arc<dyn Rig>),
    };
    Ok(Cluster {
        target,
        brokers: Brokers::Nodes(nodes),
    })
}

impl Cluster {
    /// How an embedded broker ended, if it has.
    pub fn death(&self) -> Option<String> {
        match &self.brokers {
            Brokers::External => None,
            Brokers::OneProcess(broker) => broker.death(),
            Brokers::Nodes(nodes) => nodes.death(),
        }
    }

    /// Ends an embedded broker. Nodes that faults were caused in are killed as
    /// they are: nobody reads what they leave.
    pub fn stop(self) -> anyhow::Result<()> {
        if let Brokers::OneProcess(broker) = self.brokers {
            broker.stop().context("cannot stop the embedded broker")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_misspelt_ones_refused() {
        let check = |text: &str, expected: Option<TargetChoice>| {
            assert_eq!(TargetChoice::parse(text, None).ok(), expected, "{text}");
        };
        let external = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
            Some(TargetChoice::External(addresses.into()))
        };
        check("embedded", Some(TargetChoice::Embedded));
        check("a:9092, b:9093", external(&["a:9092", "b:9093"]));
        check("[::1]:9092", external(&["[::1]:9092"]));
        check("embeded", None);
        check("host:port", None);
        check("host:0", None);
        check(":9092", None);
        check("", None);
    }
}
