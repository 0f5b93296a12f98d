#!/usr/bin/env python3
"""memory.py [SECONDS]: the resident set of a run while it goes on."""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import measure

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 260
WORKLOAD = f"""
repeats = 1
[topic]
partitions = 6
[topic.configs]
"retention.bytes" = "64MiB"
"segment.bytes" = "16MiB"
[producer]
count = 2
batch_bytes = "64KiB"
[consumer]
groups = 2
[records]
size = "200B"
keys = "zipf(10K, 1)"
[load]
rate = "20K/s"
warmup = "5s"
duration = "{SECONDS}s"
drain = "20s"
"""


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main():
    file = measure.workload(WORKLOAD)
    with tempfile.TemporaryDirectory(prefix="evidence-") as home:
        run = subprocess.Popen(
            measure.command(file, os.path.join(home, "out")), stdout=subprocess.DEVNULL
        )
        began, sizes = time.monotonic(), []
        while run.poll() is None and time.monotonic() - began < SECONDS:
            time.sleep(2)
            sizes.append(resident(run.pid))
        code = run.wait(120)
    os.unlink(file)
    # The first fifth fills buffers and histograms.
    settled = sizes[len(sizes) // 5:]
    third = len(settled) // 3
    early, late = statistics.median(settled[:third]), statistics.median(settled[-third:])
    print(f"resident set: {early:.1f} MiB in the first third, {late:.1f} MiB in the last, "
          f"peak {max(sizes):.1f} MiB, over {SECONDS} s")
    # Everything that may stay: one entry of the timeline a second.
    measure.verdict(code == 0 and late <= early * 1.03 + 1, "no growth beyond 3 % and 1 MiB")


main()
