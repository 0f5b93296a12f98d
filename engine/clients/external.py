"""external.py PLIMSOLL RECORDS KILLS: the loop into a table outside the log.

Workers read a topic, write each record into SQLite and then commit the offset;
half of the crashes fall between the two. A plain INSERT then has records twice.
An INSERT that names the record by where it lies (topic, partition, offset) and
does nothing when it is there has each once: exactly-once ends at the log, and an
idempotent write carries it over."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile

from broker import Broker
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "payments"
PARTITIONS = 2
BATCH = 50

PLAIN = "INSERT INTO payments VALUES (?, ?, ?, ?)"
IDEMPOTENT = PLAIN + " ON CONFLICT (topic, partition, offset) DO NOTHING"


def open_table(path, idempotent):
    table = sqlite3.connect(path, timeout=30, isolation_level=None)
    key = ", PRIMARY KEY (topic, partition, offset)" if idempotent else ""
    table.execute(f"CREATE TABLE IF NOT EXISTS payments (topic, partition, offset, value{key})")
    return table


def work(broker, path, idempotent, dies_after, dies_between):
    """Copies batches up to the log's end; kills itself in the batch that is its
    last, before the table has it, or when the table has it and the offset has not."""
    table = open_table(path, idempotent)
    reader = Consumer({"bootstrap.servers": broker, "group.id": os.path.basename(path), "enable.auto.commit": False, "log_level": 0})
    places = reader.committed([TopicPartition(TOPIC, index) for index in range(PARTITIONS)], timeout=30)
    places = [TopicPartition(TOPIC, place.partition, max(place.offset, 0)) for place in places]
    ends = [reader.get_watermark_offsets(place, timeout=30)[1] for place in places]
    left = sum(ends) - sum(place.offset for place in places)
    reader.assign(places)
    batches = 0
    while left:
        records = [record for record in reader.consume(BATCH, timeout=0.2) if not record.error()]
        if not records:
            continue
        left -= len(records)
        batches += 1
        if batches == dies_after and not dies_between:
            os.kill(os.getpid(), signal.SIGKILL)
        table.execute("BEGIN")
        rows = [(record.topic(), record.partition(), record.offset(), record.value().decode()) for record in records]
        table.executemany(IDEMPOTENT if idempotent else PLAIN, rows)
        table.execute("COMMIT")
        if batches == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        reader.commit(offsets=[TopicPartition(TOPIC, record.partition(), record.offset() + 1) for record in records], asynchronous=False)


def count(broker, path, idempotent, kills, dice):
    """Rows, and how many of them are there more than once."""
    for number in range(kills + 1):
        dies_after = 0 if number == kills else dice.randint(1, 4)
        between = number % 2 == 0
        command = [sys.executable, __file__, "work", broker, path, str(int(idempotent)), str(dies_after), str(int(between))]
        ended = subprocess.run(command).returncode
        if ended != (-signal.SIGKILL if dies_after else 0):
            sys.exit(f"external: a worker ended with {ended}")
    table = open_table(path, idempotent)
    rows, = table.execute("SELECT COUNT(*) FROM payments").fetchone()
    distinct, = table.execute("SELECT COUNT(DISTINCT value) FROM payments").fetchone()
    return distinct, rows - distinct


def main():
    plimsoll, records, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"external: seed {seed}", flush=True)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as data:
        broker = Broker(plimsoll, os.path.join(data, "broker"))
        admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)
        producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
        for number in range(records):
            producer.produce(TOPIC, f"payment {number}".encode(), partition=number % PARTITIONS)
        producer.flush(30)
        plain = count(broker.address, os.path.join(data, "plain.db"), False, kills, dice)
        idempotent = count(broker.address, os.path.join(data, "idempotent.db"), True, kills, dice)
        broker.stop()
    print(f"external: {records} records, {kills} crashes: plain INSERT has {plain[0]} and {plain[1]} of them again, "
          f"with the record's place as key {idempotent[0]} and {idempotent[1]} again")
    if plain[0] != records or not plain[1] or idempotent != (records, 0):
        sys.exit(f"external: seed {seed}: expected duplicates from the first and none from the second")


if sys.argv[1] == "work":
    work(sys.argv[2], sys.argv[3], sys.argv[4] == "1", int(sys.argv[5]), sys.argv[6] == "1")
else:
    main()
