//! Clusters of controllers that are no brokers and brokers that do not vote, a
//! process each: records survive the loss of either kind.

use plimsoll::embedded::{Embedded, Options};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");
/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many records are sent at once.
const BURST: usize = 200;

/// Nodes as processes: the controllers first, then the brokers.
struct Stage {
    nodes: Vec<Option<Embedded>>,
    options: Vec<Options>,
    controllers: usize,
    /// Lives as long as the test: a new one needs an id from the controller.
    producer: Option<BaseProducer>,
    sent: usize,
    _data: TempDir,
}

impl Stage {
    fn start(controllers: usize, brokers: usize) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let held: Vec<TcpListener> = (0..controllers + brokers)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let address = |socket: &TcpListener| socket.local_addr().expect("an address").to_string();
        let addresses: Vec<String> = held.iter().map(address).collect();
        drop(held);
        let listed = (1..).zip(&addresses).take(controllers);
        let voters: Vec<String> = listed.map(|(node, at)| format!("{node}@{at}")).collect();
        let numbered = (1..).zip(&addresses);
        let options: Vec<Options> = numbered
            .map(|(node, listen)| {
                let is_controller = node <= controllers;
                let role = if is_controller {
                    "controller"
                } else {
                    "broker"
                };
                let properties = [
                    ("node.id", node.to_string()),
                    ("process.roles", role.to_owned()),
                    ("controller.quorum.voters", voters.join(",")),
                    ("broker.session.timeout.ms", "3000".to_owned()),
                    ("broker.heartbeat.interval.ms", "500".to_owned()),
                    ("min.insync.replicas", "2".to_owned()),
                ];
                let properties = properties.map(|(name, value)| (name.to_owned(), value));
                Options {
                    program: Some(PLIMSOLL.into()),
                    data: Some(data.path().join(format!("node-{node}"))),
                    listen: Some(listen.clone()),
                    properties: properties.into(),
                    ..Options::default()
                }
            })
            .collect();
        let spawned = options
            .iter()
            .map(|one| Embedded::spawn(one).expect("it starts"));
        let mut nodes: Vec<Embedded> = spawned.collect();
        for node in &mut nodes {
            node.wait_until_ready().expect("it is let in");
        }
        Self {
            nodes: nodes.into_iter().map(Some).collect(),
            options,
            controllers,
            producer: None,
            sent: 0,
            _data: data,
        }
    }

    fn kill(&mut self, node: usize) {
        let process = self.nodes[node - 1].take().expect("it runs");
        process.kill().expect("it ends");
    }

    fn start_again(&mut self, node: usize) {
        let again = Embedded::start(&self.options[node - 1]).expect("it is let in");
        self.nodes[node - 1] = Some(again);
    }

    fn brokers(&self) -> String {
        let brokers = self.options.iter().skip(self.controllers);
        let listens = brokers.filter_map(|one| one.listen.clone());
        listens.collect::<Vec<_>>().join(",")
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers())
            .set("topic.metadata.refresh.interval.ms", "1000")
            .set("reconnect.backoff.max.ms", "500");
        config
    }

    /// Creates a topic, and tries again while there is no controller.
    fn create(&self, name: &str, replicas: i32) {
        let admin: AdminClient<_> = self.client().create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let topic = NewTopic::new(name, 3, TopicReplication::Fixed(replicas));
        let end = Instant::now() + PATIENCE;
        loop {
            let made = admin.create_topics([&topic], &AdminOptions::new());
            match runtime.block_on(made).map(|mut results| results.remove(0)) {
                Ok(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => return,
                other => assert!(Instant::now() < end, "{name}: {other:?}"),
            }
        }
    }

    /// Sends records to `orders`, which all replicas in sync must have.
    fn send(&mut self) {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "5");
        let create = || config.create().expect("a producer");
        let producer: &BaseProducer = self.producer.get_or_insert_with(create);
        for number in self.sent..self.sent + BURST {
            let value = number.to_string();
            let record = BaseRecord::<(), str>::to("orders").payload(&value);
            producer.send(record).expect("room in the queue");
        }
        producer.flush(PATIENCE).expect("all is acknowledged");
        assert_eq!(producer.in_flight_count(), 0);
        self.sent += BURST;
    }

    /// Reads all that was sent, each once.
    fn read(&self) {
        let mut config = self.client();
        config
            .set("group.id", "readers")
            .set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&["orders"]).expect("a subscription");
        let (mut seen, mut count, mut trouble) = (BTreeSet::new(), 0, None);
        let end = Instant::now() + PATIENCE;
        while seen.len() < self.sent {
            let (have, of) = (seen.len(), self.sent);
            assert!(Instant::now() < end, "{have} of {of}: {trouble:?}");
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    let value = message.payload().expect("a value");
                    let value = String::from_utf8_lossy(value);
                    seen.insert(value.parse::<usize>().expect("a number"));
                    count += 1;
                }
                Some(Err(error)) => trouble = Some(error),
                None => {}
            }
        }
        assert_eq!(count, self.sent, "some were read twice");
    }
}

#[test]
fn one_controller_and_two_brokers_outlive_the_controllers_and_a_brokers_death() {
    let mut stage = Stage::start(1, 2);
    stage.create("orders", 2);
    stage.send();
    stage.kill(1);
    stage.send();
    stage.start_again(1);
    stage.create("later", 2);
    stage.kill(3);
    stage.start_again(3);
    stage.send();
    stage.read();
}

#[test]
fn three_controllers_and_three_brokers_outlive_one_of_each() {
    let mut stage = Stage::start(3, 3);
    stage.create("orders", 3);
    stage.send();
    stage.kill(1);
    stage.kill(5);
    stage.create("later", 2);
    stage.send();
    stage.start_again(1);
    stage.start_again(5);
    stage.kill(2);
    stage.kill(4);
    stage.send();
    stage.read();
}

/// One process with brokers and a controller of their own: the line names the
/// brokers alone.
#[test]
fn controllers_in_one_process_are_not_among_the_addresses() {
    let options = Options {
        program: Some(PLIMSOLL.into()),
        extra: ["--nodes", "2", "--controllers", "1"]
            .map(Into::into)
            .into(),
        ..Options::default()
    };
    let cluster = Embedded::start(&options).expect("a cluster");
    assert_eq!(cluster.address().split(',').count(), 2);
    let made = Command::new(PLIMSOLL)
        .args(["topics", "create", "orders", "--partitions", "2"])
        .args(["--replication-factor", "2", "--target", cluster.address()])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}
