#!/usr/bin/env python3
"""kill_and_resume.py [RUNS]: a sweep that is killed with -9 at random times and
resumed until it is done must end with the cells of one that ran through: the same
set, none twice, none lost. SEED= repeats a sequence of kills."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PLIMSOLL = os.path.realpath(os.environ.get("PLIMSOLL", "target/release/plimsoll"))
SWEEP = [
    "repeats=2",
    "topic.partitions=[1,2]",
    "producer.acks=1",
    "producer.compression=none",
    "load.rate=2K/s",
    "load.warmup=0s",
    "load.duration=100ms",
]
# Kills fall anywhere in a whole sweep, whatever it takes here, and a little after.
SPAN = 1.2


def command(out, resume):
    sets = [word for pair in SWEEP for word in ("--set", pair)]
    more = ["--resume"] if resume else []
    return [PLIMSOLL, "run", "quickstart", "--quiet", "--out", out, *sets, *more]


def cells(out):
    with open(os.path.join(out, "result.json")) as file:
        run = json.load(file)
    return sorted((cell["id"], cell["repeat"]) for cell in run["cells"]), run["plan_hash"]


def killed_and_resumed(out, rng, span):
    """Runs until it is done; how often it was killed."""
    kills = 0
    while True:
        resume = os.path.isdir(out) and bool(os.listdir(out))
        child = subprocess.Popen(
            command(out, resume), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            _, words = child.communicate(timeout=rng.uniform(0.0, span))
        except subprocess.TimeoutExpired:
            # Its broker sees the end of its standard input and stops by itself.
            child.send_signal(signal.SIGKILL)
            child.communicate()
            kills += 1
            continue
        if child.returncode == 0:
            return kills
        sys.exit(f"kill_and_resume: FAILED, a run ended with {child.returncode}: {words.decode().strip()}")


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    rng = random.Random(seed)
    home = tempfile.mkdtemp(prefix="plimsoll-resume-")
    try:
        whole = os.path.join(home, "whole")
        began = time.monotonic()
        subprocess.run(command(whole, False), check=True, stdout=subprocess.DEVNULL)
        span = SPAN * (time.monotonic() - began)
        expected = cells(whole)
        total = 0
        for number in range(runs):
            out = os.path.join(home, str(number))
            total += killed_and_resumed(out, rng, span)
            found = cells(out)
            if found != expected:
                sys.exit(f"kill_and_resume: FAILED, seed {seed}, run {number}: {found} instead of {expected}")
            shutil.rmtree(out)
        print(
            f"kill_and_resume: passed, {runs} runs with {total} kills ended with the same "
            f"{len(expected[0])} cells (seed {seed})"
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
