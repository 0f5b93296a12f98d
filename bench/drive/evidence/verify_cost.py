#!/usr/bin/env python3
"""What verifying takes of the CPU time that a record costs in all."""

import os
import re
import statistics
import subprocess

import measure

WORKLOAD = """
repeats = 5
[topic]
partitions = 6
[producer]
acks = "all"
batch_bytes = "64KiB"
[records]
size = "1KiB"
[load]
rate = "max"
warmup = "1s"
duration = "3s"
drain = "20s"
"""


def main():
    ran = subprocess.run(
        ["cargo", "run", "--release", "--quiet", "-p", "plimsoll-drive", "--example",
         "verify_cost"],
        cwd=measure.ROOT, capture_output=True, text=True, check=True,
    )
    verifying = float(re.search(r": ([0-9.]+) ns", ran.stdout).group(1))
    file, all_costs, client_costs = measure.workload(WORKLOAD), [], []
    for cell in measure.cells(file):
        records = cell["throughput"]["records_per_s"] * cell["throughput"]["window_s"]
        client = cell["resources"]["client"]["cpu_seconds"] / records * 1e9
        broker = cell["resources"]["broker"]["cpu_seconds"] / records * 1e9
        client_costs.append(client)
        all_costs.append(client + broker)
    os.unlink(file)
    whole = statistics.median(all_costs)
    print(f"verifying {verifying:.1f} ns of {whole:.0f} ns per record sent and read "
          f"({statistics.median(client_costs):.0f} ns of them in the client)")
    share = verifying / whole
    measure.verdict(share <= 0.03, f"verifying takes {100 * share:.2f} % (at most 3 %)")


main()
