"""Kafka clients that others wrote, unchanged: librdkafka (kcat, confluent-kafka), the Java tools."""

import subprocess
import threading
import time

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from servers.kafka import tool

from harness import wait_until


@pytest.fixture
def server(headrace):
    return headrace("topics: {t: {partitions: 3}}\n")


def kcat(server, *arguments, input=None):
    done = subprocess.run(["kcat", "-b", server.kafka, *arguments], input=input, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_kcat_lists_produces_and_consumes(server):
    assert b'topic "t" with 3 partitions' in kcat(server, "-L")
    kcat(server, "-t", "t", "-P", "-K", ":", input=b"".join(b"k%d:v%d\n" % (i, i) for i in range(500)))
    out = kcat(server, "-t", "t", "-C", "-e", "-q", "-K", ":").splitlines()
    assert sorted(out) == sorted(b"k%d:v%d" % (i, i) for i in range(500))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_batches_pass_through(server, codec):
    lines = b"".join(b"line %d of something that compresses well\n" % i for i in range(2000))
    kcat(server, "-t", "t", "-P", "-p", "0", "-z", codec, input=lines)
    assert kcat(server, "-t", "t", "-C", "-p", "0", "-e", "-q") == lines


def test_offsets_by_timestamp(server):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka})
    now = int(time.time() * 1000)
    for i in range(100):
        producer.produce("t", b"%d" % i, partition=0, timestamp=now + i * 1000 - 200_000)
        producer.flush()
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "x"})
    found = consumer.offsets_for_times([confluent_kafka.TopicPartition("t", 0, now + 41_500 - 200_000)], timeout=10)
    assert found[0].offset == 42
    assert consumer.get_watermark_offsets(confluent_kafka.TopicPartition("t", 0), timeout=10) == (0, 100)
    consumer.close()


def test_a_long_poll_waits_for_the_next_record(server):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "x", "fetch.wait.max.ms": 5000,
                                         "auto.offset.reset": "earliest"})
    consumer.assign([confluent_kafka.TopicPartition("t", 0, 0)])
    assert consumer.poll(0.5) is None
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "linger.ms": 0})
    producer.produce("t", b"now", partition=0)
    producer.flush()
    message = consumer.poll(5)
    assert message is not None and message.value() == b"now"
    consumer.close()


def test_admin_creates_grows_describes_and_deletes(server):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_topics([NewTopic("made", 2, 1, config={"retention.ms": "123456"})])["made"].result(10)
    with pytest.raises(confluent_kafka.KafkaException, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([NewTopic("made", 2, 1)])["made"].result(10)
    with pytest.raises(confluent_kafka.KafkaException):
        admin.create_topics([NewTopic("bad", 1, 1, config={"retention.ms": "soon"})])["bad"].result(10)
    admin.create_partitions([NewPartitions("made", 5)])["made"].result(10)
    assert len(admin.list_topics(timeout=10).topics["made"].partitions) == 5
    resource = ConfigResource(ConfigResource.Type.TOPIC, "made")
    configs = admin.describe_configs([resource])[resource].result(10)
    assert configs["retention.ms"].value == "123456" and not configs["retention.ms"].is_default
    admin.delete_topics(["made"])["made"].result(10)
    wait_until(lambda: "made" not in admin.list_topics(timeout=10).topics)


class Member(threading.Thread):
    """One member of a group; keeps what it read and which partitions it has."""

    def __init__(self, server, **properties):
        super().__init__(daemon=True)
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "g", "auto.offset.reset": "earliest",
                                                  "session.timeout.ms": 6000, "heartbeat.interval.ms": 200, **properties})
        self.consumer.subscribe(["t"])
        self.read, self.owned, self.stopping = [], set(), threading.Event()

    def run(self):
        while not self.stopping.is_set():
            message = self.consumer.poll(0.1)
            if message is not None and not message.error():
                self.read.append(message.value())
            self.owned = {tp.partition for tp in self.consumer.assignment()}
        self.consumer.close()

    def partitions(self):
        return self.owned

    def leave(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive(), "the consumer does not close"


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_group_shares_partitions_and_rebalances(server, strategy):
    members = [Member(server, **{"partition.assignment.strategy": strategy}) for _ in range(2)]
    for member in members:
        member.start()
    wait_until(lambda: all(m.partitions() for m in members) and
               sorted(p for m in members for p in m.partitions()) == [0, 1, 2], what="a shared assignment")
    kcat(server, "-t", "t", "-P", input=b"".join(b"%d\n" % i for i in range(300)))
    wait_until(lambda: sum(len(m.read) for m in members) >= 300)
    members[0].leave()
    wait_until(lambda: members[1].partitions() == {0, 1, 2}, what="the other member to take over")
    members[1].leave()
    assert sorted(int(v) for m in members for v in m.read) == list(range(300))
    # The group goes on where it was.
    late = Member(server)
    late.start()
    wait_until(lambda: late.partitions() == {0, 1, 2})
    kcat(server, "-t", "t", "-P", input=b"300\n")
    wait_until(lambda: late.read)
    late.leave()
    assert late.read == [b"300"]


def test_committed_offsets_survive_a_restart(server):
    kcat(server, "-t", "t", "-P", "-p", "0", input=b"a\nb\nc\n")
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "kept"})
    consumer.commit(offsets=[confluent_kafka.TopicPartition("t", 0, 2)], asynchronous=False)
    consumer.close()
    server.kill()
    server.start()
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "kept"})
    assert consumer.committed([confluent_kafka.TopicPartition("t", 0)], timeout=10)[0].offset == 2
    consumer.close()


def test_a_transaction_is_seen_when_it_commits(server):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "transactional.id": "tx"})
    producer.init_transactions(10)
    for name, end in ((b"lost", producer.abort_transaction), (b"kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("t", name, partition=1)
        producer.flush()
        end(10)
    assert kcat(server, "-t", "t", "-C", "-p", "1", "-e", "-q") == b"kept\n"
    everything = kcat(server, "-t", "t", "-C", "-p", "1", "-e", "-q", "-X", "isolation.level=read_uncommitted")
    assert everything == b"lost\nkept\n"


def java(server, name, *arguments, **options):
    return tool(name, "--bootstrap-server", server.kafka, *arguments, **options).stdout


def test_java_tools(server):
    java(server, "kafka-topics", "--create", "--topic", "j", "--partitions", "2", "--config", "cleanup.policy=compact")
    described = java(server, "kafka-topics", "--describe", "--topic", "j")
    assert "PartitionCount: 2" in described and "cleanup.policy=compact" in described
    tool("kafka-console-producer", "--bootstrap-server", server.kafka, "--topic", "j", "--reader-property", "parse.key=true",
         input="".join(f"k{i}\tv{i}\n" for i in range(100)))
    out = java(server, "kafka-console-consumer", "--topic", "j", "--from-beginning", "--max-messages", "100", "--group", "jg",
               "--timeout-ms", "20000")
    assert sorted(out.split()) == sorted(f"v{i}" for i in range(100))
    lag = java(server, "kafka-consumer-groups", "--describe", "--group", "jg")
    assert len([line for line in lag.splitlines() if line.startswith("jg ")]) == 2, lag
    assert "j:0:" in java(server, "kafka-get-offsets", "--topic", "j")
    assert "Produce(0)" in java(server, "kafka-broker-api-versions")
    configs = java(server, "kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", "j", "--all")
    assert "cleanup.policy=compact" in configs


def test_java_producer_is_idempotent_by_default_and_fast(server):
    out = tool("kafka-producer-perf-test", "--bootstrap-server", server.kafka, "--topic", "t", "--num-records", 100_000,
               "--record-size", 100, "--throughput", -1, "--command-property", "acks=all").stdout
    assert "100000 records sent" in out
    offsets = java(server, "kafka-get-offsets", "--topic", "t").split()
    assert sum(int(line.rsplit(":", 1)[1]) for line in offsets) == 100_000
