"""Administration by Kafka's own tools, unchanged. Each start of Java costs a second or two, so tests batch what they
can."""

import re
import time

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, OffsetSpec
from servers.kafka import tool

from harness import wait_until


@pytest.fixture
def server(headrace):
    return headrace("topics: {t: {partitions: 3}}\n")


def run(server, name, *arguments, check=True):
    done = tool(name, "--bootstrap-server", server.kafka, *arguments, check=check)
    return done.stdout + done.stderr


def produce(server, count=100, partition=0, topic="t", **options):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, **options})
    now = int(time.time() * 1000)
    for i in range(count):  # A millisecond each, so that the last one's time is the largest.
        producer.produce(topic, b"value %d" % i, partition=partition, timestamp=now - count + i)
    producer.flush(10)


def test_kafka_configs_of_topics_brokers_and_lists(server):
    run(server, "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
        "retention.ms=123456,cleanup.policy=[delete,compact]")
    text = run(server, "kafka-configs", "--describe", "--all", "--entity-type", "topics", "--entity-name", "t")
    assert "retention.ms=123456" in text and "DYNAMIC_TOPIC_CONFIG:retention.ms=123456" in text
    assert "DEFAULT_CONFIG:log.segment.bytes=1073741824" in text and "cleanup.policy=delete,compact" in text
    text = run(server, "kafka-configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1")
    assert "node.id=1" in text and "log.dirs=" in text
    admin = AdminClient({"bootstrap.servers": server.kafka})
    resource = ConfigResource(ConfigResource.Type.TOPIC, "t")
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "123456"


def set_topic_defaults(server, defaults):
    server.file.write_text(re.sub(r"topic_defaults: {.*}", f"topic_defaults: {{{defaults}}}", server.file.read_text()))
    server.restart()


def topic_config(server, topic, option):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return admin.describe_configs([resource])[resource].result(10)[option]


def test_topic_defaults_of_the_file_are_the_brokers_log_settings(headrace):
    server = headrace("topics: {t: {}, own: {retention.ms: 1d}}\n"
                      "broker:\n  retention_check_interval: 100ms\n  offsets_retention: 1d\n  topic_defaults: {}\n")
    assert ConfigSource(topic_config(server, "t", "retention.ms").source) == ConfigSource.DEFAULT_CONFIG
    set_topic_defaults(server, "retention.ms: 1s, segment.bytes: 1KiB")
    entry = topic_config(server, "t", "retention.ms")
    assert (entry.value, ConfigSource(entry.source)) == ("1000", ConfigSource.STATIC_BROKER_CONFIG)
    entry = topic_config(server, "own", "retention.ms")
    assert (entry.value, ConfigSource(entry.source)) == ("86400000", ConfigSource.DYNAMIC_TOPIC_CONFIG)
    assert "log.retention.ms" in entry.synonyms
    text = run(server, "kafka-configs", "--describe", "--all", "--entity-type", "topics", "--entity-name", "t")
    assert ("retention.ms=1000 sensitive=false synonyms={STATIC_BROKER_CONFIG:log.retention.ms=1000, "
            "DEFAULT_CONFIG:log.retention.ms=604800000}") in text
    text = run(server, "kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", "t")
    assert "retention.ms" not in text, text  # Nothing is set on the topic itself.
    text = run(server, "kafka-configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1")
    assert "log.retention.ms=1000 " in text and "offsets.retention.minutes=1440 " in text, text

    for topic in "t", "own":
        for _ in range(10):  # Batches, of which a segment holds a few.
            produce(server, 10, topic=topic)
    admin = AdminClient({"bootstrap.servers": server.kafka})
    start = lambda topic: next(iter(admin.list_offsets(  # noqa: E731
        {confluent_kafka.TopicPartition(topic, 0): OffsetSpec.earliest()}).values())).result(10).offset
    wait_until(lambda: start("t") > 0, what="retention by the default")
    assert start("own") == 0
    set_topic_defaults(server, "")
    entry = topic_config(server, "t", "retention.ms")
    assert (entry.value, ConfigSource(entry.source)) == ("604800000", ConfigSource.DEFAULT_CONFIG)


def test_kafka_configs_of_groups_and_loggers(server):
    run(server, "kafka-configs", "--alter", "--entity-type", "groups", "--entity-name", "g", "--add-config",
        "consumer.session.timeout.ms=60000")
    text = run(server, "kafka-configs", "--describe", "--entity-type", "groups", "--entity-name", "g")
    assert "consumer.session.timeout.ms=60000" in text
    text = run(server, "kafka-configs", "--alter", "--entity-type", "groups", "--entity-name", "g", "--add-config",
               "consumer.session.timeout.ms=1", check=False)
    assert "is not between 100 and 1800000 milliseconds" in text
    server.stop()
    server.start()
    text = run(server, "kafka-configs", "--describe", "--entity-type", "groups", "--entity-name", "g")
    assert "consumer.session.timeout.ms=60000" in text
    run(server, "kafka-configs", "--alter", "--entity-type", "broker-loggers", "--entity-name", "1", "--add-config",
        "root=DEBUG")
    text = run(server, "kafka-configs", "--describe", "--entity-type", "broker-loggers", "--entity-name", "1")
    assert "root=DEBUG" in text


def set_quotas(server, client_id, quotas):
    run(server, "kafka-configs", "--alter", "--add-config", quotas, "--entity-type", "clients", "--entity-name", client_id)


class Throttled(list):
    """What a client is told to wait, in seconds."""

    def properties(self, server, client_id):
        return {"bootstrap.servers": server.kafka, "client.id": client_id,
                "throttle_cb": lambda event: self.append(event.throttle_time)}


def test_quotas_are_set_listed_and_enforced(server):
    set_quotas(server, "slow", "producer_byte_rate=25000,consumer_byte_rate=55000")
    text = run(server, "kafka-configs", "--describe", "--entity-type", "clients")
    assert "client-id 'slow'" in text and "producer_byte_rate=25000.0" in text
    run(server, "kafka-configs", "--describe", "--entity-type", "users")

    def write(client_id):
        throttled, began = Throttled(), time.monotonic()
        producer = confluent_kafka.Producer({**throttled.properties(server, client_id), "linger.ms": 0, "batch.size": 20_000})
        for _ in range(30):
            producer.produce("t", b"x" * 10_000, partition=0)
            producer.flush(60)
        return throttled, time.monotonic() - began

    def read(client_id):
        throttled, began = Throttled(), time.monotonic()
        consumer = confluent_kafka.Consumer({**throttled.properties(server, client_id), "group.id": "x"})
        consumer.assign([confluent_kafka.TopicPartition("t", 0, 0)])
        messages = consumer.consume(60, 60)
        consumer.poll(0)
        consumer.close()
        assert len(messages) == 60 and not any(message.error() for message in messages)
        return throttled, time.monotonic() - began

    assert write("fast")[0] == []
    # 300 kB at 25 kB/s, of which ten seconds' worth are free: about two seconds are left to wait, and more in steps.
    throttled, seconds = write("slow")
    assert throttled and seconds > 1
    assert read("fast")[0] == []
    # 600 kB at 55 kB/s in the same way: one second.
    throttled, seconds = read("slow")
    assert throttled and seconds > 0.5
    server.stop()
    server.start()
    assert "producer_byte_rate=25000.0" in run(server, "kafka-configs", "--describe", "--entity-type", "clients")


def test_a_quota_of_requests_holds_a_client_up(server):
    set_quotas(server, "busy", "request_percentage=0.001")  # Of a thread's time: 0.1 ms in ten seconds.

    def write(client_id):
        throttled = Throttled()
        producer = confluent_kafka.Producer({**throttled.properties(server, client_id), "linger.ms": 0})
        for _ in range(5):
            producer.produce("t", b"x", partition=0)
            assert producer.flush(60) == 0
        return throttled

    assert write("idle") == []
    assert max(write("busy"), default=0) > 0.1


def test_log_dirs_reassignments_elections_features_and_cluster(server, tmp_path):
    produce(server)
    text = run(server, "org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", "t")
    assert '"logDirs"' in text and '"partition":"t-0"' in text
    listed = run(server, "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--list")
    assert "No partition reassignments found" in listed
    plan = tmp_path / "plan.json"
    plan.write_text('{"version": 1, "partitions": [{"topic": "t", "partition": 0, "replicas": [1]}]}')
    run(server, "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--execute", "--reassignment-json-file",
        plan)
    text = run(server, "org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred",
               "--all-topic-partitions")
    assert "Error" not in text and "xception" not in text
    text = run(server, "org.apache.kafka.tools.FeatureCommand", "describe")
    assert "transaction.version" in text and "FinalizedVersionLevel: 2" in text and "metadata.version" in text
    text = tool("org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server", server.kafka).stdout
    assert "Cluster ID: " in text
    text = tool("org.apache.kafka.tools.ClusterTool", "list-endpoints", "--bootstrap-server", server.kafka).stdout
    assert server.kafka.split(":")[1] in text


def test_acls_need_an_authorizer(server):
    text = run(server, "org.apache.kafka.tools.AclCommand", "--list", check=False)
    assert "No Authorizer is configured" in text


def test_records_are_deleted_and_offsets_found(server, tmp_path):
    produce(server, 100)
    plan = tmp_path / "delete.json"
    plan.write_text('{"version": 1, "partitions": [{"topic": "t", "partition": 0, "offset": 40}]}')
    assert "low_watermark: 40" in run(server, "kafka-delete-records", "--offset-json-file", plan)
    for when, offset in [("-1", "100"), ("-2", "40"), ("-3", "99"), ("-4", "40")]:
        text = run(server, "kafka-get-offsets", "--topic-partitions", "t:0", "--time", when)
        assert f"t:0:{offset}" in text, when
    admin = AdminClient({"bootstrap.servers": server.kafka})
    tp = confluent_kafka.TopicPartition("t", 0)
    assert admin.list_offsets({tp: OffsetSpec.earliest()})[tp].result(10).offset == 40


def test_transactions_are_told(server):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "transactional.id": "tx"})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce("t", b"open", partition=0)
    producer.flush(10)
    listed = run(server, "kafka-transactions", "list", "--transactional-id-pattern", "t.")
    assert "tx" in listed and "Ongoing" in listed
    assert "tx" not in run(server, "kafka-transactions", "list", "--transactional-id-pattern", "t")
    described = run(server, "kafka-transactions", "describe", "--transactional-id", "tx")
    assert "Ongoing" in described and "t-0" in described
    producers = run(server, "kafka-transactions", "describe-producers", "--topic", "t", "--partition", 0)
    assert "CurrentTransactionStartOffset" in producers and len(producers.splitlines()) == 2
    producer.commit_transaction(10)
    assert "CompleteCommit" in run(server, "kafka-transactions", "describe", "--transactional-id", "tx")


def test_a_transaction_is_aborted_in_a_partition(server):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "transactional.id": "hangs"})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce("t", b"open", partition=0)
    producer.flush(10)
    admin = AdminClient({"bootstrap.servers": server.kafka})
    tp = confluent_kafka.TopicPartition("t", 0)

    def stable_end():
        found = admin.list_offsets({tp: OffsetSpec.latest()}, isolation_level=confluent_kafka.IsolationLevel.READ_COMMITTED)
        return found[tp].result(10).offset

    assert stable_end() == 0
    run(server, "kafka-transactions", "abort", "--topic", "t", "--partition", 0, "--start-offset", 0)
    assert stable_end() == 2  # The record and the marker.


def test_java_clients_push_their_metrics(server):
    run(server, "org.apache.kafka.tools.ClientMetricsCommand", "--alter", "--name", "all", "--metrics",
        "org.apache.kafka.producer.", "--interval", 100)
    described = run(server, "org.apache.kafka.tools.ClientMetricsCommand", "--describe")
    assert "interval.ms=100" in described and "all" in described
    tool("kafka-producer-perf-test", "--topic", "t", "--num-records", 20_000, "--record-size", 100, "--throughput", 4000,
         "--bootstrap-server", server.kafka)
    import urllib.request

    def pushed():
        with urllib.request.urlopen(f"http://{server.ready['http']}/metrics/clients") as page:
            return "kafka_client_org_apache_kafka_producer_" in page.read().decode()

    # The producer has gone; what it pushed is shown for three intervals, so ask for the count of pushes instead.
    def pushes():
        with urllib.request.urlopen(f"http://{server.ready['http']}/metrics") as page:
            for line in page.read().decode().splitlines():
                if line.startswith("headrace_kafka_client_metrics_pushes_total"):
                    return int(line.split()[-1])
        return 0

    assert pushed() or wait_until(pushes, what="a push of metrics")
