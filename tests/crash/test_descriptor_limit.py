"""Connections take all the descriptors that the program leaves them, while segments roll: the log goes on all the same."""

import random
import socket
import threading

from confluent_kafka import Consumer, Producer, TopicPartition
from harness import Headrace

DESCRIPTORS = 300
CONNECTIONS = 400
PARTITIONS = 20
RECORDS = 5000
SEGMENT_BYTES = 16 << 10
CONFIG = f"""
topics:
  t: {{partitions: {PARTITIONS}, segment.bytes: {SEGMENT_BYTES}}}
"""


class Limited(Headrace):
    def command(self):
        return ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *super().command()]


class Flood(threading.Thread):
    """Holds as many connections as the server takes, and gives up some for new ones all the time."""

    def __init__(self, address):
        super().__init__()
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.stopping = threading.Event()

    def connect(self):
        try:
            return socket.create_connection(self.address, timeout=10)
        except OSError:
            return None  # Refused, or reset.

    def run(self):
        connections = [self.connect() for _ in range(CONNECTIONS)]
        while not self.stopping.is_set():
            for _ in range(20):
                at = random.randrange(CONNECTIONS)
                if connections[at]:
                    connections[at].close()
                connections[at] = self.connect()
            self.stopping.wait(0.005)
        for connection in connections:
            if connection:
                connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.join()


def read_all(server, count):
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("t", p, 0) for p in range(PARTITIONS)])
    values = set()
    for _ in range(600):
        values.update(message.value()[:8] for message in consumer.consume(1000, 0.1) if not message.error())
        if len(values) >= count:
            break
    consumer.close()
    return values


def test_the_log_outlives_a_flood_of_connections(tmp_path):
    with Limited(tmp_path, CONFIG) as server:
        failed = []
        producer = Producer({"bootstrap.servers": server.kafka, "enable.idempotence": True, "linger.ms": 1,
                             "message.timeout.ms": 120_000, "retry.backoff.ms": 20})

        def produce(numbers):
            for number in numbers:
                producer.produce("t", b"%08d" % number + b"x" * 2000, partition=number % PARTITIONS,
                                 on_delivery=lambda error, _: failed.append(str(error)) if error else None)
                producer.poll(0.001)

        produce(range(PARTITIONS))
        assert producer.flush(60) == 0  # Its connections are there before the others.
        with Flood(server.kafka):
            produce(range(PARTITIONS, RECORDS))
        assert producer.flush(60) == 0
        assert not failed, failed[:3]
        assert len(read_all(server, RECORDS)) == RECORDS
        assert "out of service" not in server.errors()
        assert "takes no more" not in server.errors()
        assert "the most that are allowed" in server.errors(), "the connections reached the limit"
