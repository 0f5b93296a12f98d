//! Who a client is, as one node tells another: Kafka's default principal data, in
//! version 0.

use crate::authorizer::ANONYMOUS;
use bytes::Bytes;
use plimsoll_cluster::{ClusterError, Reader, Writer};
use std::sync::Arc;

/// The only version.
const VERSION: i16 = 0;
/// The type of every principal.
const USER: &str = "User";

/// The bytes for a user, or for someone who did not say who it is.
pub(crate) fn encode(user: Option<&str>) -> Bytes {
    let mut out = Writer::default();
    out.i16(VERSION);
    out.string(USER);
    out.string(user.unwrap_or_else(|| anonymous()));
    // Whether it came in by a delegation token.
    out.bool(false);
    out.no_tags();
    out.into_bytes().into()
}

/// The user, or nothing for someone who did not say who it is.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Arc<str>>, ClusterError> {
    let mut from = Reader::new(bytes);
    let malformed = |field, reason| ClusterError::Malformed { field, reason };
    if from.i16("principal version")? != VERSION {
        return Err(malformed("principal version", "0 is accepted"));
    }
    if from.string("principal type")? != USER {
        return Err(malformed("principal type", "User is accepted"));
    }
    let name = from.string("principal name")?;
    from.bool("token authenticated")?;
    from.skip_tags()?;
    Ok((name != anonymous()).then(|| name.into()))
}

fn anonymous() -> &'static str {
    ANONYMOUS.trim_start_matches("User:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_reads_back_and_a_part_of_it_does_not() {
        for user in [None, Some("alice"), Some("CN=a,O=b")] {
            let bytes = encode(user);
            assert_eq!(decode(&bytes).expect("it reads").as_deref(), user);
            for cut in 0..bytes.len() {
                assert!(decode(&bytes[..cut]).is_err(), "{user:?} cut at {cut}");
            }
        }
    }
}
