//! A request whose response comes later.

use crate::broker::Broker;
use crate::outcome::Response;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::{Instant, Now};
use std::fmt;

/// A request that waits: for bytes, for other members of its group, for its
/// deadline.
///
/// It is polled when its waker was told, and once its deadline has passed.
/// Dropping it gives the request up.
pub struct Parked {
    deadline: Instant,
    waiting: Box<dyn Waiting>,
    /// Whose request it is, once that is known.
    api: Option<ApiKey>,
}

/// What a request waits for.
pub(crate) trait Waiting: Send {
    /// The response, when the wait is over. At the deadline it must be.
    fn poll(&mut self, broker: &Broker, now: Now, expired: bool) -> Option<Response>;

    /// When it wants to be polled next, after a poll without a response; none
    /// when that is its deadline, at which there is one.
    fn renew(&self, _now: Now) -> Option<Instant> {
        None
    }
}

impl Parked {
    pub(crate) fn new(deadline: Instant, waiting: impl Waiting + 'static) -> Self {
        Self {
            deadline,
            waiting: Box::new(waiting),
            api: None,
        }
    }

    /// Counts the errors of its response as of this API.
    pub(crate) const fn counted_as(&mut self, api: ApiKey) {
        self.api = Some(api);
    }

    /// When the request is to be polled at the latest. A poll may move it.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The response, when there is one by now. From the deadline on there is,
    /// unless the poll has moved it.
    pub fn poll(&mut self, broker: &Broker, now: Now) -> Option<Response> {
        let expired = now.mono >= self.deadline;
        let mut response = self.waiting.poll(broker, now, expired);
        if let (Some(response), Some(api)) = (&mut response, self.api) {
            broker.requests.count_failures(api, response);
        }
        if response.is_none()
            && let Some(next) = self.waiting.renew(now)
        {
            self.deadline = next;
        }
        response
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
