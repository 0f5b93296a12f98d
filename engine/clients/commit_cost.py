"""commit_cost.py PLIMSOLL [SECONDS]: what commits of offsets and transactions
cost the broker, in CPU time of its process, sockets and all.

Requests are encoded once and sent over raw sockets, many under way at a time, so
that the client does not count: offsets of one and of ten partitions a request,
and transactions of the older flow (AddPartitionsToTxn, EndTxn) over one
partition, on as many connections as transactional ids. Then many idempotent
producers write one record each into one partition, and the broker's memory is
set against that of as many records of one producer."""

import os
import socket
import struct
import sys
import tempfile
import time

from broker import Broker
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = b"orders"
IN_FLIGHT = 50
IDS = 16
# The last field of each answer here is its error code.
NO_ERROR = b"\x00\x00"


def string(text):
    return struct.pack(">h", len(text)) + text


def frame(api, version, body):
    header = struct.pack(">hhi", api, version, 1) + string(b"cost")
    return struct.pack(">i", len(header) + len(body)) + header + body


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def commit(group, partitions):
    """OffsetCommit 2, by a simple consumer."""
    offsets = [struct.pack(">iq", index, 7) + string(b"") for index in range(partitions)]
    topic = string(TOPIC) + array(offsets)
    return frame(8, 2, string(group) + struct.pack(">i", -1) + string(b"") + struct.pack(">q", -1) + array([topic]))


class Wire:
    def __init__(self, broker):
        self.socket = socket.create_connection(("127.0.0.1", broker.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def send(self, request):
        self.socket.sendall(request)

    def answer(self):
        length, = struct.unpack(">i", self.input.read(4))
        return self.input.read(length)[4:]


def cpu_seconds(broker):
    with open(f"/proc/{broker.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(what, broker, seconds, work):
    cpu, started, done = cpu_seconds(broker), time.monotonic(), 0
    while time.monotonic() - started < seconds:
        done += work()
    cpu, passed = cpu_seconds(broker) - cpu, time.monotonic() - started
    print(f"{what}: {done / cpu:.0f} a second and core ({1e6 * cpu / done:.1f} µs of CPU each; {done / passed:.0f}/s here)", flush=True)


def offsets(broker, partitions):
    wire = Wire(broker)
    request = commit(b"cost-%d" % partitions, partitions)

    def work():
        wire.send(request * IN_FLIGHT)
        for _ in range(IN_FLIGHT):
            if wire.answer()[-2:] != NO_ERROR:
                sys.exit("commit-cost: a commit was refused")
        return IN_FLIGHT

    return work


class Transactional:
    def __init__(self, broker, number):
        self.wire = Wire(broker)
        self.id = string(b"cost-%d" % number)
        self.begin()

    def begin(self):
        """InitProducerId 0, until the coordinator is there."""
        while True:
            self.wire.send(frame(22, 0, self.id + struct.pack(">i", 60_000)))
            _, code, producer, epoch = struct.unpack(">ihqh", self.wire.answer())
            if code == 0:
                break
            time.sleep(0.1)
        by = self.id + struct.pack(">qh", producer, epoch)
        topic = string(TOPIC) + array([struct.pack(">i", 0)])
        self.add, self.end = frame(24, 0, by + array([topic])), frame(26, 0, by + b"\x01")


def transactions(broker):
    clients = [Transactional(broker, number) for number in range(IDS)]

    def work():
        for client in clients:
            client.wire.send(client.add + client.end)
        done = 0
        for client in clients:
            added, ended = client.wire.answer(), client.wire.answer()
            # One that meets the markers of the one before is not counted.
            done += added[-2:] == NO_ERROR and ended[-2:] == NO_ERROR
        return done

    return work


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC = crc_table()


def produce(partition, producer, sequence):
    """Produce 3 with one batch of one record."""
    now = int(time.time() * 1000)
    record = b"\x10\x00\x00\x00\x01\x04ab\x00"
    covered = struct.pack(">hiqqqhii", 0, 0, now, now, producer, 0, sequence, 1) + record
    batch = struct.pack(">iBI", -1, 2, crc32c(covered)) + covered
    batch = struct.pack(">qi", 0, len(batch)) + batch
    data = struct.pack(">i", partition) + struct.pack(">i", len(batch)) + batch
    topic = string(TOPIC) + array([data])
    return frame(0, 3, struct.pack(">hhi", -1, -1, 30_000) + array([topic]))


def memory(broker):
    with open(f"/proc/{broker.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def producers(broker, count):
    """Bytes for each producer id that a partition knows."""
    wire = Wire(broker)
    grown = []
    for partition, ids in [(1, lambda number: 1), (2, lambda number: 10_000 + number)]:
        before = memory(broker)
        for first in range(0, count, IN_FLIGHT):
            batches = range(first, first + IN_FLIGHT)
            sequence = (lambda number: number) if partition == 1 else (lambda number: 0)
            wire.send(b"".join(produce(partition, ids(number), sequence(number)) for number in batches))
            for _ in batches:
                # Before the throttle time: code, base offset and append time.
                if wire.answer()[-22:-20] != NO_ERROR:
                    sys.exit("commit-cost: a record was refused")
        grown.append(memory(broker) - before)
    print(f"a producer id in a partition: {(grown[1] - grown[0]) / count:.0f} bytes ({count} of them)", flush=True)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    with tempfile.TemporaryDirectory() as data:
        broker = Broker(sys.argv[1], data)
        admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC.decode(), 10, 1)])[TOPIC.decode()].result(30)
        report("commits of one partition", broker, seconds, offsets(broker, 1))
        report("commits of ten partitions", broker, seconds, offsets(broker, 10))
        report("transactions over one partition", broker, seconds, transactions(broker))
        producers(broker, 50_000)
        broker.stop()


main()
