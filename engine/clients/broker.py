"""A broker as a child process, for the scripts that start, kill and restart one."""

import atexit
import os
import signal
import socket
import subprocess
import sys


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
