"""A small disk is filled under load: records are refused before it is full, everything else goes on, and it recovers."""

import os
import threading
import time
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from harness import wait_until
from tiny_disk import DISK_MIB

RESERVE_MIB = 4
CONFIG = f"""
broker: {{disk_reserve: {RESERVE_MIB}MiB}}
ingest:
  http: {{}}
topics:
  kept: {{partitions: 2, segment.bytes: 1MiB}}
  doomed: {{partitions: 2, segment.bytes: 1MiB}}
  ring: {{partitions: 1, segment.bytes: 1MiB, on_disk_pressure: drop_oldest}}
"""


@pytest.fixture
def server(small_server):
    return small_server(CONFIG)


class Load(threading.Thread):
    """Writes numbered records to a topic until told to stop; keeps what was acknowledged."""

    def __init__(self, bootstrap, topic, size=10_000):
        super().__init__(daemon=True)
        self.topic, self.size = topic, size
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2,
                                  "message.timeout.ms": 0, "retry.backoff.ms": 20,
                                  "queue.buffering.max.messages": 200})
        self.stopping = threading.Event()
        self.sent, self.acknowledged, self.failed = 0, {}, []

    def on_delivery(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acknowledged[int(message.value()[:10])] = (message.partition(), message.offset())

    def run(self):
        while not self.stopping.is_set():
            try:
                self.producer.produce(self.topic, b"%010d" % self.sent + os.urandom(self.size),
                                      partition=self.sent % 2 if self.topic != "ring" else 0,
                                      on_delivery=self.on_delivery)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.02)
            self.producer.poll(0)

    def finish(self):
        self.stopping.set()
        self.join()
        assert self.producer.flush(60) == 0
        assert not self.failed, self.failed[:3]


@pytest.fixture
def start_load(server):
    started = []

    def start(topic, **options):
        started.append(Load(server.kafka, topic, **options))
        started[-1].start()
        return started[-1]

    yield start
    for load in started:
        load.stopping.set()


def free_mib(path):
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize / 2**20


def numbers_in(server, topic, partitions=2):
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "check", "enable.partition.eof": True,
                         "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended, deadline = {}, set(), time.monotonic() + 120
    while len(ended) < partitions:
        assert time.monotonic() < deadline, f"{topic} can't be read to its end"
        for message in consumer.consume(500, 10):
            if message.error():
                ended.add(message.partition())
            else:
                found[int(message.value()[:10])] = (message.partition(), message.offset())
    last = max(offset for _, offset in found.values()) if found else 0
    consumer.commit(offsets=[TopicPartition(topic, 0, last)], asynchronous=False)
    consumer.close()
    return found


def http_produce(server, topic):
    request = urllib.request.Request(f"{server.http}/v1/topics/{topic}/records", data=b'{"a":1}',
                                     headers={"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=10)


def test_a_full_disk_refuses_serves_and_recovers(server, small_disk, start_load):
    doomed = start_load("doomed")
    wait_until(lambda: free_mib(small_disk) < DISK_MIB * 0.7, what="the doomed topic to grow")
    doomed.finish()
    load = start_load("kept")
    wait_until(lambda: server.metric("headrace_disk_refusing") == 1, what="the disk to fill")
    time.sleep(1)
    before = len(load.acknowledged)
    assert free_mib(small_disk) > RESERVE_MIB / 2, "the reserve is there"
    assert before > 500
    assert "nearly full" in server.errors()

    # Reading and committing go on; writing is told what to do.
    found = numbers_in(server, "kept")
    assert all(found.get(n) == place for n, place in list(load.acknowledged.items())[:before])
    with pytest.raises(urllib.error.HTTPError) as refused:
        http_produce(server, "kept")
    assert refused.value.code == 503 and refused.value.headers["Retry-After"]
    assert "disk_reserve" in refused.value.read().decode()
    assert server.metric("headrace_disk_refused_total") > 0

    # Deleting gives room, and the producer's own retries go through.
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.delete_topics(["doomed"])["doomed"].result(30)
    wait_until(lambda: len(load.acknowledged) > before + 100, what="records to be taken again")
    assert "has room again" in server.errors()
    load.finish()
    server.kill()
    server.start()
    found = numbers_in(server, "kept")
    assert found == load.acknowledged, "all that was acknowledged is there, once, in its place"


def test_drop_oldest_goes_on_and_takes_from_itself_only(server, small_disk, start_load):
    kept = start_load("kept")
    wait_until(lambda: len(kept.acknowledged) > 1500, what="15 MB")
    kept.finish()
    ring = start_load("ring")
    wait_until(lambda: len(ring.acknowledged) > 15_000, 120, what="150 MB through a disk of 64 MiB")
    ring.finish()
    assert server.metric("headrace_disk_dropped_bytes_total") > 80e6
    found = numbers_in(server, "ring", 1)
    newest = max(ring.acknowledged)
    assert sorted(found) == list(range(min(found), newest + 1)), "a gapless newest part is left"
    assert numbers_in(server, "kept") == kept.acknowledged


def test_a_disk_filled_by_others_is_survived(server, small_disk, start_load):
    """Twenty rounds: something else fills the disk to the last byte amid load, and gives the room back."""
    load = start_load("kept", size=500)
    filler = small_disk / "filler"
    for _ in range(20):
        seen = len(load.acknowledged)
        with open(filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(b"\0" * 65536)
            except OSError:
                pass
        time.sleep(0.1)
        filler.unlink()
        wait_until(lambda: len(load.acknowledged) > seen + 50, what="records to be taken again")
    load.finish()
    assert "out of service" not in server.errors()
    server.kill()
    server.start()
    assert numbers_in(server, "kept") == load.acknowledged
