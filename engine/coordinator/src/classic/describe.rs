//! What DescribeGroups and ListGroups show of a classic group.

use super::{ClassicGroup, State};
use crate::reply::{DescribedGroup, DescribedMember, ListedGroup};
use bytes::Bytes;

impl ClassicGroup {
    /// Metadata and assignments are shown only while the group is stable.
    pub(crate) fn describe(&self) -> DescribedGroup {
        let stable = self.state == State::Stable;
        let protocol = self.protocol.as_deref().filter(|_| stable);
        let shown = |raw: Bytes| if stable { raw } else { Bytes::new() };
        let members = self.members.iter().map(|(id, m)| DescribedMember {
            member: id.clone(),
            instance: m.instance.clone(),
            client_id: m.client.id.clone(),
            client_host: m.client.host.clone(),
            metadata: protocol.map(|p| m.metadata(p)).unwrap_or_default(),
            assignment: shown(m.assignment.clone()),
        });
        DescribedGroup {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    pub(crate) fn listed(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state.name(),
            kind: "classic",
        }
    }
}
