//! A request of any API: what the guard passes, the codec library reads to its
//! end or refuses, and our own codecs agree with it.

#![no_main]

#[path = "../../wire/tests/support/library.rs"]
#[expect(dead_code, reason = "only the guard's own tests encode again")]
mod library;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use plimsoll_wire::api::{ApiKey, ApiSpec};
use plimsoll_wire::fetch::{FetchRequest, FetchResponse};
use plimsoll_wire::guard::{self, sample};
use plimsoll_wire::header::RequestHeader;
use plimsoll_wire::produce::{ProduceRequest, ProduceResponse};

fuzz_target!(|input: &[u8]| {
    let [api, version, how, rest @ ..] = input else {
        return;
    };
    let spec = ApiKey::ALL[usize::from(*api) % ApiKey::ALL.len()].spec();
    let span = (spec.max - spec.min + 1) as u8;
    let version = spec.min + i16::from(version % span);
    let body = match how % 2 {
        0 => BytesMut::from(rest),
        _ => damaged_sample(spec, version, rest),
    };
    let _header_or_error = RequestHeader::decode(rest);
    let _response_or_error = ProduceResponse::decode(version, &body);
    let _response_or_error = FetchResponse::decode(version, &body);
    decode(spec, version, body);
});

/// A right body that the first half of `choices` picks, and bytes of it
/// overwritten as the second half says.
fn damaged_sample(spec: &ApiSpec, version: i16, choices: &[u8]) -> BytesMut {
    let (picks, damage) = choices.split_at(choices.len() / 2);
    let mut picks = picks.iter().map(|&byte| u32::from(byte));
    let mut body = sample(spec, version, &mut |below| {
        picks.next().unwrap_or(1) % below
    });
    for change in damage.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        if let Some(byte) = body.get_mut(at) {
            *byte = change[2];
        }
    }
    body
}

fn decode(spec: &'static ApiSpec, version: i16, mut body: BytesMut) {
    let passed = guard::check(spec, version, &body).is_ok();
    let theirs = passed.then(|| {
        let mut rest = Bytes::copy_from_slice(&body);
        let decoded = library::decode(spec.key, version, &mut rest);
        assert!(decoded.is_err() || rest.is_empty(), "{} left", rest.len());
        decoded
    });
    let ours = match spec.key {
        ApiKey::Produce => ProduceRequest::decode(version, &mut body).map(drop),
        ApiKey::Fetch => FetchRequest::decode(version, &body).map(drop),
        _ => return,
    };
    match (theirs, ours) {
        (Some(Ok(())), Err(error)) => {
            // The library takes any isolation level.
            let error = error.to_string();
            assert!(error.contains("isolation level"), "{error}");
        }
        (Some(Err(theirs)), Ok(())) => panic!("only the library refuses: {theirs}"),
        _ => {}
    }
}
