"""Bytes that lie: sizes, array lengths and compressed records that are not what they say. The program refuses them one
by one, serves everybody else, and its memory stays within a bound."""

import itertools
import socket
import struct
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from harness import wait_until
from recorder import kafka_frames

MIB = 1 << 20
# Resident at the most, whatever clients send: a batch that is opened takes up to 64 MiB and its copies, one for each
# event loop at a time.
RESIDENT_BYTES_MAX = 400 * MIB
# What a request may have; the body is what lies.
API_KEYS = range(0, 93)
VERSIONS = range(0, 19)
LYING_BODIES = [
    b"\x7f\xff\xff\xff" * 16,
    b"\xff\xff\xff\xff" * 16,
    b"\x00\x01" * 32,
    b"\xff\xff\xff\xff\x07" * 16,
    b"\x00\x00\x00\x00\x7f\xff\xff\xff" * 8,
    b"\x00" + b"\xff\xff\xff\xff\x0f" * 12,
    b"",
]
# ListGroups and ApiVersions ask nothing in their first versions, and ApiVersions is answered in versions to come.
EMPTY_REQUESTS = {16, 18}
BOMB = b"0" * (65 * MIB)


def connect(server):
    host, port = server.kafka.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def frame(key, version, body):
    # Flexible headers end with a count of tagged fields, which a lying body may as well be.
    header = struct.pack(">hhihc", key, version, 7, 1, b"x")
    return struct.pack(">i", len(header) + len(body)) + header + body


API_VERSIONS = frame(18, 0, b"")


def read_response(connection):
    size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
    return connection.recv(size, socket.MSG_WAITALL)


def answers_until_closed(connection):
    """How many answers come before the server closes; None when it does not close."""
    answers = bytearray()
    try:
        while piece := connection.recv(65536):
            answers += piece
    except TimeoutError:
        return None
    except OSError:  # Reset, or closed before we were through.
        pass
    return len(kafka_frames(answers))


def closes(connection):
    return answers_until_closed(connection) is not None


def end_sending(connection):
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:  # The server was faster.
        pass


def is_served(server):
    with connect(server) as connection:
        connection.sendall(API_VERSIONS)
        return struct.unpack_from(">ih", read_response(connection)) == (7, 0)


def peak_bytes(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def check_alive(server):
    assert is_served(server)
    assert server.process.poll() is None, server.errors()[-2000:]
    print(f"peak {peak_bytes(server) / MIB:.0f} MiB")
    assert peak_bytes(server) < RESIDENT_BYTES_MAX, f"{peak_bytes(server) / MIB:.0f} MiB"


def test_a_size_that_no_first_request_has_closes_the_connection(headrace):
    server = headrace("")
    beginnings = [(size, b"\x00\x12\x00\x00") for size in (-1, -(1 << 31), 0, 1, 7, 100 * MIB + 1, (1 << 31) - 1)]
    beginnings.append((512 * 1024 + 1, b"no header"))
    for size, beginning in beginnings:
        with connect(server) as connection:
            connection.sendall(struct.pack(">i", size) + beginning)
            assert closes(connection), size
    check_alive(server)


def test_announced_bytes_cost_nothing_until_they_come(headrace):
    server = headrace("")
    before = peak_bytes(server)
    connections = []
    for _ in range(200):
        connection = connect(server)
        connection.sendall(API_VERSIONS)
        read_response(connection)
        connection.sendall(struct.pack(">i", 100 * MIB) + b"x" * 1000)
        connections.append(connection)
    check_alive(server)
    assert peak_bytes(server) - before < 64 * MIB
    for connection in connections:
        connection.close()


def test_lengths_that_lie_are_refused_in_every_api(headrace):
    """Each API in each version, each with every lying body: answered or closed, within the read time-out. The first body is no
    request of any: nowhere is it answered."""
    server = headrace("topics: {t: {partitions: 1}}\n")
    for key, version in itertools.product(API_KEYS, VERSIONS):
        for body in LYING_BODIES:
            with connect(server) as connection:
                connection.sendall(API_VERSIONS + frame(key, version, body))
                end_sending(connection)
                answers = answers_until_closed(connection)
                assert answers is not None, f"API {key} v{version} {body[:8]}: neither answered nor closed"
                assert answers <= 1 or body != LYING_BODIES[0] or key in EMPTY_REQUESTS, f"API {key} v{version} is answered"
    check_alive(server)


def bomb_producer(server, codec):
    return Producer({"bootstrap.servers": server.kafka, "compression.codec": codec, "message.max.bytes": 200 * MIB,
                     "queue.buffering.max.kbytes": 2 << 20, "retries": 0, "message.timeout.ms": 120_000})


def send(producer, topic, value):
    """The error's name, None when the record was taken."""
    answers = []
    producer.produce(topic, value, key=b"k", partition=0, on_delivery=lambda error, _: answers.append(error))
    assert producer.flush(120) == 0
    return answers[0].name() if answers[0] else None


def test_a_bomb_in_a_topic_that_becomes_compacted_stays_as_it_is(headrace):
    server = headrace("topics: {t: {partitions: 1, segment.bytes: 1MiB}}\n")
    producer = bomb_producer(server, "zstd")
    for value in (b"1", BOMB, b"2", b"3"):
        assert send(producer, "t", value) is None
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "g", "enable.auto.commit": False})
    now_ms = int(time.time() * 1000)
    for at_ms in (0, now_ms - 60_000, now_ms + 60_000):  # Finding a time opens the batches that may hold it.
        found = consumer.offsets_for_times([TopicPartition("t", 0, at_ms)], timeout=30)[0]
        assert found.error is None
    admin = AdminClient({"bootstrap.servers": server.kafka})
    changes = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0"}
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
               for name, value in changes.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, "t", incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
    time.sleep(0.2)
    plain = Producer({"bootstrap.servers": server.kafka})
    assert send(plain, "t", b"4") is None  # Rolls the segment.
    wait_until(lambda: "the batch stays as it is" in server.errors(), 60, "the compaction")
    consumer.assign([TopicPartition("t", 0, 0)])
    first = consumer.poll(30)
    assert first is not None and first.error() is None
    consumer.close()
    check_alive(server)
