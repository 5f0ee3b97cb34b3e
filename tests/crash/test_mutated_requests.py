"""What real clients sent, replayed with bits, sizes, counts, headers and the order of requests changed: the program answers or
closes, holds neither memory nor descriptors for it, and keeps what well-behaved clients write beside it.

HEADRACE_STREAMS and HEADRACE_SEED choose how many streams and which; HEADRACE_DEEP=1 replays 300,000.
"""

import http.client
import os
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paho.mqtt.client as paho
from confluent_kafka.admin import AdminClient
from harness import DEEP, wait_until
from mixed_load import PARTITIONS, Actor, Members, Numbers, number_of, read_partition
from mutations import Recorded, Stream, mutated
from recorder import Recorder, http_frames, kafka_frames, mqtt_frames, run_http_client, run_kafka_clients, run_mqtt_client
from test_bad_peers import descriptors

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from bench.measure import memory_mib, reset_peak  # noqa: E402

STREAMS = int(os.environ.get("HEADRACE_STREAMS", "300000" if DEEP else "5000"))
CONNECTIONS = 6
#: How long a connection is waited for whose client has ended its side, and one whose client hasn't.
PATIENCE_S, LISTENING_S = 20, 0.05
#: Fetch, JoinGroup and SyncGroup may ask to wait, and a Fetch does so for a minute at the most.
WAITING_APIS, WAITS_S_MAX = {1, 11, 14}, 90
#: How often the last bytes of a stream come one by one, and how many.
DRIBBLES, LAST_BYTES = 0.1, 12
PARTITIONS_MAX, FILES_MAX = 500, 64
# Well-behaved clients may connect anew.
CLIENTS_DESCRIPTORS_MAX = 10
# What is announced costs nothing, and what comes is little: a connection may have 4 MiB of answers waiting, and a partition
# that it creates takes less than 100 KiB.
GROWTH_MIB_MAX = 4 * CONNECTIONS + PARTITIONS_MAX // 10 + 26
CONFIG = f"""
broker:
  partitions_max: {PARTITIONS_MAX}
  open_files_max: {FILES_MAX}
  group_session_timeout_max: 6s
  compaction_interval: 100ms
  retention_check_interval: 200ms
topics:
  numbers: {{partitions: {PARTITIONS}, segment.bytes: 1MiB}}
  devices: {{partitions: 1}}
  attacked: {{partitions: 2, segment.bytes: 64KiB}}
  attacked-packed: {{partitions: 1, compression.type: lz4}}
  attacked-marks: {{partitions: 1, cleanup.policy: compact, segment.bytes: 16KiB, min.cleanable.dirty.ratio: 0.01}}
ingest:
  http: {{}}
  mqtt:
    routes: [{{filter: "attacked/#", topic: attacked}}, {{filter: devices, topic: devices}}]
"""


class Devices(Actor):
    """Numbers by HTTP and by MQTT, in turns, each answered before the next one is sent."""

    def __init__(self, server, seed):
        super().__init__(server.kafka, seed)
        self.http = http.client.HTTPConnection(server.ready["http"], timeout=20)
        self.mqtt = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="well-behaved")
        self.mqtt.connect(*server.mqtt)
        self.mqtt.loop_start()
        wait_until(self.mqtt.is_connected)
        self.acknowledged = 0

    def step(self):
        number = b"%d " % self.acknowledged
        if self.acknowledged % 2:
            self.http.request("POST", "/v1/topics/devices/records", number, {"content-type": "application/octet-stream"})
            answer = self.http.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
        else:
            message = self.mqtt.publish("devices", number, qos=1)
            message.wait_for_publish(20)
            assert message.is_published(), f"no PUBACK for {number}"
        self.acknowledged += 1
        time.sleep(0.01)

    def end(self):
        self.http.close()
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def now(self):
        return self.acknowledged

    def check(self, count):
        found = [number_of(message) for message in read_partition(self.bootstrap, "devices", 0)]
        assert found[:count] == list(range(count))

    def told(self):
        return f"{self.acknowledged} messages of devices"


def record(server, kafka, mqtt, http_proxy):
    """The streams of real clients, who come through the proxies."""
    kafka.target, mqtt.target, http_proxy.target = server.kafka, server.ready["mqtt"], server.ready["http"]
    run_http_client(http_proxy.address)
    run_mqtt_client(mqtt.address)
    run_kafka_clients(kafka.address)
    ways = [("kafka", kafka, kafka_frames), ("mqtt", mqtt, mqtt_frames), ("http", http_proxy, http_frames)]
    return Recorded([Stream(name, frames(sent)) for name, proxy, frames in ways for sent in proxy.sent])


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def correlation_ids(stream):
    return [frame[8:12] if len(frame) >= 12 else b"" for frame in kafka_frames(stream)]


def check_waits(protocol, stream, answers):
    """A connection is left open where the first request without an answer may wait."""
    assert protocol == "kafka", "neither answered nor closed"
    frames = iter(kafka_frames(stream))
    for answer in kafka_frames(answers):
        assert any(frame[8:12] == answer[4:8] for frame in frames), "an answer to no request, or in another order"
    waiting = next((frame for frame in frames if is_answered(frame)), b"\0" * 6)
    key = struct.unpack_from(">h", waiting, 4)[0]
    assert key in WAITING_APIS, f"neither answered nor closed; API {key} has no answer"


def is_answered(frame):
    """Produce with acks=0 is not. What is too short to tell gets an error or an end."""
    try:
        return not is_produce_without_acks(frame)
    except (struct.error, IndexError):
        return True


def is_produce_without_acks(frame):
    key, version = struct.unpack_from(">hh", frame, 4)
    if key != 0:
        return False
    # Behind the client's name are tagged fields, none of them sent (from version 9), and the transactional id (from 3).
    at = 14 + max(struct.unpack_from(">h", frame, 12)[0], 0)
    if version >= 9:
        at += 1
        at += max(frame[at], 1)
    elif version >= 3:
        at += 2 + max(struct.unpack_from(">h", frame, at)[0], 0)
    return frame[at:at + 2] == b"\0\0"


def check_answers(stream, untouched, answers):
    """Answers come in the order of the requests, and to all of those that are as a client sent them, up to the first that is
    not; Produce with acks=0 has none."""
    answered = [frame[4:8] for frame in kafka_frames(answers)]
    asked = iter(correlation_ids(stream))
    assert all(each in asked for each in answered), "answers are not in the order of their requests"
    assert answered[:len(untouched)] == untouched, f"{len(untouched)} requests before the first changed one, {len(answered)} answers"


def send_all(connection, stream, chance):
    """At once, or now and then the last bytes one by one."""
    if chance.random() < DRIBBLES:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(stream[:-LAST_BYTES])
        for byte in stream[-LAST_BYTES:]:
            time.sleep(0.001)
            connection.sendall(bytes([byte]))
    else:
        connection.sendall(stream)


class Attack:
    """Replays mutated streams, a few at a time, and keeps the last ones for who has to find out."""

    def __init__(self, server, seed, recorded):
        self.seed, self.recorded = seed, recorded
        self.addresses = {name: address.rsplit(":", 1) for name, address in server.ready.items()}
        self.ends = Counter()
        self.recent = deque(maxlen=4 * CONNECTIONS)
        self.stopped = threading.Event()

    def replay(self, number):
        if self.stopped.is_set():
            return
        chance = random.Random(f"{self.seed} {number}")
        protocol, frames, untouched = mutated(chance, self.recorded)
        stream = b"".join(frames)
        due = [frame[8:12] for frame in frames[:untouched] if is_answered(frame)] if protocol == "kafka" else []
        self.recent.append(f"{number} {protocol} {stream.hex()}")
        host, port = self.addresses[protocol]
        try:
            connection = socket.create_connection((host, int(port)), timeout=20)
            end, answers = self.send(connection, stream, len(due), chance)
            self.ends[f"{protocol} {end}"] += 1
            if end == "waits":
                check_waits(protocol, stream, answers)
            elif protocol == "kafka" and end == "ended":
                check_answers(stream, due, answers)
                assert sum(map(len, kafka_frames(answers))) == len(answers), "the last answer is not whole"
            elif protocol == "kafka" and end == "left open":
                check_answers(stream, due, answers)
        except BaseException as exception:
            self.stopped.set()
            raise AssertionError(f"seed {self.seed}, stream {number}, {protocol}: {stream.hex()}") from exception

    def send(self, connection, stream, due, chance):
        """How the connection ended, and what was answered. Whoever is not closed closes, and in no good order, but waits for the
        answers that are due."""
        answers = bytearray()
        manner = chance.choices(("cut", "ends", "stays"), (1, 7, 2))[0]
        connection.settimeout(PATIENCE_S)
        try:
            send_all(connection, stream, chance)
            if manner == "cut":
                reset(connection)
                return "cut", answers
            if manner == "ends":
                connection.shutdown(socket.SHUT_WR)
            deadline, came = time.monotonic() + PATIENCE_S, 0
            while True:
                connection.settimeout(PATIENCE_S if manner == "ends" or came < due else LISTENING_S)
                piece = connection.recv(1 << 20)
                if not piece:
                    break
                assert time.monotonic() < deadline, "answers have no end"
                answers += piece
                came = len(kafka_frames(answers))
            connection.close()
            return "ended", answers
        except TimeoutError:
            reset(connection)
            return "left open" if manner == "stays" and came >= due else "waits", answers
        except OSError:
            connection.close()
            return "reset", answers

    def run(self):
        began = time.monotonic()
        try:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                for _ in pool.map(self.replay, range(STREAMS)):
                    pass
        except BaseException:
            print("the last streams:", *self.recent, sep="\n")
            raise
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        print(f"{STREAMS} streams in {time.monotonic() - began:.0f} s: {ends}")


class Cost:
    """What the process holds more than at the beginning."""

    def __init__(self, pid):
        reset_peak(pid)
        self.pid, self.memory, self.descriptors = pid, memory_mib(pid), descriptors(pid)

    def check(self):
        grown = memory_mib(self.pid) - self.memory
        print(f"{grown:.0f} MiB more at the peak, beside {self.memory:.0f} MiB")
        assert grown < GROWTH_MIB_MAX
        most = self.descriptors + FILES_MAX + CLIENTS_DESCRIPTORS_MAX
        wait_until(lambda: descriptors(self.pid) < most, WAITS_S_MAX, "descriptors to be given back")


def check_kept(server, actors):
    """All that was acknowledged is there, and nothing is damaged."""
    for actor in actors:
        actor.finish()
    topics = AdminClient({"bootstrap.servers": server.kafka}).list_topics(timeout=30).topics
    assert all(topic.error is None for topic in topics.values())
    assert server.metric("headrace_partitions_out_of_service") == server.metric("headrace_damaged_ranges") == 0


def start_and_record(headrace):
    """A server on its ports for good, and what clients sent to it."""
    with Recorder() as kafka, Recorder() as mqtt, Recorder() as http_proxy:
        server = headrace(CONFIG, [f"listen.advertised.kafka={kafka.address}"])
        recorded = record(server, kafka, mqtt, http_proxy)
        server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
        return server.restart(), recorded


def test_mutated_requests_cost_others_nothing(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30) if DEEP else 9))
    print(f"seed {seed}")
    server, recorded = start_and_record(headrace)
    actors = [Numbers(server.kafka, seed), Members(server.kafka, seed), Devices(server, seed)]
    numbers, members, _ = actors
    for actor in actors:
        actor.start()
    wait_until(lambda: members.read, what="the group to read")
    cost = Cost(server.process.pid)
    attack = Attack(server, seed, recorded)
    attack.run()
    assert server.process.poll() is None, server.errors()[-4000:]
    assert attack.ends["kafka reset"] < STREAMS / 100, "who is refused can read what was answered before"
    cost.check()
    members.await_all(numbers.sent)
    for actor in actors:
        actor.stop()
    print("; ".join(actor.told() for actor in actors))
    check_kept(server, actors)
    server.restart()
    check_kept(server, actors)
