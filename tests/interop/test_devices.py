"""Devices that others wrote (mosquitto_pub, paho, curl-like HTTP), our simulator and feed, and broken ones."""

import gzip
import json
import random
import socket
import subprocess
import threading
import urllib.error
import urllib.request

import paho.mqtt.client as paho
import pytest

from harness import BIN, ROOT, run, wait_until
from varint import varint

CONFIG = """
topics: {telemetry: {partitions: 4}}
ingest:
  mqtt:
    routes:
      - {filter: "devices/+/data", topic: telemetry, key: "{1}"}
      - {filter: "feed/#", topic: feed}
  http: {}
"""


@pytest.fixture
def server(headrace):
    return headrace(CONFIG)


def tail(server, topic, *options):
    return run("tail", topic, "-b", server.kafka, "--from-beginning", "--exit", *options).stdout.splitlines()


def mosquitto_pub(server, *arguments, check=True):
    host, port = server.mqtt
    done = subprocess.run(["mosquitto_pub", "-h", host, "-p", str(port), *arguments], capture_output=True, text=True, timeout=30)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_mosquitto_pub_with_each_qos(server):
    for qos in "012":
        mosquitto_pub(server, "-t", "devices/d1/data", "-q", qos, "-m", f"qos {qos}")
    wait_until(lambda: sorted(tail(server, "telemetry", "-k")) == [f"d1\tqos {qos}" for qos in "012"])


def test_a_puback_means_committed(server):
    """Whatever paho was acknowledged before a kill -9 is there after it."""
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    acknowledged, sent = set(), {}
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="p")
    client.max_inflight_messages_set(100)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.on_publish = lambda _c, _u, mid, *_: acknowledged.add(mid)
    client.connect(*server.mqtt)
    client.loop_start()
    assert connected.wait(10)
    for i in range(2000):
        info = client.publish(f"devices/d{i % 10}/data", f"m{i}", qos=1)
        sent[info.mid] = f"m{i}"
    wait_until(lambda: len(acknowledged) > 500)
    server.kill()
    before = {sent[mid] for mid in list(acknowledged)}
    client.loop_stop()
    server.start()
    assert before <= set(tail(server, "telemetry"))


def test_ten_thousand_connections(headrace):
    server = headrace(CONFIG.replace("devices/+/data", "cabs/+/telemetry"))
    command = [BIN, "sim", "cabs", "--cabs", "10000", "--rate", "0.02", "--duration", "12", "--mqtt", server.ready["mqtt"], "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fleet:
        try:
            wait_until(lambda: 'headrace_mqtt_connections{ingest="mqtt"} 10000\n' in server.get("/metrics"), 60, "10,000 connections")
            told, _ = fleet.communicate(timeout=240)
        finally:
            fleet.kill()
    assert fleet.returncode == 0 and "connection_losses=0" in told, told
    memory = int(next(line for line in open(f"/proc/{server.process.pid}/status") if line.startswith("VmHWM")).split()[1])
    assert memory < 300 * 1024, f"{memory} kB"


def test_the_simulator_acknowledges_what_it_sends(headrace):
    server = headrace(CONFIG.replace("devices/+/data", "cabs/+/telemetry"))
    done = run("sim", "cabs", "--cabs", "50", "--rate", "50", "--duration", "2", "--mqtt", server.ready["mqtt"], "-q")
    counts = dict(pair.split("=") for pair in done.stdout.split())
    assert counts["published"] == counts["acknowledged"] != "0" and counts["dropped"] == "0"
    rows = [json.loads(line) for line in tail(server, "telemetry")]
    assert len(rows) == int(counts["acknowledged"])
    assert {row["cab"] for row in rows} <= {f"cab-{n:04}" for n in range(1, 51)}
    assert all(40.6 < row["lat"] < 40.9 and -74.1 < row["lon"] < -73.8 for row in rows)


def test_feed_replays_a_recording(server, tmp_path):
    file = tmp_path / "machine.csv.gz"
    rows = "".join(f"2013-12-02 21:{i // 60:02}:{i % 60:02},{70 + i / 10},m{i % 3}\n" for i in range(2000 % 3600))
    with gzip.open(file, "wt") as out:
        out.write("timestamp,value,id\n" + rows)
    done = run("feed", file, "--topic", "devices/{id}/data", "--speed", "max", "--mqtt", server.ready["mqtt"])
    assert "rows=2000 acknowledged=2000" in done.stdout
    values = [json.loads(line.split("\t")[1]) for line in tail(server, "telemetry", "-k")]
    assert len(values) == 2000 and {v["id"] for v in values} == {"m0", "m1", "m2"}
    paced = run("feed", file, "--speed", "1000", "--limit", "1000", "--mqtt", server.ready["mqtt"])
    assert "rows=1000 acknowledged=1000" in paced.stdout
    bad = run("feed", ROOT / "README.md", "--mqtt", server.ready["mqtt"], check=False)
    assert bad.returncode == 2 and ".csv" in bad.stderr


def post(server, topic, body, content_type="application/json"):
    request = urllib.request.Request(f"{server.http}/v1/topics/{topic}/records", body, {"content-type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_http_answers_with_offsets(server):
    assert post(server, "telemetry", b'{"a":1}')[0] == 200
    status, answer = post(server, "telemetry", b'{"a":2}\n{"a":3}\n', "application/x-ndjson")
    assert status == 200 and len(answer["offsets"]) == 2
    status, answer = post(server, "telemetry", b"\x00\x01bytes", "application/octet-stream")
    assert status == 200 and len(answer["offsets"]) == 1
    server.kill()
    server.start()
    lines = tail(server, "telemetry")
    assert len(lines) == 4 and sorted(line for line in lines if "{" in line) == ['{"a":1}', '{"a":2}', '{"a":3}']


@pytest.mark.parametrize("body, status", [(b'{"a":', 400), (b"", 400), (b"[" * 100_000, 400), (b'{"a":1} trailing', 400)])
def test_broken_json_is_refused(server, body, status):
    got, text = post(server, "telemetry", body)
    assert got == status, text
    assert tail(server, "telemetry") == []


def test_unknown_topics_and_large_bodies_are_refused(server):
    assert post(server, "no%20such%20topic", b"{}")[0] in (400, 404)
    assert post(server, "telemetry", b"x" * (17 << 20), "application/octet-stream")[0] == 413


def attempts(port, frames):
    """Sends each to a fresh connection and reads what comes until the end or a short wait."""
    for frame in frames:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.settimeout(0.2)
            try:
                s.sendall(frame)
                while s.recv(4096):
                    pass
            except (TimeoutError, ConnectionError, socket.timeout):
                pass


def kafka_port(server):
    return int(server.kafka.rsplit(":", 1)[1])


def test_broken_mqtt_never_hurts(server):
    random.seed(3)
    connect = bytes.fromhex("100c00044d51545404020000") + b"\x00\x00"
    publish = b"\x32\x14\x00\x0fdevices/d1/data\x00\x01x"
    frames = [connect[:n] for n in range(len(connect))] + [connect + publish[:n] for n in range(len(publish))]
    frames += [b"\x10\xff\xff\xff\xff\xff", b"\x30\xff\xff\xff\x7f", connect + b"\x30\xff\xff\xff\x7f", connect + connect, publish,
               connect + b"\x00\x00", connect + b"\xf0\x00", b"GET / HTTP/1.1\r\n\r\n"]
    frames += [random.randbytes(random.randrange(1, 300)) for _ in range(60)]
    frames += [connect + random.randbytes(random.randrange(1, 300)) for _ in range(60)]
    attempts(server.mqtt[1], frames)
    mosquitto_pub(server, "-t", "devices/d1/data", "-q", "1", "-m", "still here")


def test_broken_kafka_requests_never_hurt(server):
    random.seed(4)
    api_versions = bytes.fromhex("0000000f0012000000000001000568656c6c6f")
    frames = [api_versions[:n] for n in range(len(api_versions))]
    for size in (0, -1, 1 << 30, 2**31 - 1, -(2**31), 600 << 10):
        frames.append(size.to_bytes(4, "big", signed=True) + b"\x00\x12")
    for key, version in ((999, 0), (-1, 0), (18, 99), (0, 99), (1, -5), (3, 77)):
        body = key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big", signed=True) + b"\x00\x00\x00\x01\x00\x01a" + b"\x00" * 20
        frames.append(len(body).to_bytes(4, "big") + body)
    for key in range(0, 70):
        for version in (0, 4, 9):
            body = key.to_bytes(2, "big") + version.to_bytes(2, "big") + b"\x00\x00\x00\x01\x00\x01a" + random.randbytes(60)
            frames.append(len(body).to_bytes(4, "big") + body)
    attempts(kafka_port(server), frames)
    assert "telemetry" in run("topic", "list", "-b", server.kafka).stdout


def test_an_unknown_version_of_api_versions_gets_the_fallback(server):
    body = b"\x00\x12\x00\x63\x00\x00\x00\x07\x00\x01a\x00\x02a\x02a\x00"
    with socket.create_connection(("127.0.0.1", kafka_port(server)), 5) as s:
        s.sendall(len(body).to_bytes(4, "big") + body)
        size = int.from_bytes(s.recv(4), "big")
        answer = b""
        while len(answer) < size:
            answer += s.recv(size)
    assert answer[:4] == b"\x00\x00\x00\x07" and answer[4:6] == b"\x00\x23"  # UNSUPPORTED_VERSION
    assert answer[6:12] == b"\x00\x00\x00\x01\x00\x12"  # ApiVersions itself, so that the client can ask again (KIP-511)


def produce_request(value, crc):
    """A Produce v3 request of one record to telemetry-0, whose batch carries the checksum `crc`."""
    record = b"\x00" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    records = varint(len(record)) + record
    after_crc = (b"\x00\x00" + b"\x00" * 4 + b"\x00" * 16 + b"\xff" * 8 + b"\xff\xff" + b"\xff" * 4 + (1).to_bytes(4, "big") +
                 records)
    batch = b"\x00" * 8 + (len(after_crc) + 9).to_bytes(4, "big") + b"\x00" * 4 + b"\x02" + crc.to_bytes(4, "big") + after_crc
    body = (b"\x00\x00\x00\x03\x00\x00\x00\x01\x00\x01c" + b"\xff\xff" + b"\xff\xff" + (1000).to_bytes(4, "big") +
            (1).to_bytes(4, "big") + b"\x00\x09telemetry" + (1).to_bytes(4, "big") + b"\x00" * 4 +
            len(batch).to_bytes(4, "big") + batch)
    return len(body).to_bytes(4, "big") + body


def test_a_corrupt_batch_is_refused(server):
    with socket.create_connection(("127.0.0.1", kafka_port(server)), 5) as s:
        s.sendall(produce_request(b"hello", crc=12345))
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:4], "big"):
            answer += s.recv(4096)
    # correlation id, one topic, its name, one partition, its index, the error
    at = 4 + 4 + 4 + 2 + len("telemetry") + 4 + 4
    assert int.from_bytes(answer[at:at + 2], "big", signed=True) == 2, answer  # CORRUPT_MESSAGE
    assert tail(server, "telemetry") == []
