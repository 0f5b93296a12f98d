#!/usr/bin/env python3
"""histograms.py DIR: reads the .hlog files of a run with the HdrHistogram of PyPI and
compares its percentiles with those in result.json. They must agree to the histogram's
precision, three digits; where a percentile falls between two values, the libraries may
take either, so that the neighbours in rank count too."""

import json
import os
import subprocess
import sys

TOOLS = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "client-tools", "hdrhistogram")
PERCENTILES = {"p50_us": 50.0, "p90_us": 90.0, "p99_us": 99.0, "p999_us": 99.9}
PRECISION = 0.001


def with_hdrhistogram():
    """Runs this again in an environment that has the library."""
    python = os.path.join(TOOLS, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", TOOLS], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "hdrhistogram"], check=True)
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])


try:
    from hdrh.histogram import HdrHistogram
except ImportError:
    with_hdrhistogram()

# Bounds of the writer: a nanosecond to an hour.
LOWEST, HIGHEST, DIGITS = 1, 3_600_000_000_000, 3


def merged(path):
    """All intervals of a log, merged by their tag."""
    histograms = {}
    with open(path) as file:
        for line in file:
            fields = line.strip().split(",")
            if line.startswith(("#", '"')) or len(fields) < 5 or not fields[0].startswith("Tag="):
                continue
            tag = fields[0].removeprefix("Tag=")
            own = histograms.setdefault(tag, HdrHistogram(LOWEST, HIGHEST, DIGITS))
            own.decode_and_add(fields[-1])
    return histograms


def main():
    directory = sys.argv[1]
    with open(os.path.join(directory, "result.json")) as file:
        run = json.load(file)
    compared, worst = 0, 0.0
    for cell in run["cells"]:
        if not cell.get("histogram_file"):
            continue
        histograms = merged(os.path.join(directory, cell["histogram_file"]))
        for kind, summary in cell["latency"].items():
            if kind not in histograms:
                continue
            other = histograms[kind]
            if other.get_total_count() != summary["count"]:
                sys.exit(f"histograms: FAILED, {cell['histogram_file']} {kind}: {other.get_total_count()} values, not {summary['count']}")
            for name, percentile in PERCENTILES.items():
                ours = summary[name]
                one_rank = 100 / summary["count"]
                low, theirs, high = (
                    other.get_value_at_percentile(min(percentile + by, 100.0)) / 1000
                    for by in (-one_rank, 0.0, one_rank)
                )
                worst = max(worst, abs(ours - theirs) / max(theirs, 1e-9))
                if not low * (1 - PRECISION) <= ours <= high * (1 + PRECISION):
                    sys.exit(f"histograms: FAILED, {cell['histogram_file']} {kind} {name}: {ours} here, {theirs} there")
                compared += 1
    if not compared:
        sys.exit(f"histograms: FAILED, {directory} has no histogram log")
    print(f"histograms: passed, {compared} percentiles of {len(run['cells'])} runs agree, the furthest within {worst:.4%}")


main()
