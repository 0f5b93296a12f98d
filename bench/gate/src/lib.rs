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
//! - [`session`] takes pairs as they come and looks early for a clear FAIL only;
//!   [`order`] draws which side of a pair runs first.
//! - [`weigh`] puts several metrics together by Holm's method.
//! - [`groups`] weighs stored results, which are not pairs, by [`rank_sum`].
//! - [`history`] keeps runs over weeks, and [`change_points`] searches them
//!   for the runs at which a metric's level moved.
//!
//! Nothing here runs, reads or prints anything.

pub mod change_points;
mod error;
pub mod groups;
pub mod history;
pub mod judge;
pub mod order;
pub mod rank_sum;
pub mod report;
pub mod session;
pub mod signed_rank;
pub mod weigh;

pub use error::GateError;
pub use judge::{ALPHA, Direction, Judgement, Rules, Verdict, judge};
pub use report::{Discarded, Ended, GateReport, Method, Series};
pub use session::Session;
pub use weigh::{MetricRule, MetricVerdict, Outcome, Unit};
