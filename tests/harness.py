"""Runs the program under test: on free ports, in a folder of its own, stopped by its process id."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = os.environ.get("HEADRACE_BIN", str(ROOT / "build/release/headrace"))
# What takes minutes runs with HEADRACE_DEEP=1 only: ./dev interop does that.
DEEP = bool(os.environ.get("HEADRACE_DEEP"))
deep = pytest.mark.skipif(not DEEP, reason="takes minutes: ./dev interop, or HEADRACE_DEEP=1")
FREE_PORTS = "listen: {kafka: '127.0.0.1:0', mqtt: '127.0.0.1:0', http: '127.0.0.1:0'}\n"


def wait_until(condition, seconds=30, what="the condition"):
    """Polls until `condition` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


class Headrace:
    """One running `headrace run`. Use as a context manager, or start() and stop()."""

    def __init__(self, folder, config, settings=(), free_ports=True, environment=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "headrace.yaml"
        self.file.write_text((FREE_PORTS if free_ports else "") + config)
        self.settings = list(settings)
        self.environment = dict(environment)
        self.process = None
        self.ready = {}

    def command(self):
        out = [BIN, "run", str(self.file), "--data", str(self.folder / "data")]
        for setting in self.settings:
            out += ["--set", setting]
        return out

    def launch(self, **options):
        """The process, not yet ready."""
        self.log = open(self.folder / "stderr", "ab")
        return subprocess.Popen(self.command(), stderr=self.log, env={**os.environ, **self.environment}, **options)

    def start(self, seconds=30):
        self.process = self.launch(stdout=subprocess.PIPE, text=True)
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        assert line.startswith("ready"), f"no ready line but {line!r}; {self.errors()[-2000:]}"
        self.ready = dict(re.findall(r"(\w+)=(\S+)", line))
        return self

    def errors(self):
        return (self.folder / "stderr").read_text()

    @property
    def kafka(self):
        return self.ready["kafka"]

    @property
    def http(self):
        return "http://" + self.ready["http"]

    @property
    def mqtt(self):
        host, port = self.ready["mqtt"].rsplit(":", 1)
        return host, int(port)

    def get(self, path):
        return urllib.request.urlopen(self.http + path, timeout=10).read().decode()

    def metric(self, name):
        """Of a metric without labels."""
        return int(re.search(rf"^{name} (\d+)$", self.get("/metrics"), re.M)[1])

    def component(self, name):
        """What the console shows of a component: (state, detail); nothing where it has not been heard of."""
        components = json.loads(self.get("/api/v1/status"))["components"]
        return next(((each["state"], each["detail"]) for each in components if each["component"] == name), None)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=30):
        """A clean stop; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("did not stop on SIGTERM in time: " + self.errors()[-2000:])

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if self.process and self.process.poll() is None:
            code = self.stop()
            assert code == 0, f"exit code {code}: {self.errors()[-2000:]}"


def run(*arguments, input=None, seconds=60, check=True):
    """Runs a command of the program and returns the finished process (text)."""
    done = subprocess.run([BIN, *map(str, arguments)], input=input, text=True, capture_output=True, timeout=seconds)
    if check:
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stdout}{done.stderr}"
    return done
