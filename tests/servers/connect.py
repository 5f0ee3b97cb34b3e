"""Kafka Connect workers in distributed mode, MirrorMaker 2, and the class path of Kafka Streams.

    with ConnectWorker(tmp_path / "worker", bootstrap) as worker:
        worker.put("/connectors/source/config", {...})
        worker.get("/connectors/source/status")
"""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from servers import maven
from servers.jvm import JavaProcess

SOURCE = Path(__file__).parent / "connect_runtime"
START_SECONDS = 120


def install():
    """Fetches the jars; returns the class path."""
    return str(maven.install("connect", SOURCE) / "lib" / "*")


def write_properties(path, properties):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path


class ConnectWorker(JavaProcess):
    """One worker of a Connect cluster whose state is in three compacted topics of `bootstrap`. The port of its REST API
    stays the same over kill() and start()."""

    def __init__(self, folder, bootstrap, group="connect"):
        self.port = maven.free_ports(1)[0]
        properties = {
            "bootstrap.servers": bootstrap, "group.id": group, "listeners": f"http://127.0.0.1:{self.port}",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "offset.storage.topic": f"{group}-offsets", "offset.storage.replication.factor": 1,
            "offset.storage.partitions": 5, "offset.flush.interval.ms": 500,
            "config.storage.topic": f"{group}-configs", "config.storage.replication.factor": 1,
            "status.storage.topic": f"{group}-status", "status.storage.replication.factor": 1, "status.storage.partitions": 2,
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "rebalance.timeout.ms": 6000,
            "scheduled.rebalance.max.delay.ms": 1000, "exactly.once.source.support": "enabled",
        }
        file = write_properties(Path(folder) / "worker.properties", properties)
        super().__init__(folder, install(), "org.apache.kafka.connect.cli.ConnectDistributed", file)

    def start(self):
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if not self.running() or time.monotonic() > deadline:
                raise AssertionError("the worker did not start: " + self.text()[-4000:])
            time.sleep(0.2)
        return self

    def ready(self):
        try:
            self.get("/connectors")
            return True
        except OSError:
            return False

    def request(self, method, path, body=None):
        """The parsed JSON of an answer; urllib's HTTPError for a status of 400 and more."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"},
                                         method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def get(self, path):
        return self.request("GET", path)

    def put(self, path, body=None):
        """A change; asked again while the workers rebalance (409)."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.request("PUT", path, body)
            except urllib.error.HTTPError as error:
                if error.code != 409 or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def states(self, connector):
        """The states of a connector and its tasks; empty where it is not known yet."""
        try:
            status = self.get(f"/connectors/{connector}/status")
        except OSError:
            return []
        return [part["state"] for part in (status["connector"], *status["tasks"])]


class MirrorMaker(JavaProcess):
    """MirrorMaker 2 between clusters, given as {alias: bootstrap}; `properties` say what is mirrored."""

    def __init__(self, folder, clusters, properties):
        settings = {"clusters": ", ".join(clusters), **{f"{alias}.bootstrap.servers": b for alias, b in clusters.items()}}
        file = write_properties(Path(folder) / "mm2.properties", {**settings, **properties})
        super().__init__(folder, install(), "org.apache.kafka.connect.mirror.MirrorMaker", file)
