#!/usr/bin/env python3
"""cluster_cost.py PLIMSOLL [PARTITIONS…]: what a cluster of three nodes costs.

First acks=all against acks=1 at replication factor 3, cells interleaved in one run:
the added latency of a batch. Then how many topics, and so records of metadata, are
committed a second. Then, for each number of partitions (1000 by default;
give 1000 10000 for both), three processes with a topic of that many partitions at
factor 3: the time to create it, memory for each replica, CPU when idle, and how long
it takes after kill -9 of a node until every partition is led by another. Times are of
this machine at this moment; ratios and CPU seconds say more. About a minute, and one
to three more for each number of partitions. Needs nothing but Python."""

import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from leaders import leaders

NODES = 3
# How many topics are created to see how fast the metadata log is, and by how many
# clients at once.
TOPICS = 400
CLIENTS = 16
# How long a broker may be silent before others lead in its place.
SESSION_MS = 2000
IDLE_SECONDS = 10
# Partitions are created in topics of so many.
BATCH = 1000
# Until new leaders and their followers have found each other.
SETTLE_S = 5

ACKS = """
question = "What does acks = all add at three copies?"
repeats = 5
cluster.nodes = 3
topic.partitions = 3
topic.replication_factor = 3
topic.configs.min.insync.replicas = 2
producer.acks = [1, "all"]
producer.linger = "1ms"
consumer.count = 0
records.size = "1KiB"
load.rate = "2K/s"
load.warmup = "1s"
load.duration = "4s"
load.drain = "10s"
"""


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def acks(plimsoll, home):
    """The added latency of acks=all, paired by block."""
    workload = home / "acks-at-three.toml"
    workload.write_text(ACKS)
    out = home / "acks"
    # A cell that is not valid makes the run fail, as it should: on a busy machine a
    # leader may change, and acks=1 lose what it had acknowledged.
    subprocess.run([plimsoll, "run", workload, "--out", out, "--quiet"], stdout=subprocess.DEVNULL)
    cells = json.loads((out / "result.json").read_text())["cells"]
    blocks = {}
    for cell in cells:
        if not cell["valid"]:
            print(f"left out, block {cell['block']}: {'; '.join(cell['invalid_reasons'])}")
            continue
        acks = str(cell["params"]["producer.acks"])
        blocks.setdefault(cell["block"], {})[acks] = cell["latency"]["response"]
    whole = [block for block in blocks.values() if len(block) == 2]
    if not whole:
        sys.exit("cluster_cost: no pair of cells is valid")
    for name in ("p50_us", "p99_us"):
        pairs = [(block["1"][name], block["all"][name]) for block in whole]
        added = median([every - leader for leader, every in pairs])
        ratio = median([every / leader for leader, every in pairs])
        print(f"acks=all against acks=1, {name[:3]} of a batch: {added / 1000:+.2f} ms, "
              f"x{ratio:.2f} (median of {len(pairs)} pairs)")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def create_topic(stream, name, partitions):
    """Asks for a topic at factor 3 over an open connection, and waits until it is there."""
    text = lambda words: struct.pack(">h", len(words)) + words
    body = struct.pack(">hhih", 19, 2, 1, -1) + struct.pack(">i", 1) + text(name.encode())
    body += struct.pack(">ih", partitions, NODES) + struct.pack(">ii", 0, 0) + struct.pack(">ib", 60_000, 0)
    stream.sendall(struct.pack(">i", len(body)) + body)
    with stream.makefile("rb") as whole:
        length, = struct.unpack(">i", whole.read(4))
        answer = whole.read(length)
    at = 4 + 4 + 4 + 2 + len(name)
    code, = struct.unpack_from(">h", answer, at)
    if code:
        sys.exit(f"cluster_cost: {name} was not created: error {code}")


def operations(plimsoll, home):
    """How fast the metadata log takes changes: topics of one partition, two records and a
    commit by a majority, synced, each."""
    cluster = Cluster(plimsoll, home)
    try:
        for clients in (1, CLIENTS):
            used = cluster.cpu()
            began = time.monotonic()

            def create(client):
                host, port = cluster.addresses[client % NODES].split(":")
                with socket.create_connection((host, int(port)), timeout=60) as stream:
                    for number in range(TOPICS // clients):
                        create_topic(stream, f"t-{clients}-{client}-{number}", 1)

            threads = [threading.Thread(target=create, args=(client,)) for client in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = time.monotonic() - began
            made = TOPICS // clients * clients
            print(f"metadata log, {clients} client(s): {made / took:.0f} topics/s, {2 * made / took:.0f} records/s, "
                  f"{1000 * (cluster.cpu() - used) / made:.2f} ms of CPU a topic on all nodes", flush=True)
    finally:
        cluster.stop()


class Cluster:
    """A process for each node."""

    def __init__(self, plimsoll, home):
        self.plimsoll, ports = plimsoll, free_ports(NODES)
        self.addresses = [f"127.0.0.1:{port}" for port in ports]
        voters = ",".join(f"{n}@{at}" for n, at in enumerate(self.addresses, 1))
        self.processes = []
        for number, address in enumerate(self.addresses, 1):
            settings = {"node.id": number, "process.roles": "broker,controller",
                        "controller.quorum.voters": voters,
                        "broker.session.timeout.ms": SESSION_MS,
                        "broker.heartbeat.interval.ms": SESSION_MS // 4}
            command = [plimsoll, "serve", "--log", "warn", "--listen", address,
                       "--data", home / f"node-{number}"]
            for name, value in settings.items():
                command += ["--set", f"{name}={value}"]
            self.processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for process in self.processes:
            assert process.stdout.readline().startswith("ready "), "a node did not start"

    def topics(self, *arguments, node=0):
        command = [self.plimsoll, "topics", *arguments, "--target", self.addresses[node]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def memory(self):
        """Bytes resident in all nodes."""
        total = 0
        for process in self.processes:
            for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        return total

    def cpu(self):
        """Seconds used by all nodes."""
        ticks = 0
        for process in self.processes:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1]
            ticks += sum(map(int, fields.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def leaders(self, topics, node=0):
        """The leader of each partition as a node tells it, -1 for none."""
        return list(leaders(self.addresses[node], topics).values())

    def told(self, topics):
        """The same by every node."""
        return [self.leaders(topics, node) for node in range(NODES)]

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


def partitions(plimsoll, home, count):
    cluster = Cluster(plimsoll, home)
    try:
        before = cluster.memory()
        began = time.monotonic()
        topics, longest = [], 0
        for left in range(count, 0, -BATCH):
            asked = time.monotonic()
            topics.append(f"many-{len(topics)}")
            cluster.topics("create", topics[-1], "--partitions", str(min(left, BATCH)), "--replication-factor", "3")
            longest = max(longest, time.monotonic() - asked)
        while any(len(found) < count or min(found) < 0 for found in cluster.told(topics)):
            time.sleep(0.1)
        created = time.monotonic() - began
        time.sleep(SETTLE_S)
        each = (cluster.memory() - before) / (count * NODES)
        used = cluster.cpu()
        time.sleep(IDLE_SECONDS)
        idle = (cluster.cpu() - used) / IDLE_SECONDS
        victim = 2
        led = sum(1 for leader in cluster.leaders(topics) if leader == victim)
        began = time.monotonic()
        cluster.processes[victim - 1].send_signal(signal.SIGKILL)
        while any(leader in (victim, -1) for leader in cluster.leaders(topics)):
            time.sleep(0.02)
        moved = time.monotonic() - began
    finally:
        cluster.stop()
    print(f"{count} partitions on {NODES} nodes: created in {created:.2f} s ({count / created:.0f} partitions/s, at most "
          f"{BATCH} a topic, which took {longest:.2f} s at most), {each / 1024:.1f} KiB of memory a replica, "
          f"{100 * idle:.1f} % of a core idle on all nodes, {led} of them led by others {moved:.2f} s after "
          f"kill -9 (of which {SESSION_MS / 1000:.1f} s is detection)", flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    plimsoll = os.path.abspath(sys.argv[1])
    counts = [int(text) for text in sys.argv[2:]] or [1000]
    with tempfile.TemporaryDirectory(prefix="plimsoll-cost-") as home:
        home = pathlib.Path(home)
        acks(plimsoll, home)
        operations(plimsoll, home / "operations")
        for count in counts:
            place = home / str(count)
            place.mkdir()
            partitions(plimsoll, place, count)


if __name__ == "__main__":
    main()
