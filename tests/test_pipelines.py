"""SQL pipelines of the real program: windows, dead letters, and exactly once across kill -9."""

import json
import random
import threading
import time

from confluent_kafka import Consumer, Producer

from harness import wait_until

CONFIG = """
topics:
  events: {{partitions: {partitions}}}
streams:
  events:
    event_time: ts
    watermark: 1s
    idle_timeout: {idle}
    columns: {{id: text, ts: timestamp, v: double}}
pipelines:
  big:
    sql: SELECT id, v * 2 AS twice, ts FROM events WHERE v > 10
    to: big
    key: id
  sums:
    sql: SELECT id, window_start, count(*) AS n, sum(v) AS total FROM events GROUP BY id, tumble(ts, interval '10 seconds')
    to: sums
    key: id
"""


def read_all(server, topic, at_least=0, seconds=30):
    """Every committed record of a topic, as parsed JSON; waits until there are `at_least`."""
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": f"test-{random.random()}",
                         "auto.offset.reset": "earliest", "enable.partition.eof": True,
                         "isolation.level": "read_committed", "enable.auto.commit": False})
    consumer.subscribe([topic])
    out, deadline, quiet = [], time.monotonic() + seconds, 0
    while time.monotonic() < deadline and (len(out) < at_least or quiet < 10):
        message = consumer.poll(0.1)
        quiet = quiet + 1 if message is None or message.error() else 0
        if message is not None and not message.error():
            out.append((message.key(), json.loads(message.value()) if message.value() else None, message))
    consumer.close()
    return out


def produce(server, topic, rows):
    producer = Producer({"bootstrap.servers": server.kafka, "linger.ms": 5})
    failed = []
    for row in rows:
        value = row if isinstance(row, (str, bytes)) else json.dumps(row)
        key = row["id"] if isinstance(row, dict) else None
        producer.produce(topic, value, key, on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    assert producer.flush(60) == 0 and not failed, failed[:3]


def test_a_filter_maps_what_it_lets_through(headrace):
    server = headrace(CONFIG.format(partitions=2, idle='500ms'))
    produce(server, "events", [{"id": f"d{i % 5}", "ts": 1_700_000_000_000 + i, "v": i} for i in range(100)])
    rows = read_all(server, "big", at_least=89)
    assert sorted(value["twice"] for _, value, _ in rows) == [2.0 * v for v in range(11, 100)]
    assert all(key.decode() == value["id"] for key, value, _ in rows)


def test_windows_close_when_the_source_falls_silent(headrace):
    server = headrace(CONFIG.format(partitions=2, idle='500ms'))
    now = int(time.time() * 1000) // 10_000 * 10_000 - 20_000
    produce(server, "events", [{"id": "a", "ts": now + i * 1000, "v": i} for i in range(10)])
    rows = read_all(server, "sums", at_least=1, seconds=40)
    assert [(value["id"], value["n"], value["total"]) for _, value, _ in rows] == [("a", 10, 45.0)]


def test_records_that_do_not_fit_go_to_the_dead_letters(headrace):
    server = headrace(CONFIG.format(partitions=1, idle='500ms'))
    bad = ['{"id": "x", "ts": 1, "v": ', '{"id": "x", "ts": 1700000000000, "v": "fast"}', "not json", '[1,2]']
    produce(server, "events", [bad[0], {"id": "ok", "ts": 1_700_000_000_000, "v": 50}, *bad[1:]])
    assert len(read_all(server, "big", at_least=1)) == 1
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "dlq", "auto.offset.reset": "earliest"})
    consumer.subscribe(["dead-letters"])
    letters = []

    def collect():
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            letters.append(message)
        return len(letters) >= 2 * len(bad)

    wait_until(collect, what="dead letters of both pipelines")
    consumer.close()
    headers = [{k: v.decode() for k, v in letter.headers()} for letter in letters]
    for text in bad:
        matching = [h for letter, h in zip(letters, headers) if letter.value().decode() == text]
        assert {h["dlq.component"] for h in matching} == {"big", "sums"}, text
        assert all(h["dlq.source.topic"] == "events" and h["dlq.error.message"] for h in matching)


def test_results_are_exact_across_kill_9(headrace):
    """Records go in while the program is killed again and again; every one counts once in its window."""
    server = headrace(CONFIG.format(partitions=3, idle='5s'))
    random.seed(20)
    total, start = 6000, int(time.time() * 1000) // 10_000 * 10_000 - 600_000
    stop = threading.Event()

    def killer():
        while not stop.is_set():
            time.sleep(random.uniform(0.2, 0.9))
            server.kill()
            server.start()

    ports = server.ready
    server.settings = [f"listen.{name}={address}" for name, address in ports.items()]
    thread = threading.Thread(target=killer)
    thread.start()
    try:
        producer = Producer({"bootstrap.servers": server.kafka, "enable.idempotence": True, "linger.ms": 2,
                             "message.timeout.ms": 120_000, "reconnect.backoff.max.ms": 200})
        failed = []
        for i in range(total):
            row = {"id": f"d{i % 7}", "ts": start + i * 10, "v": 1.0 if i % 2 else 100.0}
            producer.produce("events", json.dumps(row), row["id"], on_delivery=lambda e, _: failed.append(e) if e else None)
            producer.poll(0)
            time.sleep(0.001)
        assert producer.flush(120) == 0 and not failed, failed[:3]
    finally:
        stop.set()
        thread.join()
    big = read_all(server, "big", at_least=total // 2, seconds=60)
    assert len(big) == total // 2
    want = {}
    for i in range(total):
        window = (start + i * 10) // 10_000 * 10_000
        key = (f"d{i % 7}", window)
        n, s = want.get(key, (0, 0.0))
        want[key] = (n + 1, s + (1.0 if i % 2 else 100.0))
    rows = read_all(server, "sums", at_least=len(want), seconds=60)
    got = [(value["id"], value["window_start"]) for _, value, _ in rows]
    assert len(got) == len(set(got)), "a window was emitted twice"
    assert sum(value["n"] for _, value, _ in rows) == total
    assert len(rows) == len(want)


def test_wrong_input_never_stops_a_pipeline(headrace):
    server = headrace(CONFIG.format(partitions=1, idle='500ms'))
    random.seed(5)
    garbage = [bytes(random.randrange(256) for _ in range(random.randrange(200))) for _ in range(500)]
    garbage.append(b"[" * 100_000)
    produce(server, "events", [*garbage, {"id": "ok", "ts": 1_700_000_000_000, "v": 50}])
    assert [value["id"] for _, value, _ in read_all(server, "big", at_least=1)] == ["ok"]
    letters = read_dead_letters(server, 2 * len(garbage))
    for name in ("big", "sums"):
        assert server.component(f"pipeline {name}") == ("running", "")
        assert sorted(value for component, value in letters if component == name) == sorted(garbage)


def read_dead_letters(server, count):
    """(component, value) of each."""
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "dead", "auto.offset.reset": "earliest"})
    consumer.subscribe(["dead-letters"])
    letters = []

    def collect():
        messages = [message for message in consumer.consume(1000, 0.2) if not message.error()]
        letters.extend((dict(message.headers())["dlq.component"].decode(), message.value() or b"") for message in messages)
        return len(letters) >= count

    wait_until(collect, what=f"{count} dead letters")
    consumer.close()
    return letters
