//! How far each group is behind the producers, over time.
//!
//! Pure: fed with samples of counts, it keeps sums and a few marks for each
//! group, however long the run.

use super::collector::Depot;
use super::window::Window;
use crate::clock::Mono;
use plimsoll_results::Backlog;

/// A group has caught up when it is at most this share of its peak behind.
const CAUGHT_UP: f64 = 0.01;
/// A peak of fewer records than this is no backlog.
const PEAK_MIN: u64 = 100;

/// The backlogs of a cell's groups.
#[derive(Clone, Debug)]
pub struct BacklogWatch {
    window: Window,
    groups: Vec<Track>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Track {
    /// When it was allowed to begin.
    starts: Mono,
    samples: f64,
    /// Sums over the window, of seconds since it began and of records behind.
    time: f64,
    behind: f64,
    time_squared: f64,
    time_behind: f64,
    peak: u64,
    end: u64,
    caught_up: Option<Mono>,
}

impl BacklogWatch {
    /// Groups that begin at these times.
    pub fn new(window: Window, starts: impl Iterator<Item = Mono>) -> Self {
        let track = |starts| Track {
            starts,
            ..Track::default()
        };
        Self {
            window,
            groups: starts.map(track).collect(),
        }
    }

    /// Notes how far every group is behind; the most of all.
    pub fn sample(&mut self, now: Mono, depot: &Depot) -> u64 {
        let groups = self.groups.iter_mut().zip(depot.backlogs());
        let sampled = groups.map(|(track, behind)| {
            track.sample(&self.window, now, behind);
            behind
        });
        sampled.max().unwrap_or(0)
    }

    /// What was found.
    pub fn results(&self) -> Vec<Backlog> {
        let groups = (0u32..).zip(&self.groups);
        groups
            .map(|(group, track)| Backlog {
                group,
                slope_records_per_s: track.slope(),
                peak_records: track.peak,
                end_records: track.end,
                caught_up_s: track
                    .caught_up
                    .map(|at| at.since(track.starts) as f64 / 1e9),
            })
            .collect()
    }
}

impl Track {
    fn sample(&mut self, window: &Window, now: Mono, behind: u64) {
        if behind > self.peak {
            self.peak = behind;
            self.caught_up = None;
        }
        let small = behind as f64 <= self.peak as f64 * CAUGHT_UP;
        if self.caught_up.is_none() && small && now >= self.starts && self.peak >= PEAK_MIN {
            self.caught_up = Some(now);
        }
        if now < window.from || now > window.to {
            return;
        }
        let (time, records) = (now.since(window.from) as f64 / 1e9, behind as f64);
        self.end = behind;
        self.samples += 1.0;
        self.time += time;
        self.behind += records;
        self.time_squared += time * time;
        self.time_behind += time * records;
    }

    /// Records a second, by least squares; 0 with too few samples.
    fn slope(&self) -> f64 {
        let spread = self.samples * self.time_squared - self.time * self.time;
        if spread <= 0.0 {
            return 0.0;
        }
        (self.samples * self.time_behind - self.time * self.behind) / spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn watched(behind: impl Fn(f64) -> f64) -> Backlog {
        let second = Duration::from_secs(1);
        let window = Window::new(Mono(0), second, second * 10, second * 10);
        let mut track = Track {
            starts: Mono(2 * SECOND),
            ..Track::default()
        };
        for tenth in 0..210 {
            let at = Mono(tenth * SECOND / 10);
            track.sample(&window, at, behind(tenth as f64 / 10.0) as u64);
        }
        let watch = BacklogWatch {
            window,
            groups: vec![track],
        };
        watch.results().remove(0)
    }

    #[test]
    fn a_backlog_that_grows_evenly_has_its_slope() {
        let backlog = watched(|time| 250.0 * time);
        assert!(
            (backlog.slope_records_per_s - 250.0).abs() < 1.0,
            "{backlog:?}"
        );
        assert_eq!(backlog.end_records, 2_750);
        assert_eq!(backlog.caught_up_s, None);
    }

    #[test]
    fn what_stays_level_has_none() {
        let backlog = watched(|time| {
            if ((time * 10.0) as u64).is_multiple_of(2) {
                40.0
            } else {
                60.0
            }
        });
        assert!(backlog.slope_records_per_s.abs() < 1.0, "{backlog:?}");
        assert_eq!((backlog.peak_records, backlog.caught_up_s), (60, None));
    }

    #[test]
    fn the_time_to_catch_up_counts_from_the_start() {
        // Builds up until 5 s, is drained evenly until 15 s.
        let backlog = watched(|time| match time {
            early if early < 5.0 => early * 1_000.0,
            later => (15.0 - later).max(0.0) * 500.0,
        });
        assert_eq!(backlog.peak_records, 5_000);
        let caught_up = backlog.caught_up_s.expect("it was drained");
        assert!((caught_up - 12.9).abs() < 0.3, "{caught_up}");
    }
}
