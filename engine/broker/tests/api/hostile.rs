//! Bytes that no honest client sends: never a panic, never a huge response.

use crate::support::{World, body};
use plimsoll_broker::Outcome;
use plimsoll_wire::api::ApiKey;
use proptest::prelude::*;

/// The most a response to a handful of bytes may take: the description of
/// every setting of the broker is the longest.
const RESPONSE_BYTES_MAX: usize = 64 << 10;

fn check(world: &mut World, api: ApiKey, version: i16, bytes: &[u8]) {
    if let Outcome::Ready(response) = world.send(api, version, bytes) {
        let length = body(api, version, &response).len();
        assert!(
            length <= RESPONSE_BYTES_MAX,
            "{api} {version}: {length} bytes"
        );
    }
}

#[test]
fn a_length_of_two_thousand_million_is_refused_by_every_api_in_every_version() {
    let mut world = World::new();
    for &api in ApiKey::ALL {
        for version in api.spec().versions() {
            for at in 0..24 {
                let mut bytes = vec![0; at];
                bytes.extend_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
                check(&mut world, api, version, &bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived_by_every_api_in_every_version(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1u8), Just(2u8), any::<u8>()], 0..96),
    ) {
        let mut world = World::new();
        for &api in ApiKey::ALL {
            for version in api.spec().versions() {
                check(&mut world, api, version, &bytes);
            }
        }
    }
}
