"""An fsync of one partition's log fails: the partition says so wherever an operator looks, and keeps what it acknowledged;
all others go on."""

import random

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from harness import run
from servers.kafka import tool
from volatile_disk import Loss, VolatileDisk

CONFIG = "topics: {a: {partitions: 1}, b: {partitions: 1}}\n"
OUT_OF_SERVICE = "headrace_partitions_out_of_service"


@pytest.fixture
def disk(tmp_path, volatile_library):
    return VolatileDisk(tmp_path / "headrace" / "data", volatile_library)


@pytest.fixture
def server(headrace, disk):
    return headrace(CONFIG, environment=disk.environment())


def produce(server, topic, *values):
    """The error of each value, None where it was acknowledged."""
    producer = Producer({"bootstrap.servers": server.kafka, "message.send.max.retries": 0, "linger.ms": 0})
    errors = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error and error.code()))
        assert producer.flush(20) == 0
    return errors


def read(server, topic):
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "x", "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    out = []
    while (message := consumer.poll(10)) and not message.error():
        out.append(message.value())
    consumer.close()
    assert message and message.error().code() == KafkaError._PARTITION_EOF
    return out


def restart_cleanly(server, disk):
    assert server.stop() == 0
    disk.repair()
    server.start()


def restart_after_a_power_loss(server, disk):
    server.kill()
    disk.lose_power(random.Random(), [Loss])
    server.start()


@pytest.mark.parametrize("restart", [restart_cleanly, restart_after_a_power_loss])
def test_a_partition_out_of_service_says_so_and_a_restart_on_a_sound_disk_brings_it_back(server, disk, restart):
    assert produce(server, "a", b"1", b"2") == produce(server, "b", b"1", b"2") == [None, None]
    assert server.metric(OUT_OF_SERVICE) == 0 and server.component("partitions") is None
    disk.fail_syncs("a-0/*.log")
    assert produce(server, "a", b"3", b"4") == [KafkaError.KAFKA_STORAGE_ERROR] * 2
    assert produce(server, "b", b"3") == [None]
    assert read(server, "a") == [b"1", b"2"] and read(server, "b") == [b"1", b"2", b"3"]

    assert server.metric(OUT_OF_SERVICE) == 1
    state, detail = server.component("partitions")
    assert state == "failed"
    assert "a-0 takes no more records" in detail and "Input/output error" in detail and "restart" in detail
    assert "b-0" not in detail
    described = run("topic", "describe", "a", "-b", server.kafka).stdout
    assert "out of service" in described and "out of service" not in run("topic", "describe", "b", "-b", server.kafka).stdout
    listed = run("topic", "list", "-b", server.kafka).stdout.splitlines()
    assert [line.split()[0] for line in listed if "1 partition out of service" in line] == ["a"]

    restart(server, disk)
    assert server.metric(OUT_OF_SERVICE) == 0 and server.component("partitions") is None
    assert read(server, "a")[:2] == [b"1", b"2"] and read(server, "b") == [b"1", b"2", b"3"]
    assert produce(server, "a", b"5") == [None]
    assert read(server, "a")[-1] == b"5"
    assert "out of service" not in run("topic", "list", "-b", server.kafka).stdout


def test_kafkas_tools_show_a_partition_that_is_read_and_has_no_replica_in_sync(server, disk):
    assert produce(server, "a", b"1") == [None]
    disk.fail_syncs("a-0/*.log")
    assert produce(server, "a", b"2") == [KafkaError.KAFKA_STORAGE_ERROR]
    for option in ("--under-min-isr-partitions", "--under-replicated-partitions"):
        found = tool("kafka-topics", "--bootstrap-server", server.kafka, "--describe", option).stdout.splitlines()
        assert len(found) == 1 and "Topic: a\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: \t" in found[0], found
    assert tool("kafka-topics", "--bootstrap-server", server.kafka, "--describe", "--unavailable-partitions").stdout.strip() == ""
    shown = tool("kafka-console-consumer", "--bootstrap-server", server.kafka, "--topic", "a", "--from-beginning",
                 "--max-messages", 1, "--timeout-ms", 20_000).stdout
    assert shown.strip() == "1"
