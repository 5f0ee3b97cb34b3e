"""Kafka's DumpLogSegments reads what we write: segments, their indexes and snapshots, and the logs of the coordinators."""

import json
import os
import re

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from servers.kafka import tool

CLASSIC, CONSUMER = "classic", "consumer"
TRANSACTION_RECORDS = 400


def member(server, protocol):
    """A member, still there, of the group that has the name of its protocol; it has committed."""
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": protocol, "group.protocol": protocol,
                         "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0})
    consumer.subscribe(["t"])
    message = consumer.poll(30)
    assert message and not message.error()
    consumer.commit(message, asynchronous=False)
    return consumer


def transact(server):
    """A transaction that is aborted, and one that is committed with a position."""
    producer = Producer({"bootstrap.servers": server.kafka, "transactional.id": "tx", "batch.num.messages": 10, "linger.ms": 5,
                         "compression.type": "lz4"})
    group = Consumer({"bootstrap.servers": server.kafka, "group.id": "copier"})
    producer.init_transactions(30)
    for commits in (False, True):
        producer.begin_transaction()
        for i in range(TRANSACTION_RECORDS):
            producer.produce("t", os.urandom(400), partition=0)
        assert producer.flush(30) == 0
        if commits:
            producer.send_offsets_to_transaction([TopicPartition("t", 0, 7)], group.consumer_group_metadata(), 30)
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    group.close()


@pytest.fixture
def stopped(headrace):
    """A server with all kinds of files, stopped while the groups had members."""
    server = headrace("topics: {t: {partitions: 1, segment.bytes: 64KiB}}\n")
    transact(server)
    members = [member(server, protocol) for protocol in (CLASSIC, CONSUMER)]
    assert server.stop() == 0
    for consumer in members:
        consumer.close()
    return server


def files(server, partition, suffix):
    return [f for f in sorted(server.folder.glob(f"data/{partition}/*{suffix}")) if f.stat().st_size]


def dump(paths, *options):
    assert paths
    out = tool("kafka-dump-log", "--files", ",".join(map(str, paths)), *options).stdout
    wrong = re.search(r".*(ismatch|out of order|not found|isvalid: false|Error|corrupt).*", out)
    assert not wrong, wrong[0]
    return out


def test_segments_indexes_and_snapshots(stopped):
    small = {suffix: files(stopped, "t-0", suffix) for suffix in (".index", ".timeindex", ".snapshot", ".txnindex")}
    out = dump(files(stopped, "t-0", ".log") + [path for paths in small.values() for path in paths], "--deep-iteration")
    assert "isvalid: true" in out and out.count("endTxnMarker: ABORT") == out.count("endTxnMarker: COMMIT") == 1
    assert [int(n) for n in re.findall(r"^\| offset: (\d+)", out, re.M)] == list(range(2 * TRANSACTION_RECORDS + 2))
    assert len(re.findall(r"^offset: \d+ position: \d+$", out, re.M)) > len(small[".index"])
    assert len(re.findall(r"^timestamp: \d+ offset: \d+$", out, re.M)) >= len(small[".timeindex"])
    assert f"producerId: 0 firstOffset: 0 lastOffset: {TRANSACTION_RECORDS} " in out, "the aborted transaction"
    last_offsets = re.findall(r"^producerId: 0 producerEpoch: \d .* lastSequence: \d+ lastOffset: (\d+)", out, re.M)
    # Each is named by the offset that comes next; the producer's last record is before it, or a marker between them.
    assert len(last_offsets) == len(small[".snapshot"])
    assert all(int(path.stem) - int(last) in (1, 2) for path, last in zip(small[".snapshot"], last_offsets))

    checked = small[".index"] + small[".timeindex"]
    assert dump(checked, "--index-sanity-check").count("passed sanity check.") == len(checked)


def records(out):
    """(type, key, value) of each record that a decoder of the coordinators' logs understood, in order."""
    found = re.findall(r"^\| offset: .* key: (\{.*?\}) payload: (\{.*\})$", out, re.M)
    pairs = [(json.loads(key), json.loads(value)) for key, value in found]
    return [(int(key["type"]), key["data"], value["data"]) for key, value in pairs]


def test_offsets_of_classic_and_consumer_groups(stopped):
    decoded = records(dump(files(stopped, "__consumer_offsets-*", ".log"), "--offsets-decoder"))
    positions = {key["group"]: value["offset"] for kind, key, value in decoded if kind == 1}
    first = TRANSACTION_RECORDS + 1  # Behind the aborted transaction and its marker.
    assert positions == {"copier": 7, CLASSIC: first + 1, CONSUMER: first + 1}
    kinds = {(group, kind) for kind, key, _ in decoded for name, group in key.items() if name in ("group", "groupId")}
    assert kinds == {("copier", 1), (CLASSIC, 1), (CLASSIC, 2), *((CONSUMER, kind) for kind in (1, 3, 5, 6, 7, 8))}
    joined = [value for kind, _, value in decoded if kind == 2 and value["members"]][-1]
    assert joined["protocol"] == "range" and joined["protocolType"] == "consumer" and len(joined["members"]) == 1
    subscribed, = [value for kind, _, value in decoded if kind == 5]
    assert subscribed["subscribedTopicNames"] == ["t"]
    assigned = [value for kind, _, value in decoded if kind == 8][-1]
    assert [topic["partitions"] for topic in assigned["assignedPartitions"]] == [[0]]


def test_states_of_transactions(stopped):
    decoded = records(dump(files(stopped, "__transaction_state-*", ".log"), "--transaction-log-decoder"))
    assert {kind for kind, _, _ in decoded} == {0} and {key["transactionalId"] for _, key, _ in decoded} == {"tx"}
    states = [value["transactionStatus"] for _, _, value in decoded]
    empty, ongoing, prepare_commit, prepare_abort, complete_commit, complete_abort = range(6)
    last_of_each = [state for state, following in zip(states, states[1:] + [None]) if state != following]
    assert last_of_each == [empty, ongoing, prepare_abort, complete_abort, ongoing, prepare_commit, complete_commit]
    assert {"topic": "t", "partitionIds": [0]} in decoded[states.index(prepare_commit)][2]["transactionPartitions"]
