//! The guard against the codec library: what one takes, the other takes.

#[path = "support/library.rs"]
mod library;

use bytes::Bytes;
use plimsoll_wire::api::{ApiKey, ApiSpec};
use plimsoll_wire::guard::{self, Fault, sample};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SAMPLES: u64 = 40;

/// Runs `check` on sampled bodies of every API in every version.
fn for_each_body(mut check: impl FnMut(&'static ApiSpec, i16, &[u8], &mut ChaCha8Rng)) {
    for &api in ApiKey::ALL {
        for version in api.spec().versions() {
            for seed in 0..SAMPLES {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let body = sample(api.spec(), version, &mut |below| {
                    random.random_range(0..below)
                });
                check(api.spec(), version, &body, &mut random);
            }
        }
    }
}

#[test]
fn the_library_encodes_every_version_that_is_served() {
    for &api in ApiKey::ALL {
        let spec = api.spec();
        assert_eq!((spec.min, spec.max), library::versions(api), "{api}");
    }
}

#[test]
fn the_guard_and_the_library_take_the_same_bodies() {
    for_each_body(|spec, version, body, _| {
        let context = || format!("{} {version}: {body:02x?}", spec.name);
        assert_eq!(guard::check(spec, version, body), Ok(()), "{}", context());
        let mut rest = Bytes::copy_from_slice(body);
        let again = library::reencode(spec.key, version, &mut rest);
        let again = again.unwrap_or_else(|error| panic!("{error}: {}", context()));
        assert!(rest.is_empty(), "{} left: {}", rest.len(), context());
        // The library leaves out tagged fields that have their default value.
        assert!(again.len() <= body.len(), "{}", context());
        if !spec.is_flexible(version) {
            assert_eq!(again, body, "{}", context());
        }
        assert_eq!(guard::check(spec, version, &again), Ok(()));
        let mut rest = again.clone().freeze();
        assert_eq!(library::reencode(spec.key, version, &mut rest), Ok(again));
    });
}

#[test]
fn a_body_cut_short_is_refused() {
    for_each_body(|spec, version, body, _| {
        for len in 0..body.len() {
            let cut = body.get(..len).unwrap();
            assert!(
                guard::check(spec, version, cut).is_err(),
                "{} {version}: {len} of {body:02x?}",
                spec.name
            );
        }
    });
}

#[test]
fn bytes_after_the_last_field_are_ignored_by_both() {
    const MORE: [u8; 3] = [1, 0, 0xff];
    for_each_body(|spec, version, body, _| {
        let longer = [body, &MORE].concat();
        assert_eq!(guard::check(spec, version, &longer), Ok(()));
        let mut rest = Bytes::from(longer);
        let read = library::decode(spec.key, version, &mut rest);
        assert!(read.is_ok(), "{} {version}", spec.name);
        assert_eq!(&rest[..], MORE, "{} {version}", spec.name);
    });
}

/// What librdkafka 2.16 sends to learn of brokers alone: the list of topics as
/// four zero bytes, where one says null. Kafka reads on after the first.
#[test]
fn librdkafkas_question_for_brokers_alone_is_understood() {
    let body = [0, 0, 0, 0, 1, 0, 0];
    assert_eq!(guard::check(ApiKey::Metadata.spec(), 13, &body), Ok(()));
}

#[test]
fn what_passes_after_damage_the_library_reads_or_refuses() {
    for_each_body(|spec, version, body, random| {
        if body.is_empty() {
            return;
        }
        let mut damaged = body.to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..damaged.len());
            damaged[at] = random.random();
        }
        if guard::check(spec, version, &damaged).is_ok() {
            let mut rest = Bytes::copy_from_slice(&damaged);
            if library::decode(spec.key, version, &mut rest).is_ok() {
                let read = damaged.len() - rest.len();
                assert!(
                    guard::check(spec, version, &damaged[..read]).is_ok(),
                    "{} {version}: the guard saw the same end of {damaged:02x?}",
                    spec.name
                );
            }
        }
    });
}

#[test]
fn what_is_wrong_is_said_with_the_field_it_is_in() {
    let check = |api: ApiKey, version: i16, body: &[u8], expected: &str| {
        let error = guard::check(api.spec(), version, body).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let metadata = ApiKey::Metadata;
    check(
        metadata,
        1,
        &[0x7f, 0xff, 0xff, 0xff],
        "Metadata 1, field `topics`: array of 2147483647 elements, 0 bytes left",
    );
    check(
        metadata,
        0,
        &[0xff; 4],
        "Metadata 0, field `topics`: null, expected a value",
    );
    check(
        metadata,
        99,
        &[],
        "Metadata 99, field `version`: version is not served",
    );
    check(
        metadata,
        1,
        &[0, 0, 0, 1, 0, 9, b'a'],
        "Metadata 1, field `name`: byte 6: 9 bytes needed, 1 left",
    );
    check(
        ApiKey::DescribeTopicPartitions,
        0,
        &[1, 0, 0, 0, 0, 7],
        "DescribeTopicPartitions 0, field `cursor`: presence 7, expected -1 or 1",
    );
    check(
        metadata,
        9,
        &[1, 0, 0, 0, 1, 5, 9],
        "Metadata 9, field `tagged fields`: byte 7: 9 bytes needed, 0 left",
    );
    let fetch = [&[0; 13][..], &[0; 8], &[1, 1, 1, 1, 1, 2, 0, 0]].concat();
    check(
        ApiKey::Fetch,
        14,
        &[&[0; 4][..], &fetch].concat(),
        "Fetch 14, field `replica_state`: tagged field 1 is not of this version",
    );
}

#[test]
fn a_request_that_would_decode_into_too_much_is_refused() {
    // Empty topic names: three bytes each on the wire, over a hundred decoded.
    let topics = 1_000_000u32;
    let mut body = Vec::new();
    let mut count = topics + 1;
    while count >= 0x80 {
        body.push(count as u8 | 0x80);
        count >>= 7;
    }
    body.push(count as u8);
    for _ in 0..topics {
        body.extend_from_slice(&[1, 0]);
    }
    body.extend_from_slice(&[0, 0, 0, 0]);
    let error = guard::check(ApiKey::Metadata.spec(), 9, &body).unwrap_err();
    assert_eq!(error.fault, Fault::Memory);
}
