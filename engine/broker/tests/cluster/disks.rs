//! A disk of one node fails: others lead what it led.

use crate::consumer::{node_id, orders_in_sync};
use crate::membership::create;
use crate::replication::produce;
use crate::world::World;
use plimsoll_broker::metrics::Value;
use plimsoll_log::Fault;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::path::{Path, PathBuf};

fn with_orders(settings: &[(&str, &str)]) -> (World, usize) {
    let (mut world, leader) = orders_in_sync(settings);
    assert_eq!(produce(&mut world, leader, "kept", -1).0, ErrorCode::None);
    (world, leader)
}

/// The directory of a node in which the topic's log lies.
fn place(world: &World, node: usize) -> PathBuf {
    let holds = |dir: &&str| {
        let log = Path::new(dir).join("orders-0/00000000000000000000.log");
        plimsoll_log::Disk::open(world.disk(node), &log, plimsoll_log::Open::Read).is_ok()
    };
    let dir = ["/data", "/more"].into_iter().find(|dir| holds(dir));
    PathBuf::from(dir.expect("a log"))
}

fn metric(world: &World, node: usize, name: &str) -> f64 {
    let families = world.broker(node).metrics(world.now);
    let family = families.iter().find(|family| family.name == name);
    match family
        .and_then(|family| family.samples.first())
        .map(|sample| &sample.value)
    {
        Some(Value::Level(level)) => *level,
        Some(Value::Count(count)) => *count as f64,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn another_leads_what_lay_on_a_directory_that_failed() {
    // The metadata lies in the first directory, so the second is to fail.
    let settings = [
        ("log.dirs", "/data,/more"),
        ("replica.lag.time.max.ms", "2000"),
    ];
    for name in 0..4 {
        let (mut world, leader) = with_orders(&settings);
        // Which directory it is, is the broker's choice: other topics move it on.
        for other in 0..name {
            assert_eq!(create(&mut world, 1, &format!("t{other}"), 1, 3), 0);
        }
        let dir = place(&world, leader);
        if dir == Path::new("/data") {
            continue;
        }
        world.disk(leader).fail_under(&dir, Fault::Everything);
        let (code, _) = produce(&mut world, leader, "refused", -1);
        assert_eq!(code, ErrorCode::KafkaStorageError);
        world.until("another leads", |world| {
            world.leader("orders", 0).is_some_and(|now| now != leader)
        });
        let state = world.partition(1, "orders", 0).expect("it exists");
        assert!(!state.isr.contains(&node_id(leader)), "{state:?}");
        let next = world.leader("orders", 0).expect("a leader");
        assert_eq!(produce(&mut world, next, "more", -1).0, ErrorCode::None);
        let image = world.broker(next).image();
        assert!(!image.brokers()[&node_id(leader)].fenced, "it serves on");
        return;
    }
    panic!("the log never lay in the second directory");
}

#[test]
fn a_node_without_any_directory_left_is_fenced() {
    let (mut world, leader) = with_orders(&[]);
    world
        .disk(leader)
        .fail_under(Path::new("/data"), Fault::Everything);
    let _refused = produce(&mut world, leader, "refused", -1);
    let other = leader % 3 + 1;
    world.until("another leads", |world| {
        let state = world.partition(other, "orders", 0);
        state.is_some_and(|state| state.leader != node_id(leader) && state.leader != NodeId::NONE)
    });
    world.until("it is fenced", |world| {
        world.broker(other).image().brokers()[&node_id(leader)].fenced
    });
}

#[test]
fn the_metrics_show_who_decides_and_how_isrs_move() {
    let settings = [("replica.lag.time.max.ms", "1000")];
    let (mut world, leader) = with_orders(&settings);
    let active: f64 = (1..=3)
        .map(|node| {
            metric(
                &world,
                node,
                "kafka_controller_KafkaController_ActiveControllerCount",
            )
        })
        .sum();
    assert!((active - 1.0).abs() < 1e-9, "{active}");
    let moves = |world: &World| {
        let of = |name: &str| metric(world, leader, name);
        (
            of("kafka_server_ReplicaManager_IsrShrinksPerSec"),
            of("kafka_server_ReplicaManager_IsrExpandsPerSec"),
            of("kafka_server_ReplicaManager_UnderReplicatedPartitions"),
        )
    };
    let (shrinks, expands, under) = moves(&world);
    assert_eq!(under, 0.0);
    let slow = leader % 3 + 1;
    world.pause(slow, true);
    assert_eq!(produce(&mut world, leader, "a", -1).0, ErrorCode::None);
    assert_eq!(moves(&world), (shrinks + 1.0, expands, 1.0));
    world.pause(slow, false);
    world.until("it is in sync again", |world| {
        world
            .partition(leader, "orders", 0)
            .is_some_and(|p| p.isr.len() == 3)
    });
    assert_eq!(moves(&world), (shrinks + 1.0, expands + 1.0, 0.0));
}
