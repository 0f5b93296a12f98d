"""A group member with confluent-kafka: BROKER TOPIC GROUP PROTOCOL ASSIGNOR
SESSION_MS INSTANCE. Says `HOLDS p p …` whenever that changes."""

import signal
import sys

from confluent_kafka import Consumer

broker, topic, group, protocol, assignor, session_ms, instance = sys.argv[1:8]
held = set()
going = False


def say():
    print("HOLDS", *sorted(held), flush=True)


def assigned(_, partitions):
    held.update(partition.partition for partition in partitions)
    say()


def revoked(_, partitions):
    held.difference_update(partition.partition for partition in partitions)
    say()


def stop(*_):
    global going
    going = True


config = {
    "bootstrap.servers": broker,
    "group.id": group,
    "group.protocol": protocol,
    "auto.offset.reset": "earliest",
    "auto.commit.interval.ms": 200,
    "log_level": 0,
}
if protocol == "classic":
    config |= {"partition.assignment.strategy": assignor, "session.timeout.ms": int(session_ms), "heartbeat.interval.ms": 300}
else:
    config |= {"group.remote.assignor": assignor}
if instance:
    config["group.instance.id"] = instance
signal.signal(signal.SIGTERM, stop)
consumer = Consumer(config)
consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=revoked)
while not going:
    consumer.consume(100, timeout=0.1)
consumer.close()
