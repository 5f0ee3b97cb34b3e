"""Kafka Connect, unchanged, in distributed mode: its offsets, configurations and states live in compacted topics on us."""

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource
from servers.connect import ConnectWorker

from harness import deep, wait_until

LINES = 500


@pytest.fixture
def server(headrace):
    server = headrace("topics: {lines: {partitions: 3}}\n")
    # The same address again after a restart.
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    return server


def append(path, first, count):
    with open(path, "a") as file:
        file.writelines(f"line {i}\n" for i in range(first, first + count))


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def expect_lines(path, count):
    """Each line in the file; nothing that was not written."""
    wait_until(lambda: len(set(lines_of(path))) >= count, 90, f"{count} lines in the sink's file")
    assert set(lines_of(path)) == {f"line {i}" for i in range(count)}


def compacted(server, topic):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result(10)["cleanup.policy"].value


@deep
def test_file_connectors_go_on_over_crashes_of_the_worker_and_of_the_broker(server, tmp_path):
    source, sink = tmp_path / "in.txt", tmp_path / "out.txt"
    append(source, 0, LINES)
    with ConnectWorker(tmp_path / "worker", server.kafka) as worker:
        assert {p["class"].rsplit(".", 1)[1] for p in worker.get("/connector-plugins")} >= {
            "FileStreamSourceConnector", "FileStreamSinkConnector"}
        worker.put("/connectors/source/config", {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "lines",
                                                 "file": str(source)})
        worker.put("/connectors/sink/config", {"connector.class": "FileStreamSink", "tasks.max": "2", "topics": "lines",
                                               "file": str(sink), "consumer.override.auto.offset.reset": "earliest"})
        expect_lines(sink, LINES)
        for topic in ("connect-configs", "connect-offsets", "connect-status"):
            assert compacted(server, topic) == "compact"

        worker.kill()
        append(source, LINES, LINES)
        worker.start()
        wait_until(lambda: worker.states("source") == ["RUNNING"] * 2 and worker.states("sink") == ["RUNNING"] * 3, 60,
                   "the connectors to be back from their topics")
        expect_lines(sink, 2 * LINES)

        server.kill()
        append(source, 2 * LINES, LINES)
        server.start()
        expect_lines(sink, 3 * LINES)

        worker.put("/connectors/sink/pause")
        wait_until(lambda: set(worker.states("sink")) == {"PAUSED"}, 60, "the sink to pause")
        worker.request("DELETE", "/connectors/source")
        wait_until(lambda: worker.get("/connectors") == ["sink"], 60, "the source to be gone")
