"""What all connections together may hold in memory: under a named bound whatever they send, and whatever they don't read.
Requests that are large are all answered; peers that hold memory and stand still are closed when others need it."""

import http.client
import json
import socket
import struct
import threading

import pytest
from confluent_kafka import Producer
from harness import wait_until

MIB = 1 << 20
LARGE = 99 * MIB
BOUND_MIB = 256
# Beside the bound: a request that comes alone, what the allocator keeps, and what the process takes anyway.
RESIDENT_MIB_MAX = BOUND_MIB + 100 + 180
CONFIG = f"""
listen: {{kafka: '127.0.0.1:0', mqtt: '127.0.0.1:0', http: '127.0.0.1:0', buffer_bytes_max: {BOUND_MIB}MiB}}
ingest: {{http: {{}}}}
topics:
  t: {{partitions: 1}}
"""


@pytest.fixture
def server(headrace):
    return headrace(CONFIG, free_ports=False)


def connect(server):
    host, port = server.kafka.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=120)


def frame(api_key, version, body):
    header = struct.pack(">hhih", api_key, version, 7, 4) + b"peer"
    return struct.pack(">i", len(header) + len(body)) + header + body


def produce_frame(records):
    """Produce v3 of one batch, which need not be one."""
    return frame(0, 3, struct.pack(">hhiih1siii", -1, 1, 30_000, 1, 1, b"t", 1, 0, len(records)) + records)


def read_response(connection):
    size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
    return connection.recv(size, socket.MSG_WAITALL)


def peak_mib(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def produce(server):
    failed = []
    producer = Producer({"bootstrap.servers": server.kafka, "message.timeout.ms": 60_000})
    for _ in range(1000):
        producer.produce("t", b"x" * 100, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(60) == 0 and not failed, failed[:1]


def check_peak(server):
    print(f"peak {peak_mib(server):.0f} MiB")
    assert peak_mib(server) < RESIDENT_MIB_MAX
    assert server.process.poll() is None


def test_large_requests_of_many_at_once_are_all_answered(server):
    request = produce_frame(bytes(LARGE))
    answered = []

    def send():
        with connect(server) as connection:
            connection.sendall(request)
            answered.append(read_response(connection)[:4])

    senders = [threading.Thread(target=send) for _ in range(40)]
    for sender in senders:
        sender.start()
    produce(server)
    for sender in senders:
        sender.join()
    assert answered == [struct.pack(">i", 7)] * len(senders)
    check_peak(server)


def test_large_requests_that_never_end_make_room_for_others(server):
    part = produce_frame(bytes(LARGE))[:60 * MIB]
    peers = []

    def send(connection):
        try:
            connection.sendall(part)
        except OSError:  # Closed, as it did not get on.
            pass

    for _ in range(10):
        peers.append(connect(server))
        threading.Thread(target=send, args=(peers[-1],), daemon=True).start()
    for _ in range(3):
        produce(server)
    check_peak(server)
    wait_until(lambda: "memory for buffers is short" in server.errors(), what="stalled peers to be closed")
    for peer in peers:
        peer.close()
    produce(server)


def test_large_bodies_of_many_at_once_are_all_answered(headrace):
    """Together over the bound, of known and of unknown length: they are read in their turns."""
    config = CONFIG.replace(f"{BOUND_MIB}MiB", "64MiB").replace("partitions: 1", "partitions: 1, max.message.bytes: 20MiB")
    server = headrace(config, free_ports=False)
    lines = ((json.dumps({"x": "y" * 1000}) + "\n") * 14_000).encode()
    answered = []

    def post(chunked):
        connection = http.client.HTTPConnection(server.ready["http"], timeout=120)
        body = (lines[at:at + 65_536] for at in range(0, len(lines), 65_536)) if chunked else lines
        headers = {"content-type": "application/x-ndjson"}
        connection.request("POST", "/v1/topics/t/records", body, headers, encode_chunked=chunked)
        answered.append(connection.getresponse().status)
        connection.close()

    posts = [threading.Thread(target=post, args=(n % 2 == 0,)) for n in range(20)]
    for thread in posts:
        thread.start()
    produce(server)
    for thread in posts:
        thread.join()
    # 429: too many at a time, said so.
    assert len(answered) == len(posts) and set(answered) <= {200, 429}, answered
    assert "closed" not in server.errors()
    check_peak(server)


def test_large_requests_behind_one_that_waits_stay_in_the_socket(server):
    """The topic is empty, so a Fetch waits for its 3 s; requests behind it are not read meanwhile."""
    waiting = frame(1, 4, struct.pack(">iiiib", -1, 3_000, 1 << 30, 1 << 30, 0) + struct.pack(">ih", 1, 1) + b"t"
                    + struct.pack(">iiqi", 1, 0, 0, 1 << 30))
    request = waiting + produce_frame(bytes(LARGE))
    answered = []

    def send():
        with connect(server) as connection:
            connection.sendall(request)
            answered.append((read_response(connection)[:4], read_response(connection)[:4]))

    senders = [threading.Thread(target=send) for _ in range(20)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert answered == [(struct.pack(">i", 7),) * 2] * len(senders)
    check_peak(server)


def test_answers_that_nobody_reads_make_room_for_others(headrace):
    server = headrace(CONFIG + "  wide: {partitions: 3000}\n", free_ports=False)
    print(f"at first {peak_mib(server):.0f} MiB")
    every_topic = frame(3, 4, struct.pack(">ib", -1, 0))
    peers = [connect(server) for _ in range(150)]
    for peer in peers:
        peer.settimeout(0.2)
        try:
            for _ in range(1000):
                peer.sendall(every_topic)
        except OSError:
            pass  # The server does not read on.
    produce(server)
    check_peak(server)
    for peer in peers:
        peer.close()
    produce(server)
