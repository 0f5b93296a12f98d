#!/usr/bin/env python3
"""cluster_cost.py PLIMSOLL [PARTITIONS…]: what a cluster of three nodes costs.

First acks=all against acks=1 at replication factor 3, cells interleaved in one run:
the added latency of a batch. Then, for each number of partitions (1000 by default;
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
import time

NODES = 3
# How long a broker may be silent before others lead in its place.
SESSION_MS = 2000
IDLE_SECONDS = 10

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
    subprocess.run([plimsoll, "run", workload, "--out", out, "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    cells = json.loads((out / "result.json").read_text())["cells"]
    blocks = {}
    for cell in cells:
        acks = str(cell["params"]["producer.acks"])
        blocks.setdefault(cell["block"], {})[acks] = cell["latency"]["response"]
    for name in ("p50_us", "p99_us"):
        pairs = [(block["1"][name], block["all"][name]) for block in blocks.values()]
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


class Reader:
    """Takes a response of Metadata 1 apart."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0]

    def skip(self, length):
        self.at += max(length, 0)

    def text(self):
        self.skip(self.take("h"))


def leaders_in(reader):
    reader.take("i")
    for _ in range(reader.take("i")):
        reader.take("i")
        reader.text()
        reader.take("i")
        reader.text()
    reader.take("i")
    found = []
    for _ in range(reader.take("i")):
        reader.take("h")
        reader.text()
        reader.take("b")
        for _ in range(reader.take("i")):
            reader.take("h")
            reader.take("i")
            found.append(reader.take("i"))
            for _ in ("replicas", "isr"):
                reader.skip(4 * reader.take("i"))
    return found


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

    def leaders(self, topic, node=0):
        """The leader of each partition as a node tells it, -1 for none."""
        host, port = self.addresses[node].split(":")
        name = topic.encode()
        body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">ih", 1, len(name)) + name
        with socket.create_connection((host, int(port)), timeout=30) as stream:
            stream.sendall(struct.pack(">i", len(body)) + body)
            whole = stream.makefile("rb")
            length, = struct.unpack(">i", whole.read(4))
            return leaders_in(Reader(whole.read(length)))

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


def partitions(plimsoll, home, count):
    cluster = Cluster(plimsoll, home)
    try:
        before = cluster.memory()
        began = time.monotonic()
        cluster.topics("create", "many", "--partitions", str(count), "--replication-factor", "3")
        while len(found := cluster.leaders("many")) < count or min(found) < 0:
            time.sleep(0.02)
        created = time.monotonic() - began
        time.sleep(2)
        each = (cluster.memory() - before) / (count * NODES)
        used = cluster.cpu()
        time.sleep(IDLE_SECONDS)
        idle = (cluster.cpu() - used) / IDLE_SECONDS
        victim = 2
        led = sum(1 for leader in cluster.leaders("many") if leader == victim)
        began = time.monotonic()
        cluster.processes[victim - 1].send_signal(signal.SIGKILL)
        while any(leader in (victim, -1) for leader in cluster.leaders("many")):
            time.sleep(0.02)
        moved = time.monotonic() - began
    finally:
        cluster.stop()
    # Two metadata records a partition: itself, and its change of leader for a third.
    print(f"{count} partitions on {NODES} nodes: created in {created:.2f} s "
          f"({count / created:.0f} metadata records/s), {each / 1024:.1f} KiB a replica, "
          f"{100 * idle:.1f} % of a core idle, {led} of them led by others {moved:.2f} s after "
          f"kill -9 (of which {SESSION_MS / 1000:.1f} s is detection)")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    plimsoll = os.path.abspath(sys.argv[1])
    counts = [int(text) for text in sys.argv[2:]] or [1000]
    with tempfile.TemporaryDirectory(prefix="plimsoll-cost-") as home:
        home = pathlib.Path(home)
        acks(plimsoll, home)
        for count in counts:
            place = home / str(count)
            place.mkdir()
            partitions(plimsoll, place, count)


if __name__ == "__main__":
    main()
