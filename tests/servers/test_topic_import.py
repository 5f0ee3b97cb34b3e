"""`headrace topic import` of what a real Apache Kafka wrote: a client reads the same from both, record for record."""

import subprocess
import time

import confluent_kafka
import harness
from confluent_kafka.admin import AdminClient, NewTopic
from servers.kafka import Kafka

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# Kafka's cleaner, soon and often.
CLEANER = {"log.cleaner.backoff.ms": 200, "log.cleaner.min.cleanable.ratio": 0.01, "log.retention.check.interval.ms": 1000}


def read(bootstrap, topic, partitions, isolation="read_committed"):
    """Everything in a topic: (partition, offset, timestamp, key, value, headers), sorted."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": isolation,
                                         "enable.partition.eof": True, "auto.offset.reset": "earliest",
                                         "enable.auto.commit": False})
    out, ended = [], set()
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING)
                         for p in range(partitions)])
        deadline = time.monotonic() + 60
        while len(ended) < partitions and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                ended.add(message.partition())
                continue
            out.append((message.partition(), message.offset(), message.timestamp(), message.key(), message.value(),
                        message.headers()))
        assert len(ended) == partitions, f"no end of {topic} after {len(out)} records"
        marks = [consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=30)
                 for p in range(partitions)]
    finally:
        consumer.close()
    return sorted(out, key=lambda record: record[:2]), marks


def produce_plain(bootstrap):
    for codec in CODECS:
        producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20})
        for i in range(200):
            producer.produce("plain", key=b"k%d" % i, value=b"%s %d " % (codec.encode(), i) * 20, partition=i % 2,
                             timestamp=1700000000000 + i, headers=[("codec", codec.encode()), ("none", None)])
        assert producer.flush(60) == 0


def produce_transactions(bootstrap):
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": "importer"})
    producer.init_transactions(60)
    for transaction in range(10):
        producer.begin_transaction()
        for i in range(10):
            producer.produce("transactions", key=b"%d" % i, value=b"%d/%d" % (transaction, i))
        producer.flush(60)
        producer.abort_transaction(60) if transaction % 3 == 1 else producer.commit_transaction(60)


def leave_open(bootstrap):
    """A transaction that nobody ends; the producer has to be kept until Kafka has stopped."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": "unfinished"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("unfinished", b"never committed")
    producer.flush(60)
    return producer


def produce_compacted(bootstrap, kafka):
    """Until Kafka's cleaner has taken some away; the last values are told apart."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for round_ in range(40):
        for i in range(50):
            value = None if i == 7 and round_ == 39 else b"%d of key %d" % (round_, i)
            producer.produce("compacted", key=b"key %d" % i, value=value)
        assert producer.flush(60) == 0

    def is_cleaned():
        # A segment is rolled by the first append after its time, and the last one is not cleaned.
        producer.produce("compacted", key=b"roll", value=b"x")
        assert producer.flush(60) == 0
        return len(read(bootstrap, "compacted", 1)[0]) < 1900

    harness.wait_until(is_cleaned, 60, "Kafka's cleaner")


def create(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic("plain", 2, 1), NewTopic("transactions", 1, 1), NewTopic("unfinished", 1, 1),
              NewTopic("compacted", 1, 1, config={"cleanup.policy": "compact", "segment.ms": "100",
                                                  "min.cleanable.dirty.ratio": "0.01"})]
    for future in admin.create_topics(topics).values():
        future.result(60)


def run_import(*arguments):
    return subprocess.run([harness.BIN, "topic", "import", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_a_client_reads_the_same_after_the_import(tmp_path, headrace):
    wanted = {}
    with Kafka(tmp_path / "kafka", settings=CLEANER) as kafka:
        create(kafka.bootstrap)
        produce_plain(kafka.bootstrap)
        produce_transactions(kafka.bootstrap)
        produce_compacted(kafka.bootstrap, kafka)
        logs = kafka.properties(1)["log.dirs"]
        kafka.tool("kafka-delete-records", "--offset-json-file", delete_file(tmp_path))
        time.sleep(2)  # The cleaner goes on until Kafka stops; the topics are read once it has nothing left to do.
        counts = {"plain": 2, "transactions": 1, "compacted": 1}
        for topic, partitions in counts.items():
            wanted[topic] = read(kafka.bootstrap, topic, partitions)
        open_producer = leave_open(kafka.bootstrap)
        data = tmp_path / "headrace" / "data"
        refused = run_import(logs, "--data", data)
        assert refused.returncode == 1 and f"a broker runs on {logs}" in refused.stderr
        kafka.stop()

    refused = run_import(logs, "--data", data)
    assert refused.returncode == 1 and "--abort-transactions" in refused.stderr, refused.stderr
    done = run_import(logs, "--data", data, "--abort-transactions")
    assert done.returncode == 0, done.stderr
    del open_producer
    assert "__consumer_offsets is Kafka's own" in done.stdout or "__transaction_state" in done.stdout
    again = run_import(logs, "--data", data, "--abort-transactions")
    assert again.returncode == 1 and "exists already" in again.stderr

    server = headrace("")
    refused = run_import(logs, "--data", data)
    assert refused.returncode == 1 and "stop it first" in refused.stderr
    for topic, partitions in counts.items():
        records, marks = read(server.kafka, topic, partitions)
        assert marks == wanted[topic][1], topic
        assert records == wanted[topic][0], topic
    assert read(server.kafka, "unfinished", 1)[0] == []
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "transactional.id": "importer"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("transactions", b"after")
    producer.commit_transaction(30)
    assert read(server.kafka, "transactions", 1)[0][-1][4] == b"after"


def delete_file(folder):
    file = folder / "delete.json"
    file.write_text('{"version": 1, "partitions": [{"topic": "plain", "partition": 0, "offset": 5}]}')
    return file


def test_wrong_sources_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "t-1").mkdir()
    (tmp_path / "t-1" / "00000000000000000000.log").write_bytes(b"")
    for source, words in (("nothing", "nothing"), ("empty", "no partition folders"), ("t-1", "partition 0")):
        done = run_import(tmp_path / source, "--data", tmp_path / "data")
        assert done.returncode == 1
        assert words in done.stderr
