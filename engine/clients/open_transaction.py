"""open_transaction.py BROKER TOPIC ID: writes a record in a transaction, says
`open`, and leaves it so until its standard input ends. Before that it writes a
plain record after it, which readers of committed records cannot reach."""

import sys

from confluent_kafka import Producer

broker, topic, name = sys.argv[1:4]
producer = Producer({"bootstrap.servers": broker, "transactional.id": name, "transaction.timeout.ms": 300_000, "log_level": 0})
producer.init_transactions(30)
producer.begin_transaction()
producer.produce(topic, b"of the open transaction", partition=0)
producer.flush(30)
plain = Producer({"bootstrap.servers": broker, "log_level": 0})
plain.produce(topic, b"after it", partition=0)
plain.flush(30)
print("open", flush=True)
sys.stdin.read()
