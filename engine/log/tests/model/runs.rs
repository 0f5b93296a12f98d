//! Runs on a disk that keeps everything.

use crate::seeds;
use crate::world::{World, config, keyed_config};
use plimsoll_log::{LogConfig, MemDisk};
use std::ops::Range;

/// Runs of 150 steps; how many of them were compacted on the way.
fn check(seeds: Range<u64>, config: &LogConfig) -> usize {
    let mut compacted = 0;
    for seed in seeds {
        let mut world = World::with(seed, &MemDisk::new(), config.clone()).unwrap();
        for step in 0..150 {
            world.step().unwrap();
            world.check(&format!("step {step}"));
        }
        compacted += usize::from(world.passes > 0);
    }
    compacted
}

#[test]
fn the_log_is_what_the_model_says_after_every_step() {
    assert_eq!(check(seeds(12), &config()), 0);
}

#[test]
fn readers_of_a_compacted_log_see_what_the_model_says_after_every_step() {
    let seeds = seeds(24);
    let runs = seeds.clone().count();
    let compacted = check(seeds, &keyed_config());
    assert!(compacted > runs / 2, "{compacted} of {runs} were compacted");
}
