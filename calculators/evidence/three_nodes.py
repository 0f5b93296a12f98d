#!/usr/bin/env python3
"""three_nodes.py [DIR]: a measured cluster of three nodes against the model.

Three `plimsoll serve` processes on this machine, replication 3, acks=all. The
model (`size input simulate`) gets nothing from the runs that it predicts:

- how long a called thread takes to run, from the floors (`plimsoll doctor`);
- the CPU time of a request, a byte and a follower, of brokers and clients, from
  other loads at acks=1, on one replica and on three;
- that all of them share this machine's cores.

For two loads, throughput, p50 and p99 of the response are held against it, each
within 20 %: medians of several repeats, whose least and most are told. Then one of
them again, with one node killed by SIGKILL in its middle: how long the partitions
that it led stood still, against what the model says.

Needs a quiet machine; takes about four minutes. DIR keeps what was measured.
PLIMSOLL names another binary than target/release/plimsoll."""

import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PLIMSOLL = os.environ.get("PLIMSOLL", "target/release/plimsoll")
NODES = 3
# Loads that the model must predict. In the first, batches seldom meet; the second
# keeps half of two cores busy, so that requests wait for each other.
LOADS = {
    "moderate": {"rate": "2K/s", "partitions": 6, "linger": "5ms"},
    "busy": {"rate": "6K/s", "partitions": 30, "linger": "5ms"},
}
FAILING = "moderate"
RECORD = "1KiB"
# Bytes of a record in the log: its 1024, its key, and their framing.
RECORD_LOGGED = "1040B"
REPEATS = 5
# A node is lost after this many seconds without a heartbeat: long against what
# clients take to find the new leader and against the time between heartbeats, of
# which the model knows neither.
DETECTION_S = 9
HEARTBEAT_MS = 250
OFF_MAX = 0.20
# Measurements of the floors, and repeats of the loads whose CPU is taken: both are
# medians, for either may meet a bad moment of the machine.
DOCTORS = 5
COST_REPEATS = 3

WORKLOAD = """
question = "What do three nodes take?"
repeats = {repeats}
[topic]
partitions = {partitions}
replication_factor = {replication}
[producer]
count = 1
acks = {acks}
linger = "{linger}"
batch_bytes = "{batch}"
[consumer]
count = 1
[records]
size = {size}
keys = "uniform(10K)"
[load]
rate = "{rate}"
arrivals = "poisson"
warmup = "2s"
duration = "{duration}"
drain = "40s"
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


class Node:
    def __init__(self, number, ports, data):
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(ports, 1))
        self.process = subprocess.Popen(
            [
                PLIMSOLL, "serve", "--data", f"{data}/node-{number}", "--log", "error",
                "--listen", f"127.0.0.1:{ports[number - 1]}", "--set", f"node.id={number}",
                "--set", f"controller.quorum.voters={voters}",
                "--set", f"broker.session.timeout.ms={DETECTION_S * 1000}",
                "--set", f"broker.heartbeat.interval.ms={HEARTBEAT_MS}",
            ],
            stdout=subprocess.PIPE, text=True)

    def wait_ready(self):
        if not self.process.stdout.readline().startswith("ready "):
            sys.exit("FAIL: a node did not become ready")

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Cluster:
    """Three nodes; the last one joins when a controller is there already, so that
    it is not the controller itself."""

    def __enter__(self):
        self.data = tempfile.mkdtemp(prefix="three-nodes.")
        ports = free_ports(NODES)
        self.addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.nodes = [Node(number, ports, self.data) for number in (1, 2)]
        for node in self.nodes:
            node.wait_ready()
        self.nodes.append(Node(3, ports, self.data))
        self.nodes[2].wait_ready()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def idle_cores(self, seconds=3):
        """What the nodes use while nobody asks them anything."""
        before = sum(node.cpu_seconds() for node in self.nodes)
        time.sleep(seconds)
        return (sum(node.cpu_seconds() for node in self.nodes) - before) / seconds


def plimsoll(*words, **more):
    return subprocess.run([PLIMSOLL, *map(str, words)], text=True, capture_output=True, **more)


def run(cluster, out, **settings):
    load = {"replication": NODES, "acks": '"all"', "batch": "16KiB", "size": f'"{RECORD}"'}
    file = f"{out}.toml"
    with open(file, "w") as toml:
        toml.write(WORKLOAD.format(**{**load, **settings}))
    return subprocess.Popen([PLIMSOLL, "run", file, "--quiet", "--target", cluster.addresses, "--out", out],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cells(process, out):
    said, _ = process.communicate()
    try:
        with open(f"{out}/result.json") as result:
            return json.load(result)["cells"]
    except FileNotFoundError:
        sys.exit(f"FAIL: a run left no result\n{said}")


def calls():
    """Quantiles of the time from a thread's call until it runs, in microseconds:
    medians of several measurements."""
    found = {}
    for _ in range(DOCTORS):
        for floor in json.loads(plimsoll("doctor", "--json").stdout)["floors"]:
            if floor["name"].startswith("call "):
                found.setdefault(floor["name"], []).append(floor["value"])
    return {name.replace("call ", "").replace(".", ""): statistics.median(values) for name, values in found.items()}


def line(points):
    """Start and slope of the line through the medians at the least and the most x;
    neither below zero."""
    x = sorted(points)
    low, high = (statistics.median(points[at]) for at in (x[0], x[-1]))
    slope = max(0.0, (high - low) / (x[-1] - x[0]))
    return max(0.0, low - slope * x[0]), slope


def costs(work):
    """CPU seconds of requests and bytes, by loads at acks=1 of small and large
    batches, on one replica and on three, beside those of nodes that do nothing."""
    with Cluster() as cluster:
        idle = cluster.idle_cores()
        by = {}
        for replication in (1, NODES):
            out = f"{work}/costs-{replication}"
            process = run(cluster, out, replication=replication, acks=1, partitions=6, linger="0ms", rate="400/s",
                          batch="128KiB", size='["1KiB", "64KiB"]', repeats=COST_REPEATS, duration="3s")
            for cell in cells(process, out):
                through, used = cell["throughput"], cell["resources"]
                batches = through["window_s"] * through["records_per_s"] / through["records_per_batch"]
                size = through["bytes_per_s"] / through["records_per_s"] * through["records_per_batch"]
                brokers = used["broker"]["cpu_seconds"] - idle * through["window_s"]
                for who, seconds in (("broker", brokers), ("client", used["client"]["cpu_seconds"])):
                    by.setdefault((who, replication), {}).setdefault(size, []).append(seconds / batches)
    # One batch is a produce request and a fetch by the consumer.
    one, byte = line(by["broker", 1])
    three, byte_three = line(by["broker", NODES])
    client, client_byte = line(by["client", 1])
    request = one / 2
    return {
        "request": request, "byte": byte,
        # What three replicas cost more is two fetches of followers and their answers.
        "follow": max(0.0, (three - one) / (NODES - 1) - request),
        "client": client / 2, "client_byte": client_byte / 2, "idle": idle,
    }


def modelled(load, cost, call):
    given = lambda value: {"value": value, "provenance": "user"}
    span = lambda seconds: given(f"{max(1, round(seconds * 1e9))}ns")
    failure = {
        "detection": given(f"{DETECTION_S}s"), "election": given("20us"), "held": None, "members": 0,
        "protocol": "cooperative", "session": given("45s"), "heartbeat": given("3s"),
    }
    model = {
        "brokers": NODES, "partitions": load["partitions"], "replication": NODES, "groups": 1, "rate": load["rate"],
        "record": RECORD_LOGGED, "producers": 1, "linger": load["linger"], "batch": "16KiB", "acks_all": True,
        # On one machine a message's way is the call of the thread that reads it.
        "round_trip": given("0s"), "failure": failure, "budget": 50000,
        "calls": given({at: f"{round(micros * 1e3)}ns" for at, micros in call.items()}),
        "machine": {
            "cores": given(os.cpu_count()), "brokers": NODES, "request": span(cost["request"]),
            "follow": span(cost["follow"]), "gigabyte": span(cost["byte"] * 1e9), "disk": given("2GB/s"),
            "link": given("2GB/s"), "service": "exponential",
        },
        "clients": {"request": span(cost["client"]), "gigabyte": span(cost["client_byte"] * 1e9)},
    }
    answer = plimsoll("size", "input", "simulate", "-", "--json", input=json.dumps(model))
    if answer.returncode != 0:
        sys.exit(f"FAIL: the model: {answer.stderr}")
    lines = json.loads(answer.stdout)["lines"]
    return {each["name"]: each["value"]["quantity"]["mid"] for each in lines if "quantity" in each["value"]}


def steady(work, name):
    """The usable repeats of a load."""
    out = f"{work}/{name}"
    with Cluster() as cluster:
        all_cells = cells(run(cluster, out, repeats=REPEATS, duration="5s", **LOADS[name]), out)
    usable = [cell for cell in all_cells if cell["valid"]]
    if not usable:
        sys.exit(f"FAIL: no cell of the {name} load is valid: {all_cells[0]['invalid_reasons']}")
    return usable


def failing(work):
    """A load that loses a node."""
    out = f"{work}/failing"
    with Cluster() as cluster:
        process = run(cluster, out, repeats=1, duration=f"{DETECTION_S + 11}s", **LOADS[FAILING])
        time.sleep(8)
        cluster.nodes[2].kill()
        return cells(process, out)[0]


class Verdict:
    worst = 0

    def hold(self, name, model, values):
        middle = statistics.median(values)
        off = model / middle - 1
        self.worst = max(self.worst, abs(off))
        print(f"{name}: model {model:.3f}, measured {middle:.3f} ({min(values):.3f} to {max(values):.3f}, "
              f"n = {len(values)}), off by {off:+.1%} (at most {OFF_MAX:.0%})", flush=True)


def main():
    work = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="three-nodes.")
    os.makedirs(work, exist_ok=True)
    call = calls()
    cost = costs(work)
    us = lambda seconds: f"{seconds * 1e6:.1f}"
    print("a thread's call, us: " + ", ".join(f"{at} {micros:.1f}" for at, micros in call.items()))
    print(f"CPU, us: a request {us(cost['request'])}, a follower's answer {us(cost['follow'])}, a client's request "
          f"{us(cost['client'])}; s a GB: brokers {cost['byte'] * 1e9:.2f}, clients {cost['client_byte'] * 1e9:.2f}; "
          f"idle nodes {cost['idle']:.3f} cores", flush=True)
    verdict = Verdict()
    for name, load in LOADS.items():
        told = modelled(load, cost, call)
        found = steady(work, name)
        response = [cell["latency"]["response"] for cell in found]
        verdict.hold(f"{name}: records/s", told["throughput"], [c["throughput"]["records_per_s"] for c in found])
        for at in ("p50", "p99"):
            values = [summary[f"{at}_us"] / 1e3 for summary in response]
            verdict.hold(f"{name}: response {at}, ms", told[f"response {at}"] * 1e3, values)
        used = [sum(c["resources"][who]["cpu_seconds"] for who in ("broker", "client")) / c["throughput"]["window_s"]
                for c in found]
        print(f"{name}: cores busy: model {told['busiest CPU'] * os.cpu_count():.2f}, "
              f"measured {statistics.median(used):.2f}", flush=True)
    lost = failing(work)
    told = modelled(LOADS[FAILING], cost, call)
    verdict.hold("failover, s", told["they stop for"], [lost["latency"]["response"]["max_us"] / 1e6])
    damage = {key: lost["verified"][key] for key in ("lost", "duplicated", "reordered", "corrupt")}
    print(f"records after the loss: {damage}")
    if len(sys.argv) < 2:
        shutil.rmtree(work, ignore_errors=True)
    passed = verdict.worst <= OFF_MAX and not any(damage.values())
    print("PASS" if passed else "FAIL", f"worst {verdict.worst:.1%}")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
