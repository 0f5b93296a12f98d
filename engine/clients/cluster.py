"""cluster.py PLIMSOLL SECONDS: three nodes, a process each, one of them killed
with -9 or paused every few seconds under load.

A producer with acks=all (min.insync.replicas 2) and one with acks=1 keep a ledger
each of what was acknowledged, with a sequence per key. In the end every record
acknowledged at acks=all must be there, in order per key; what acks=1 lost is
counted and shown. Prints how long partitions were without a leader."""

import collections
import os
import random
import signal
import sys
import tempfile
import threading
import time

from broker import Node, free_ports
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 6
KEYS = 50


class Ledger:
    """What one producer was told is kept."""

    def __init__(self, brokers, topic, acks):
        self.topic, self.acks = topic, acks
        self.acknowledged, self.failed = set(), 0
        self.stop = threading.Event()
        settings = {"bootstrap.servers": brokers, "acks": acks, "linger.ms": 5, "log_level": 0,
                    "message.timeout.ms": 120_000, "topic.metadata.refresh.interval.ms": 1000,
                    "reconnect.backoff.max.ms": 500}
        if acks == "all":
            settings["enable.idempotence"] = True
        self.producer = Producer(settings)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        number = 0
        while not self.stop.is_set():
            try:
                self.producer.produce(self.topic, b"%d" % number, b"key-%d" % (number % KEYS),
                                      on_delivery=self.delivered)
                number += 1
            except BufferError:
                self.producer.poll(0.05)
            if number % 50 == 0:
                self.producer.poll(0)
                time.sleep(0.005)
        self.producer.flush(120)

    def delivered(self, error, message):
        if error:
            self.failed += 1
        else:
            self.acknowledged.add(int(message.value()))


class Watch:
    """Looks for partitions without a live leader, and for how long."""

    def __init__(self, brokers, dead):
        self.dead, self.gaps, self.since, self.looks = dead, [], {}, 0
        self.admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.is_set():
            try:
                topics = self.admin.list_topics(timeout=1).topics
            except Exception:
                continue
            self.looks += 1
            now = time.monotonic()
            for name in ("kept", "loose"):
                for index, partition in topics[name].partitions.items() if name in topics else ():
                    place = (name, index)
                    if partition.leader == -1 or partition.leader in self.dead:
                        self.since.setdefault(place, now)
                    elif place in self.since:
                        self.gaps.append(now - self.since.pop(place))
            time.sleep(0.02)


def read_all(brokers, topic):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "check", "log_level": 0,
                         "enable.auto.commit": False})
    values = []
    for index in range(PARTITIONS):
        place = TopicPartition(topic, index)
        low, high = consumer.get_watermark_offsets(place, timeout=30)
        consumer.assign([TopicPartition(topic, index, low)])
        at = low
        while at < high:
            got = consumer.consume(10_000, timeout=10) or sys.exit(f"cluster: {topic}-{index} ends at {at}")
            for message in got:
                if message.error():
                    sys.exit(f"cluster: {topic}-{index}: {message.error()}")
                values.append((message.key(), int(message.value())))
                at = message.offset() + 1
    consumer.close()
    return values


def main():
    binary, seconds = sys.argv[1], float(sys.argv[2])
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"cluster: seed {seed}", flush=True)
    dice = random.Random(seed)
    ports = free_ports(3)
    brokers = ",".join(f"127.0.0.1:{port}" for port in ports)
    with tempfile.TemporaryDirectory() as data:
        nodes = [Node(binary, number, ports, data) for number in (1, 2, 3)]
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_ready()
        try:
            check(nodes, brokers, dice, seconds, seed)
        finally:
            for node in nodes:
                node.process.kill()
                node.process.wait()


def check(nodes, brokers, dice, seconds, seed):
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    made = admin.create_topics([
        NewTopic("kept", PARTITIONS, 3, config={"min.insync.replicas": "2"}),
        NewTopic("loose", PARTITIONS, 3),
    ])
    for future in made.values():
        future.result(30)
    dead = set()
    ledgers = [Ledger(brokers, "kept", "all"), Ledger(brokers, "loose", "1")]
    watch = Watch(brokers, dead)
    for each in [*ledgers, watch]:
        each.thread.start()
    end, kills, pauses = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        time.sleep(dice.uniform(1, 3))
        node = dice.choice(nodes)
        dead.add(node.number)
        if dice.random() < 0.5:
            node.kill()
            kills += 1
            time.sleep(dice.uniform(0.5, 5))
            node.start()
            node.wait_ready()
        else:
            node.process.send_signal(signal.SIGSTOP)
            pauses += 1
            time.sleep(dice.uniform(0.5, 6))
            node.process.send_signal(signal.SIGCONT)
        dead.discard(node.number)
    time.sleep(5)
    for each in ledgers:
        each.stop.set()
    for each in ledgers:
        each.thread.join(150)
    watch.stop.set()
    if not watch.looks:
        sys.exit("cluster: the watch never learned who leads")
    failed = False
    for ledger in ledgers:
        values = read_all(brokers, ledger.topic)
        lost = ledger.acknowledged - {value for _, value in values}
        latest, moved = collections.defaultdict(lambda: -1), 0
        for key, value in values:
            moved += value < latest[key]
            latest[key] = max(latest[key], value)
        print(f"cluster: acks={ledger.acks}: {len(ledger.acknowledged)} acknowledged, "
              f"{ledger.failed} failed, {len(lost)} lost, {moved} out of order", flush=True)
        if ledger.acks == "all" and (lost or moved or not ledger.acknowledged):
            failed = True
    gaps = sorted(watch.gaps)
    at = lambda share: gaps[min(len(gaps) - 1, int(share * len(gaps)))] if gaps else 0
    print(f"cluster: {kills} kills, {pauses} pauses; partitions without a live leader {len(gaps)} times, "
          f"p50 {at(0.5):.2f} s, p99 {at(0.99):.2f} s (the session timeout is 3 s of it)")
    if failed:
        sys.exit(f"cluster: seed {seed}: acknowledged records are missing or moved")


main()
