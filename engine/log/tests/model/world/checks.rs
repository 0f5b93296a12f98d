//! What must hold between a log and its model after every step.

use super::World;
use crate::model::{Batch, assert_batches};
use crate::view::{Seen, table, view};
use plimsoll_log::PartitionLog;
use plimsoll_wire::types::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use rand::Rng;

impl World {
    /// Fails unless the log is what the model says.
    pub fn check(&mut self, context: &str) {
        let context = format!("seed {} {context}", self.seed);
        let (log, model) = (self.log.as_ref().unwrap(), &self.model);
        assert_eq!(log.log_start(), Offset(model.start), "{context}: start");
        assert_eq!(log.log_end(), Offset(model.end()), "{context}: end");
        if log.config().cleanup_policy.compact {
            self.check_view(&context);
            return;
        }
        let everything = read(log, model.start, usize::MAX, model.end());
        let first = model
            .batches
            .partition_point(|batch| batch.next() <= model.start);
        assert_batches(&everything, &model.batches[first..], &context);
        self.check_read(&context);
        self.check_lookups(&context);
    }

    /// Fails unless readers of a compacted log see what the model says: nothing
    /// that was not there, all that was not cleaned, and the same latest values.
    fn check_view(&self, context: &str) {
        let (log, model) = (self.log(), &self.model);
        let (seen, expected) = (view(log), model.view());
        for (offset, record) in &seen {
            assert_eq!(
                Some(record),
                expected.get(offset),
                "{context}: offset {offset}"
            );
        }
        let cleaned = self.cleaned;
        assert!(
            log.cleaned_to().get() <= cleaned.max(model.start),
            "{context}"
        );
        // Aborted records go with their whole segment, past what was cleaned.
        let committed = |(_, seen): &(&i64, &Seen)| !seen.aborted;
        let left: Vec<_> = seen.range(cleaned..).filter(committed).collect();
        let there: Vec<_> = expected.range(cleaned..).filter(committed).collect();
        assert_eq!(left, there, "{context}: records past {cleaned}");
        assert_eq!(table(&seen), table(&expected), "{context}: latest values");
        // Of a transaction that began below the log start the log may have
        // forgotten: its records may be gone.
        let open = model.open();
        if open.values().all(|first| *first >= model.start) {
            let stable = open.into_values().min().unwrap_or(model.end());
            assert_eq!(
                log.last_stable_offset(),
                Offset(stable),
                "{context}: stable"
            );
        }
        for id in 1..13 {
            let Some(last) = model.last_of(id) else {
                continue;
            };
            let producer = log.producer(ProducerId(id));
            let next = producer.map(|producer| producer.last_sequence.plus(1).get());
            assert_eq!(next, last.next_sequence(), "{context}: producer {id}");
        }
    }

    fn check_read(&mut self, context: &str) {
        let (start, end) = (self.model.start, self.model.end());
        let from = self.rng.random_range(start..=end);
        let upto = self.rng.random_range(from..=end);
        let max: usize = self.rng.random_range(0..4000);
        let min_one: bool = self.rng.random();
        let batches = &self.model.batches;
        let first = batches.partition_point(|batch| batch.next() <= from);
        let mut last = first;
        let mut bytes = 0;
        while let Some(batch) = batches.get(last) {
            bytes += batch.len;
            let forced = min_one && last == first;
            if batch.next() > upto || from >= upto || (bytes > max && !forced) {
                break;
            }
            last += 1;
        }
        let slices = self
            .log()
            .read(Offset(from), max, min_one, Offset(upto))
            .unwrap();
        let mut found = Vec::new();
        slices
            .iter()
            .for_each(|range| range.read_into(&mut found).unwrap());
        let asked = format!("{context}: read {from}..{upto}, {max} bytes, min one {min_one}");
        let next = slices.next_offset().get();
        if slices.iter().count() < 16 {
            let expected = batches[first..last].last().map_or(from, Batch::next);
            assert_eq!(next, expected, "{asked}");
        }
        let got = batches
            .partition_point(|batch| batch.next() <= next)
            .max(first);
        assert_batches(&found, &batches[first..got], &asked);
    }

    fn check_lookups(&mut self, context: &str) {
        let timestamp = self.clock + self.rng.random_range(-3000..100);
        let (start, end) = (self.model.start, self.model.end());
        let from = self.rng.random_range(start..=end);
        let upto = self.rng.random_range(from..=end);
        let (log, model) = (self.log(), &self.model);
        let found = log.offset_by_timestamp(TimestampMs(timestamp)).unwrap();
        let found = found.map(|found| found.offset.get());
        assert_eq!(
            found,
            model.first_since(timestamp),
            "{context}: timestamp {timestamp}"
        );
        let newest = log.max_timestamp().unwrap().map(|found| found.offset.get());
        assert_eq!(newest, model.newest(), "{context}: newest timestamp");
        let mut aborted = model.aborted();
        aborted.retain(|txn| txn.last_offset.get() >= from && txn.first_offset.get() < upto);
        let found = log
            .aborted_transactions(Offset(from), Offset(upto))
            .unwrap();
        assert_eq!(found, aborted, "{context}: aborted in {from}..{upto}");
        let stable = model.open().into_values().min().unwrap_or(end);
        assert_eq!(
            log.last_stable_offset(),
            Offset(stable),
            "{context}: stable"
        );
        for (id, first) in model.open() {
            let producer = log.producer(ProducerId(id)).unwrap();
            assert_eq!(
                producer.txn_start,
                Some(Offset(first)),
                "{context}: producer {id}"
            );
        }
        for batch in model.batches.iter().filter(|batch| batch.next() > start) {
            let epoch = log.epoch_of(Offset(batch.base.max(start)));
            assert_eq!(
                epoch,
                LeaderEpoch(batch.leader_epoch),
                "{context}: batch {}",
                batch.base
            );
        }
    }
}

fn read(log: &PartitionLog, from: i64, max_bytes: usize, upto: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = Offset(from);
    while from < Offset(upto) {
        let slices = log.read(from, max_bytes, true, Offset(upto)).unwrap();
        assert!(
            slices.next_offset() > from,
            "nothing at {from} below {upto}"
        );
        slices
            .iter()
            .for_each(|range| range.read_into(&mut bytes).unwrap());
        from = slices.next_offset();
    }
    bytes
}
