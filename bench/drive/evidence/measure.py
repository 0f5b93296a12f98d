"""Running plimsoll and reading what it measured, for the scripts beside this."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PLIMSOLL = TARGET / "release" / "plimsoll"


def workload(text):
    """A workload file of this text, gone at exit."""
    file = tempfile.NamedTemporaryFile("w", suffix=".toml", prefix="evidence-", delete=False)
    file.write(text)
    file.close()
    return file.name


def command(file, out, target="embedded", sets=()):
    more = [part for setting in sets for part in ("--set", setting)]
    return [str(PLIMSOLL), "run", file, "--quiet", "--target", target, "--out", out, *more]


def cells(file, target="embedded", sets=()):
    """Runs a workload; its cells as result.json has them."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as home:
        out = os.path.join(home, "out")
        ran = subprocess.run(command(file, out, target, sets), capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"plimsoll run ended with {ran.returncode}: {ran.stderr.strip()}")
        with open(os.path.join(out, "result.json")) as result:
            return json.load(result)["cells"]


class Broker:
    """`plimsoll serve` in a directory of its own."""

    def __enter__(self):
        self.data = tempfile.TemporaryDirectory(prefix="evidence-")
        arguments = [str(PLIMSOLL), "serve", "--listen", "127.0.0.1:0", "--data", self.data.name]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit("the broker did not become ready")
        self.address = line.split()[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.data.cleanup()


def verdict(holds, text):
    print(f"{'PASS' if holds else 'FAIL'}: {text}")
    sys.exit(0 if holds else 1)
