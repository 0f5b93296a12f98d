use super::*;

const ALONE: Worker = Worker { index: 0, of: 1 };

fn synthetic(size: &str, compressibility: f64) -> RecordSpec {
    RecordSpec {
        size: Some(size.parse().expect(size)),
        compressibility: crate::units::Share::new(compressibility),
        ..RecordSpec::default()
    }
}

/// `count` values, one after the other.
fn values(spec: &RecordSpec, worker: Worker, count: usize) -> Vec<u8> {
    let pool = PayloadPool::prepare(spec, 3).expect("a good spec");
    let mut payloads = pool.worker(worker, 3);
    let mut bytes = Vec::new();
    for _ in 0..count {
        payloads.fill(&mut bytes);
    }
    bytes
}

/// The share that a codec removes from 64 KiB of values.
fn removed(size: usize, compressibility: f64, codec: impl Fn(&[u8]) -> usize) -> f64 {
    let spec = synthetic(&size.to_string(), compressibility);
    let batch = values(&spec, ALONE, 65_536 / size);
    1.0 - codec(&batch) as f64 / batch.len() as f64
}

fn zstd_bytes(batch: &[u8]) -> usize {
    zstd::bulk::compress(batch, 3)
        .expect("zstd compresses")
        .len()
}

fn lz4_bytes(batch: &[u8]) -> usize {
    lz4_flex::block::compress(batch).len()
}

#[test]
fn codecs_remove_the_stated_share() {
    let check = |size: usize, stated: f64| {
        for (codec, found) in [
            ("zstd", removed(size, stated, zstd_bytes)),
            ("lz4", removed(size, stated, lz4_bytes)),
        ] {
            assert!(
                (found - stated).abs() < 0.05,
                "{codec} removes {found:.3} of {size}-byte values, {stated} stated"
            );
        }
    };
    for size in [128, 1024, 16_384] {
        for tenths in 0..=10 {
            check(size, f64::from(tenths) / 10.0);
        }
    }
}

#[test]
fn a_higher_setting_never_compresses_less() {
    for codec in [zstd_bytes, lz4_bytes] {
        let found: Vec<_> = (0..=20)
            .map(|step| removed(1024, f64::from(step) / 20.0, codec))
            .collect();
        assert!(found.is_sorted(), "{found:?}");
    }
}

#[test]
fn values_have_the_stated_sizes_also_when_they_exceed_the_pool() {
    let check = |size: &str, count: usize, expected: usize| {
        let spec = synthetic(size, 1.0);
        assert_eq!(values(&spec, ALONE, count).len(), expected, "{size}");
    };
    check("100B", 100_000, 10_000_000);
    check("3MiB", 5, 15 * 1024 * 1024);
    check("9MiB", 2, 18 * 1024 * 1024);
}

#[test]
fn the_same_seed_gives_the_same_values_and_workers_start_elsewhere() {
    let spec = synthetic("uniform(50B, 500B)", 0.3);
    let of = |index| values(&spec, Worker { index, of: 3 }, 500);
    assert_eq!(of(1), of(1));
    assert_ne!(of(0), of(1));
}

#[test]
fn the_users_records_come_as_they_are_in_the_files_order_and_over_again() {
    let spec = RecordSpec {
        sample: Some("order-events".parse().expect("it ships")),
        ..RecordSpec::default()
    };
    let sample = Sample::load(&spec).expect("it ships");
    let twice: Vec<_> = (0..2 * sample.count())
        .flat_map(|at| sample.record(at).to_vec())
        .collect();
    assert_eq!(values(&spec, ALONE, 2 * sample.count()), twice);
    let half = values(&spec, Worker { index: 1, of: 2 }, 1);
    assert_eq!(half, sample.record(sample.count() / 2));
}
