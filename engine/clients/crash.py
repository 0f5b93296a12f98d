"""crash.py PLIMSOLL CYCLES: `kill -9` of the broker under load, over and over.

An idempotent producer keeps a ledger of what was acknowledged. After the last
restart every acknowledged record must be in the log exactly once, and offsets
must follow one another without a gap."""

import collections
import os
import random
import sys
import tempfile
import threading
import time

from broker import Broker
from confluent_kafka import Consumer, Producer, TopicPartition

TOPIC = "ledger"
PARTITIONS = 4


class Ledger:
    """Which numbered records were acknowledged, and where."""

    def __init__(self, port):
        self.acknowledged = {}
        self.failed = 0
        self.number = 0
        self.stop = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": f"127.0.0.1:{port}",
            "enable.idempotence": True,
            "linger.ms": 2,
            "message.timeout.ms": 60_000,
            # After a restart go straight back, rather than start over from the
            # bootstrap list and wait for the next refresh of metadata.
            "reconnect.backoff.max.ms": 200,
            "metadata.recovery.strategy": "none",
            "log_level": 0,
        })

    def delivered(self, error, message):
        if error:
            self.failed += 1
        else:
            self.acknowledged[message.value()] = (message.partition(), message.offset())

    def wait_for_progress(self):
        """Until something sent after now has been acknowledged: a kill that finds
        the client still reconnecting proves nothing."""
        before = len(self.acknowledged)
        deadline = time.monotonic() + 30
        while len(self.acknowledged) == before:
            if time.monotonic() > deadline:
                sys.exit("crash: nothing was acknowledged for 30 s")
            time.sleep(0.01)

    def run(self):
        while not self.stop.is_set():
            try:
                self.producer.produce(TOPIC, b"record-%d" % self.number, on_delivery=self.delivered)
                self.number += 1
            except BufferError:
                self.producer.poll(0.01)
            if self.number % 100 == 0:
                self.producer.poll(0)
                time.sleep(0.001)
        self.producer.flush(60)


def read_back(port):
    """All records by partition, in offset order."""
    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{port}", "group.id": "check",
                         "enable.auto.commit": False, "enable.partition.eof": False})
    records = []
    for index in range(PARTITIONS):
        low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, index), timeout=10)
        consumer.assign([TopicPartition(TOPIC, index, low)])
        position = low
        while position < high:
            for message in consumer.consume(10_000, timeout=5) or sys.exit(f"crash: partition {index} gave nothing at {position}"):
                if message.error():
                    sys.exit(f"crash: partition {index}: {message.error()}")
                if message.offset() != position:
                    sys.exit(f"crash: partition {index}: expected offset {position}, got {message.offset()}")
                records.append((message.value(), (index, message.offset())))
                position += 1
    consumer.close()
    return records


def main():
    binary, cycles = sys.argv[1], int(sys.argv[2])
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"crash: seed {seed}", flush=True)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as data:
        broker = Broker(binary, data, [f"num.partitions={PARTITIONS}"])
        ledger = Ledger(broker.port)
        worker = threading.Thread(target=ledger.run, daemon=True)
        worker.start()
        for _ in range(cycles):
            ledger.wait_for_progress()
            time.sleep(dice.uniform(0.0, 0.5))
            broker.kill()
            broker.start()
        time.sleep(1)
        ledger.stop.set()
        worker.join()
        records = read_back(broker.port)
        broker.stop()

    copies = collections.Counter(value for value, _ in records)
    where = dict(records)
    lost = [value for value in ledger.acknowledged if value not in where]
    moved = [value for value, place in ledger.acknowledged.items()
             if value in where and place[1] >= 0 and where[value] != place]
    duplicated = [value for value, count in copies.items() if count > 1]
    print(f"crash: {cycles} kills, {len(ledger.acknowledged)} acknowledged, {ledger.failed} failed, "
          f"{len(lost)} lost, {len(duplicated)} duplicated, {len(moved)} moved")
    if lost or duplicated or moved or not ledger.acknowledged:
        sys.exit(f"crash: seed {seed}: lost {lost[:3]}, duplicated {duplicated[:3]}, moved {moved[:3]}")


main()
