//! A producer's connection to one leader, with its requests in flight.
//!
//! Invariant: responses are matched to requests in order; a batch is owned
//! here from the moment it is sent until its verdict, so nothing is lost when
//! the connection breaks.

use super::conn::Conn;
use super::part::Batch;
use super::produce_codec::{self, Envelope, Glue, Verdict};
use crate::clock::Mono;
use crate::error::DriveError;
use std::collections::VecDeque;
use std::io::IoSlice;

/// Pieces in one gathering write.
const SLICES_MAX: usize = 256;

/// A connection and what is in flight on it.
#[derive(Debug)]
pub struct Link {
    /// The connection.
    pub conn: Conn,
    in_flight: VecDeque<Request>,
    /// How many of `in_flight`, from the front, are wholly written.
    written: usize,
}

/// What a broker answered to one request.
#[derive(Debug)]
pub struct Answer {
    /// Its batches, each with its verdict.
    pub batches: Vec<(Batch, Verdict)>,
    /// How long the broker held the client back by a quota.
    pub throttled_ms: u32,
}

#[derive(Debug)]
struct Request {
    correlation: i32,
    glue: Glue,
    batches: Vec<Batch>,
    total: usize,
    written: usize,
    sent_at: Mono,
}

impl Link {
    /// A link with nothing in flight.
    pub const fn new(conn: Conn) -> Self {
        Self {
            conn,
            in_flight: VecDeque::new(),
            written: 0,
        }
    }

    /// Requests without a response.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether some bytes still wait for room in the socket.
    pub fn is_unwritten(&self) -> bool {
        self.written < self.in_flight.len() || self.conn.holds_bytes()
    }

    /// When the oldest unanswered request was sent.
    pub fn oldest(&self) -> Option<Mono> {
        self.in_flight.front().map(|request| request.sent_at)
    }

    /// Queues one request.
    pub fn send(&mut self, envelope: &Envelope<'_>, batches: Vec<Batch>, now: Mono) {
        let correlation = self.conn.next_correlation();
        let lengths = batches
            .iter()
            .map(|batch| (batch.partition, batch.bytes.len()));
        let glue = produce_codec::encode(envelope, correlation, lengths);
        let carried: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        let total = glue.bytes.len() + carried;
        self.in_flight.push_back(Request {
            correlation,
            glue,
            batches,
            total,
            written: 0,
            sent_at: now,
        });
    }

    /// Writes what the socket takes.
    pub fn write(&mut self) -> Result<(), DriveError> {
        while self.is_unwritten() {
            let mut slices = Vec::with_capacity(8);
            for request in self.in_flight.range(self.written..) {
                request.gather(&mut slices);
                if slices.len() >= SLICES_MAX {
                    break;
                }
            }
            let written = self.conn.write(&slices)?;
            if written == 0 {
                return Ok(());
            }
            self.advance(written);
        }
        Ok(())
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(request) = self.in_flight.get_mut(self.written) {
            let step = bytes.min(request.total - request.written);
            request.written += step;
            bytes -= step;
            if request.written < request.total {
                return;
            }
            self.written += 1;
        }
    }

    /// Takes back the batches of requests that are wholly written, for acks = 0.
    pub fn take_written(&mut self) -> impl Iterator<Item = Batch> + '_ {
        let written = std::mem::take(&mut self.written);
        self.in_flight
            .drain(..written)
            .flat_map(|request| request.batches)
    }

    /// The next response that has arrived, as batches with their verdicts.
    pub fn next_verdicts(&mut self) -> Result<Option<Answer>, DriveError> {
        let Some(frame) = self.conn.frame()? else {
            return Ok(None);
        };
        let decoded = produce_codec::decode(frame);
        let produce_codec::Decoded {
            correlation,
            verdicts,
            throttled_ms,
        } = decoded.map_err(|e| self.conn.malformed(&e))?;
        self.conn.consume_frame();
        let expected = self.in_flight.front().map(|request| request.correlation);
        if expected != Some(correlation) {
            return Err(self.conn.malformed(&"an answer to no request"));
        }
        let Some(request) = self.in_flight.pop_front() else {
            return Ok(None);
        };
        self.written = self.written.saturating_sub(1);
        let mut paired = Vec::with_capacity(request.batches.len());
        for (at, batch) in request.batches.into_iter().enumerate() {
            let its = |verdict: &&Verdict| verdict.partition.get() == batch.partition.cast_signed();
            let in_order = verdicts.get(at).filter(its);
            let verdict = in_order.or_else(|| verdicts.iter().find(its)).copied();
            let verdict = verdict.unwrap_or_else(|| Verdict::unanswered(batch.partition));
            paired.push((batch, verdict));
        }
        Ok(Some(Answer {
            batches: paired,
            throttled_ms,
        }))
    }

    /// Gives up the connection; what was in flight has to be sent again.
    pub fn abandon(self) -> impl Iterator<Item = Batch> {
        self.in_flight
            .into_iter()
            .flat_map(|request| request.batches)
    }
}

impl Request {
    /// The pieces not yet written, in order.
    fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        let mut skip = self.written;
        let mut from = 0;
        let mut add = |piece: &'a [u8]| {
            let passed = skip.min(piece.len());
            skip -= passed;
            let rest = piece.get(passed..).unwrap_or_default();
            if !rest.is_empty() {
                slices.push(IoSlice::new(rest));
            }
        };
        for (cut, batch) in self.glue.cuts.iter().zip(&self.batches) {
            add(self.glue.bytes.get(from..*cut).unwrap_or_default());
            add(&batch.bytes);
            from = *cut;
        }
        add(self.glue.bytes.get(from..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(partition: u32, bytes: &[u8]) -> Batch {
        Batch::sealed(partition, bytes.to_vec())
    }

    #[test]
    fn a_write_cut_anywhere_goes_on_where_it_stopped() {
        let batches = vec![batch(0, b"first"), batch(3, b""), batch(4, b"third batch")];
        let envelope = Envelope {
            topic: "t",
            transactional_id: None,
            acks: 1,
            timeout_ms: 1,
        };
        let lengths = batches
            .iter()
            .map(|batch| (batch.partition, batch.bytes.len()));
        let glue = produce_codec::encode(&envelope, 1, lengths);
        let total = glue.bytes.len() + batches.iter().map(|b| b.bytes.len()).sum::<usize>();
        let mut request = Request {
            correlation: 1,
            glue,
            batches,
            total,
            written: 0,
            sent_at: Mono(0),
        };
        let flat = |request: &Request| {
            let mut slices = Vec::new();
            request.gather(&mut slices);
            slices
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect::<Vec<u8>>()
        };
        let whole = flat(&request);
        assert_eq!(whole.len(), total);
        for written in 0..=total {
            request.written = written;
            assert_eq!(flat(&request), whole[written..], "{written}");
        }
    }
}
