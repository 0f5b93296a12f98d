"""confluent.py HOST:PORT RECORDS: an idempotent producer and a consumer group
in every codec; the multiset of values that comes back must be what went in."""

import hashlib
import sys
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 3


def value(number):
    return b'{"order":%d,"state":"paid","note":"some words that compress well"}' % number


class Checksum:
    """A checksum that does not depend on order: hashes added modulo 2^128."""

    def __init__(self):
        self.sum = 0
        self.count = 0

    def add(self, data):
        self.sum = (self.sum + int.from_bytes(hashlib.md5(data).digest(), "big")) % (1 << 128)
        self.count += 1

    def __eq__(self, other):
        return (self.sum, self.count) == (other.sum, other.count)

    def __repr__(self):
        return f"{self.count} records, checksum {self.sum:032x}"


def produce(broker, topic, codec, records):
    failures = []
    producer = Producer({
        "bootstrap.servers": broker,
        "compression.type": codec,
        "enable.idempotence": True,
        "linger.ms": 20,
        "queue.buffering.max.messages": 500_000,
        "on_delivery": lambda error, _: failures.append(error) if error else None,
    })
    checksum = Checksum()
    for number in range(records):
        data = value(number)
        checksum.add(data)
        while True:
            try:
                producer.produce(topic, data, key=b"%d" % (number % 1000))
                break
            except BufferError:
                producer.poll(0.1)
        if number % 10_000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if failures or left:
        sys.exit(f"confluent: {codec}: {len(failures)} failed ({failures[:1]}), {left} undelivered")
    return checksum


def consume(broker, topic, records):
    consumer = Consumer({
        "bootstrap.servers": broker,
        "group.id": f"group-{uuid.uuid4()}",
        "auto.offset.reset": "earliest",
        "check.crcs": True,
    })
    consumer.subscribe([topic])
    checksum = Checksum()
    idle = 0
    while checksum.count < records and idle < 30:
        messages = consumer.consume(10_000, timeout=1)
        idle = 0 if messages else idle + 1
        for message in messages:
            if message.error():
                sys.exit(f"confluent: {topic}: {message.error()}")
            checksum.add(message.value())
    consumer.close()
    return checksum


def main():
    broker, records = sys.argv[1], int(sys.argv[2])
    admin = AdminClient({"bootstrap.servers": broker})
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = f"confluent-{codec}"
        for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
            future.result(30)
        sent = produce(broker, topic, codec, records)
        received = consume(broker, topic, records)
        if sent != received:
            sys.exit(f"confluent: {codec}: sent {sent}, received {received}")
        print(f"confluent: {codec}: {received}, equal", flush=True)


main()
