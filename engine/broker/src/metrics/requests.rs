//! Requests by API: how many, how long they took, how they failed.

use super::counter::Counter;
use super::family::{Family, Kind, Value};
use super::histogram::Histogram;
use crate::broker::Broker;
use crate::outcome::Response;
use crate::routes::{ROUTES, number_of};
use parking_lot::Mutex;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

/// The account of all requests.
#[derive(Debug)]
pub(crate) struct Requests {
    /// In the order of [`ROUTES`].
    apis: Vec<Api>,
    /// Errors are rare enough for a lock.
    errors: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

/// The account of one API.
#[derive(Debug)]
struct Api {
    name: &'static str,
    received: Counter,
    total_time: Histogram,
}

impl Default for Requests {
    fn default() -> Self {
        let api = |route: &crate::routes::Route| Api {
            name: route.api.spec().name,
            received: Counter::default(),
            total_time: Histogram::default(),
        };
        Self {
            apis: ROUTES.iter().map(api).collect(),
            errors: Mutex::default(),
        }
    }
}

impl Requests {
    /// A request of this API has come.
    #[inline]
    pub(crate) fn received(&self, api: ApiKey) {
        if let Some(api) = number_of(api).and_then(|at| self.apis.get(at)) {
            api.received.add(1);
        }
    }

    /// A partition of a request, or all of it, was answered with an error.
    pub(crate) fn failed(&self, api: ApiKey, code: ErrorCode) {
        let mut errors = self.errors.lock();
        *errors.entry((api.spec().name, code.name())).or_default() += 1;
    }

    /// Counts the errors in a response, which forgets them.
    pub(crate) fn count_failures(&self, api: ApiKey, response: &mut Response) {
        for code in std::mem::take(&mut response.failures) {
            self.failed(
                api,
                ErrorCode::try_from(code).unwrap_or(ErrorCode::UnknownServerError),
            );
        }
    }

    pub(super) fn families(&self) -> [Family; 3] {
        let mut received = Family::new(
            "kafka_network_RequestMetrics_RequestsPerSec",
            Kind::Counter,
            "kafka.network:type=RequestMetrics,name=RequestsPerSec,request=…",
        );
        let mut times = Family::new(
            "kafka_network_RequestMetrics_TotalTimeMs",
            Kind::Histogram,
            "kafka.network:type=RequestMetrics,name=TotalTimeMs,request=…: from arrival until the \
             answer goes to the socket, in milliseconds.",
        );
        let mut errors = Family::new(
            "kafka_network_RequestMetrics_ErrorsPerSec",
            Kind::Counter,
            "kafka.network:type=RequestMetrics,name=ErrorsPerSec,request=…,error=…: for each \
             partition, group or other thing that was answered with an error.",
        );
        for api in self.apis.iter().filter(|api| api.received.get() > 0) {
            let label = || vec![("request", api.name.to_owned())];
            received.push(label(), Value::Count(api.received.get()));
            times.push(label(), Value::Spread(api.total_time.spread()));
        }
        for ((request, error), count) in &*self.errors.lock() {
            let labels = vec![
                ("request", (*request).to_owned()),
                ("error", (*error).to_owned()),
            ];
            errors.push(labels, Value::Count(*count));
        }
        [received, times, errors]
    }
}

impl Broker {
    /// The answer to a request of the API with this number goes to its socket.
    pub fn answered(&self, api: i16, took: Duration) {
        let number = ApiKey::try_from(api).ok().and_then(number_of);
        if let Some(api) = number.and_then(|at| self.requests.apis.get(at)) {
            api.total_time.record(took);
        }
    }
}
