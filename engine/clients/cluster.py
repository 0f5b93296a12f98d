"""cluster.py PLIMSOLL SECONDS [--jars DIR]: three nodes, a process each, one of them
killed with -9 or paused every few seconds under load.

Producers keep ledgers of what was acknowledged, with a sequence per key: librdkafka
and, given a folder of Kafka's jars, Java's, both idempotent at acks=all with
min.insync.replicas 2, and librdkafka at acks=1. In the end every record acknowledged at
acks=all must be there, once and in order per key; what acks=1 lost is counted and
shown. Prints how long partitions were without a leader, and what was acknowledged a
second around the losses."""

import argparse
import os
import random
import signal
import sys
import tempfile
import time

from broker import Node, free_ports
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from ledgers import TENTHS, Java, Librdkafka
from outages import Outage, report

PARTITIONS = 6
TOPICS = ["kept", "kept-java", "loose"]
# By each producer.
PER_SECOND = 1000
# How long a node is gone: the session lasts 3 s, and a controller is missed first.
SHORTEST_S, LONGEST_S = 0.5, 9
# How long reading a partition may take.
PATIENCE_S = 120


def read_all(brokers, topic):
    """The records of a topic, as (key, number), in the order of each partition."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "check", "log_level": 0,
                         "enable.auto.commit": False})
    for index in range(PARTITIONS):
        place = TopicPartition(topic, index)
        low, high = consumer.get_watermark_offsets(place, timeout=30)
        consumer.assign([TopicPartition(topic, index, low)])
        at, patience = low, time.monotonic() + PATIENCE_S
        while at < high:
            if time.monotonic() > patience:
                sys.exit(f"cluster: {topic}-{index} ends at {at}, {high} was promised")
            # It waits for so many, however many there are.
            for message in consumer.consume(min(1000, high - at), timeout=1):
                if message.error():
                    sys.exit(f"cluster: {topic}-{index}: {message.error()}")
                yield message.key(), int(message.value())
                at = message.offset() + 1
    consumer.close()


def strike(node, others, dice):
    """Takes a node away for a while."""
    outage = Outage(node, others, TOPICS)
    seconds = dice.uniform(SHORTEST_S, LONGEST_S)
    kills = dice.random() < 0.5
    if kills:
        node.kill()
    else:
        node.process.send_signal(signal.SIGSTOP)
    outage.begin()
    outage.watch(seconds)
    if kills:
        node.start()
        node.wait_ready()
    else:
        node.process.send_signal(signal.SIGCONT)
    return outage, kills


def check(options, nodes, brokers, dice, work):
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    kept = {"min.insync.replicas": "2"}
    made = admin.create_topics([NewTopic(topic, PARTITIONS, 3, config={} if topic == "loose" else kept)
                                for topic in TOPICS])
    for future in made.values():
        future.result(30)
    ledgers = [Librdkafka(brokers, "kept", "all", PER_SECOND), Librdkafka(brokers, "loose", "1", PER_SECOND)]
    if options.jars:
        ledgers.append(Java(brokers, "kept-java", PER_SECOND, options.jars, work))
    for ledger in ledgers:
        ledger.start()
    outages, kills, end = [], 0, time.monotonic() + options.seconds
    while time.monotonic() < end:
        time.sleep(dice.uniform(1, 3))
        node = dice.choice(nodes)
        outage, killed = strike(node, [other for other in nodes if other is not node], dice)
        outages.append(outage)
        kills += killed
    time.sleep(5)
    for ledger in ledgers:
        ledger.stop()
    for ledger in ledgers:
        ledger.join()
    failed = False
    for ledger in ledgers:
        lost, doubled, moved = ledger.judge(read_all(brokers, ledger.topic))
        print(f"cluster: {ledger.name} at acks={ledger.acks}: {ledger.count} acknowledged, {ledger.failed} failed, "
              f"{lost} lost, {doubled} twice, {moved} out of order", flush=True)
        failed |= ledger.acks == "all" and bool(lost or doubled or moved or not ledger.count)
    print(f"cluster: {kills} kills, {len(outages) - kills} pauses")
    report(outages, ledgers, TENTHS)
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plimsoll")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--jars", help="a folder of Kafka's jars")
    options = parser.parse_args()
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"cluster: seed {seed}", flush=True)
    ports = free_ports(3)
    brokers = ",".join(f"127.0.0.1:{port}" for port in ports)
    with tempfile.TemporaryDirectory() as work:
        nodes = [Node(options.plimsoll, number, ports, work) for number in (1, 2, 3)]
        for node in nodes:
            node.log = f"{work}/node-{node.number}.log"
            node.start()
        for node in nodes:
            node.wait_ready()
        try:
            if not check(options, nodes, brokers, random.Random(seed), work):
                for node in nodes:
                    with open(node.log) as log:
                        sys.stderr.writelines(f"node {node.number}: {line}" for line in log.readlines()[-20:])
                sys.exit(f"cluster: seed {seed}: acknowledged records are missing, doubled or moved")
        finally:
            for node in nodes:
                node.process.kill()
                node.process.wait()


if __name__ == "__main__":
    main()
