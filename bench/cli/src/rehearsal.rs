//! What the process that started a node may tell it on standard input, so that
//! it behaves as if its network or its disk failed: `cut NODE`, `mend NODE` and
//! `disk-delay MICROSECONDS`, one a line.

use plimsoll_server::Rehearsal;
use plimsoll_wire::types::NodeId;
use std::fmt;
use std::io::BufRead;
use std::str::FromStr;
use std::time::Duration;

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 256;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lose the requests to a node.
    Cut(u32),
    /// Let them pass again.
    Mend(u32),
    /// Let each write and sync of a log take so much longer.
    DiskDelay(Duration),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(node) => write!(f, "cut {node}"),
            Self::Mend(node) => write!(f, "mend {node}"),
            Self::DiskDelay(delay) => write!(f, "disk-delay {}", delay.as_micros()),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let refuse = || {
            format!("`{line}` is no order; accepted: cut NODE, mend NODE, disk-delay MICROSECONDS")
        };
        let (word, number) = line.trim().split_once(' ').ok_or_else(refuse)?;
        let node = || number.parse().map_err(|_| refuse());
        match word {
            "cut" => Ok(Self::Cut(node()?)),
            "mend" => Ok(Self::Mend(node()?)),
            "disk-delay" => {
                let micros = number.parse().map_err(|_| refuse())?;
                Ok(Self::DiskDelay(Duration::from_micros(micros)))
            }
            _ => Err(refuse()),
        }
    }
}

impl Order {
    /// Carries it out.
    pub fn obey(self, rehearsal: &Rehearsal) {
        let node = |number: u32| NodeId(i32::try_from(number).unwrap_or(i32::MAX));
        match self {
            Self::Cut(number) => rehearsal.cut(node(number), true),
            Self::Mend(number) => rehearsal.cut(node(number), false),
            Self::DiskDelay(delay) => rehearsal.slow_disk(delay),
        }
    }
}

/// Hands every order on `input` to `obey` until it ends. A line that is none is
/// logged and passed over.
pub fn listen(mut input: impl BufRead, mut obey: impl FnMut(Order)) {
    let mut line = String::new();
    loop {
        line.clear();
        let mut bounded = std::io::Read::take(&mut input, LINE_BYTES_MAX);
        match bounded.read_line(&mut line) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        match line.trim() {
            "" => {}
            text => match text.parse() {
                Ok(order) => {
                    tracing::info!("rehearsal: {order}");
                    obey(order);
                }
                Err(why) => tracing::warn!("standard input: {why}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_read_back_and_others_are_passed_over() {
        let orders = [
            Order::Cut(2),
            Order::Mend(2),
            Order::DiskDelay(Duration::from_millis(5)),
        ];
        let mut text: String = orders.iter().map(|order| format!("{order}\n")).collect();
        text.push_str("cut\nburn 1\n\ncut x\ndisk-delay -1\n");
        text.push_str(&"x".repeat(1000));
        let mut heard = Vec::new();
        listen(text.as_bytes(), |order| heard.push(order));
        assert_eq!(heard, orders);
    }
}
