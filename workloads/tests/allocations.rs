//! What a worker takes from the generators during a run costs no allocation.

use plimsoll_workloads::{
    Spec,
    generate::{Records, Schedule, Stamp, Worker},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    path::Path,
};

/// The system's allocator, with a count of each thread's allocations.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WORKER: Worker = Worker { index: 1, of: 3 };

#[test]
fn a_worker_allocates_nothing_as_it_goes() {
    let check = |text: &str| {
        let spec = Spec::parse(text, "w.toml", Path::new(""), &[]).expect(text);
        let cell = &spec.base;
        let records = Records::prepare(&cell.records, 1).expect(text);
        let schedule = Schedule::prepare(&cell.load, records.mean_bytes(), 1).expect(text);
        let mut arrivals = schedule.worker(WORKER).expect(text);
        let mut stream = records.worker(WORKER);
        let before = ALLOCATIONS.with(Cell::get);
        for sequence in 0..10_000 {
            let due = arrivals.next().expect("the schedule is long");
            let record = stream.next();
            let stamp = Stamp {
                run: 1,
                producer: 1,
                sequence,
                aborts: false,
                intended_ns: due,
            };
            std::hint::black_box(stamp.seal(record.key, record.value));
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{text}");
    };
    check("load.rate = '10K/s'");
    check(
        "load.rate = 'ramp(10K/s, 20K/s)'\nload.arrivals = 'poisson'\nrecords.keys = 'zipf(1M, 1)'",
    );
    check(
        "load.rate = '10K/s'\nload.arrivals = 'burst(7)'\nrecords.keys = 'hot(100, 50%, salt=8)'",
    );
    check("load.rate = '9MB/s'\nrecords.size = 'lognormal(1KB, 1, max=1MB)'\nrecords.headers = 2");
    check(
        "load.rate = '10K/s'\nrecords.sample = 'order-events'\nrecords.keys = 'field(customer.id)'",
    );
}
