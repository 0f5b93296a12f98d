#!/usr/bin/env python3
"""CPU nanoseconds per 1 KiB record of three clients, interleaved.

The JVM's start and its JIT are in every run of producer-perf-test: two lengths
of run are measured, and the difference between them is what a record costs.
"""

import os
import pathlib
import statistics
import subprocess
import sys

import measure

ROUNDS = int(os.environ.get("ROUNDS", 3))
SHORT, LONG = 500_000, 2_500_000
JARS = pathlib.Path(os.environ.get("KAFKA_JARS", measure.TARGET / "client-tools" / "kafka"))
WORKLOAD = """
repeats = 1
driver = ["native", "librdkafka"]
[producer]
acks = 1
idempotence = false
batch_bytes = "64KiB"
linger = "5ms"
[consumer]
count = 0
[records]
size = "1KiB"
compressibility = 0
[load]
rate = "max"
warmup = "1s"
duration = "5s"
drain = "20s"
"""


def jars():
    if not JARS.is_dir():
        JARS.mkdir(parents=True)
        pom = measure.ROOT / "engine" / "clients" / "kafka-tools.xml"
        subprocess.run(
            ["mvn", "--quiet", "--batch-mode", "--file", pom, "dependency:copy-dependencies",
             f"-DoutputDirectory={JARS.resolve()}"],
            check=True,
        )
    return f"{JARS}/*"


def ours(broker, file):
    """Nanoseconds per record of both our clients."""
    costs = {}
    for cell in measure.cells(file, broker):
        seconds = cell["throughput"]["window_s"]
        records = cell["throughput"]["records_per_s"] * seconds
        costs[cell["params"]["driver"]] = cell["resources"]["client"]["cpu_seconds"] / records * 1e9
    return costs


def java(broker, classpath, records):
    """CPU seconds of one run of Kafka's producer-perf-test."""
    arguments = [
        "java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
        "org.apache.kafka.tools.ProducerPerformance", "--topic", "perf", "--num-records",
        str(records), "--record-size", "1024", "--throughput", "-1", "--producer-props",
        f"bootstrap.servers={broker}", "acks=1", "enable.idempotence=false",
        "batch.size=65536", "linger.ms=5",
    ]
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"producer-perf-test ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def main():
    classpath, file = jars(), measure.workload(WORKLOAD)
    rounds = {"native": [], "librdkafka": [], "producer-perf-test": []}
    for at in range(ROUNDS):
        with measure.Broker() as broker:
            costs = ours(broker.address, file)
            short, long = (java(broker.address, classpath, n) for n in (SHORT, LONG))
            costs["producer-perf-test"] = (long - short) / (LONG - SHORT) * 1e9
        for client, cost in costs.items():
            rounds[client].append(cost)
        print(f"round {at + 1}:", ", ".join(f"{c} {n:.0f} ns" for c, n in costs.items()))
    os.unlink(file)
    median = {client: statistics.median(costs) for client, costs in rounds.items()}
    ratios = [n / p for n, p in zip(rounds["native"], rounds["producer-perf-test"])]
    ratio = statistics.median(ratios)
    for client, cost in median.items():
        print(f"{client:20} {cost:6.0f} ns of CPU per 1 KiB record (median of {ROUNDS})")
    measure.verdict(ratio <= 0.2, f"native / producer-perf-test = {ratio:.3f} (at most 0.2)")


main()
