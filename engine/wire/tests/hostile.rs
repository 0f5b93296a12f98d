//! Hostile input under an allocator that counts: nothing panics, and nothing
//! makes the process hold more than the bounds below.
//!
//! | what | at most held, besides the input |
//! |---|---|
//! | splitting frames | nothing |
//! | the guard | nothing |
//! | the library, behind the guard | [`guard::DECODED_MAX_BYTES`] |
//! | Produce and Fetch | 160 bytes for each of [`Entries::MAX`] entries |
//! | a batch's header and checksum | nothing |
//! | records | twice the cap, and [`CODEC_MAX`] for the codec |
//!
//! zstd's own memory is C's and not counted here; its window is limited to the
//! cap or 8 MiB, as the compression module says.

#[path = "support/library.rs"]
#[expect(dead_code, reason = "only the guard's own tests encode again")]
mod library;

use bytes::{Bytes, BytesMut};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{self, BatchBuilder, BatchSettings, ProduceRules, TimestampType};
use plimsoll_wire::compression::{Compression, CompressionError, compress, decompress};
use plimsoll_wire::fetch::{FetchRequest, FetchResponse};
use plimsoll_wire::frame::{self, REQUEST_MAX_BYTES};
use plimsoll_wire::guard::{self, sample};
use plimsoll_wire::header::RequestHeader;
use plimsoll_wire::produce::{ProduceRequest, ProduceResponse};
use plimsoll_wire::read::Entries;
use plimsoll_wire::types::TimestampMs;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a codec works in: two blocks of lz4's largest size are the most.
const CODEC_MAX: usize = 20 << 20;
/// Slack for what small vectors, errors and the test itself take.
const SLACK: usize = 64 << 10;

#[expect(unsafe_code, reason = "an allocator cannot be had without")]
mod counting {
    //! Counts the bytes that the current thread holds, and the most it held.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    struct Counting;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    thread_local! {
        static HELD: Cell<isize> = const { Cell::new(0) };
        static PEAK: Cell<isize> = const { Cell::new(0) };
    }

    fn add(bytes: isize) {
        let held = HELD.get() + bytes;
        HELD.set(held);
        PEAK.set(PEAK.get().max(held));
    }

    // SAFETY: every call is passed on to the system's allocator as it came; the
    // counters are constant-initialised and allocate nothing.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            add(layout.size() as isize);
            // SAFETY: the caller keeps to the contract of the same method.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            add(-(layout.size() as isize));
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // While it moves, old and new are both held.
            add(size as isize);
            // SAFETY: as above.
            let moved = unsafe { System.realloc(pointer, layout, size) };
            add(-(layout.size() as isize));
            moved
        }
    }

    /// Runs `work`, and says how many bytes more it held at most than before.
    pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = HELD.get();
        PEAK.set(before);
        let done = work();
        (done, (PEAK.get() - before).max(0) as usize)
    }
}

/// Runs `work` and checks that it holds no more than `most` at any time.
#[track_caller]
fn check_within<T>(most: usize, work: impl FnOnce() -> T) -> T {
    let (done, peak) = counting::peak_of(work);
    assert!(peak <= most + SLACK, "held {peak}, expected at most {most}");
    done
}

/// Everything that is done with bytes from a socket, as a broker does it.
fn receive(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some(mut frame)) = frame::split(&mut buffer, REQUEST_MAX_BYTES) {
        let Ok((header, body)) = RequestHeader::decode(&frame) else {
            continue;
        };
        let (spec, version) = (header.spec, header.version);
        let mut body = frame.split_off(body);
        let guarded = guard::check(spec, version, &body).is_ok();
        match spec.key {
            ApiKey::Produce => {
                if let Ok(request) = ProduceRequest::decode(version, &mut body) {
                    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
                    partitions.for_each(|partition| inspect(partition.records));
                }
            }
            ApiKey::Fetch => drop(FetchRequest::decode(version, &body)),
            _ => {}
        }
        if guarded {
            let _refused_or_read = library::decode(spec.key, version, &mut body.freeze());
        }
    }
}

const RULES: ProduceRules = ProduceRules {
    message_max_bytes: 1 << 20,
    timestamp_type: TimestampType::CreateTime,
    now: TimestampMs(0),
    timestamp_before_max_ms: i64::MAX,
    timestamp_after_max_ms: i64::MAX,
    zstd_allowed: true,
    keys_required: true,
    inflated_max_bytes: INFLATED_MAX,
};
const INFLATED_MAX: usize = 1 << 20;

/// Everything that is done with a batch, valid or not.
fn inspect(batch: &[u8]) {
    let _verdict = batch::validate_produce(batch, &RULES);
    let mut scratch = Vec::new();
    if let Ok(records) = batch::records(batch, &mut scratch, INFLATED_MAX) {
        let headers = records
            .map_while(Result::ok)
            .map(|record| record.headers.iter().count());
        let _all_read: usize = headers.sum();
    }
}

fn frame_of(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&(10 + body.len() as i32).to_be_bytes());
    frame.extend_from_slice(&api.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
    frame.extend_from_slice(body);
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn garbage_bodies_cost_no_more_than_their_bytes(
        api in 0i16..80,
        version in 0i16..20,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let frame = frame_of(api, version, &body);
        check_within(4 * INFLATED_MAX + CODEC_MAX, || receive(&frame));
    }

    #[test]
    fn garbage_streams_cost_no_more_than_their_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        check_within(4 * INFLATED_MAX + CODEC_MAX, || receive(&bytes));
    }

    #[test]
    fn garbage_responses_are_refused_or_read(
        version in 3i16..19,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check_within(200 * body.len(), || {
            drop(ProduceResponse::decode(version, &body));
            drop(FetchResponse::decode(version, &body));
        });
    }

    #[test]
    fn damaged_batches_are_refused_or_read(
        codec in prop::sample::select(&Compression::ALL[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut builder = BatchBuilder::new(BatchSettings { compression: codec, ..BatchSettings::default() });
        for _ in 0..10 {
            builder.push(TimestampMs(5), Some(b"key"), Some(&[9; 30]));
        }
        let mut batch = builder.build().unwrap();
        for (at, byte) in damage {
            let at = at.index(batch.len());
            batch[at] = byte;
        }
        let cut = batch.len() - cut.index(batch.len()) / 8;
        check_within(4 * INFLATED_MAX + CODEC_MAX, || inspect(&batch[..cut]));
    }
}

/// Twenty bytes that claim 2³¹ − 1 elements, for every array of every API: the
/// library alone would ask for gigabytes and abort.
#[test]
fn a_claim_of_two_billion_elements_costs_nothing() {
    let claims: [&[u8]; 3] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
    ];
    for &api in ApiKey::ALL {
        for version in api.spec().versions() {
            for claim in claims {
                for before in 0..16 {
                    let body = [&vec![0; before][..], claim].concat();
                    let frame = frame_of(api.key(), version, &body);
                    check_within(0, || receive(&frame));
                }
            }
        }
    }
}

/// The same claims in the middle of bodies that are right up to there.
#[test]
fn lengths_blown_up_within_good_requests_cost_nothing() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for &api in ApiKey::ALL {
        for version in api.spec().versions() {
            let choose = &mut |below| random.random_range(0..below);
            let body = sample(api.spec(), version, choose);
            for at in 0..body.len() {
                let mut blown = body.to_vec();
                let end = (at + 4).min(blown.len());
                blown[at..end].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff][..end - at]);
                check_within(SLACK, || receive(&frame_of(api.key(), version, &blown)));
            }
        }
    }
}

/// A body of `count` elements of `element`, as flexible versions write it.
fn flexible_array(count: u32, element: &[u8], end: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut claim = count + 1;
    while claim >= 0x80 {
        body.push(claim as u8 | 0x80);
        claim >>= 7;
    }
    body.push(claim as u8);
    body.extend_from_slice(&element.repeat(count as usize));
    body.extend_from_slice(end);
    body
}

#[test]
fn what_passes_the_guard_decodes_within_its_bound() {
    let check = |api: ApiKey, version: i16, element: &[u8], end: &[u8]| {
        let spec = api.spec();
        let body_of = |count| flexible_array(count, element, end);
        // The most elements that the guard lets through, by bisection.
        let (mut few, mut many) = (1, 1 << 22);
        while many - few > 1 {
            let middle = (few + many) / 2;
            match guard::check(spec, version, &body_of(middle)) {
                Ok(()) => few = middle,
                Err(_) => many = middle,
            }
        }
        let mut body = Bytes::from(body_of(few));
        let held = guard::DECODED_MAX_BYTES;
        check_within(0, || guard::check(spec, version, &body)).unwrap();
        let (decoded, peak) = counting::peak_of(|| library::decode(api, version, &mut body));
        decoded.unwrap();
        assert!(peak <= held, "{api} {version}: {few} elements held {peak}");
        assert!(
            peak >= held / 4,
            "{api} {version}: {few} elements held only {peak}"
        );
    };
    // Metadata: topics of no name. DeleteGroups: empty names.
    check(ApiKey::Metadata, 9, &[1, 0], &[0, 0, 0, 0]);
    check(ApiKey::DeleteGroups, 2, &[1], &[0]);
    // CreateTopics: a name, counts, no assignments, no configs.
    let topic = [1, 0, 0, 0, 1, 0, 1, 1, 1, 0];
    check(ApiKey::CreateTopics, 5, &topic, &[0, 0, 0, 0, 0, 0]);
    // DescribeTopicPartitions: topics each with one unknown tagged field.
    check(
        ApiKey::DescribeTopicPartitions,
        0,
        &[1, 1, 99, 0],
        &[0, 0, 0, 1, 0xff, 0],
    );
}

#[test]
fn produce_and_fetch_keep_a_bounded_number_of_entries() {
    let most = 160 * Entries::MAX;
    // Topics without partitions: name, no partitions, no tagged fields.
    let topics = flexible_array(1 << 20, &[1, 1, 0], &[0]);
    let mut produce = [&[0, 0, 1, 0, 0, 0, 0][..], &topics].concat();
    check_within(most, || {
        ProduceRequest::decode(9, &mut produce).unwrap_err()
    });
    let fetch = [&[0; 25][..], &topics, &[1, 1, 0]].concat();
    check_within(most, || FetchRequest::decode(12, &fetch).unwrap_err());
    let topics = flexible_array(Entries::MAX as u32, &[1, 1, 0], &[1, 1, 0]);
    let fetch = [&[0; 25][..], &topics].concat();
    check_within(most, || drop(FetchRequest::decode(12, &fetch).unwrap()));
}

#[test]
fn decompression_bombs_stop_at_the_cap() {
    const BOMB: usize = 256 << 20;
    const CAP: usize = 1 << 20;
    for codec in Compression::ALL {
        let mut bomb = Vec::new();
        // Bombs are made in pieces where the format can be joined, so that
        // making one does not take what it inflates to.
        match codec {
            Compression::Gzip => {
                let mut member = Vec::new();
                compress(codec, Some(9), &vec![0; BOMB / 16], &mut member).unwrap();
                bomb = member.repeat(16);
            }
            _ => compress(codec, None, &vec![0; BOMB / 4], &mut bomb).unwrap(),
        }
        let mut out = Vec::new();
        let got = check_within(2 * CAP + CODEC_MAX, || {
            decompress(codec, &bomb, &mut out, CAP)
        });
        let expected = Err(CompressionError::TooLarge { codec, cap: CAP });
        assert_eq!(got, expected);
        assert!(out.len() <= CAP, "{codec}: {} bytes", out.len());
    }
}

#[test]
fn a_snappy_block_that_claims_gigabytes_costs_nothing() {
    let check = |input: &[u8]| {
        let work = || decompress(Compression::Snappy, input, &mut Vec::new(), 1 << 20);
        assert!(check_within(0, work).is_err());
    };
    check(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    let framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff\x0f\0\0";
    check(framed);
    let long_block = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff\0";
    check(long_block);
}
