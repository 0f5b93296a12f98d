//! Threads for work that comes in pieces, for as long as it lasts.

use plimsoll_broker::{Job, Workers};
use std::sync::Mutex;

/// Runs jobs on threads of their own.
#[derive(Clone, Copy, Debug)]
pub struct Threads;

impl Workers for Threads {
    fn run<'a>(&self, jobs: Vec<Job<'a>>, at_once: usize) {
        let threads = at_once.min(jobs.len());
        let jobs = Mutex::new(jobs.into_iter());
        let next = || jobs.lock().ok().and_then(|mut jobs| jobs.next());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(job) = next() {
                        job();
                    }
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_job_is_run_once_and_several_at_a_time() {
        let (done, both) = (AtomicUsize::new(0), Barrier::new(2));
        let job = |n: usize| -> Job<'_> {
            let (done, both) = (&done, &both);
            Box::new(move || {
                if n < 2 {
                    // Neither of the first two ends without the other.
                    both.wait();
                }
                done.fetch_add(1, Ordering::Relaxed);
            })
        };
        Threads.run((0..20).map(job).collect(), 3);
        assert_eq!(done.load(Ordering::Relaxed), 20);
        Threads.run(Vec::new(), 3);
    }
}
