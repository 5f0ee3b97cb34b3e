"""Sizes and counts that lie, at every place where a protocol has one: the place's connection is closed or answered in time, and
after each case the program runs, with its memory under a bound. One server takes all cases of a test.

HEADRACE_DEEP=1 lies in every version of every API and adds generated cases, several lies in one request; HEADRACE_CASES and
HEADRACE_SEED choose how many and which.
"""

import os
import random
import socket
import struct
from collections import Counter

import hostile_batches
import hostile_packets
import pytest
from harness import DEEP
from hostile_requests import Lie, Messages, floods, lies_about, lies_at
from test_hostile_input import API_VERSIONS, MIB, check_alive, connect, end_sending, peak_bytes, read_response
from varint import uvarint

# Beside the program itself, 60 MiB: nothing is made room for before it has come.
SMALL_BYTES_MAX = 160 * MIB
# A batch that is opened takes up to 64 MiB, and the bombs themselves up to 50.
BOMBS_BYTES_MAX = 400 * MIB
FLOOD_BYTES = (8 if DEEP else 1) * MIB
GENERATED = int(os.environ.get("HEADRACE_CASES", "200000" if DEEP else "2000"))
PRODUCE, LIST_OFFSETS, JOIN_GROUP, GET_TELEMETRY, PUSH_TELEMETRY = 0, 2, 11, 71, 72
MESSAGE_TOO_LARGE = 10
CONNECTED, PUBACK = b"\x20\x02\0\0", b"\x40\x02"
COMPRESSED_TO = "lz4"
TOPICS = f"""
topics:
  plain: {{partitions: 1, max.message.bytes: 90MiB}}
  compacted: {{partitions: 1, cleanup.policy: compact, max.message.bytes: 90MiB}}
  recompressed: {{partitions: 1, compression.type: {COMPRESSED_TO}, max.message.bytes: 90MiB}}
  timed: {{partitions: 1, message.timestamp.before.max.ms: 3600000, max.message.bytes: 90MiB}}
"""
NAMES = ["plain", "compacted", "recompressed", "timed"]
DEVICES = "ingest: {http: {}, mqtt: {routes: [{filter: '#', topic: t}]}}\ntopics: {t: {partitions: 1}}\n"


@pytest.fixture(scope="module")
def messages():
    return Messages()


class Cases:
    """Counts what was tried, and looks at the server after each case."""

    def __init__(self, server, bytes_max):
        self.server, self.bytes_max = server, bytes_max
        self.outcomes = Counter()

    def ended(self, name, outcome):
        assert self.server.process.poll() is None, f"{name}: {self.server.errors()[-2000:]}"
        peak = peak_bytes(self.server)
        assert peak < self.bytes_max, f"{name}: {peak / MIB:.0f} MiB"
        self.outcomes[outcome] += 1

    def finish(self, at_least):
        print(f"{sum(self.outcomes.values())} cases: {dict(self.outcomes)}")
        assert sum(self.outcomes.values()) >= at_least
        check_alive(self.server)


def with_size(request):
    return struct.pack(">i", len(request)) + request


def answer_to(connection, request):
    """The answer's bytes behind the correlation id; None where the connection is closed instead."""
    try:
        connection.sendall(with_size(request))
        answer = read_response(connection)
    except TimeoutError:
        raise
    except (OSError, struct.error):  # Closed.
        return None
    return answer[4:]


def served_versions(server):
    with connect(server) as connection:
        connection.sendall(API_VERSIONS)
        answer = read_response(connection)
    apis = {key: range(first, last + 1) for key, first, last in struct.iter_unpack(">hhh", answer[10:])}
    apis[PRODUCE] = range(3, apis[PRODUCE][-1] + 1)  # Earlier versions are told, but not served.
    return apis


def chosen_versions(messages, key, versions):
    """The first and the last one, and those where the encoding changes; all of them in the deep test."""
    if DEEP:
        return versions
    flexible = int(messages.by_key[key]["flexibleVersions"].rstrip("+").replace("none", "0"))
    return sorted({versions[0], versions[-1], *({flexible - 1, flexible} & set(versions))})


def try_request(cases, lie):
    """Sends a lie behind an honest request. What no reading makes sense of is not answered, and closed without our help."""
    with connect(cases.server) as connection:
        connection.sendall(API_VERSIONS)
        read_response(connection)
        try:
            connection.sendall(with_size(lie.body))
        except OSError:  # Closed before we were through.
            return cases.ended(lie.name, "closed")
        if not lie.is_senseless:
            end_sending(connection)
        first = first_bytes(connection, lie.name)
        assert not (first and lie.is_senseless), f"{lie.name} is answered: {first}"
    cases.ended(lie.name, "answered" if first else "closed")


def first_bytes(connection, name):
    try:
        return connection.recv(65536)
    except TimeoutError:
        raise AssertionError(f"{name}: neither answered nor closed") from None
    except OSError:
        return b""


def test_each_length_of_each_request_may_lie(headrace, messages):
    server = headrace("topics: {t: {partitions: 1}}\n")
    cases = Cases(server, SMALL_BYTES_MAX)
    served = served_versions(server)
    assert len(served) >= 50
    for key, versions in served.items():
        for version in chosen_versions(messages, key, versions):
            sample = messages.request(key, version)
            with connect(server) as connection:
                assert answer_to(connection, sample.body) is not None, f"{sample.name}: what is true is not answered"
            for lie in lies_about(sample):
                try_request(cases, lie)
    cases.finish(at_least=4500)
    assert cases.outcomes["answered"] > 100 and cases.outcomes["closed"] > 4000


def test_several_lengths_of_a_request_may_lie(headrace, messages):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(f"{seed} sizes")
    server = headrace("topics: {t: {partitions: 1}}\n")
    cases = Cases(server, SMALL_BYTES_MAX)
    served = served_versions(server)
    for number in range(GENERATED):
        key = chance.choice(list(served))
        try_request(cases, generated(chance, number, messages.request(key, chance.choice(served[key]))))
    cases.finish(at_least=GENERATED)


def generated(chance, number, sample):
    """Up to four lies, from the last place to the first, and now and then a body that ends early or goes on."""
    body, told = sample.body, []
    for place in sorted(chance.sample(sample.places, min(len(sample.places), chance.randrange(1, 5))), reverse=True):
        tail = body[place.at + place.size:]
        what, field, _ = chance.choice(list(lies_at(place, len(tail) + chance.choice((0, 0, 1, 1000)))))
        body = body[:place.at] + field + tail
        told.append(f"{place.name} {what}")
    end = chance.choice((b"", b"", b"\0" * chance.randrange(5000), b"\1" * chance.randrange(5000), chance.randbytes(100)))
    body = body[:chance.randrange(8, len(body))] if chance.random() < 0.1 else body + end
    return Lie(f"case {number}: {sample.name}, {told}", body, False)


def test_arrays_have_an_element_for_each_byte(headrace, messages):
    server = headrace("topics: {t: {partitions: 1}}\nbroker: {partitions_max: 100}\n")
    cases = Cases(server, BOMBS_BYTES_MAX)
    for key, versions in served_versions(server).items():
        for version in sorted({versions[0], versions[-1]}):
            for lie in floods(messages.request(key, version), FLOOD_BYTES):
                try_request(cases, lie)
    cases.finish(at_least=1000)
    assert cases.outcomes["answered"] > 50


def test_subscriptions_of_members_may_lie(headrace, messages):
    """Inside of JoinGroup, where they are bytes; they are read when a group is described, or offsets are deleted."""
    server = headrace("topics: {a: {partitions: 1}}\n")
    cases = Cases(server, SMALL_BYTES_MAX)
    for version in range(4):
        for lie in lies_about(messages.message("ConsumerProtocolSubscription", version)):
            group = b"g%d" % sum(cases.outcomes.values())
            with connect(server) as connection:
                answer = answer_to(connection, join_group(group, lie.body))
                assert answer is not None, f"{lie.name} is not answered"
                error, = struct.unpack_from(">h", answer, 4)
                assert answer_to(connection, delete_offset(group)) is not None, f"{lie.name}: OffsetDelete is not answered"
            cases.ended(lie.name, "joined" if error == 0 else "refused")
    cases.finish(at_least=60)
    assert cases.outcomes["joined"] > 0


def short(content):
    return struct.pack(">h", len(content)) + content


def header(key, version):
    return struct.pack(">hhih", key, version, 7, -1)


def join_group(group, subscription):
    """Version 2, in which a member needs no id."""
    return (header(JOIN_GROUP, 2) + short(group) + struct.pack(">ii", 6000, 500) + short(b"") + short(b"consumer")
            + struct.pack(">i", 1) + short(b"range") + struct.pack(">i", len(subscription)) + subscription)


def delete_offset(group):
    return header(47, 0) + short(group) + struct.pack(">i", 1) + short(b"a") + struct.pack(">ii", 1, 0)


def produce(connection, topic, batch):
    """The answer's error code. Version 7 is the first that may have zstd."""
    body = struct.pack(">hhii", -1, -1, 30_000, 1) + short(topic.encode()) + struct.pack(">iii", 1, 0, len(batch)) + batch
    answer = answer_to(connection, header(PRODUCE, 7) + body)
    return None if answer is None else struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)[0]


def find_time(connection, topic, time_ms=hostile_batches.TIME_MS):
    """Opens the batches that may hold the time. The answer's error code."""
    body = struct.pack(">ii", -1, 1) + short(topic.encode()) + struct.pack(">iiq", 1, 0, time_ms)
    answer = answer_to(connection, header(LIST_OFFSETS, 1) + body)
    return struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)[0]


def opens(topic, codec):
    """Whether the broker looks into a batch before it takes it; else clients alone do."""
    return topic != "plain" and (topic, codec) != ("recompressed", COMPRESSED_TO)


def test_each_length_of_a_batch_may_lie(headrace):
    server = headrace(TOPICS)
    cases = Cases(server, SMALL_BYTES_MAX)
    for lie in hostile_batches.lying_batches():
        for topic in NAMES:
            with connect(server) as connection:
                error = produce(connection, topic, lie.batch)
                assert error is not None, f"{topic}, {lie.name}: not answered"
                assert error or lie.may_be_taken or not opens(topic, lie.codec), f"{topic}, {lie.codec}: {lie.name}: taken"
                assert find_time(connection, topic) is not None, f"{topic}, {lie.codec}: {lie.name}: ListOffsets is not answered"
            cases.ended(lie.name, f"{'refused' if error else 'taken'} by {topic}")
    cases.finish(at_least=900)


def test_compressed_data_lies_about_its_size(headrace):
    server = headrace(TOPICS)
    cases = Cases(server, SMALL_BYTES_MAX)
    for codec, what, data in hostile_batches.lying_codec_frames():
        for topic in NAMES:
            with connect(server) as connection:
                error = produce(connection, topic, hostile_batches.batch_of(data, codec))
                assert error is not None, f"{topic}, {codec}, {what}: not answered"
                assert error or not opens(topic, codec), f"{topic}, {codec}, {what}: taken"
                assert find_time(connection, topic) is not None, f"{topic}, {codec}: {what}: ListOffsets is not answered"
            cases.ended(what, f"error {error}")
    cases.finish(at_least=75)


def test_bombs_of_a_gib_are_refused_where_their_records_have_to_be_read(headrace):
    server = headrace(TOPICS)
    cases = Cases(server, BOMBS_BYTES_MAX)
    for codec, make in hostile_batches.BOMBS.items():
        batch = hostile_batches.batch_of(make(hostile_batches.GIB), codec)
        with connect(server) as connection:
            for topic in NAMES:
                expected = MESSAGE_TOO_LARGE if opens(topic, codec) else 0
                assert produce(connection, topic, batch) == expected, f"{codec} for {topic}"
                # What was taken is opened now.
                assert find_time(connection, topic) is not None
                cases.ended(codec, "refused" if expected else "kept as it is")
    cases.finish(at_least=16)


def test_bombs_of_clients_metrics_are_refused(headrace):
    server = headrace("")
    cases = Cases(server, BOMBS_BYTES_MAX)
    for codec, make in hostile_batches.BOMBS.items():
        for size in (4 * MIB, hostile_batches.GIB):
            bomb = make(size)
            with connect(server) as connection:
                answer = answer_to(connection, header(GET_TELEMETRY, 0) + b"\0" + bytes(16) + b"\0")
                client, subscription = answer[7:23], answer[23:27]
                metrics = bytes(client) + bytes(subscription) + struct.pack(">bb", 0, hostile_batches.CODECS[codec])
                request = header(PUSH_TELEMETRY, 0) + b"\0" + metrics + uvarint(len(bomb) + 1) + bomb + b"\0"
                answer = answer_to(connection, request)
            assert answer is not None and struct.unpack_from(">h", answer, 5)[0] != 0, f"{codec}, {size}: {answer}"
            cases.ended(codec, "refused")
    cases.finish(at_least=8)


def ends_by_itself(address, case):
    """What is answered to a case before the connection ends; our side stays open where the case is to be refused."""
    answer = b""
    with socket.create_connection(address, timeout=20) as connection:
        try:
            connection.sendall(case.sent)
            if not case.is_refused:
                end_sending(connection)
            while piece := connection.recv(65536):
                answer += piece
        except TimeoutError:
            raise AssertionError(f"{case.name}: not closed, {answer[:100]}") from None
        except OSError:  # Reset: closed while we were sending.
            pass
    return answer


def test_each_length_of_a_packet_of_mqtt_may_lie(headrace):
    server = headrace(DEVICES)
    cases = Cases(server, SMALL_BYTES_MAX)
    for case in hostile_packets.mqtt_cases():
        answer = ends_by_itself(server.mqtt, case)
        is_accepted = answer.startswith(CONNECTED)
        assert is_accepted == case.sent.startswith(hostile_packets.CONNECT_4), f"{case.name}: {answer[:20]}"
        assert not case.is_refused or PUBACK not in answer[len(CONNECTED):], f"{case.name}: {answer[:20]}"
        cases.ended(case.name, "answered" if answer[len(CONNECTED):] else "closed")
    cases.finish(at_least=100)


def test_each_length_of_a_request_by_http_may_lie(headrace):
    server = headrace(DEVICES)
    cases = Cases(server, SMALL_BYTES_MAX)
    host, port = server.ready["http"].rsplit(":", 1)
    for case in hostile_packets.http_cases():
        answer = ends_by_itself((host, int(port)), case)
        status = int(answer[9:12] or 0)
        assert not case.is_refused or status == 0 or 400 <= status < 500, f"{case.name}: {answer[:100]}"
        cases.ended(case.name, f"status {status}")
    cases.finish(at_least=40)
    assert server.metric("headrace_kafka_connections") >= 0
