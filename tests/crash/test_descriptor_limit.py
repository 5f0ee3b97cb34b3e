"""Connections take all the descriptors that the program may have, while segments roll: the log goes on all the same."""

import socket

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from harness import Headrace

DESCRIPTORS = 300
CONNECTIONS = 600
PARTITIONS = 20
ROUNDS = 5
RECORDS = 400  # A round.
CONFIG = f"""
topics:
  t: {{partitions: {PARTITIONS}, segment.bytes: 16KiB}}
"""


class Limited(Headrace):
    def command(self):
        return ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *super().command()]


def flood(address):
    """As many connections as the server takes; those that it refuses are of no interest."""
    host, port = address.rsplit(":", 1)
    connections = []
    for _ in range(CONNECTIONS):
        try:
            connections.append(socket.create_connection((host, int(port)), timeout=10))
        except OSError as error:
            if error.errno == 24:
                pytest.skip(f"this user may not open {CONNECTIONS} files")
    return connections


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
                             "message.timeout.ms": 120_000, "retry.backoff.ms": 50})
        sent = 0
        for _ in range(ROUNDS):
            connections = flood(server.kafka)
            for _ in range(RECORDS):
                producer.produce("t", b"%08d" % sent + b"x" * 2000, partition=sent % PARTITIONS,
                                 on_delivery=lambda error, _: failed.append(str(error)) if error else None)
                sent += 1
                producer.poll(0.001)
            for connection in connections:
                connection.close()
            assert producer.flush(60) == 0
        assert not failed, failed[:3]
        assert len(read_all(server, sent)) == sent
        assert "out of service" not in server.errors()
        assert "takes no more" not in server.errors()
