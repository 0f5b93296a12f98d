//! Bytes of a cell's topic on the brokers' disks, as the brokers tell them.
//!
//! A thread of its own asks once a second, so that a broker that does not answer
//! holds nothing up but this. A cluster that does not tell is asked no more.

use crate::admin::Admin;
use crate::clock::{Mono, sleep_until};
use crate::driver::Route;
use crate::error::DriveError;
use crate::record::Window;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Topics of more partitions are not asked about: the answer would be a load of
/// its own.
const PARTITIONS_MAX: usize = 2_000;
/// How often the thread looks whether the cell has ended.
const LOOK_NANOS: u64 = 100_000_000;
const SECOND_NANOS: u64 = 1_000_000_000;

/// The bytes of a topic's files over the measured time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// At the end of each second of the window of which they are known.
    pub by_second: Vec<(u32, u64)>,
    /// When the cell was over.
    pub at_end: Option<u64>,
}

/// Asks for the size of a topic until it is told to end.
pub struct DiskWatch {
    route: Arc<Route>,
    samples: Arc<Mutex<Vec<(u32, u64)>>>,
    ended: Arc<AtomicBool>,
}

impl DiskWatch {
    /// Asks at the end of each second of `window`.
    pub fn start(route: &Arc<Route>, window: Window) -> Self {
        let watch = Self {
            route: Arc::clone(route),
            samples: Arc::default(),
            ended: Arc::default(),
        };
        let (samples, ended) = (Arc::clone(&watch.samples), Arc::clone(&watch.ended));
        let route = Arc::clone(route);
        let named = thread::Builder::new().name("disk-use".to_owned());
        let started = named.spawn(move || {
            ask(&route, window, &samples, &ended);
            // A thread that ends within the window takes its CPU time away.
            while !ended.load(Ordering::Relaxed) {
                sleep_until(Mono::now().plus(LOOK_NANOS));
            }
        });
        if let Err(error) = started {
            tracing::debug!(%error, "the disk is not watched");
        }
        watch
    }

    /// What was found. A question that is still open is not waited for.
    pub fn end(self) -> DiskUse {
        self.ended.store(true, Ordering::Relaxed);
        let by_second = std::mem::take(&mut *self.samples.lock());
        let told = !by_second.is_empty();
        let at_end = told.then(|| {
            let mut admin = Admin::reach(&self.route.bootstrap)?;
            size(&mut admin, &self.route)
        });
        DiskUse {
            at_end: at_end.and_then(Result::ok),
            by_second,
        }
    }
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn size(admin: &mut Admin, route: &Route) -> Result<u64, DriveError> {
    let partitions = u32::try_from(route.leaders.by_partition.len()).unwrap_or(u32::MAX);
    admin.topic_bytes(&route.topic, partitions)
}

/// Whether a broker that is there again will tell.
const fn may_pass(error: &DriveError) -> bool {
    matches!(
        error,
        DriveError::Io { .. } | DriveError::Timeout { .. } | DriveError::Unreachable { .. }
    )
}

fn ask(route: &Route, window: Window, samples: &Mutex<Vec<(u32, u64)>>, ended: &AtomicBool) {
    if route.leaders.by_partition.len() > PARTITIONS_MAX {
        return;
    }
    let mut admin = None;
    let mut next = window.from.plus(SECOND_NANOS).min(window.to);
    loop {
        while Mono::now() < next {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            sleep_until(next.min(Mono::now().plus(LOOK_NANOS)));
        }
        // A moment before the mark it is still the second that ends there.
        let second = window.second(Mono(next.0.saturating_sub(1)));
        let reached = match admin.take() {
            Some(reached) => Ok(reached),
            None => Admin::reach(&route.bootstrap),
        };
        let told = reached.and_then(|mut reached| {
            let bytes = size(&mut reached, route)?;
            Ok((reached, bytes))
        });
        match told {
            Ok((reached, bytes)) => {
                admin = Some(reached);
                samples.lock().push((second, bytes));
            }
            Err(error) => {
                tracing::debug!(%error, topic = route.topic, "the topic's size is not known");
                if !may_pass(&error) {
                    return;
                }
            }
        }
        if next >= window.to {
            return;
        }
        // What was missed meanwhile is left out.
        while next <= Mono::now() && next < window.to {
            next = next.plus(SECOND_NANOS).min(window.to);
        }
    }
}
