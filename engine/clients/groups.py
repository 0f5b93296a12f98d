"""groups.py PLIMSOLL CLIENT [--jars DIR] [--node DIR]: groups of real members.

Each member is a process (members/CLIENT.*) that says which partitions it holds,
so that one can leave in order (SIGTERM) or crash (SIGKILL). Over 6 partitions the
group grows to 3, 6 and 8 members, two of which are idle; members leave and crash;
a cooperative group moves no more than it must; static members restart without
the others noticing; a group changes its protocol and changes back. Then everything that was written has been read."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from broker import Broker
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = set(range(6))
RECORDS = 600
SESSION_MS = 4000
# Where nobody's session is to end, however long a restart takes.
LONG_SESSION_MS = 60_000
PATIENCE_S = 120
BROKER = [
    "group.initial.rebalance.delay.ms=200",
    "group.min.session.timeout.ms=1000",
    "group.consumer.heartbeat.interval.ms=300",
    "offsets.topic.num.partitions=4",
]
# What each client can do: its runs (protocol, assignor), which of them is
# cooperative, and whether it knows static members.
CLIENTS = {
    "confluent": {"runs": [("classic", "range"), ("classic", "cooperative-sticky"), ("consumer", "uniform")], "static": True,
                  "migrates": ("classic", "range")},
    "kafka_python": {"runs": [("classic", "range")], "static": True},
    "aiokafka": {"runs": [("classic", "roundrobin")], "static": True},
    "kafkajs": {"runs": [("classic", "roundrobin")], "static": False},
    "java": {"runs": [("classic", "cooperative-sticky"), ("consumer", "uniform")], "static": True,
             "migrates": ("classic", "cooperative-sticky")},
}


class Member:
    """A member's process, and what it has said it holds since it began."""

    def __init__(self, command, log):
        self.history = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("HOLDS"):
                self.history.append(frozenset(int(word) for word in line.split()[1:]))

    def holds(self):
        return self.history[-1] if self.history else None

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)

    def crash(self):
        self.process.kill()
        self.process.wait()


class Group:
    def __init__(self, options, broker, protocol, assignor, log):
        self.options, self.protocol, self.assignor, self.log = options, protocol, assignor, log
        self.broker, self.session_ms = broker
        self.topic = self.name = f"{options.client}-{protocol}-{assignor}"
        self.members = []

    def fail(self, what):
        held = [sorted(member.holds() or []) for member in self.members]
        sys.exit(f"groups: {self.name}: {what}; held: {held}; the group: {self.describe()}")

    def describe(self):
        command = [self.options.plimsoll, "groups", "describe", self.name, "--json", "--target", self.broker.address]
        done = subprocess.run(command, capture_output=True, text=True)
        return json.loads(done.stdout)[0] if done.returncode == 0 else done.stderr

    def member(self, instance="", run=None):
        protocol, assignor = run or (self.protocol, self.assignor)
        program = {
            "java": ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                     "-cp", f"{self.options.classes}:{self.options.jars}/*", "GroupMember"],
            "kafkajs": ["node", f"{HERE}/members/kafkajs.js"],
        }.get(self.options.client, [sys.executable, f"{HERE}/members/{self.options.client}.py"])
        arguments = [self.broker.address, self.topic, self.name, protocol, assignor, str(self.session_ms), instance]
        member = Member(program + arguments, self.log)
        self.members.append(member)
        return member

    def grow(self, size):
        while len(self.members) < size:
            self.member()
        self.settle(f"{size} members")

    def settle(self, what):
        """Until every partition has one holder and the shares are even."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.is_even() and self.is_known_whole()):
            if time.monotonic() > deadline:
                self.fail(f"{what}: no even assignment within {PATIENCE_S} s")
            time.sleep(0.02)

    def is_even(self):
        held = [member.holds() for member in self.members]
        if self.protocol == "consumer":
            # Nothing is said by a member that is given nothing.
            held = [one or frozenset() for one in held]
        if any(one is None for one in held):
            return False
        sizes = [len(one) for one in held]
        return sum(sizes) == len(PARTITIONS) and set().union(*held) == PARTITIONS and max(sizes) - min(sizes) <= 1

    def is_known_whole(self):
        """Whether the broker counts the same members."""
        described = self.describe()
        return isinstance(described, dict) and len(described["members"]) == len(self.members)

    def drop(self, count, how):
        going, self.members = self.members[:count], self.members[count:]
        for member in going:
            how(member)
        self.settle(f"{count} gone by {how.__name__}")

    def end(self):
        for member in self.members:
            member.process.kill()
        for member in self.members:
            member.process.wait()
        self.members = []


def write(broker, topic):
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    for future in admin.create_topics([NewTopic(topic, len(PARTITIONS), 1)]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0})
    for number in range(RECORDS):
        producer.produce(topic, b"%d" % number, partition=number % len(PARTITIONS))
    if producer.flush(30):
        sys.exit("groups: the records could not be written")


def has_read_all(group):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        rows = group.describe()["partitions"]
        if sum(row["current_offset"] or 0 for row in rows) == RECORDS and all(row["lag"] == 0 for row in rows):
            return
        time.sleep(0.1)
    group.fail("not everything was read and committed")


def grow_and_shrink(group):
    for size in (3, 6, 8):
        group.grow(size)
    idle = sum(not member.holds() for member in group.members)
    if idle != 2:
        group.fail(f"8 members over 6 partitions: 2 should be idle, {idle} are")
    group.drop(2, Member.leave)
    group.drop(3, Member.crash)


def keeps_what_it_can(group):
    """Only what has to move is given up when a member joins, and nothing else
    even for a moment."""
    group.grow(3)
    before = [member.holds() for member in group.members]
    since = [len(member.history) for member in group.members]
    group.grow(4)
    moved = 0
    for member, held, start in zip(group.members, before, since):
        kept = held & (member.holds() or frozenset())
        moved += len(held - kept)
        if not all(kept <= said for said in member.history[start:]):
            group.fail(f"a member that keeps {sorted(kept)} gave them up for a while: {member.history[start:]}")
    if moved != 1:
        group.fail(f"one of 6 partitions had to move to a fourth member, {moved} did")


def restarts_quietly(group):
    """A static member comes back, and nobody else hears of it."""
    for number in range(3):
        group.member(f"static-{number}")
    group.settle("3 static members")
    others = group.members[1:]
    before, since = group.members[0].holds(), [len(member.history) for member in others]
    # With the consumer protocol a member says that it goes for a while only.
    (Member.leave if group.protocol == "consumer" else Member.crash)(group.members.pop(0))
    returned = group.member("static-0")
    group.members = [returned] + others
    group.settle("the static member's return")
    if returned.holds() != before:
        group.fail(f"the static member held {sorted(before)} and came back to {sorted(returned.holds())}")
    if [len(member.history) for member in others] != since:
        group.fail("the static member's return made the others rebalance")


def changes_protocol(group):
    """Member by member from the classic protocol to the consumer protocol, and
    back, with everything read by someone all the while."""
    classic = CLIENTS[group.options.client]["migrates"]
    for run, kind in [(classic, "classic"), (("consumer", "uniform"), "consumer"), (classic, "classic")]:
        older, group.members = group.members, []
        while len(group.members) < 2:
            group.member(run=run)
        newer = group.members
        group.members = older + newer
        group.settle(f"{len(group.members)} members, two of the {kind} protocol")
        for member in older:
            member.leave()
        group.members = newer
        group.settle(f"the {kind} protocol alone")
        if group.describe()["protocol"] != kind:
            group.fail(f"the group should speak the {kind} protocol")


def scenario(options, broker, log, run, play, suffix):
    group = Group(options, broker, *run, log)
    group.name += suffix
    try:
        play(group)
        has_read_all(group)
    finally:
        group.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plimsoll")
    parser.add_argument("client", choices=sorted(CLIENTS))
    parser.add_argument("--jars")
    parser.add_argument("--node", help="a folder with node_modules")
    options = parser.parse_args()
    client = CLIENTS[options.client]
    if options.node:
        os.environ["NODE_PATH"] = os.path.join(os.path.abspath(options.node), "node_modules")
    with tempfile.TemporaryDirectory() as work, open(os.path.join(work, "members.log"), "wb") as log:
        options.classes = os.path.join(work, "classes")
        if options.client == "java":
            source = f"{HERE}/members/GroupMember.java"
            subprocess.run(["javac", "-cp", f"{options.jars}/*", "-d", options.classes, source], check=True)
        quick, patient = [
            (Broker(options.plimsoll, os.path.join(work, f"data-{session_ms}"), BROKER + [f"group.consumer.session.timeout.ms={session_ms}"]), session_ms)
            for session_ms in (SESSION_MS, LONG_SESSION_MS)
        ]
        for protocol, assignor in client["runs"]:
            started = time.monotonic()
            run = (protocol, assignor)
            for broker, _ in (quick, patient):
                write(broker, f"{options.client}-{protocol}-{assignor}")
            done = ["3, 6 and 8 members, 2 idle, join, leave and crash"]
            scenario(options, quick, log, run, grow_and_shrink, "")
            if assignor in ("cooperative-sticky", "uniform"):
                scenario(options, quick, log, run, keeps_what_it_can, "-joined")
                done.append("partitions kept")
            last = [other for other in client["runs"] if other[0] == protocol][-1]
            if client["static"] and run == last:
                scenario(options, patient, log, run, restarts_quietly, "-static")
                done.append("static restart unnoticed")
            if protocol == "consumer" and "migrates" in client:
                scenario(options, quick, log, run, changes_protocol, "-changed")
                done.append("changed from and to the classic protocol")
            print(f"groups: {options.client}, {protocol} {assignor}: {', '.join(done)} ({time.monotonic() - started:.0f} s)", flush=True)
        for broker, _ in (quick, patient):
            broker.stop()


main()
