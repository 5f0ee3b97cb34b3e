"""kill -9 at random points while an idempotent producer writes: whatever was acknowledged is there, once."""

import os
import random
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

KILLS = int(os.environ.get("HEADRACE_KILLS", "500" if os.environ.get("HEADRACE_DEEP") else "200"))
PARTITIONS = 4


class Writer(threading.Thread):
    """Produces numbered records until told to stop, and keeps the numbers that were acknowledged."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1,
                                  "message.timeout.ms": 0, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50,
                                  "retry.backoff.ms": 10, "queue.buffering.max.messages": 20_000})
        self.stopping = threading.Event()
        self.sent = 0
        self.acknowledged = {}
        self.failed = []

    def on_delivery(self, error, message):
        number = int(message.value().split(b" ", 1)[0])
        if error:
            self.failed.append((number, str(error)))
        else:
            assert number not in self.acknowledged
            self.acknowledged[number] = (message.partition(), message.offset())

    def run(self):
        while not self.stopping.is_set():
            try:
                self.producer.produce("numbers", b"%d %s" % (self.sent, b"x" * random.randrange(200)),
                                      partition=self.sent % PARTITIONS, on_delivery=self.on_delivery)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.01)
            self.producer.poll(0)
            if self.sent % 50 == 0:
                time.sleep(0.002)
        assert self.producer.flush(60) == 0


def read_all(bootstrap):
    """{partition: [(offset, number)...]} of the whole topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "check", "enable.partition.eof": True,
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition("numbers", p, 0) for p in range(PARTITIONS)])
    out, ended = {p: [] for p in range(PARTITIONS)}, set()
    deadline = time.monotonic() + 120
    while len(ended) < PARTITIONS:
        assert time.monotonic() < deadline, "the topic can't be read to its end"
        for message in consumer.consume(5000, 1.0):
            if message.error():
                ended.add(message.partition())
            else:
                out[message.partition()].append((message.offset(), int(message.value().split(b" ", 1)[0])))
    consumer.close()
    return out


def test_nothing_acknowledged_is_lost_or_doubled(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    server = headrace(f"topics: {{numbers: {{partitions: {PARTITIONS}, segment.bytes: 1MiB}}}}\n")
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    writer = Writer(server.kafka)
    writer.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.0, 0.25))
            server.kill()
            server.start()
        time.sleep(0.5)
    finally:
        writer.stopping.set()
    writer.join()
    assert not writer.failed, writer.failed[:3]
    assert len(writer.acknowledged) == writer.sent > KILLS
    server.kill()
    server.start()
    log = read_all(server.kafka)
    for partition, records in log.items():
        assert [offset for offset, _ in records] == list(range(len(records))), "offsets have no gaps"
        numbers = [number for _, number in records]
        assert numbers == sorted(set(numbers)), "in order, none twice"
    where = {number: (p, offset) for p, records in log.items() for offset, number in records}
    for number, place in writer.acknowledged.items():
        assert where.get(number) == place, f"record {number} was acknowledged at {place} and is at {where.get(number)}"
