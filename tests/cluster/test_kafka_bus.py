"""The same file on a real Apache Kafka: ingest, pipelines, sinks, and a broker that dies."""

import json
import time

import pytest
from servers.kafka import Kafka

from harness import run, wait_until

CONFIG = """
bus: {{kafka: {{bootstrap.servers: "{bootstrap}"}}}}
topics: {{readings: {{partitions: 3}}, hot: {{partitions: 1}}, sums: {{partitions: 1}}}}
ingest:
  mqtt: {{routes: [{{filter: "devices/+", topic: readings, key: "{{1}}"}}]}}
  http: {{}}
streams:
  readings: {{event_time: ts, watermark: 1s, idle_timeout: 5s, columns: {{id: text, ts: timestamp, t: double}}}}
pipelines:
  hot: {{sql: "SELECT id, t FROM readings WHERE t > 90", to: hot, key: id}}
  sums:
    sql: "SELECT id, window_start, count(*) AS n FROM readings GROUP BY id, tumble(ts, interval '10 seconds')"
    to: sums
sinks:
  files: {{type: file, topics: [hot], path: "{out}"}}
"""


@pytest.fixture(scope="module", params=[1, 3], ids=["1-broker", "3-brokers"])
def kafka(request, tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka"), brokers=request.param) as cluster:
        yield cluster


def publish(server, rows):
    file = server.folder / "rows.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("feed", file, "--topic", "devices/{id}", "--speed", "max", "--mqtt", server.ready["mqtt"])
    assert f"acknowledged={len(rows)} " in done.stdout


def tail(kafka, topic):
    done = run("tail", topic, "-b", kafka.bootstrap, "--from-beginning", "--exit", check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ingest_pipelines_and_sinks_run_unchanged(headrace, kafka, tmp_path):
    server = headrace(CONFIG.format(bootstrap=kafka.bootstrap, out=tmp_path / "out"))
    start = int(time.time() * 1000) // 10_000 * 10_000 - 60_000
    rows = [{"id": f"d{i % 5}", "ts": start + i * 100, "t": float(i)} for i in range(200)]
    publish(server, rows)
    wait_until(lambda: len(tail(kafka, "hot")) == 109, 60, "what the filter lets through")
    wait_until(lambda: sum(row["n"] for row in tail(kafka, "sums")) == 200, 60, "every record in a window")
    if kafka.brokers == 3:
        kafka.kill(2)
        # All in one window, which the wall clock closes: partitions that wait for the dead broker may be silent for longer
        # than idle_timeout while the others go on, and what they bring of a window that those have left would be late.
        now = int(time.time() * 1000) // 10_000 * 10_000 + 70_000
        publish(server, [dict(row, ts=now + i * 10) for i, row in enumerate(rows)])
        kafka.restart(2)
        wait_until(lambda: len(tail(kafka, "hot")) == 218, 90, "the same again, with a broker killed meanwhile")
        wait_until(lambda: sum(row["n"] for row in tail(kafka, "sums")) >= 400, 150, "every record in a window")
        assert sum(row["n"] for row in tail(kafka, "sums")) == 400, "each once"
    server.kill()
    server.start()
    more = [{"id": "late", "ts": int(time.time() * 1000), "t": 99.0}]
    publish(server, more)
    want = (109 if kafka.brokers == 1 else 218) + 1
    wait_until(lambda: len(tail(kafka, "hot")) == want, 60, "one more after a crash")
    files = lambda: [line for f in (tmp_path / "out").rglob("*") if f.is_file() for line in f.read_text().splitlines()]  # noqa: E731
    wait_until(lambda: len(set(files())) >= 100 and any("late" in line for line in files()), 60, "the sink")
    assert len(tail(kafka, "hot")) == want, "nothing twice"


def test_a_cluster_that_is_not_there_is_told(tmp_path, headrace):
    file = tmp_path / "f.yaml"
    file.write_text("bus: {kafka: {bootstrap.servers: '127.0.0.1:1', no.such.property: 1}}\n")
    done = run("run", file, "--data", tmp_path / "data", check=False)
    assert done.returncode == 1 and "no.such.property" in done.stderr
