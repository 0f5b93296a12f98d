//! How fast a log is compacted, recovered and opened, on files.
//!
//! ```text
//! cargo run --release -p plimsoll-log --example speed -- [--quick] [compact] [recover] [start]
//! ```
//!
//! - `compact`: 1 GiB of records of 1 KiB, each key ten times in no order, in
//!   one pass: MB/s, processor time and the memory it took.
//! - `recover`: the scan after a crash against reading the same file and
//!   computing the same checksums, in turns; at most 1.5 times as long.
//! - `start`: 1000 partitions of 5 segments after a clean stop; under a second.
//!
//! `--quick` takes a sixteenth of the bytes. It exits with 1 when a bound is
//! missed. The files stay in the page cache: what is measured is the code.

mod clock;
mod compact;
mod fill;
mod recover;
mod start;

use std::error::Error;
use std::process::ExitCode;

/// What a part answers: whether its bound holds.
pub type Verdict = Result<bool, Box<dyn Error>>;

/// A part's name and what runs it.
type Part = (&'static str, fn(Scale) -> Verdict);

/// How much a run does.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Everything is divided by this.
    pub divisor: u64,
    /// Turns of what is compared.
    pub rounds: usize,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let parts: [Part; 3] = [
        ("compact", compact::run),
        ("recover", recover::run),
        ("start", start::run),
    ];
    let mut scale = Scale {
        divisor: 1,
        rounds: 7,
    };
    let mut wanted = Vec::new();
    for word in std::env::args().skip(1) {
        match parts.iter().find(|(name, _)| *name == word) {
            Some(part) => wanted.push(*part),
            None if word == "--quick" => {
                scale = Scale {
                    divisor: 16,
                    rounds: 3,
                }
            }
            None => return Err(format!("{word}: give --quick, compact, recover or start").into()),
        }
    }
    if wanted.is_empty() {
        wanted.extend(parts);
    }
    let mut holds = true;
    for (_, run) in wanted {
        holds &= run(scale)?;
    }
    Ok(ExitCode::from(u8::from(!holds)))
}
