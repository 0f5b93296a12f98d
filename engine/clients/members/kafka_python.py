"""A group member with kafka-python: BROKER TOPIC GROUP PROTOCOL ASSIGNOR
SESSION_MS INSTANCE. Says `HOLDS p p …` whenever that changes."""

import signal
import sys

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.range import RangePartitionAssignor

broker, topic, group, _, _, session_ms, instance = sys.argv[1:8]
going = False


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        print("HOLDS", flush=True)

    def on_partitions_assigned(self, assigned):
        print("HOLDS", *sorted(place.partition for place in assigned), flush=True)


def stop(*_):
    global going
    going = True


signal.signal(signal.SIGTERM, stop)
consumer = KafkaConsumer(
    bootstrap_servers=broker,
    group_id=group,
    group_instance_id=instance or None,
    partition_assignment_strategy=[RangePartitionAssignor],
    session_timeout_ms=int(session_ms),
    heartbeat_interval_ms=300,
    max_poll_interval_ms=30_000,
    auto_commit_interval_ms=200,
    auto_offset_reset="earliest",
)
consumer.subscribe([topic], listener=Listener())
while not going:
    consumer.poll(timeout_ms=100)
consumer.close()
