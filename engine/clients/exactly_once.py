"""exactly_once.py PLIMSOLL RECORDS KILLS [--client librdkafka|java]
[--protocol classic|consumer] [--jars DIR] [--every SECONDS] [--nodes N]: a
read-process-write loop whose workers and broker, or one of whose N brokers, are
killed with -9 over and over.

WORKERS copy the numbers in `in` to `out`, in transactions that carry the
offsets. A kill falls due when a share of the numbers has come out, so that there
is always work in flight; with --every it falls due whatever has come out, so
that a group may be killed again before it has recovered. In the end each number must be in `out` exactly once
for a reader of committed records, and nothing that was aborted; and a worker
whose transactional id another has taken can do nothing more."""

import argparse
import logging
import os
import random
import subprocess
import sys
import tempfile
import time

import exactly_once_worker as worker
from broker import Broker, Cluster
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 6
WORKERS = 3
# Nothing came out for so long: the loop is stuck.
STALLED_S = 240
# How long a dead worker holds on to its partitions. On a machine that is busy a
# JVM may be silent for seconds.
SESSION_MS = {"librdkafka": 3000, "java": 10_000}
BROKER = [
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    "group.consumer.heartbeat.interval.ms=500",
    "offsets.topic.num.partitions=4",
    "transaction.state.log.num.partitions=4",
]


def java(options, program):
    """The command that runs a Java program of ours."""
    return ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", f"{options.work}/classes:{options.jars}/*", program]


class Workers:
    """The workers, each restarted when it ends."""

    def __init__(self, options, address, dice):
        self.options, self.address, self.dice = options, address, dice
        self.log = open(os.path.join(options.work, "workers.log"), "ab")
        self.processes = {}
        self.fenced = 0
        for index in range(WORKERS):
            self.start(f"copier-{index}")

    def start(self, name):
        seed = str(self.dice.randrange(1 << 31))
        session_ms = str(SESSION_MS[self.options.client])
        arguments = [self.address, "copiers", name, self.options.protocol, seed, session_ms]
        if self.options.client == "java":
            command = java(self.options, "ExactlyOnceWorker")
        else:
            command = [sys.executable, worker.__file__]
        self.processes[name] = subprocess.Popen(command + arguments, stderr=self.log)

    def tend(self):
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                self.fenced += process.returncode == worker.FENCED
                self.start(name)

    def kill_one(self):
        process = self.processes[self.dice.choice(sorted(self.processes))]
        process.kill()
        process.wait()

    def kill_all(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


class Kills:
    """When the next kill is due: by what has come out, or by the clock."""

    def __init__(self, options, dice):
        share = options.every or options.records / (options.kills + 1)
        self.due = [share * (n + dice.random()) for n in range(options.kills)]
        self.by_clock = options.every is not None
        self.started = time.monotonic()

    def is_due(self, seen):
        passed = time.monotonic() - self.started if self.by_clock else seen
        is_due = bool(self.due) and passed >= self.due[0]
        if is_due:
            self.due.pop(0)
        return is_due


class Tally:
    """How often each number has come out."""

    def __init__(self, address, records):
        self.counts = bytearray(records)
        self.seen = 0
        self.duplicates = []
        self.aborted = 0
        self.reader = Consumer(worker.settings(address) | {
            "group.id": "tally", "enable.auto.commit": False, "isolation.level": "read_committed",
            "enable.partition.eof": False,
        })
        self.reader.assign([TopicPartition("out", index, 0) for index in range(PARTITIONS)])

    def read(self, timeout):
        """Reads on; answers whether there was anything."""
        records = [r for r in self.reader.consume(10_000, timeout=timeout) if not r.error()]
        for record in records:
            value = record.value()
            if value in (b"ABORTED", b"ZOMBIE"):
                self.aborted += 1
                continue
            number = int(value)
            if self.counts[number]:
                self.duplicates.append(number)
            else:
                self.seen += 1
            self.counts[number] = min(self.counts[number] + 1, 255)
        return bool(records)


def fill(address, records, nodes):
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    replicas = min(nodes, 3)
    config = {"min.insync.replicas": str((replicas + 1) // 2)}
    topics = [NewTopic(name, PARTITIONS, replicas, config=config) for name in ("in", "out")]
    for future in admin.create_topics(topics).values():
        future.result(30)
    failures = []
    producer = Producer(worker.settings(address) | {"linger.ms": 20, "queue.buffering.max.messages": 500_000})
    for number in range(records):
        while True:
            try:
                producer.produce("in", b"%d" % number, partition=number % PARTITIONS,
                                 on_delivery=lambda error, _: error and failures.append(error))
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(120) or failures:
        sys.exit(f"exactly-once: the input could not be written: {failures[:1]}")


def fence_a_zombie(options, address):
    """A producer whose id another has taken can neither commit nor write."""
    if options.client == "java":
        done = subprocess.run(java(options, "Zombie") + [address], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"exactly-once: the zombie was not fenced: {done.stderr.strip()}")
        return
    # It is to fail, and says so loudly.
    silent = logging.getLogger("zombie")
    silent.disabled = True
    zombie, heir = worker.producer(address, "contested", logger=silent), worker.producer(address, "contested")
    zombie.init_transactions(30)
    zombie.begin_transaction()
    zombie.produce("out", b"ZOMBIE", partition=0)
    zombie.flush(30)
    worker.retry(lambda: heir.init_transactions(30))
    try:
        zombie.commit_transaction(30)
    except KafkaException as error:
        if not error.args[0].fatal():
            sys.exit(f"exactly-once: the zombie was refused, but not for good: {error}")
        return
    sys.exit("exactly-once: a zombie could commit")


def run(options, dice, broker, tally):
    workers = Workers(options, broker.address, dice)
    kills = Kills(options, dice)
    killed = {"workers": 0, "brokers": 0}
    moved = time.monotonic()
    slowest = 0.0
    try:
        while tally.seen < options.records:
            if tally.read(0.1):
                slowest = max(slowest, time.monotonic() - moved)
                moved = time.monotonic()
            elif time.monotonic() - moved > STALLED_S:
                sys.exit(f"exactly-once: seed {options.seed}: stalled at {tally.seen} of {options.records} "
                         f"after {killed}; see {options.work}")
            workers.tend()
            if kills.is_due(tally.seen):
                if dice.random() < 0.5:
                    killed["brokers"] += 1
                    broker.kill()
                    broker.start()
                else:
                    killed["workers"] += 1
                    workers.kill_one()
    finally:
        workers.kill_all()
    return killed, workers.fenced, slowest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plimsoll")
    parser.add_argument("records", type=int)
    parser.add_argument("kills", type=int)
    parser.add_argument("--client", choices=["librdkafka", "java"], default="librdkafka")
    parser.add_argument("--protocol", choices=["classic", "consumer"], default="classic")
    parser.add_argument("--jars")
    parser.add_argument("--every", type=float)
    parser.add_argument("--nodes", type=int, choices=[1, 3, 5], default=1)
    parser.add_argument("--work", default=None, help="a directory to keep")
    options = parser.parse_args()
    options.seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"exactly-once: {options.client}, {options.protocol}, {options.nodes} node(s): seed {options.seed}", flush=True)
    dice = random.Random(options.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        options.work = options.work or temporary
        os.makedirs(options.work, exist_ok=True)
        if options.client == "java":
            folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "java")
            sources = [os.path.join(folder, name) for name in ("ExactlyOnceWorker.java", "Zombie.java")]
            subprocess.run(["javac", "-cp", f"{options.jars}/*", "-d", f"{options.work}/classes", *sources], check=True)
        session = f"group.consumer.session.timeout.ms={SESSION_MS[options.client]}"
        data, settings = os.path.join(options.work, "data"), BROKER + [session]
        if options.nodes > 1:
            settings.append("min.insync.replicas=2")
            broker = Cluster(options.plimsoll, data, options.nodes, random.Random(options.seed + 1), settings)
        else:
            broker = Broker(options.plimsoll, data, settings)
        fill(broker.address, options.records, options.nodes)
        tally = Tally(broker.address, options.records)
        killed, fenced, slowest = run(options, dice, broker, tally)
        fence_a_zombie(options, broker.address)
        while tally.read(3):
            pass
        lost = tally.counts.count(0)
        broker.stop()
    print(f"exactly-once: {options.records} records, {killed['workers']} workers and {killed['brokers']} brokers killed, "
          f"{fenced} workers fenced, in {time.monotonic() - started:.0f} s, longest pause {slowest:.1f} s: "
          f"{lost} lost, {len(tally.duplicates)} doubled, {tally.aborted} aborted seen; the zombie was fenced")
    if lost or tally.duplicates or tally.aborted:
        sys.exit(f"exactly-once: seed {options.seed}: doubled {tally.duplicates[:3]}")


main()
