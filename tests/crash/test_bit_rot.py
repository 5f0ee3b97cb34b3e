"""Bits flip on the disk below the server: clients get right records or CORRUPT_MESSAGE, never wrong ones."""

import os
import random
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import kafka as kafka_python
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka.errors import CorruptRecordError
from servers.kafka import tool

RECORDS = 1000
BATCH_RECORDS = 10
TOPIC = "topics: {t: {partitions: 3, segment.bytes: 64KiB}}\n"
# Which byte of a batch is damaged in each partition: docs/formats/segment.md.
DAMAGED_BYTES = {"length": 11, "crc": 18, "records": 300}
PARTITIONS = len(DAMAGED_BYTES)
BATCH_HEADER_BYTES = 61
TIME_STEP_MS = 1000
FIRST_TIME_MS = 1_700_000_000_000
INDEX_ROUNDS = 6


def value(number):
    return b"%06d " % number + b"x" * 400


VALUES = [value(i) for i in range(RECORDS)]


def fill(bootstrap):
    """The record at an offset has its number and its time in each partition."""
    producer = Producer({"bootstrap.servers": bootstrap, "batch.num.messages": BATCH_RECORDS, "linger.ms": 50})
    for number, each in enumerate(VALUES):
        for partition in range(PARTITIONS):
            producer.produce("t", each, partition=partition, timestamp=FIRST_TIME_MS + number * TIME_STEP_MS)
        producer.poll(0)
    assert producer.flush(30) == 0


def on_a_disk(path):
    """What is in memory only can't come back from the disk."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], text=True, capture_output=True, check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        pytest.skip(f"{path} is a {kind}: TMPDIR has to be on a disk")


def partition_files(server, partition, suffix):
    return sorted(server.folder.glob(f"data/t-{partition}/*{suffix}"))


def flip(path, at, bit=2):
    """A bit changes on the disk; the page cache forgets the file."""
    descriptor = os.open(path, os.O_RDWR)
    byte, = os.pread(descriptor, 1, at)
    os.pwrite(descriptor, bytes([byte ^ 1 << bit]), at)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


@dataclass
class Damage:
    """A batch that can't be read: offsets [first, after) at byte `position` of `file`."""

    file: Path
    position: int
    first: int
    after: int


def batches(path):
    """(position, first offset, offset after it) of each batch of a closed segment."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        base, length = struct.unpack_from(">qi", content, at)
        last_delta, = struct.unpack_from(">i", content, at + 23)
        yield at, base, base + last_delta + 1
        at += 12 + length


def damage(server, partition, at):
    """Flips a bit at byte `at` of a batch amid the third segment."""
    segment = partition_files(server, partition, ".log")[2]
    found = list(batches(segment))
    position, first, after = found[len(found) // 2]
    flip(segment, position + at)
    return Damage(segment, position, first, after)


def librdkafka(bootstrap, **properties):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "x", "enable.auto.commit": False, "enable.partition.eof": True,
                     "fetch.wait.max.ms": 10, "log_level": 0, **properties})


def read_librdkafka(bootstrap, partition, offset, **properties):
    """What the client shows of a partition from `offset` on: values, and whether it ends at damage."""
    consumer = librdkafka(bootstrap, **properties)
    consumer.assign([TopicPartition("t", partition, offset)])
    out = []
    while (message := consumer.poll(10)) and not message.error():
        out.append(message.value())
    consumer.close()
    assert message, "neither a record nor an error"
    if message.error().code() == KafkaError._PARTITION_EOF:
        return out, False
    assert message.error().code() == KafkaError.INVALID_MSG, message.error()
    return out, True


def read_kafka_python(bootstrap, partition, offset):
    consumer = kafka_python.KafkaConsumer(bootstrap_servers=bootstrap)
    place = kafka_python.TopicPartition("t", partition)
    consumer.assign([place])
    consumer.seek(place, offset)
    out, damaged = [], False
    try:
        while offset + len(out) < RECORDS:
            records = consumer.poll(10_000).get(place)
            assert records, "neither a record nor an error"
            out += [record.value for record in records]
    except CorruptRecordError:
        damaged = True
    consumer.close()
    return out, damaged


def read_java(bootstrap, partition, offset):
    done = tool("kafka-console-consumer", "--bootstrap-server", bootstrap, "--topic", "t", "--partition", partition,
                "--offset", offset, "--max-messages", RECORDS - offset, "--timeout-ms", 20_000, check=False)
    damaged = "Encountered corrupt message when fetching offset" in done.stderr
    assert damaged or f"Processed a total of {RECORDS - offset} messages" in done.stderr, done.stderr
    return done.stdout.encode().splitlines(), damaged


@pytest.fixture
def server(headrace, tmp_path):
    on_a_disk(tmp_path)
    server = headrace(TOPIC)
    fill(server.kafka)
    return server


@pytest.mark.parametrize("read", [read_librdkafka, read_kafka_python, read_java])
def test_damage_under_a_running_server_is_told_and_the_rest_is_served(server, read):
    for partition, (what, at) in enumerate(DAMAGED_BYTES.items()):
        assert read_librdkafka(server.kafka, partition, 0) == (VALUES, False), "it was in the page cache, and right"
        lost = damage(server, partition, at)
        assert read(server.kafka, partition, 0) == (VALUES[:lost.first], True), f"{what}: all before it, and why no more"
        assert read(server.kafka, partition, lost.after) == (VALUES[lost.after:], False), f"{what}: all behind it"
        told = f"{lost.file} is damaged at byte {lost.position}: offsets {lost.first} to {lost.after - 1} can't be read"
        assert told in server.errors()
        if read is read_java:
            break  # Each start of Java takes seconds.


def test_a_damaged_partition_takes_records_and_stays_known_over_a_restart(server):
    lost = damage(server, 0, DAMAGED_BYTES["records"])
    assert read_librdkafka(server.kafka, 0, 0) == (VALUES[:lost.first], True)
    producer = Producer({"bootstrap.servers": server.kafka})
    producer.produce("t", b"later", partition=0)
    assert producer.flush(10) == 0
    for _ in range(2):
        assert read_librdkafka(server.kafka, 0, lost.first) == ([], True)
        assert read_librdkafka(server.kafka, 0, lost.after) == ([*VALUES[lost.after:], b"later"], False)
        server.restart()


def test_damage_shows_in_the_metrics_and_the_console_until_it_is_gone(server):
    assert server.metric("headrace_damaged_ranges") == 0 and server.component("partitions") is None
    lost = damage(server, 0, DAMAGED_BYTES["records"])
    assert read_librdkafka(server.kafka, 0, 0) == (VALUES[:lost.first], True)
    assert server.metric("headrace_damaged_ranges") == 1
    assert server.metric("headrace_partitions_out_of_service") == 0
    state, detail = server.component("partitions")
    assert state == "damaged"
    assert f"t-0 can't give offsets {lost.first} to {lost.after - 1}: {lost.file} is damaged at byte {lost.position}" in detail
    assert read_librdkafka(server.kafka, 1, 0) == (VALUES, False)
    assert server.stop() == 0
    flip(lost.file, lost.position + DAMAGED_BYTES["records"])
    server.start()
    assert read_librdkafka(server.kafka, 0, 0) == (VALUES, False)
    assert server.metric("headrace_damaged_ranges") == 0 and server.component("partitions") is None
    damage(server, 1, DAMAGED_BYTES["crc"])
    assert read_librdkafka(server.kafka, 1, 0)[1]
    assert server.metric("headrace_damaged_ranges") == 1
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.delete_topics(["t"])["t"].result(10)
    assert server.metric("headrace_damaged_ranges") == 0 and server.component("partitions") == ("running", "")


def test_what_readahead_brings_back_is_checked(headrace, tmp_path):
    """A reader of small pieces of a large segment: the kernel reads ahead of it what had left the page cache."""
    on_a_disk(tmp_path)
    server = headrace("topics: {t: {partitions: 3, segment.bytes: 256KiB}}\n")
    fill(server.kafka)
    file, = partition_files(server, 0, "0" * 20 + ".log")
    position, first, after = next(batch for batch in batches(file) if batch[0] > 64 << 10)
    flip(file, position + DAMAGED_BYTES["records"])
    small = {"fetch.message.max.bytes": 48 << 10}
    assert read_librdkafka(server.kafka, 0, 0, **small) == (VALUES[:first], True)
    assert read_librdkafka(server.kafka, 0, after, **small) == (VALUES[after:], False)


def offsets_for_times(bootstrap, partition, offsets):
    """What the offsets of the times of the records at `offsets` are said to be."""
    consumer = librdkafka(bootstrap)
    found = [consumer.offsets_for_times([TopicPartition("t", partition, FIRST_TIME_MS + offset * TIME_STEP_MS)], 10)
             for offset in offsets]
    consumer.close()
    return [at.offset for at, in found]


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
def test_an_index_with_flipped_bits_hides_no_record(server, suffix):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(INDEX_ROUNDS):
        assert server.stop() == 0
        for partition in range(PARTITIONS):
            for file in partition_files(server, partition, suffix):
                if size := file.stat().st_size:
                    flip(file, chance.randrange(size), chance.randrange(8))
        server.start()
        for partition in range(PARTITIONS):
            for offset in [0, *chance.sample(range(RECORDS), 4)]:
                assert read_librdkafka(server.kafka, partition, offset) == (VALUES[offset:], False)
            offsets = list(range(0, RECORDS, 37))
            assert offsets_for_times(server.kafka, partition, offsets) == offsets


def test_a_time_index_that_lies_makes_no_segment_old(headrace):
    """The time of a segment's last record in its index is what retention.ms goes by: one bit takes 35 years off it."""
    server = headrace("broker: {retention_check_interval: 100ms}\n"
                      "topics: {t: {partitions: 3, segment.bytes: 64KiB, retention.ms: 7300d}}\n")
    fill(server.kafka)
    assert server.stop() == 0
    file = partition_files(server, 0, ".timeindex")[0]
    for entry in range(0, file.stat().st_size, 12):
        flip(file, entry + 2, bit=0)
    server.start()
    offsets = list(range(0, RECORDS, 37))
    time.sleep(1)
    assert partition_files(server, 0, ".log")[0].name == "0" * 20 + ".log", "nothing was deleted"
    assert offsets_for_times(server.kafka, 0, offsets) == offsets
