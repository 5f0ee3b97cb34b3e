"""Clients that send or read a byte now and then, or send and never read: what they sent whole is answered and kept, and beside
them others are served as if they were not there. HEADRACE_DEEP=1 has 200 of each, for 50 s.
"""

import asyncio
import random
import socket
import struct
import sys
import time
from collections import Counter
from pathlib import Path

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from confluent_kafka import Consumer, Producer, TopicPartition
from harness import DEEP, wait_until
from mixed_load import Actor, read_partition
from recorder import kafka_frames
from test_bad_peers import address, descriptors, fetch, frame, produce
from test_memory_bound import produce_frame

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from bench.measure import memory_mib, reset_peak  # noqa: E402

OF_EACH, SECONDS = (200, 50) if DEEP else (20, 10)
PATIENCE_S = 60
#: What a client that is not slow waits for at the most. A busy machine takes part of it.
ANSWER_S_MAX = 20
FETCHES, FETCH_BYTES, READ_SLOWLY = 4, 1 << 20, 500
PIPELINED = 10_000
# Fetched records that nobody has received yet take 64 MiB (fetch_bytes_max). Of a client that never reads, 256 KiB of answers
# wait, those to one more read of 256 KiB, and as much that it sent: less than 1 MiB. The rest is for the others and the allocator.
GROWTH_MIB_MAX = 64 + OF_EACH + 30
# 4 MiB of answers that wait, those made meanwhile, and the same rest.
PIPELINE_MIB_MAX = 40
PING_BYTES_MAX = 4 << 20
CONFIG = """
topics:
  t: {partitions: 1}
  full: {partitions: 1}
  devices: {partitions: 1}
  ordinary: {partitions: 1}
ingest:
  http: {}
  mqtt: {routes: [{filter: "devices/#", topic: devices}]}
"""


class Ordinary(Actor):
    """Writes a record, waits for its acknowledgement, and reads it."""

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0})
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "ordinary", "log_level": 0})
        self.consumer.assign([TopicPartition("ordinary", 0, 0)])
        self.count = 0
        self.slowest = 0.0

    def step(self):
        began = time.monotonic()
        self.producer.produce("ordinary", b"%d" % self.count, partition=0)
        assert self.producer.flush(ANSWER_S_MAX) == 0, f"no acknowledgement in {ANSWER_S_MAX} s"
        message = self.consumer.poll(ANSWER_S_MAX)
        assert message and not message.error() and message.value() == b"%d" % self.count, f"not read in {ANSWER_S_MAX} s"
        if self.count:  # The first one waits for the clients to connect.
            self.slowest = max(self.slowest, time.monotonic() - began)
        self.count += 1
        time.sleep(0.005)

    def end(self):
        self.consumer.close()


def connect(where, receive_bytes=None):
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect(where)
    connection.setblocking(False)
    return connection


async def send(connection, data):
    await asyncio.get_running_loop().sock_sendall(connection, data)


async def send_slowly(connection, data):
    """A byte at a time."""
    for at in range(len(data)):
        await send(connection, data[at:at + 1])
        await asyncio.sleep(SECONDS / len(data))


async def receive(connection, size):
    data = b""
    while len(data) < size:
        piece = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, size - len(data)), PATIENCE_S)
        assert piece, f"closed, and {size - len(data)} bytes of the answer have not come"
        data += piece
    return data


async def receive_response(connection):
    return await receive(connection, struct.unpack(">i", await receive(connection, 4))[0])


def batch(value):
    builder = DefaultRecordBatchBuilder(magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1,
                                        base_sequence=-1, batch_size=1 << 20)
    builder.append(0, int(time.time() * 1000), None, value, [])
    return bytes(builder.build())


async def produce_slowly(server, value):
    with connect(address(server.kafka)) as connection:
        await send_slowly(connection, produce_frame(batch(value)))
        response = await receive_response(connection)
        error = struct.unpack_from(">h", response, 4 + 4 + 3 + 4 + 4)[0]
        assert error == 0, f"Produce of {value}: error {error}"


def mqtt_packet(kind, body):
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def text(value):
    return struct.pack(">H", len(value)) + value


def mqtt_connect(client_id):
    return mqtt_packet(0x10, text(b"MQTT") + b"\x04\x02\0\0" + text(client_id))


async def publish_slowly(server, value):
    with connect(server.mqtt) as connection:
        await send(connection, mqtt_connect(value))
        assert await receive(connection, 4) == b"\x20\x02\0\0"
        await send_slowly(connection, mqtt_packet(0x32, text(b"devices/slow") + b"\0\x07" + value))
        assert await receive(connection, 4) == b"\x40\x02\0\x07", f"PUBACK of {value}"


async def post_slowly(server, value):
    with connect(address(server.ready["http"])) as connection:
        await send_slowly(connection, b"POST /v1/topics/devices/records HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (len(value), value))
        answer = await receive(connection, 12)
        assert answer == b"HTTP/1.1 200", f"POST of {value}: {answer}"


async def read_slowly(server, value):
    """Answers of a MiB each, of which the first bytes are read one by one."""
    with connect(address(server.kafka), receive_bytes=4096) as connection:
        await send(connection, b"".join(fetch("full", i, FETCH_BYTES) for i in range(FETCHES)))
        beginning = b""
        for _ in range(READ_SLOWLY):
            beginning += await receive(connection, 1)
            await asyncio.sleep(SECONDS / READ_SLOWLY)
        size, correlation_id = struct.unpack_from(">ii", beginning)
        assert correlation_id == 0 and size > FETCH_BYTES // 2
        await receive(connection, 4 + size - len(beginning))
        for i in range(1, FETCHES):
            response = await receive_response(connection)
            assert struct.unpack_from(">i", response)[0] == i and len(response) == size


async def never_read(server, value):
    """Sends pings after a subscription, until no more is taken or there were many."""
    with connect(server.mqtt, receive_bytes=4096) as connection:
        await send(connection, mqtt_connect(value) + mqtt_packet(0x82, b"\0\x01" + text(b"devices/#") + b"\0"))
        sent = 0
        while sent < PING_BYTES_MAX:
            try:
                await asyncio.wait_for(send(connection, mqtt_packet(0xC0, b"") * 32_000), 0.2)
            except TimeoutError:
                break
            sent += 64_000
        await asyncio.sleep(SECONDS)


WRITERS = {b"produced": produce_slowly, b"published": publish_slowly, b"posted": post_slowly}


async def run_slow_clients(server):
    """All at once; the values that writers had answered."""
    values = {b"%s %d" % (name, i): client for name, client in WRITERS.items() for i in range(OF_EACH)}
    others = [client(server, b"client %d" % i) for client in (read_slowly, never_read) for i in range(OF_EACH)]
    await asyncio.gather(*(client(server, value) for value, client in values.items()), *others)
    return values


def run_beside(server, ordinary, work):
    """What `work` gives, and by how many MiB memory grew at the peak; afterwards no descriptor is left of it."""
    pid = server.process.pid
    ordinary.start()
    wait_until(lambda: ordinary.count > 10 or ordinary.failure, what="the first records")
    reset_peak(pid)
    memory_before, descriptors_before, count = memory_mib(pid), descriptors(pid), ordinary.count
    began = time.monotonic()
    result = work()
    grown = memory_mib(pid) - memory_before
    print(f"{time.monotonic() - began:.0f} s, {grown:.0f} MiB more at the peak; beside it {ordinary.count - count} records, "
          f"each written and read in {ordinary.slowest:.2f} s at the most")
    wait_until(lambda: descriptors(pid) < descriptors_before + 10, what="the descriptors to be given back")
    ordinary.stop()
    return result, grown


def test_slow_clients_are_served_and_slow_nobody_down(headrace):
    server = headrace(CONFIG)
    produce(server, "full", 3000)
    values, grown = run_beside(server, Ordinary(server.kafka, 0), lambda: asyncio.run(run_slow_clients(server)))
    kept = Counter(message.value() for topic in ("t", "devices") for message in read_partition(server.kafka, topic, 0))
    assert kept == Counter(values.keys())
    assert grown < GROWTH_MIB_MAX
    server.restart()


def requests(chance):
    """ApiVersions, Metadata and Fetch in an order that was drawn, with numbers of their own."""
    for i in range(PIPELINED):
        yield chance.choice((frame(18, 0, b"", i), frame(3, 4, struct.pack(">ib", -1, 0), i), fetch("full", i, most=1)))


def ask_all_then_read(server, asked):
    with socket.create_connection(address(server.kafka), timeout=PATIENCE_S) as connection:
        connection.sendall(b"".join(asked))
        connection.shutdown(socket.SHUT_WR)
        answers = bytearray()
        while piece := connection.recv(1 << 20):
            answers += piece
    return kafka_frames(answers)


def is_answer(request, answer):
    """By what each of the three APIs has to tell here."""
    body = answer[8:]
    return {18: body[:2] == b"\0\0", 3: struct.unpack_from(">ii", body) == (0, 1), 1: b"x" * 10 in body}[request[5]]


def test_requests_sent_before_any_answer_is_read_are_answered_in_order(headrace):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    server = headrace(CONFIG)
    produce(server, "full", 1, size=10)
    asked = list(requests(random.Random(seed)))
    answers, grown = run_beside(server, Ordinary(server.kafka, 0), lambda: ask_all_then_read(server, asked))
    assert [struct.unpack_from(">i", answer, 4)[0] for answer in answers] == list(range(PIPELINED)), f"seed {seed}"
    for request, answer in zip(asked, answers):
        assert is_answer(request, answer), f"seed {seed}: {request.hex()} is answered with {answer.hex()}"
    assert grown < PIPELINE_MIB_MAX
