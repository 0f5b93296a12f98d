//! Transactions, scene by scene.

use crate::stage::secs;
use crate::troupe::{Troupe, abort, add, commit, init};
use plimsoll_coordinator::schema::TransactionState as State;
use plimsoll_coordinator::transaction::{
    AddPartitions, EndTransaction, InitProducer, TransactionCommand, TransactionFilter,
    TransactionReply,
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

/// Each line: what is wrong, and the error. `t` has an open transaction of the
/// producer in partition 0; `e` has none.
#[test]
fn errors_are_kafkas() {
    type Request = Box<dyn Fn(Producer) -> TransactionCommand>;
    let other = |p: Producer, by: i64| Producer {
        id: ProducerId(p.id.get() + by),
        ..p
    };
    let older = |p: Producer| Producer {
        epoch: ProducerEpoch(p.epoch.get() - 1),
        ..p
    };
    let timed = |ms: u64| {
        TransactionCommand::Init(InitProducer {
            id: "t".into(),
            timeout: Duration::from_millis(ms),
            expected: None,
        })
    };
    let verify = |id: &str, p: Producer| {
        TransactionCommand::AddPartitions(AddPartitions {
            id: id.into(),
            producer: p,
            partitions: vec![("topic".into(), PartitionIndex(0))],
            client_version: 0,
            verify_only: true,
        })
    };
    let cases: Vec<(&str, Request, Option<&str>)> = vec![
        (
            "an empty id",
            Box::new(|_| init("", None)),
            Some("INVALID_REQUEST"),
        ),
        (
            "no timeout",
            Box::new(move |_| timed(0)),
            Some("INVALID_TRANSACTION_TIMEOUT"),
        ),
        (
            "too long a timeout",
            Box::new(move |_| timed(900_001)),
            Some("INVALID_TRANSACTION_TIMEOUT"),
        ),
        (
            "another producer's init",
            Box::new(move |p| init("t", Some(other(p, 9)))),
            Some("PRODUCER_FENCED"),
        ),
        (
            "init while a transaction is open",
            Box::new(|_| init("t", None)),
            Some("CONCURRENT_TRANSACTIONS"),
        ),
        (
            "add to an unknown id",
            Box::new(|p| add("none", p, &[0])),
            Some("INVALID_PRODUCER_ID_MAPPING"),
        ),
        (
            "add with another producer id",
            Box::new(move |p| add("t", other(p, 9), &[0])),
            Some("INVALID_PRODUCER_ID_MAPPING"),
        ),
        (
            "add with an older epoch",
            Box::new(move |p| add("t", older(p), &[0])),
            Some("PRODUCER_FENCED"),
        ),
        (
            "add to the empty id",
            Box::new(|p| add("", p, &[0])),
            Some("INVALID_REQUEST"),
        ),
        ("add again", Box::new(|p| add("t", p, &[0])), None),
        (
            "verify with an older epoch",
            Box::new(move |p| verify("t", older(p))),
            Some("PRODUCER_FENCED"),
        ),
        (
            "verify with an unknown id",
            Box::new(move |p| verify("none", p)),
            Some("INVALID_PRODUCER_ID_MAPPING"),
        ),
        (
            "verify what is there",
            Box::new(move |p| verify("t", p)),
            None,
        ),
        (
            "end an unknown id",
            Box::new(|p| commit("none", p, 0)),
            Some("INVALID_PRODUCER_ID_MAPPING"),
        ),
        (
            "end with another producer id",
            Box::new(move |p| commit("t", other(p, 9), 0)),
            Some("INVALID_PRODUCER_ID_MAPPING"),
        ),
        (
            "end with an older epoch",
            Box::new(move |p| commit("t", older(p), 0)),
            Some("PRODUCER_FENCED"),
        ),
        (
            "commit what has not begun",
            Box::new(move |p| commit("e", other(p, 1), 0)),
            Some("INVALID_TXN_STATE"),
        ),
        (
            "abort what has not begun",
            Box::new(move |p| abort("e", other(p, 1), 0)),
            Some("INVALID_TXN_STATE"),
        ),
        (
            "end the empty id",
            Box::new(|p| commit("", p, 0)),
            Some("INVALID_REQUEST"),
        ),
        ("commit", Box::new(|p| commit("t", p, 0)), None),
        ("abort", Box::new(|p| abort("t", p, 2)), None),
    ];
    for (wrong, command, expected) in cases {
        let mut troupe = Troupe::new();
        let producer = troupe.begin("t");
        troupe.begin("e");
        let producer = troupe.raise_to("t", producer, 1);
        troupe.ask(add("t", producer, &[0]));
        let as_e = |c: TransactionCommand| match c {
            TransactionCommand::End(end) if end.id.as_str() == "e" => {
                let epoch = ProducerEpoch(0);
                let producer = Producer {
                    epoch,
                    ..end.producer
                };
                TransactionCommand::End(EndTransaction { producer, ..end })
            }
            other => other,
        };
        let reply = troupe.ask(as_e(command(producer)));
        assert_eq!(
            refusal(&reply).map(Refusal::name),
            expected,
            "{wrong}: {reply:?}"
        );
    }
}

#[test]
fn verification_names_the_partitions_that_are_missing() {
    let mut troupe = Troupe::new();
    let producer = troupe.begin("t");
    troupe.ask(add("t", producer, &[0]));
    let reply = troupe.ask(TransactionCommand::AddPartitions(AddPartitions {
        id: "t".into(),
        producer,
        partitions: [0, 1].map(|p| ("topic".into(), PartitionIndex(p))).into(),
        client_version: 0,
        verify_only: true,
    }));
    let missing = vec![("topic".into(), PartitionIndex(1))];
    assert_eq!(reply, TransactionReply::AddPartitions(Ok(missing)));
}
