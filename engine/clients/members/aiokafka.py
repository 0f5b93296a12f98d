"""A group member with aiokafka: BROKER TOPIC GROUP PROTOCOL ASSIGNOR SESSION_MS
INSTANCE. Says `HOLDS p p …` whenever that changes."""

import sys

# This file has the package's name: its own folder must not come first.
sys.path.pop(0)

import asyncio
import signal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        print("HOLDS", flush=True)

    async def on_partitions_assigned(self, assigned):
        print("HOLDS", *sorted(place.partition for place in assigned), flush=True)


async def main():
    broker, topic, group, _, _, session_ms, instance = sys.argv[1:8]
    going = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, going.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        group_id=group,
        group_instance_id=instance or None,
        partition_assignment_strategy=[RoundRobinPartitionAssignor],
        session_timeout_ms=int(session_ms),
        heartbeat_interval_ms=300,
        max_poll_interval_ms=30_000,
        auto_commit_interval_ms=200,
        auto_offset_reset="earliest",
    )
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not going.is_set():
        await consumer.getmany(timeout_ms=100)
    await consumer.stop()


asyncio.run(main())
