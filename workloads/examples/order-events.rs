//! Writes order events, one JSON object a line, to the standard output.
//!
//! ```text
//! cargo run -p plimsoll-workloads --example order-events > workloads/samples/order-events.jsonl
//! cargo run -p plimsoll-workloads --example order-events -- SEED BYTES
//! ```

use plimsoll_workloads::orders::{SHIPPED_BYTES_MAX, SHIPPED_SEED, order_events};
use std::{env, error::Error, io::Write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let seed = arguments
        .next()
        .map_or(Ok(SHIPPED_SEED), |seed| seed.parse())?;
    let bytes_max = arguments
        .next()
        .map_or(Ok(SHIPPED_BYTES_MAX), |bytes| bytes.parse())?;
    std::io::stdout().write_all(&order_events(seed, bytes_max))?;
    Ok(())
}
