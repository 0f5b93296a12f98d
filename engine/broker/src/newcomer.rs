//! Questions about the cluster that come before this run can answer them.
//!
//! A run begins with what its last snapshot holds, often nothing, and replays
//! what came after. What it would say of the cluster meanwhile was true once, or
//! is empty, and a client that is told of no brokers may let go of all that it
//! knew. So such a question is held until this run was let in, as Kafka serves
//! nobody before it has caught up. Requests for data need no such care: they are
//! refused with errors on which clients try again.

use crate::broker::Broker;
use crate::connection::Connection;
use crate::forward::{Call, answered};
use crate::outcome::{Outcome, Response, Wake};
use crate::parked::{Parked, Waiting};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::{Instant, Now};
use std::sync::Arc;
use std::time::Duration;

/// How often a held question looks whether the run was let in. There is no last
/// time: whoever asks gives up by closing the connection.
const LOOK: Duration = Duration::from_millis(50);

/// Whether the answer says who is in the cluster, or what is.
pub(crate) const fn tells_of_the_cluster(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::Metadata | ApiKey::DescribeCluster | ApiKey::DescribeTopicPartitions
    )
}

/// Keeps a question until it can be answered.
pub(crate) fn hold(
    now: Now,
    connection: &Connection,
    call: Call,
    waker: &Arc<dyn Wake>,
) -> Outcome {
    let held = Held {
        call,
        connection: connection.stand_in(),
        waker: Arc::clone(waker),
    };
    Outcome::Parked(Parked::new(now.mono.after(LOOK), held))
}

struct Held {
    call: Call,
    connection: Connection,
    waker: Arc<dyn Wake>,
}

impl Waiting for Held {
    fn poll(&mut self, broker: &Broker, now: Now, _: bool) -> Option<Response> {
        if !broker.knows_the_cluster() {
            return None;
        }
        let mut outcome = broker.run(now, &mut self.connection, &self.call, &self.waker);
        answered(&mut outcome)
    }

    fn renew(&self, now: Now) -> Option<Instant> {
        Some(now.mono.after(LOOK))
    }
}
