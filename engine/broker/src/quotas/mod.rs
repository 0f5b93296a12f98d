//! How much clients may produce and fetch: what they did is counted, and who did
//! too much rests.
//!
//! As in Kafka a request is answered at once, with the time for which its
//! connection is not listened to from then on. A node counts for itself alone.
//! Without quotas nothing is counted and nothing is locked.

mod rate;

use crate::broker::Broker;
use crate::config::QuotaWindows;
use crate::connection::Connection;
use parking_lot::Mutex;
use plimsoll_cluster::{QuotaKey, QuotaShare};
use plimsoll_wire::time::Instant;
use rate::Rate;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// With how many rates those that nobody uses any more are looked for.
const RATES_SWEPT_FROM: usize = 1000;

/// What is counted, by who shares it.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    rates: Mutex<Rates>,
}

#[derive(Debug, Default)]
struct Rates {
    by_share: HashMap<(QuotaKey, QuotaShare), Rate>,
    /// How many there may be before the idle ones are looked for again.
    sweep_from: usize,
}

/// Who asks, as quotas name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asking<'a> {
    user: &'a str,
    client: &'a str,
}

impl<'a> Asking<'a> {
    /// The user of a connection, by the client of this name.
    pub(crate) fn of(connection: &'a Connection, client: Option<&'a str>) -> Self {
        Self {
            user: connection.user().unwrap_or("ANONYMOUS"),
            client: client.unwrap_or_default(),
        }
    }
}

/// Until when a connection is not listened to. Its requests share it.
#[derive(Debug, Default)]
pub(crate) struct Mute(AtomicU64);

impl Mute {
    /// Not before then.
    pub(crate) fn until(&self, then: Instant) {
        let nanos = u64::try_from(then.0.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The moment from which it is listened to, which may have passed.
    pub(crate) fn ends(&self) -> Instant {
        Instant(Duration::from_nanos(self.0.load(Ordering::Relaxed)))
    }
}

/// A rest as responses tell it: never less than it is.
pub(crate) fn throttle_ms(rest: Duration) -> i32 {
    let ms = rest.as_nanos().div_ceil(1_000_000);
    i32::try_from(ms).unwrap_or(i32::MAX)
}

/// What bounds a client.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// How much a second.
    limit: f64,
    /// Who shares it.
    shared: (QuotaKey, QuotaShare),
    windows: QuotaWindows,
}

impl Bound {
    /// The most that one request may bring: more would never be within it.
    pub(crate) fn allowance(&self) -> usize {
        (self.limit * self.windows.full().as_secs_f64()) as usize
    }
}

impl Quotas {
    /// Looks at what was counted of those who share a bound.
    fn with<T>(&self, bound: Bound, now: Instant, act: impl FnOnce(&mut Rate) -> T) -> T {
        let windows = bound.windows;
        let mut rates = self.rates.lock();
        if rates.by_share.len() >= rates.sweep_from.max(RATES_SWEPT_FROM) {
            rates
                .by_share
                .retain(|_, rate| !rate.is_idle(&windows, now));
            rates.sweep_from = rates.by_share.len().saturating_mul(2);
        }
        act(rates.by_share.entry(bound.shared).or_default())
    }
}

impl Broker {
    /// Counts what was produced. Answers for how long the client rests.
    pub(crate) fn count_produced(&self, by: &Asking<'_>, bytes: usize, now: Instant) -> Duration {
        let Some(bound) = self.bound(QuotaKey::ProducerByteRate, by) else {
            return Duration::ZERO;
        };
        let (windows, limit) = (bound.windows, bound.limit);
        self.quotas.with(bound, now, |rate| {
            rate.record(&windows, bytes as f64, now);
            rate.excess(&windows, limit, now)
        })
    }

    /// Counts what is about to be fetched, unless that is too much: then the
    /// client is to fetch nothing, and rests for as long as is answered.
    pub(crate) fn count_fetched(&self, bound: Bound, bytes: u64, now: Instant) -> Duration {
        let (windows, limit) = (bound.windows, bound.limit);
        self.quotas.with(bound, now, |rate| {
            rate.record(&windows, bytes as f64, now);
            let rest = rate.excess(&windows, limit, now);
            if !rest.is_zero() {
                rate.record(&windows, -(bytes as f64), now);
            }
            rest
        })
    }

    /// What bounds a client, if anything does.
    pub(crate) fn bound(&self, key: QuotaKey, by: &Asking<'_>) -> Option<Bound> {
        let image = self.image();
        let (limit, share) = image.quotas().bound(key, by.user, by.client)?;
        Some(Bound {
            limit: limit.get(),
            shared: (key, share),
            windows: self.limits().quota_windows,
        })
    }
}
