"""The Java client speaks transaction protocol v2 (KIP-890) with the broker, as its own log of requests shows: it finds the
finalized feature, leaves AddPartitionsToTxn and AddOffsetsToTxn out, and goes on with a new epoch after each transaction."""

import re
import subprocess
from collections import defaultdict

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec
from servers.kafka import TOOL_OPTIONS, command

TRANSACTIONS = 5
REQUEST = re.compile(r"apiKey=(\w+), apiVersion=(\d+)")
EPOCH = re.compile(r"producerId=\d+, producerEpoch=(\d+)")


def copy_in_transactions(server, folder):
    """Runs Kafka's TransactionalMessageCopier over `t`; its debug log."""
    log = folder / "log"
    arguments = ["--broker-list", server.kafka, "--input-topic", "t", "--input-partition", 0, "--output-topic", "out",
                 "--consumer-group", "copier", "--use-group-metadata", "--transaction-size", 10,
                 "--max-messages", 10 * TRANSACTIONS, "--transactional-id", "copier"]
    with open(log, "wb") as out:
        subprocess.run(command("org.apache.kafka.tools.TransactionalMessageCopier", *arguments, level="DEBUG",
                               options=TOOL_OPTIONS), stdout=out, stderr=out, timeout=120, check=True)
    return log.read_text(errors="replace")


def versions_sent(log):
    """The versions of each API in which requests left the client."""
    sent = defaultdict(set)
    for line in log.splitlines():
        if " request with header " in line and "Sending " in line:
            api, version = REQUEST.search(line).groups()
            sent[api].add(int(version))
    return sent


def test_the_java_client_negotiates_version_two(headrace, tmp_path):
    server = headrace("topics: {t: {}, out: {}}\n")
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka})
    for i in range(10 * TRANSACTIONS):
        producer.produce("t", b"%d" % i, partition=0)
    assert producer.flush(10) == 0

    log = copy_in_transactions(server, tmp_path)
    sent = versions_sent(log)
    assert min(sent["PRODUCE"]) >= 12, sent
    assert min(sent["END_TXN"]) >= 5, sent
    assert min(sent["TXN_OFFSET_COMMIT"]) >= 5, sent
    assert not {"ADD_PARTITIONS_TO_TXN", "ADD_OFFSETS_TO_TXN"} & sent.keys(), sent
    epochs = {int(epoch) for line in log.splitlines() if "Sending END_TXN" in line for epoch in EPOCH.findall(line)}
    assert len(epochs) >= TRANSACTIONS, epochs

    admin = AdminClient({"bootstrap.servers": server.kafka})
    tp = confluent_kafka.TopicPartition("out", 0)
    end = admin.list_offsets({tp: OffsetSpec.latest()}, isolation_level=confluent_kafka.IsolationLevel.READ_COMMITTED)
    assert end[tp].result(10).offset == 11 * TRANSACTIONS  # Ten records and a marker each.
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "copier"})
    committed = consumer.committed([confluent_kafka.TopicPartition("t", 0)], timeout=10)
    assert committed[0].offset == 10 * TRANSACTIONS
    consumer.close()
