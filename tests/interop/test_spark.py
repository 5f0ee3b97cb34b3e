"""Spark Structured Streaming, unchanged: reads a topic with its own offsets, writes a topic, goes on from its checkpoint."""

from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from servers import spark

from harness import deep

SCRIPT = Path(__file__).parent / "spark" / "totals.py"
RECORDS = 6000
MINUTE_MS = 60_000
START_MS = 1_700_000_040_000  # A whole minute.


def fill(server, first, count):
    """Ten numbers a second of record time, over three partitions; what is aborted in between must not count."""
    producer = Producer({"bootstrap.servers": server.kafka, "transactional.id": "spark-input"})
    producer.init_transactions(30)
    for value, end in ((lambda _: b"1000000", producer.abort_transaction), (lambda i: b"%d" % i, producer.commit_transaction)):
        producer.begin_transaction()
        for i in range(first, first + count):
            producer.produce("input", value(i), partition=i % 3, timestamp=START_MS + i * 100)
        end(60)


def expected(count):
    out = {}
    for i in range(count):
        key = (START_MS + i * 100) // MINUTE_MS * 60
        records, total = out.get(key, (0, 0))
        out[key] = (records + 1, total + i)
    return out


def newest(server):
    """The last totals of each minute."""
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "check", "enable.partition.eof": True})
    consumer.assign([TopicPartition("output", 0, 0)])
    out = {}
    while (message := consumer.poll(20)) and not message.error():
        count, total = map(int, message.value().split())
        out[int(message.key())] = (count, total)
    consumer.close()
    return out


@deep
def test_windows_of_a_topic_go_to_a_topic_and_on_from_the_checkpoint(headrace, tmp_path):
    server = headrace("topics: {input: {partitions: 3}, output: {partitions: 1}}\n")
    run = lambda: spark.run(SCRIPT, server.kafka, "input", "output", tmp_path / "checkpoint", folder=tmp_path)  # noqa: E731
    fill(server, 0, RECORDS)
    run()
    assert newest(server) == expected(RECORDS)
    server.kill()
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    server.start()
    fill(server, RECORDS, RECORDS)
    run()
    assert newest(server) == expected(2 * RECORDS)
