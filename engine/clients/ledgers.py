"""Producers that remember what was acknowledged, for the scripts that kill brokers."""

import collections
import os
import subprocess
import sys
import threading
import time

from confluent_kafka import Producer

KEYS = 50
BURST_S = 0.02
# How long what was sent may take to be answered after the end.
FLUSH_S = 150
# Acknowledgements are counted by tenths of a second.
TENTHS = 10


class Ledger:
    """What one producer was told is kept: numbers, of which each belongs to a key."""

    def __init__(self, name, topic, acks):
        self.name, self.topic, self.acks = name, topic, acks
        self.acknowledged, self.count, self.failed = bytearray(), 0, 0
        self.by_time = collections.Counter()

    def note(self, number):
        """This number was acknowledged now."""
        if number >= len(self.acknowledged):
            self.acknowledged.extend(bytes(max(number + 1, 1 << 16)))
        self.acknowledged[number] = 1
        self.count += 1
        self.by_time[int(time.monotonic() * TENTHS)] += 1

    def judge(self, records):
        """How many acknowledged numbers are missing from (key, number) pairs as they
        lie in the log, how many lie there twice, and how many before an earlier one."""
        seen, doubled, moved = bytearray(len(self.acknowledged)), 0, 0
        latest = collections.defaultdict(lambda: -1)
        for key, number in records:
            if number < len(seen):
                doubled += seen[number]
                seen[number] = 1
            moved += number < latest[key]
            latest[key] = max(latest[key], number)
        lost = sum(1 for told, there in zip(self.acknowledged, seen) if told and not there)
        return lost, doubled, moved


class Librdkafka(Ledger):
    """confluent-kafka, idempotent when it waits for all replicas."""

    def __init__(self, brokers, topic, acks, per_second):
        super().__init__("librdkafka", topic, acks)
        settings = {"bootstrap.servers": brokers, "acks": acks, "linger.ms": 5, "log_level": 0,
                    "message.timeout.ms": 120_000, "topic.metadata.refresh.interval.ms": 1000,
                    "reconnect.backoff.max.ms": 500, "enable.idempotence": acks == "all"}
        self.producer = Producer(settings)
        self.burst = max(1, int(per_second * BURST_S))
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def run(self):
        number, due = 0, time.monotonic()
        while not self.stopping.is_set():
            for _ in range(self.burst):
                try:
                    self.producer.produce(self.topic, b"%d" % number, b"key-%d" % (number % KEYS),
                                          on_delivery=self.delivered)
                    number += 1
                except BufferError:
                    self.producer.poll(0.05)
            self.producer.poll(0)
            due = max(due + BURST_S, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))
        self.producer.flush(FLUSH_S)

    def delivered(self, error, message):
        if error:
            self.failed += 1
        else:
            self.note(int(message.value()))

    def stop(self):
        self.stopping.set()

    def join(self):
        self.thread.join(FLUSH_S + 10)
        if self.thread.is_alive():
            sys.exit("the librdkafka producer does not end")


class Java(Ledger):
    """Kafka's own producer, idempotent, in a process of its own."""

    def __init__(self, brokers, topic, per_second, jars, work):
        super().__init__("java", topic, "all")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "java", "AckedProducer.java")
        subprocess.run(["javac", "-cp", f"{jars}/*", "-d", f"{work}/classes", source], check=True)
        self.command = ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                        "-cp", f"{work}/classes:{jars}/*", "AckedProducer", brokers, topic, str(per_second), str(KEYS)]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.ended = False

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread.start()

    def run(self):
        for line in self.process.stdout:
            if line.startswith("end "):
                self.failed, self.ended = int(line.split()[1]), True
            else:
                self.note(int(line))

    def stop(self):
        self.process.stdin.close()

    def join(self):
        try:
            code = self.process.wait(FLUSH_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            sys.exit("the Java producer does not end")
        self.thread.join()
        if code != 0 or not self.ended:
            sys.exit(f"the Java producer ended with {code}")
