"""exactly_once_worker.py BROKER GROUP ID PROTOCOL SEED SESSION_MS: copies `in` to `out` in
transactions that carry the offsets, for ever. Now and then it writes records
that say ABORTED and aborts them; nobody may see those.

Exit code 7 means that another has taken this worker's transactional id."""

import os
import random
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

FENCED = 7
BATCH = 500
ABORTS_ONE_IN = 20


def settings(broker):
    return {
        "bootstrap.servers": broker,
        "reconnect.backoff.max.ms": 200,
        "metadata.recovery.strategy": "none",
        "log_level": 0,
    }


def consumer(broker, group, protocol, session_ms):
    config = settings(broker) | {
        "group.id": group,
        "group.protocol": protocol,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    }
    if protocol == "classic":
        config |= {"session.timeout.ms": session_ms, "heartbeat.interval.ms": 500,
                   "partition.assignment.strategy": "cooperative-sticky"}
    return Consumer(config)


def producer(broker, name, **more):
    return Producer(settings(broker) | {
        "transactional.id": name,
        "transaction.timeout.ms": 20_000,
        "linger.ms": 5,
    }, **more)


def rewind(reader):
    """Back to what is committed: the records of an aborted transaction are to
    be read again."""
    places = reader.assignment()
    if not places:
        return
    for place in reader.committed(places, timeout=30):
        offset = place.offset if place.offset >= 0 else 0
        reader.seek(TopicPartition(place.topic, place.partition, offset))


def copy(reader, writer, records, aborts):
    next_offsets = {}
    writer.begin_transaction()
    for record in records:
        value = b"ABORTED" if aborts else record.value()
        writer.produce("out", value, partition=record.partition())
        next_offsets[record.partition()] = record.offset() + 1
    if aborts:
        writer.abort_transaction(60)
        rewind(reader)
        return
    offsets = [TopicPartition("in", partition, offset) for partition, offset in next_offsets.items()]
    writer.send_offsets_to_transaction(offsets, reader.consumer_group_metadata(), 60)
    writer.commit_transaction(60)


def retry(action):
    """Repeats what librdkafka says may be repeated."""
    while True:
        try:
            return action()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise


def main():
    broker, group, name, protocol, seed, session_ms = sys.argv[1:7]
    dice = random.Random(int(seed))
    reader = consumer(broker, group, protocol, int(session_ms))
    reader.subscribe(["in"])
    writer = producer(broker, name)
    retry(lambda: writer.init_transactions(60))
    while True:
        records = [r for r in reader.consume(BATCH, timeout=0.5) if not r.error()]
        if not records:
            continue
        try:
            copy(reader, writer, records, dice.randrange(ABORTS_ONE_IN) == 0)
        except KafkaException as error:
            cause = error.args[0]
            print(f"worker {name}: {cause}", file=sys.stderr)
            if cause.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                os._exit(FENCED)
            if cause.fatal() or not cause.txn_requires_abort():
                os._exit(1)
            retry(lambda: writer.abort_transaction(60))
            retry(lambda: rewind(reader))


if __name__ == "__main__":
    main()
