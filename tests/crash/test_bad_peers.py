"""Peers that hold connections and give nothing for it: the server's memory stays under a bound and it serves others."""

import random
import socket
import struct
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer
from harness import wait_until

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from bench.measure import memory_mib  # noqa: E402

CONNECTIONS = 5000
IDLE_MIB_MAX = 150  # 10,000 idle connections are to stay under 300 MiB.
SLOW_READERS = 50
SLOW_READER_MIB_MAX = 400
FETCH_BYTES = 1 << 20


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def frame(api_key, version, body, correlation_id=1):
    header = struct.pack(">hhih", api_key, version, correlation_id, 4) + b"peer"
    return struct.pack(">i", len(header) + len(body)) + header + body


def fetch(topic, correlation_id=1, most=FETCH_BYTES):
    name = topic.encode()
    return frame(1, 4, struct.pack(">iiiib", -1, 100, 1, most, 0) + struct.pack(">ih", 1, len(name)) + name
                 + struct.pack(">iiqi", 1, 0, 0, most), correlation_id)


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def produce(server, topic, count, size=1000):
    failed = []
    producer = Producer({"bootstrap.servers": server.kafka, "message.timeout.ms": 30_000})
    for _ in range(count):
        producer.produce(topic, b"x" * size, on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    assert producer.flush(60) == 0 and not failed, failed[:1]


def connect_all(where, count):
    try:
        return [socket.create_connection(where, timeout=30) for _ in range(count)]
    except OSError as error:
        if error.errno == 24:
            pytest.skip(f"this user may not open {count} files")
        raise


@pytest.mark.parametrize("what", ["nothing", "half"])
def test_connections_that_never_finish_a_request(headrace, what):
    server = headrace("topics: {t: {partitions: 1}}\n")
    produce(server, "t", 10)
    pid = server.process.pid
    before, descriptors_before = memory_mib(pid, "VmRSS"), descriptors(pid)
    chance = random.Random(7)
    peers = connect_all(address(server.kafka), CONNECTIONS)
    if what == "half":
        whole = frame(0, 3, bytes(100_000))
        for peer in peers:
            peer.sendall(whole[:chance.randrange(1, 2000)])
    wait_until(lambda: descriptors(pid) >= CONNECTIONS, what="the connections to be accepted")
    produce(server, "t", 1000)
    grown = memory_mib(pid) - before
    print(f"{CONNECTIONS} connections that send {what}: {grown:.0f} MiB more")
    assert grown < IDLE_MIB_MAX
    for peer in peers:
        peer.close()
    wait_until(lambda: descriptors(pid) < descriptors_before + 50, what="the connections to be forgotten")
    produce(server, "t", 10)


def test_readers_that_never_drain(headrace):
    server = headrace("topics: {t: {partitions: 1}}\n")
    produce(server, "t", 20_000)
    pid = server.process.pid
    before = memory_mib(pid, "VmRSS")
    peers = connect_all(address(server.kafka), SLOW_READERS)
    asked = 0
    for peer in peers:
        peer.settimeout(0.2)
        try:
            for _ in range(1000):
                peer.sendall(fetch("t"))
                asked += 1
        except OSError:
            pass  # The server does not read on: that is the point.
    assert asked > SLOW_READERS
    wait_until(lambda: server.metric("headrace_buffered_bytes") > 0, what="answers that nobody reads")
    produce(server, "t", 1000)
    grown = memory_mib(pid) - before
    print(f"{SLOW_READERS} readers asked for {asked} MiB and took nothing: {grown:.0f} MiB more")
    assert grown < SLOW_READER_MIB_MAX
    for peer in peers:
        peer.close()
    produce(server, "t", 10)
