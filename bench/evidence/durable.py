#!/usr/bin/env python3
"""durable.py [SECONDS]: what plimsoll.durable costs, and how its group commit shares
the disk's syncs. For each number of producers and partitions a broker that syncs
before it answers, and one that does not: records a second, median and 99th
percentile of the response, syncs a second and records for each sync, as the
broker's own metrics count them. Records must share syncs where several producers
wait together, or it fails."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
PLIMSOLL = os.path.realpath(os.environ.get("PLIMSOLL", os.path.join(TARGET, "release/plimsoll")))
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 4
PRODUCERS, PARTITIONS = (1, 4, 16), (1, 8, 64)
SYNCS = re.compile(r"^kafka_log_LogFlushStats_LogFlushRateAndTimeMs_count\S* ([0-9.e+]+)$", re.M)
WORKLOAD = """
repeats = 1
[producer]
batch_bytes = "4KiB"
linger = "0s"
[consumer]
count = 0
[records]
size = "512B"
[load]
rate = "max"
warmup = "0s"
drain = "20s"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    def __init__(self, home, durable):
        self.metrics = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [PLIMSOLL, "serve", "--listen", "127.0.0.1:0", "--data", os.path.join(home, "data"),
             "--metrics", self.metrics, "--set", f"plimsoll.durable={str(durable).lower()}",
             "--stop-at-stdin-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit("durable: FAILED, the broker did not become ready")
        self.address = line.split()[1]

    def syncs(self):
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            found = SYNCS.search(answer.read().decode())
        return float(found.group(1)) if found else 0.0

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


def measure(durable, producers, partitions):
    with tempfile.TemporaryDirectory(prefix="plimsoll-durable-") as home:
        workload, out = os.path.join(home, "durable.toml"), os.path.join(home, "out")
        with open(workload, "w") as file:
            file.write(WORKLOAD)
        broker = Broker(home, durable)
        try:
            before = broker.syncs()
            sets = [f"producer.count={producers}", f"topic.partitions={partitions}",
                    f"load.duration={SECONDS}s"]
            sets = [word for setting in sets for word in ("--set", setting)]
            ran = subprocess.run(
                [PLIMSOLL, "run", workload, "--quiet", "--out", out, "--target", broker.address,
                 *sets], capture_output=True, text=True,
            )
            if ran.returncode != 0:
                sys.exit(f"durable: FAILED, plimsoll run ended with {ran.returncode}: {ran.stderr}")
            syncs = broker.syncs() - before
        finally:
            broker.stop()
        with open(os.path.join(out, "result.json")) as file:
            cell = json.load(file)["cells"][0]
    return {
        "rate": cell["throughput"]["records_per_s"],
        "p50": cell["latency"]["response"]["p50_us"],
        "p99": cell["latency"]["response"]["p99_us"],
        "syncs": syncs / SECONDS,
        "shared": cell["verified"]["acknowledged"] / syncs if syncs else None,
        "lost": cell["verified"]["lost"],
    }


def main():
    print(f"{'producers':>9} {'partitions':>10} {'durable':>7} {'records/s':>9} {'p50 µs':>8} "
          f"{'p99 µs':>8} {'syncs/s':>8} {'records a sync':>14}")
    shared, lost = {}, 0
    for producers in PRODUCERS:
        for partitions in PARTITIONS:
            for durable in (False, True):
                found = measure(durable, producers, partitions)
                lost += found["lost"]
                ratio = f"{found['shared']:.1f}" if durable and found["shared"] else "–"
                print(f"{producers:>9} {partitions:>10} {'yes' if durable else 'no':>7} "
                      f"{found['rate']:>9.0f} {found['p50']:>8.0f} {found['p99']:>8.0f} "
                      f"{found['syncs']:>8.0f} {ratio:>14}", flush=True)
                if durable:
                    shared[producers, partitions] = found["shared"] or 0.0
    most = shared[PRODUCERS[-1], 1] / max(shared[PRODUCERS[0], 1], 1e-9)
    good = lost == 0 and most > 1.5
    print(f"durable: {'passed' if good else 'FAILED'}, {lost} records lost; {PRODUCERS[-1]} "
          f"producers on one partition share a sync {most:.1f} times as much as one "
          "(more than 1.5 asked)")
    sys.exit(not good)


main()
