//! Runs on a disk that keeps everything.

use crate::cases;
use crate::world::World;
use plimsoll_log::MemDisk;

#[test]
fn the_log_is_what_the_model_says_after_every_step() {
    for seed in 0..cases(12) {
        let mut world = World::new(seed, &MemDisk::new()).unwrap();
        for step in 0..150 {
            world.step().unwrap();
            world.check(&format!("step {step}"));
        }
    }
}
