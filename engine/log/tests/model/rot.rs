//! Every byte of the tail flipped or cut.

use crate::seeds;
use crate::world::{World, config};
use plimsoll_log::MemDisk;
use plimsoll_wire::batch::at;
use std::path::{Path, PathBuf};

/// A log whose tail was never flushed: its disk, the path of its last segment,
/// and that segment's batches as (position, length, number in the model).
struct Tail {
    world: World,
    path: PathBuf,
    batches: Vec<(u64, u64, usize)>,
}

fn tail(seed: u64) -> Tail {
    let disk = MemDisk::new();
    let mut world = World::new(seed, &disk).unwrap();
    while world.model.batches.len() < 25 {
        world.append_some().unwrap();
    }
    let (path, base) = last_segment(&disk);
    let mut pos = 0;
    let mut batches = Vec::new();
    for (number, batch) in world.model.batches.iter().enumerate() {
        if batch.base >= base {
            batches.push((pos, batch.len as u64, number));
            pos += batch.len as u64;
        }
    }
    assert!(
        batches.len() > 1,
        "seed {seed}: {} batches in the tail",
        batches.len()
    );
    Tail {
        world,
        path,
        batches,
    }
}

fn last_segment(disk: &MemDisk) -> (PathBuf, i64) {
    use plimsoll_log::Disk as _;
    let dir = Path::new("/data/t-0");
    let names = disk.list(dir).unwrap();
    let logs = names
        .iter()
        .filter_map(|entry| entry.name.strip_suffix(".log"));
    let last = logs.max().unwrap();
    (dir.join(format!("{last}.log")), last.parse().unwrap())
}

impl Tail {
    /// The log opened on a damaged copy of the disk holds the first `batches`
    /// of the model's, or with `may_survive` one more.
    fn check(&self, damage: impl FnOnce(&MemDisk), batches: usize, may_survive: bool, what: &str) {
        let disk = self.world.disk.fork();
        damage(&disk);
        let mut world = World::on(&disk, config());
        let end_of = |n: usize| self.world.model.batches[..n].last().map_or(0, |b| b.next());
        let end = world.log().log_end().get();
        let survived = may_survive && end == self.world.model.end();
        if survived {
            return;
        }
        assert_eq!(end, end_of(batches), "{what}");
        world.model = self.world.model.prefix(end).unwrap();
        world.check(what);
    }

    fn holding(&self, pos: u64) -> (usize, usize) {
        let (begin, _, number) = *self
            .batches
            .iter()
            .rfind(|(begin, _, _)| *begin <= pos)
            .unwrap();
        (number, (pos - begin) as usize)
    }

    fn len(&self) -> u64 {
        self.batches.last().map_or(0, |(pos, len, _)| pos + len)
    }
}

#[test]
fn every_flipped_byte_of_the_tail_ends_the_log_before_its_batch() {
    for seed in seeds(1) {
        let tail = tail(seed);
        for pos in 0..tail.len() {
            let (number, field) = tail.holding(pos);
            // The leader epoch is under no checksum and any value may be right.
            let epoch = (at::PARTITION_LEADER_EPOCH..at::MAGIC).contains(&field);
            let mask = 1 << (pos % 8);
            let what = format!("seed {seed}: byte {pos} ^ {mask:#04x}");
            tail.check(
                |disk| disk.flip(&tail.path, pos, mask),
                number,
                epoch,
                &what,
            );
        }
    }
}

#[test]
fn every_cut_of_the_tail_ends_the_log_before_the_batch_it_falls_in() {
    for seed in seeds(1) {
        let tail = tail(seed);
        for len in 0..tail.len() {
            let (number, _) = tail.holding(len);
            let what = format!("seed {seed}: cut to {len} bytes");
            tail.check(|disk| disk.cut(&tail.path, len), number, false, &what);
        }
    }
}
