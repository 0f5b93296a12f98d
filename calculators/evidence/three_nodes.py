#!/usr/bin/env python3
"""three_nodes.py [DIR]: a measured cluster of three nodes against the model.

Three `plimsoll serve` processes on this machine, replication 3, acks=all. The
model (`size input simulate`) gets this machine's CPU times from a calibration
and its round trip from the run's floors; throughput, p50 and p99 of the response
are held against it, each within 20 %. Then the same load again, with one node
killed by SIGKILL in its middle: how long the partitions that it led stood still,
against what the model says.

Needs a quiet machine; takes about two minutes. DIR keeps what was measured.
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
PARTITIONS = 6
RATE = "2K/s"
LINGER = "5ms"
# A node is lost after this many seconds without a heartbeat: long against what
# clients take to find the new leader and against the time between heartbeats, of
# which the model knows neither.
DETECTION_S = 9
HEARTBEAT_MS = 250
OFF_MAX = 0.20

WORKLOAD = f"""
question = "What do three nodes take?"
repeats = {{repeats}}
[topic]
partitions = {PARTITIONS}
replication_factor = {NODES}
[producer]
count = 1
acks = "all"
linger = "{LINGER}"
batch_bytes = "16KiB"
[consumer]
count = 1
[records]
size = "1KiB"
keys = "uniform(10K)"
[load]
rate = "{RATE}"
arrivals = "poisson"
warmup = "2s"
duration = "{{duration}}"
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


def plimsoll(*words, **more):
    return subprocess.run([PLIMSOLL, *map(str, words)], text=True, capture_output=True, **more)


def run(cluster, out, repeats, duration):
    file = os.path.join(os.path.dirname(out), "three-nodes.toml")
    with open(file, "w") as toml:
        toml.write(WORKLOAD.format(repeats=repeats, duration=duration))
    return subprocess.Popen([PLIMSOLL, "run", file, "--quiet", "--target", cluster.addresses, "--out", out],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cells(out):
    with open(f"{out}/result.json") as result:
        return json.load(result)["cells"]


def machine(work):
    """CPU times of a batch and of a byte, and the round trip, on this machine."""
    said = plimsoll("run", "batch-and-linger", "--quiet", "--out", f"{work}/batches", "--set", "repeats=2",
                    "--set", "load.warmup=300ms", "--set", "load.duration=700ms")
    found = plimsoll("calibrate", f"{work}/batches", "--out", f"{work}/calibration.json")
    if found.returncode != 0:
        sys.exit(f"FAIL: no calibration: {said.stderr}{found.stderr}")
    with open(f"{work}/calibration.json") as file:
        cpu = json.load(file)["broker_cpu"] or sys.exit("FAIL: the calibration knows no CPU of the broker")
    with open(f"{work}/batches/result.json") as file:
        floors = {floor["name"]: floor["value"] for floor in json.load(file)["floors"]}
    return cpu["seconds_per_batch"], cpu["seconds_per_byte"], floors["round trip p50"]


def modelled(request, byte, round_trip_us):
    given = lambda value: {"value": value, "provenance": "user"}
    failure = {
        "detection": given(f"{DETECTION_S}s"), "election": given("20us"), "held": None, "members": 0,
        "protocol": "cooperative", "session": given("45s"), "heartbeat": given("3s"),
    }
    model = {
        "brokers": NODES, "partitions": PARTITIONS, "replication": NODES, "groups": 1, "rate": RATE,
        "record": "1040B", "producers": 1, "linger": LINGER, "batch": "16KiB", "acks_all": True,
        "round_trip": given(f"{max(1, round(round_trip_us))}us"), "failure": failure, "budget": 20000,
        "machine": {
            "cores": given(1), "request": given(f"{round(request * 1e9)}ns"),
            "gigabyte": given(f"{round(byte * 1e18)}ns"), "disk": given("500MB/s"),
            "link": given("1250MB/s"), "service": "exponential",
        },
    }
    answer = plimsoll("size", "input", "simulate", "-", "--json", input=json.dumps(model))
    if answer.returncode != 0:
        sys.exit(f"FAIL: the model: {answer.stderr}")
    lines = json.loads(answer.stdout)["lines"]
    return {line["name"]: line["value"]["quantity"]["mid"] for line in lines if "quantity" in line["value"]}


def main():
    work = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="three-nodes.")
    os.makedirs(work, exist_ok=True)
    request, byte, round_trip = machine(work)
    print(f"this machine: {request * 1e6:.1f} us of CPU a batch, {byte * 1e9:.2f} s a GB, "
          f"{round_trip:.0f} us there and back", flush=True)
    told = modelled(request, byte, round_trip)
    with Cluster() as cluster:
        steady = run(cluster, f"{work}/steady", 3, "8s")
        said, _ = steady.communicate()
    usable = [cell for cell in cells(f"{work}/steady") if cell["valid"]]
    if not usable:
        sys.exit(f"FAIL: no cell of the measured run is valid\n{said}")
    with Cluster() as cluster:
        failing = run(cluster, f"{work}/failing", 1, f"{DETECTION_S + 11}s")
        time.sleep(8)
        cluster.nodes[2].kill()
        failing.communicate()
    lost = cells(f"{work}/failing")[0]
    median = lambda of: statistics.median(of(cell) for cell in usable)
    response = lambda cell: cell["latency"]["response"]
    pairs = [
        ("throughput, records/s", told["throughput"], median(lambda c: c["throughput"]["records_per_s"])),
        ("response p50, ms", told["response p50"] * 1e3, median(lambda c: response(c)["p50_us"]) / 1e3),
        ("response p99, ms", told["response p99"] * 1e3, median(lambda c: response(c)["p99_us"]) / 1e3),
        ("failover, s", told["they stop for"], response(lost)["max_us"] / 1e6),
    ]
    worst = 0
    for name, model, measured in pairs:
        off = model / measured - 1
        worst = max(worst, abs(off))
        print(f"{name}: model {model:.3f}, measured {measured:.3f}, off by {off:+.1%} (at most {OFF_MAX:.0%})")
    damage = {key: lost["verified"][key] for key in ("lost", "duplicated", "reordered", "corrupt")}
    print(f"records after the loss: {damage}")
    if len(sys.argv) < 2:
        shutil.rmtree(work, ignore_errors=True)
    passed = worst <= OFF_MAX and not any(damage.values())
    print("PASS" if passed else "FAIL", f"worst {worst:.1%}")
    sys.exit(not passed)


main()
