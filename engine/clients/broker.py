"""A broker as a child process, for the scripts that start, kill and restart one."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def free_port():
    return free_ports(1)[0]


class Broker:
    """`plimsoll serve` on a port that it keeps over restarts."""

    def __init__(self, binary, data, settings=()):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.command = [binary, "serve", "--listen", self.address, "--data", data]
        for setting in settings:
            self.command += ["--set", setting]
        self.process = None
        self.start()
        # However the script ends, the broker does not outlive it.
        atexit.register(lambda: self.process.kill())

    def start(self):
        environment = os.environ | {"RUST_LOG": os.environ.get("RUST_LOG", "error")}
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(f"the broker did not become ready: {line!r}")

    def kill(self):
        """Kills it as a power cut would, but for the page cache."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Stops it cleanly; that it can is part of every check."""
        self.process.terminate()
        if self.process.wait(120) != 0:
            sys.exit(f"the broker exited with {self.process.returncode} on SIGTERM")


class Node:
    """One node of a cluster whose voters are all its nodes."""

    def __init__(self, binary, number, ports, data, settings=()):
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(ports, 1))
        self.command = [
            binary, "serve", "--data", f"{data}/node-{number}", "--log", os.environ.get("LOG", "warn"),
            "--listen", f"127.0.0.1:{ports[number - 1]}", "--set", f"node.id={number}",
            "--set", f"controller.quorum.voters={voters}",
            "--set", "broker.session.timeout.ms=3000", "--set", "broker.heartbeat.interval.ms=500",
            "--set", "replica.lag.time.max.ms=3000", "--set", "replica.fetch.backoff.ms=100",
            "--set", "controller.quorum.fetch.timeout.ms=1500",
        ]
        for setting in settings:
            self.command += ["--set", setting]
        self.number = number
        self.address = f"127.0.0.1:{ports[number - 1]}"
        self.process = None
        # Where its log goes; to this process's own when none is named.
        self.log = None

    def start(self):
        log = open(self.log, "a") if self.log else None
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, text=True)
        if log:
            log.close()

    def wait_ready(self):
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(f"cluster: node {self.number} did not become ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Cluster:
    """Nodes, a process each, of which one at a time is killed and comes back: what
    a `Broker` does, done by several."""

    def __init__(self, binary, data, count, dice, settings=()):
        ports = free_ports(count)
        self.address = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.dice = dice
        self.nodes = [Node(binary, number, ports, data, settings) for number in range(1, count + 1)]
        for node in self.nodes:
            node.start()
        atexit.register(self.end)
        for node in self.nodes:
            node.wait_ready()
        self.dead = None

    def kill(self):
        """Kills one of the nodes, whichever."""
        self.dead = self.dice.choice(self.nodes)
        self.dead.kill()

    def start(self):
        """Brings it back: before its session is over, or after others took over."""
        time.sleep(self.dice.uniform(0, 6))
        self.dead.start()
        self.dead.wait_ready()

    def stop(self):
        """Stops all nodes cleanly; those that are left keep a quorum but for the last ones."""
        for node in self.nodes:
            node.process.terminate()
        for node in self.nodes:
            if node.process.wait(120) != 0:
                sys.exit(f"node {node.number} exited with {node.process.returncode} on SIGTERM")

    def end(self):
        for node in self.nodes:
            node.process.kill()
