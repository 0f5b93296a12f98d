//! Key version 2, value versions 0 to 4: a group of the classic protocol as
//! its leader last arranged it. Version 3 is written, as Kafka 4 does.

use super::bytes::{Reader, SchemaError, Writer};
use crate::names::{GroupId, InstanceId, MemberId};
use bytes::Bytes;
use plimsoll_wire::types::TimestampMs;
use std::time::Duration;

/// A classic group, from one assignment to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicValue {
    /// What the members use the group for: `consumer`, `connect`, ….
    pub protocol_type: String,
    /// How many rebalances the group has completed.
    pub generation: i32,
    /// The assignor the members voted for; none while the group is empty.
    pub protocol: Option<String>,
    /// The member that computes assignments.
    pub leader: Option<MemberId>,
    /// When the group came to its present state; −1 when unknown.
    pub state_since: TimestampMs,
    /// The members with their assignments.
    pub members: Vec<ClassicMemberValue>,
}

/// One member of a classic group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMemberValue {
    /// The member.
    pub member: MemberId,
    /// Its identity over restarts, when it is static.
    pub instance: Option<InstanceId>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// How long the group waits for it to rejoin.
    pub rebalance_timeout: Duration,
    /// How long it may be silent.
    pub session_timeout: Duration,
    /// Its metadata for the chosen protocol.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

/// Milliseconds as the wire carries them. Saturates: no timeout is that long.
pub(crate) fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}

/// A timeout as the wire carries it; negative ones count as none.
pub(crate) fn wait(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub(crate) const GROUP_KEY: i16 = 2;

pub(crate) fn encode_key(version: i16, group: &GroupId) -> Bytes {
    let mut out = Writer::version(version, false);
    out.str(group.as_str());
    out.finish()
}

impl ClassicValue {
    const NEWEST: i16 = 4;

    pub(crate) fn encode(&self) -> Bytes {
        self.encode_as(3)
    }

    pub(crate) fn encode_as(&self, version: i16) -> Bytes {
        let mut out = Writer::version(version, version >= 4);
        out.str(&self.protocol_type);
        out.i32(self.generation);
        out.opt_str(self.protocol.as_deref());
        out.opt_str(self.leader.as_ref().map(MemberId::as_str));
        if version >= 2 {
            out.i64(self.state_since.get());
        }
        out.array(self.members.iter(), |out, m| m.encode(out, version));
        out.no_tagged();
        out.finish()
    }

    pub(crate) fn decode(raw: &[u8]) -> Result<Self, SchemaError> {
        let mut input = Reader::new(raw);
        let version = input.version("group metadata value", Self::NEWEST)?;
        input.flexible_from(version, 4);
        let value = Self {
            protocol_type: input.str("protocol type")?.to_owned(),
            generation: input.i32("generation")?,
            protocol: input.opt_str("protocol")?.map(str::to_owned),
            leader: input.opt_str("leader")?.map(MemberId::from),
            state_since: match version {
                2.. => TimestampMs(input.i64("state timestamp")?),
                _ => TimestampMs::NONE,
            },
            members: input.array("members", |r| ClassicMemberValue::decode(r, version))?,
        };
        input.no_tagged()?;
        Ok(value)
    }
}

impl ClassicMemberValue {
    fn encode(&self, out: &mut Writer, version: i16) {
        out.str(self.member.as_str());
        if version >= 3 {
            out.opt_str(self.instance.as_ref().map(InstanceId::as_str));
        }
        out.str(&self.client_id);
        out.str(&self.client_host);
        if version >= 1 {
            out.i32(millis(self.rebalance_timeout));
        }
        out.i32(millis(self.session_timeout));
        out.bytes(&self.subscription);
        out.bytes(&self.assignment);
        out.no_tagged();
    }

    fn decode(input: &mut Reader<'_>, version: i16) -> Result<Self, SchemaError> {
        let member = input.str("member id")?.into();
        let instance = match version {
            3.. => input.opt_str("instance id")?.map(InstanceId::from),
            _ => None,
        };
        let client_id = input.str("client id")?.to_owned();
        let client_host = input.str("client host")?.to_owned();
        let rebalance_timeout = match version {
            1.. => Some(input.i32("rebalance timeout")?),
            _ => None,
        };
        let session_timeout = input.i32("session timeout")?;
        let value = Self {
            member,
            instance,
            client_id,
            client_host,
            rebalance_timeout: wait(rebalance_timeout.unwrap_or(session_timeout)),
            session_timeout: wait(session_timeout),
            subscription: input.bytes("subscription")?,
            assignment: input.bytes("assignment")?,
        };
        input.no_tagged()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ClassicValue {
        ClassicValue {
            protocol_type: "consumer".into(),
            generation: 7,
            protocol: Some("range".into()),
            leader: Some("m1".into()),
            state_since: TimestampMs(1_700_000_000_000),
            members: vec![ClassicMemberValue {
                member: "m1".into(),
                instance: Some("i1".into()),
                client_id: "c".into(),
                client_host: "/127.0.0.1".into(),
                rebalance_timeout: Duration::from_secs(300),
                session_timeout: Duration::from_secs(45),
                subscription: Bytes::from_static(b"sub"),
                assignment: Bytes::from_static(b"asg"),
            }],
        }
    }

    #[test]
    fn every_version_keeps_what_it_has_room_for() {
        for version in 0..=4 {
            let mut expected = sample();
            if version < 3 {
                expected.members[0].instance = None;
            }
            if version < 2 {
                expected.state_since = TimestampMs::NONE;
            }
            if version < 1 {
                expected.members[0].rebalance_timeout = Duration::from_secs(45);
            }
            let read = ClassicValue::decode(&sample().encode_as(version));
            assert_eq!(read, Ok(expected), "version {version}");
        }
    }

    #[test]
    fn a_value_cut_anywhere_is_an_error() {
        for version in 0..=4 {
            let whole = sample().encode_as(version);
            for cut in 0..whole.len() {
                assert!(
                    ClassicValue::decode(&whole[..cut]).is_err(),
                    "version {version} cut at {cut}"
                );
            }
        }
    }
}
