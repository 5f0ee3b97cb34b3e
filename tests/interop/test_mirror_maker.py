"""MirrorMaker 2, unchanged, between us and a real Apache Kafka: records, configurations, groups' offsets, both ways."""

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from servers.connect import MirrorMaker
from servers.kafka import Kafka

from harness import deep, wait_until

RECORDS = 300
PROPERTIES = {
    "replication.factor": 1, "checkpoints.topic.replication.factor": 1, "heartbeats.topic.replication.factor": 1,
    "offset-syncs.topic.replication.factor": 1, "offset.storage.replication.factor": 1,
    "status.storage.replication.factor": 1, "config.storage.replication.factor": 1,
    "emit.heartbeats.interval.seconds": 1, "emit.checkpoints.interval.seconds": 1, "sync.group.offsets.interval.seconds": 1,
    "refresh.topics.interval.seconds": 2, "refresh.groups.interval.seconds": 2, "sync.group.offsets.enabled": "true",
    "offset.lag.max": 0, "offset.flush.interval.ms": 500, "sync.topic.configs.interval.seconds": 2,
    "sync.topic.acls.enabled": "false",
}


def create(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "7200000"})])[topic].result(30)


def fill(bootstrap, topic, first, count):
    producer = Producer({"bootstrap.servers": bootstrap})
    for i in range(first, first + count):
        producer.produce(topic, b"%d" % i, b"k%d" % i, partition=i % 2)
    assert producer.flush(30) == 0


def read(bootstrap, topic, count):
    """The numbers in both partitions, `count` at least."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "check", "isolation.level": "read_committed",
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(2)])
    out = []
    try:
        wait_until(lambda: out.extend(m.value() for m in consumer.consume(1000, 0.2) if not m.error()) or len(out) >= count, 60,
                   f"{count} records of {topic}")
    finally:
        consumer.close()
    return sorted(int(value) for value in out)


def commit(bootstrap, group, topic, offset):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, p, offset) for p in range(2)], asynchronous=False)
    consumer.close()


def committed(bootstrap, group, topic):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        return [p.offset for p in consumer.committed([TopicPartition(topic, p) for p in range(2)], timeout=10)]
    except KafkaException:
        return [-1]
    finally:
        consumer.close()


def topics(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics


def check_mirror(source, source_alias, target, topic):
    """What `topic` of the source is on the target: the records, the partitions, the configuration, the group's offsets."""
    mirrored = f"{source_alias}.{topic}"
    wait_until(lambda: mirrored in topics(target), 120, f"{mirrored} to be made")
    assert read(target, mirrored, RECORDS) == list(range(RECORDS))
    assert len(topics(target)[mirrored].partitions) == 2
    resource = ConfigResource(ConfigResource.Type.TOPIC, mirrored)
    admin = AdminClient({"bootstrap.servers": target})
    wait_until(lambda: admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "7200000", 60,
               "the configuration to follow")
    fill(source, topic, RECORDS, RECORDS)
    assert read(target, mirrored, 2 * RECORDS) == list(range(2 * RECORDS))
    # A group that has read everything; how exact its translation is, is MirrorMaker's affair, but it is never ahead.
    group = f"readers-of-{topic}"
    commit(source, group, topic, RECORDS)
    wait_until(lambda: all(0 < offset <= RECORDS for offset in committed(target, group, mirrored)), 180,
               f"the group's offsets to follow: {committed(target, group, mirrored)}")
    assert {"heartbeats", f"{source_alias}.checkpoints.internal"} <= set(topics(target))


@deep
def test_both_ways_between_us_and_apache_kafka(headrace, tmp_path):
    server = headrace("topics: {}\n")
    with Kafka(tmp_path / "kafka") as kafka:
        ours, theirs = server.kafka, kafka.bootstrap
        create(ours, "from-us")
        create(theirs, "from-them")
        for bootstrap, topic in ((ours, "from-us"), (theirs, "from-them")):
            fill(bootstrap, topic, 0, RECORDS)
        routes = {"us->them.enabled": "true", "us->them.topics": "from-us", "them->us.enabled": "true", "them->us.topics": "from-them"}
        with MirrorMaker(tmp_path / "mm2", {"us": ours, "them": theirs}, {**PROPERTIES, **routes}):
            check_mirror(ours, "us", theirs, "from-us")
            check_mirror(theirs, "them", ours, "from-them")
