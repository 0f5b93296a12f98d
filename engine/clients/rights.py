"""rights.py BROKER [--bounded]: confluent-kafka as users who may and may not, and as one with a quota.

The broker has the users root, who may do everything, alice and bob, and measures quotas
over two windows of a second. With --bounded the client "slow" has quotas there.
"""

import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

BROKER = sys.argv[1]
PASSWORDS = {"root": "top", "alice": "secret", "bob": "hidden"}
RATE = 100_000


def settings(user, **more):
    return {
        "bootstrap.servers": BROKER,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": PASSWORDS[user],
        "log_level": 0,
        **more,
    }


def expect(what, is_so):
    if not is_so:
        sys.exit(f"rights: confluent: {what}")


def produce(user, topic, values, **more):
    """Sends values; the errors of those that were refused."""
    errors = []

    def told(error, _message):
        if error is not None:
            errors.append(error.code())

    producer = Producer(settings(user, **more))
    for value in values:
        producer.produce(topic, value, on_delivery=told)
    expect("not everything was answered", producer.flush(60) == 0)
    return errors


def consume(user, topic, group, count):
    """The values of a topic, or the error that comes instead."""
    consumer = Consumer(settings(user, **{"group.id": group, "auto.offset.reset": "earliest"}))
    consumer.subscribe([topic])
    values = []
    try:
        while len(values) < count:
            message = consumer.poll(30)
            expect(f"{user} is told nothing", message is not None)
            if message.error() is not None:
                return message.error().code()
            values.append(message.value())
        return values
    finally:
        consumer.close()


def binding(kind, name, pattern, user, operation):
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def rights(root):
    sent = [b"value %d" % number for number in range(200)]
    for future in root.create_topics([NewTopic("payments", 2)]).values():
        future.result()
    refused = produce("alice", "payments", sent[:1], **{"message.timeout.ms": 20000})
    expect(f"alice writes: {refused}", refused == [KafkaError.TOPIC_AUTHORIZATION_FAILED])
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    bindings = [
        binding(ResourceType.TOPIC, "pay", prefixed, "alice", AclOperation.WRITE),
        binding(ResourceType.TOPIC, "payments", literal, "bob", AclOperation.READ),
        binding(ResourceType.GROUP, "auditors", literal, "bob", AclOperation.READ),
    ]
    for future in root.create_acls(bindings).values():
        future.result()
    expect("alice may not write", produce("alice", "payments", sent, **{"enable.idempotence": True}) == [])
    expect("alice reads", consume("alice", "payments", "auditors", 1) == KafkaError.GROUP_AUTHORIZATION_FAILED)
    received = consume("bob", "payments", "auditors", len(sent))
    expect(f"bob may not read: {received}", isinstance(received, list) and sorted(received) == sorted(sent))
    bob = AdminClient(settings("bob"))
    expect("bob sees other topics", set(bob.list_topics(timeout=20).topics) == {"payments"})
    every = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    expect("other entries are described", set(root.describe_acls(every).result()) == set(bindings))
    try:
        bob.create_acls(bindings[:1])[bindings[0]].result()
        expect("bob grants rights", False)
    except KafkaException as error:
        expect(f"bob: {error}", error.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    gone = root.delete_acls([every])[every].result()
    expect("other entries are deleted", set(gone) == set(bindings))
    print("rights: confluent: alice writes by a prefix, bob reads as he may, the rest is refused; 200 records equal")


def bounded(root):
    """The client "slow" has a quota of RATE both ways, the client "fast" has none."""
    for future in root.create_topics([NewTopic("bounded", 1)]).values():
        future.result()
    sent = [b"%0999d\n" % number for number in range(500)]
    least = len(sent) * 1000 / RATE - 3
    told = {}

    def throttled(event):
        told.setdefault(event.broker_id, []).append(event.throttle_time)

    for client in ["fast", "slow"]:
        told.clear()
        small = {"client.id": client, "throttle_cb": throttled, "batch.size": 16384, "max.in.flight": 1}
        start = time.monotonic()
        expect("root may not write", produce("root", "bounded", sent, **small) == [])
        took = time.monotonic() - start
        is_slow = client == "slow"
        expect(f"{client}: produced with rests of {told}", bool(told) == is_slow)
        expect(f"{client}: produced in {took:.1f} s, at least {least:.1f} s allowed", not is_slow or took >= least)
    told.clear()
    reader = {"client.id": "slow", "throttle_cb": throttled, "group.id": "slow", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings("root", **reader, **{"fetch.max.bytes": 100000, "message.max.bytes": 100000}))
    consumer.subscribe(["bounded"])
    received, start = [], None
    while len(received) < len(sent):
        message = consumer.poll(60)
        expect(f"{len(received)} came: {message and message.error()}", message is not None and message.error() is None)
        start = start or time.monotonic()
        received.append(message.value())
    took = time.monotonic() - start
    consumer.close()
    expect("records differ", received == sent)
    expect(f"fetched in {took:.1f} s with rests of {told}, at least {least:.1f} s allowed", told and took >= least)
    print(f"rights: confluent: a client with a quota rests, producing and fetching; {len(sent)} records equal")


def main():
    root = AdminClient(settings("root"))
    rights(root)
    if "--bounded" in sys.argv:
        bounded(root)


main()
