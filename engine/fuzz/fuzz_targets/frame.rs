//! A stream that arrives in pieces gives the frames it holds, however it is cut.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use plimsoll_wire::frame::{self, LENGTH_LEN};

const LIMIT: usize = 1000;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (step, stream) = input;
    let mut buffer = BytesMut::new();
    let mut taken = 0;
    for piece in stream.chunks(usize::from(step) + 1) {
        buffer.extend_from_slice(piece);
        loop {
            match frame::split(&mut buffer, LIMIT) {
                Ok(Some(got)) => {
                    assert!(got.len() <= LIMIT);
                    let start = taken + LENGTH_LEN;
                    assert_eq!(got, stream[start..start + got.len()]);
                    taken = start + got.len();
                }
                Ok(None) => {
                    let missing = frame::missing(&buffer, LIMIT).expect("split agreed");
                    assert!(0 < missing && missing <= LIMIT + LENGTH_LEN);
                    break;
                }
                Err(_) => {
                    assert!(frame::missing(&buffer, LIMIT).is_err());
                    return;
                }
            }
        }
    }
    assert_eq!(taken + buffer.len(), stream.len());
});
