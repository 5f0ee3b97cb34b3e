"""Client libraries that others wrote, unchanged, each through the program of it in clients/."""

import client_programs
import pytest
from client_programs import Member
from confluent_kafka import Consumer, Producer, TopicPartition

from harness import wait_until

LIBRARIES = ["aiokafka", "franz-go", "kafka-python", "kafkajs", "sarama"]
RECORDS = 2000


@pytest.fixture
def server(headrace):
    return headrace("topics: {t: {partitions: 3}, source: {partitions: 1}, out: {partitions: 1}}\n")


@pytest.fixture(params=LIBRARIES)
def client(request, server):
    program = client_programs.install(request.param)
    return lambda *arguments: client_programs.lines(program, server.kafka, *arguments)


@pytest.fixture(params=LIBRARIES)
def member(request, server):
    program = client_programs.install(request.param)
    started = []

    def join(group):
        started.append(Member(program, server.kafka, "t", group))
        return started[-1]

    yield join
    for each in started:
        if each.process.poll() is None:
            each.kill()


def fill(server, topic, count, first=0):
    producer = Producer({"bootstrap.servers": server.kafka})
    for i in range(first, first + count):
        producer.produce(topic, b"%d" % i, b"k%d" % i)
    assert producer.flush(30) == 0


def read_all(server, topic, isolation):
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "check", "isolation.level": isolation,
                         "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    out = []
    while (message := consumer.poll(10)) and not message.error():
        out.append(message.value())
    consumer.close()
    return out


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produces_idempotently_and_consumes(client, codec):
    assert client("produce", "t", RECORDS, codec) == [{"acknowledged": RECORDS}]
    read = client("consume", "t", RECORDS)
    assert sorted(int(r["value"].removeprefix(codec + "-")) for r in read) == list(range(RECORDS))
    for partition in range(3):
        offsets = [r["offset"] for r in read if r["partition"] == partition]
        assert offsets == list(range(len(offsets))), "in order, without a gap"


def shared(members):
    return sorted(p for m in members for p in m.assigned) == [0, 1, 2] and all(m.assigned for m in members)


def test_a_group_shares_rebalances_and_goes_on_where_it_was(server, member):
    first, second = member("g"), member("g")
    wait_until(lambda: shared([first, second]), 60, what="a shared assignment")
    fill(server, "t", 300)
    values = lambda: {int(v) for m in (first, second) for _, _, v in m.read}  # noqa: E731
    wait_until(lambda: values() == set(range(300)), what="every record, by one of them")
    first.leave()
    wait_until(lambda: second.assigned == [0, 1, 2], 60, what="the other member to take over")
    fill(server, "t", 30, first=300)
    wait_until(lambda: values() == set(range(330)), what="what came after")
    second.leave()
    read = [record for m in (first, second) for record in m.read]
    assert len(read) == len(set(read)) == 330, "none twice: whoever leaves commits"
    third = member("g")
    wait_until(lambda: third.assigned == [0, 1, 2], 60, what="a later member")
    fill(server, "t", 1, first=330)
    wait_until(lambda: third.read)
    assert [int(v) for _, _, v in third.read] == [330]


def test_a_member_that_dies_is_replaced(server, member):
    dying, staying = member("d"), member("d")
    wait_until(lambda: shared([dying, staying]), 60, what="a shared assignment")
    dying.kill()
    wait_until(lambda: staying.assigned == [0, 1, 2], 60, what="the session of the dead member to end")
    fill(server, "t", 30)
    wait_until(lambda: len({v for _, _, v in staying.read}) == 30)


def test_transactions_are_all_or_nothing_with_their_offsets(server, client):
    fill(server, "source", 42)
    assert client("transact", "out", "source", "tg") == [{"ended": "lost"}, {"ended": "kept"}]
    assert read_all(server, "out", "read_committed") == [b"kept"]
    assert read_all(server, "out", "read_uncommitted") == [b"lost", b"kept"]
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "tg"})
    assert consumer.committed([TopicPartition("source", 0)], timeout=10)[0].offset == 42
    consumer.close()


def test_administers(server, client):
    consumer = Consumer({"bootstrap.servers": server.kafka, "group.id": "seen"})
    consumer.commit(offsets=[TopicPartition("t", 0, 0)], asynchronous=False)
    consumer.close()
    told, = client("admin", "made")
    assert told == {"created": "123456", "changed": "654321", "partitions": 5, "log_start": 4, "groups": ["seen"],
                    "topic_left": False}
