//! Tells a regression from noise.
//!
//! The unit is the *run*: one run of A and one of B, close together in time and
//! in random order, make a pair, and a pair's difference is `ln(B / A)`. What
//! the two runs share (the neighbour on the machine, the warm cache, the clock
//! speed of that minute) cancels in the difference; what remains is judged
//! without assuming a distribution.
//!
//! - [`signed_rank`] gives the exact one-sided probability of differences as
//!   bad as these when nothing changed.
//! - [`judge`] weighs one metric: FAIL needs both a probability below α and an
//!   estimate past the margin; PASS needs the interval's worse end below the
//!   limit; everything else is INCONCLUSIVE, with the effect that this many
//!   pairs can detect and how many would decide.
//! - [`session`] takes pairs as they come, looks early for a clear FAIL only,
//!   and weighs several metrics together by Holm's method.
//! - [`change_points`] searches stored history for the runs at which a metric's
//!   level moved.
//!
//! Nothing here runs, reads or prints anything.

pub mod change_points;
mod error;
pub mod judge;
pub mod session;
pub mod signed_rank;

pub use error::GateError;
pub use judge::{Direction, Judgement, Rules, Verdict, judge};
pub use session::{MetricRule, MetricVerdict, Outcome, Session};
