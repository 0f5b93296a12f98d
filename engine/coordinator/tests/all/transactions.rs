//! Transactions, scene by scene.

use crate::stage::secs;
use crate::troupe::{Troupe, abort, add, commit, init};
use plimsoll_coordinator::schema::TransactionState as State;
use plimsoll_coordinator::transaction::{
    AddPartitions, InitProducer, TransactionCommand, TransactionFilter, TransactionReply,
};
use plimsoll_coordinator::{AppendRefused, Producer, Refusal};
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};
use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

fn refusal(reply: &TransactionReply) -> Option<Refusal> {
    match reply {
        TransactionReply::Init(outcome) | TransactionReply::End(outcome) => outcome.err(),
        TransactionReply::AddPartitions(outcome) => outcome.as_ref().err().copied(),
    }
}

#[test]
fn a_transaction_is_committed_once_its_markers_are_written() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    assert_eq!(producer.epoch, ProducerEpoch(0));
    troupe.hold_markers = true;
    assert_eq!(
        troupe.ask(add("t", producer, &[0, 1])),
        TransactionReply::AddPartitions(Ok(vec![]))
    );
    let ended = troupe.ask(commit("t", producer, 0));
    assert_eq!(
        ended,
        TransactionReply::End(Ok(producer)),
        "older clients keep their epoch"
    );
    assert_eq!(troupe.state("t"), State::PrepareCommit);
    let busy = troupe.ask(add("t", producer, &[2]));
    assert_eq!(refusal(&busy), Some(Refusal::ConcurrentTransactions));
    troupe.release_markers();
    assert_eq!(troupe.state("t"), State::CompleteCommit);
    assert_eq!(troupe.markers_of(producer), [(0, true), (1, true)]);
}

#[test]
fn newer_clients_get_a_raised_epoch_with_every_end() {
    let mut troupe = Troupe::new();
    let first = troupe.begin("t");
    troupe.ask(add("t", first, &[0]));
    let second = Producer {
        epoch: ProducerEpoch(1),
        ..first
    };
    assert_eq!(
        troupe.ask(commit("t", first, 2)),
        TransactionReply::End(Ok(second))
    );
    assert_eq!(
        troupe.markers_of(second),
        [(0, true)],
        "markers carry the raised epoch"
    );
    let again = troupe.ask(commit("t", first, 2));
    assert_eq!(
        again,
        TransactionReply::End(Ok(second)),
        "a retry is told the same"
    );
    let late = troupe.ask(add("t", first, &[0]));
    assert_eq!(refusal(&late), Some(Refusal::ProducerFenced));
    let turned = troupe.ask(abort("t", first, 2));
    assert_eq!(refusal(&turned), Some(Refusal::InvalidTxnState));
    let third = Producer {
        epoch: ProducerEpoch(2),
        ..first
    };
    let empty = troupe.ask(abort("t", second, 2));
    assert_eq!(empty, TransactionReply::End(Ok(third)), "nothing was added");
    assert_eq!(troupe.state("t"), State::CompleteAbort);
}

#[test]
fn a_new_producer_fences_the_old_and_aborts_what_it_left() {
    let mut troupe = Troupe::new();
    let old = troupe.begin("t");
    troupe.ask(add("t", old, &[0]));
    let busy = troupe.ask(init("t", None));
    assert_eq!(refusal(&busy), Some(Refusal::ConcurrentTransactions));
    assert_eq!(troupe.state("t"), State::CompleteAbort);
    let fenced = troupe.ask(commit("t", old, 2));
    assert_eq!(refusal(&fenced), Some(Refusal::ProducerFenced));
    let new = troupe.begin("t");
    assert_eq!((new.id, new.epoch), (old.id, ProducerEpoch(2)));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_epoch_raised() {
    for failover in [false, true] {
        let mut troupe = Troupe::new();
        let producer = troupe.begin("t");
        troupe.ask(add("t", producer, &[0]));
        troupe.pass(secs(59));
        if failover {
            troupe.fail_over();
        }
        assert_eq!(troupe.state("t"), State::Ongoing);
        troupe.pass(secs(2));
        assert_eq!(troupe.state("t"), State::CompleteAbort);
        let raised = Producer {
            epoch: ProducerEpoch(1),
            ..producer
        };
        assert_eq!(troupe.markers_of(raised), [(0, false)]);
        let late = troupe.ask(add("t", producer, &[0]));
        assert_eq!(refusal(&late), Some(Refusal::ProducerFenced));
    }
}

#[test]
fn a_decision_is_carried_out_by_the_next_coordinator() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.ask(add("t", producer, &[0, 1]));
    troupe.hold_markers = true;
    troupe.ask(commit("t", producer, 0));
    troupe.fail_over();
    troupe.hold_markers = false;
    troupe.pass(secs(1));
    assert_eq!(troupe.state("t"), State::CompleteCommit);
    assert_eq!(troupe.markers_of(producer), [(0, true), (1, true)]);
}

#[test]
fn markers_are_asked_for_until_they_are_written() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.ask(add("t", producer, &[0]));
    troupe.hold_markers = true;
    troupe.ask(commit("t", producer, 0));
    troupe.pass(secs(1));
    assert!(troupe.asked > 5, "asked {} times in a second", troupe.asked);
    troupe.release_markers();
    let asked = troupe.asked;
    troupe.pass(secs(1));
    assert_eq!(troupe.asked, asked);
}

#[test]
fn epochs_that_run_out_lead_to_a_new_producer_id() {
    let mut troupe = Troupe::new();
    let first = troupe.begin("t");
    let last = troupe.raise_to("t", first, i16::MAX - 1);
    let next = troupe.begin("t");
    assert_eq!((next.id != first.id, next.epoch), (true, ProducerEpoch(0)));

    let last_of_next = troupe.raise_to("t", next, i16::MAX - 1);
    troupe.ask(add("t", last_of_next, &[0]));
    let TransactionReply::End(Ok(after)) = troupe.ask(commit("t", last_of_next, 2)) else {
        panic!("the commit goes through");
    };
    assert_eq!((after.id != next.id, after.epoch), (true, ProducerEpoch(0)));
    let marker = Producer {
        epoch: ProducerEpoch(i16::MAX),
        ..last_of_next
    };
    assert_eq!(troupe.markers_of(marker), [(0, true)]);
    let again = troupe.ask(commit("t", last_of_next, 2));
    assert_eq!(again, TransactionReply::End(Ok(after)));
    let fenced = troupe.ask(init("t", Some(last)));
    assert_eq!(refusal(&fenced), Some(Refusal::ProducerFenced));
}

#[test]
fn a_producer_that_names_itself_may_go_on_and_ask_twice() {
    let mut troupe = Troupe::new();
    let first = troupe.begin("t");
    let TransactionReply::Init(Ok(second)) = troupe.ask(init("t", Some(first))) else {
        panic!("the present producer may go on");
    };
    assert_eq!(second.epoch, ProducerEpoch(1));
    let again = troupe.ask(init("t", Some(first)));
    assert_eq!(
        again,
        TransactionReply::Init(Ok(second)),
        "the answer was lost"
    );
    troupe.begin("t");
    let fenced = troupe.ask(init("t", Some(second)));
    assert_eq!(refusal(&fenced), Some(Refusal::ProducerFenced));
}

#[test]
fn what_cannot_be_stored_has_not_happened() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.refuse = Some(AppendRefused::NotLeader);
    let reply = troupe.ask(add("t", producer, &[0]));
    assert_eq!(refusal(&reply), Some(Refusal::NotCoordinator));
    assert_eq!(troupe.state("t"), State::Empty);
    troupe.refuse = None;
    troupe.ask(add("t", producer, &[0]));
    troupe.refuse = Some(AppendRefused::Unavailable);
    troupe.pass(secs(70));
    assert_eq!(
        troupe.state("t"),
        State::Ongoing,
        "the abort cannot be stored yet"
    );
    troupe.refuse = None;
    troupe.pass(secs(1));
    assert_eq!(troupe.state("t"), State::CompleteAbort);
}

#[test]
fn changes_wait_for_their_commit_and_others_for_them() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.hold = true;
    let token = troupe.send(add("t", producer, &[0]));
    assert_eq!(troupe.replies.get(&token), None);
    let busy = troupe.ask(commit("t", producer, 0));
    assert_eq!(refusal(&busy), Some(Refusal::ConcurrentTransactions));
    troupe.release();
    assert_eq!(
        troupe.replies.remove(&token),
        Some(TransactionReply::AddPartitions(Ok(vec![])))
    );
}

#[test]
fn an_id_that_nobody_uses_is_forgotten_after_seven_days() {
    let mut troupe = Troupe::new();
    troupe.begin("t");
    let open = troupe.begin("u");
    troupe.pass(secs(6 * DAY));
    troupe.ask(add("u", open, &[0]));
    troupe.pass(secs(DAY + 2 * 60 * 60));
    let found = troupe.shard.describe(&"t".into());
    assert_eq!(found, Err(Refusal::TransactionalIdNotFound));
    assert!(troupe.shard.describe(&"u".into()).is_ok());
    troupe.fail_over();
}

#[test]
fn lists_are_filtered_by_state_producer_age_and_pattern() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("orders-1");
    troupe.begin("payments");
    troupe.ask(add("orders-1", producer, &[0]));
    troupe.pass(secs(10));
    let check = |filter: TransactionFilter, expected: &[&str]| {
        let listed = troupe.shard.list(&filter, troupe.now().wall);
        let ids: Vec<_> = listed.iter().map(|l| l.id.as_str()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    };
    check(TransactionFilter::default(), &["orders-1", "payments"]);
    let states = vec!["Ongoing".to_owned()];
    check(
        TransactionFilter {
            states,
            ..Default::default()
        },
        &["orders-1"],
    );
    let producers = vec![ProducerId(producer.id.get() + 1)];
    check(
        TransactionFilter {
            producers,
            ..Default::default()
        },
        &["payments"],
    );
    let open_longer_than = Some(Duration::from_secs(9));
    check(
        TransactionFilter {
            open_longer_than,
            ..Default::default()
        },
        &["orders-1"],
    );
    let open_longer_than = Some(Duration::from_secs(11));
    check(
        TransactionFilter {
            open_longer_than,
            ..Default::default()
        },
        &[],
    );
    let pattern = Some(regex::Regex::new("^(?:pay.*)$").unwrap());
    check(
        TransactionFilter {
            pattern,
            ..Default::default()
        },
        &["payments"],
    );
}

/// What is wrong, and the error. `t` has an open transaction of the producer in
/// partition 0; `e` has none, and the next producer id.
fn check(wrong: &str, command: impl Fn(Producer) -> TransactionCommand, expected: Option<&str>) {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.begin("e");
    let producer = troupe.raise_to("t", producer, 1);
    troupe.ask(add("t", producer, &[0]));
    let reply = troupe.ask(command(producer));
    assert_eq!(
        refusal(&reply).map(Refusal::name),
        expected,
        "{wrong}: {reply:?}"
    );
}

fn other(producer: Producer) -> Producer {
    Producer {
        id: ProducerId(producer.id.get() + 9),
        ..producer
    }
}

fn older(producer: Producer) -> Producer {
    Producer {
        epoch: ProducerEpoch(producer.epoch.get() - 1),
        ..producer
    }
}

/// The producer of `e`, given that of `t`.
fn idle(producer: Producer) -> Producer {
    Producer {
        id: ProducerId(producer.id.get() + 1),
        epoch: ProducerEpoch(0),
    }
}

fn timed(ms: u64) -> TransactionCommand {
    TransactionCommand::Init(InitProducer {
        id: "t".into(),
        timeout: Duration::from_millis(ms),
        expected: None,
    })
}

fn verify(id: &str, producer: Producer, partitions: &[i32]) -> TransactionCommand {
    let partitions = partitions
        .iter()
        .map(|p| ("topic".into(), PartitionIndex(*p)));
    TransactionCommand::AddPartitions(AddPartitions {
        id: id.into(),
        producer,
        partitions: partitions.collect(),
        client_version: 0,
        verify_only: true,
    })
}

#[test]
fn errors_of_beginnings_are_kafkas() {
    check("an empty id", |_| init("", None), Some("INVALID_REQUEST"));
    check(
        "no timeout",
        |_| timed(0),
        Some("INVALID_TRANSACTION_TIMEOUT"),
    );
    check(
        "too long a timeout",
        |_| timed(900_001),
        Some("INVALID_TRANSACTION_TIMEOUT"),
    );
    check(
        "another producer's init",
        |p| init("t", Some(other(p))),
        Some("PRODUCER_FENCED"),
    );
    check(
        "init while a transaction is open",
        |_| init("t", None),
        Some("CONCURRENT_TRANSACTIONS"),
    );
}

#[test]
fn errors_of_additions_are_kafkas() {
    check(
        "add to an unknown id",
        |p| add("none", p, &[0]),
        Some("INVALID_PRODUCER_ID_MAPPING"),
    );
    check(
        "add with another producer id",
        |p| add("t", other(p), &[0]),
        Some("INVALID_PRODUCER_ID_MAPPING"),
    );
    check(
        "add with an older epoch",
        |p| add("t", older(p), &[0]),
        Some("PRODUCER_FENCED"),
    );
    check(
        "add to the empty id",
        |p| add("", p, &[0]),
        Some("INVALID_REQUEST"),
    );
    check("add again", |p| add("t", p, &[0]), None);
    check(
        "verify with an older epoch",
        |p| verify("t", older(p), &[0]),
        Some("PRODUCER_FENCED"),
    );
    check(
        "verify with an unknown id",
        |p| verify("none", p, &[0]),
        Some("INVALID_PRODUCER_ID_MAPPING"),
    );
    check("verify what is there", |p| verify("t", p, &[0]), None);
}

#[test]
fn errors_of_ends_are_kafkas() {
    check(
        "end an unknown id",
        |p| commit("none", p, 0),
        Some("INVALID_PRODUCER_ID_MAPPING"),
    );
    check(
        "end with another producer id",
        |p| commit("t", other(p), 0),
        Some("INVALID_PRODUCER_ID_MAPPING"),
    );
    check(
        "end with an older epoch",
        |p| commit("t", older(p), 0),
        Some("PRODUCER_FENCED"),
    );
    check(
        "commit what has not begun",
        |p| commit("e", idle(p), 0),
        Some("INVALID_TXN_STATE"),
    );
    check(
        "abort what has not begun",
        |p| abort("e", idle(p), 0),
        Some("INVALID_TXN_STATE"),
    );
    check(
        "end the empty id",
        |p| commit("", p, 0),
        Some("INVALID_REQUEST"),
    );
    check("commit", |p| commit("t", p, 0), None);
    check("abort", |p| abort("t", p, 2), None);
}

#[test]
fn verification_names_the_partitions_that_are_missing() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.ask(add("t", producer, &[0]));
    let reply = troupe.ask(verify("t", producer, &[0, 1]));
    let missing = vec![("topic".into(), PartitionIndex(1))];
    assert_eq!(reply, TransactionReply::AddPartitions(Ok(missing)));
}
