"""Groups of consumers that others wrote: the consumer protocol of KIP-848 and the classic one, members that come, go, are
static, and a broker that is killed in the middle of a group's life."""

import json
import subprocess
import threading

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from servers.kafka import command, tool

from harness import wait_until

CONFIG = """
topics: {t: {partitions: 4}}
broker: {consumer_group_heartbeat_interval: 100ms, consumer_group_session_timeout: 6s}
"""
JAVA_OPTIONS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@pytest.fixture
def server(headrace):
    return headrace(CONFIG)


class Member(threading.Thread):
    """A librdkafka consumer; keeps what it read and which partitions it has, commits what it has read."""

    def __init__(self, server, group="g", topics=("t",), **properties):
        super().__init__(daemon=True)
        settings = {"bootstrap.servers": server.kafka, "group.id": group, "auto.offset.reset": "earliest", "group.protocol": "consumer",
                    "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 500, **properties}
        self.consumer = confluent_kafka.Consumer(settings)
        self.read, self.owned, self.errors, self.assigned = [], frozenset(), [], 0
        self.stopping = threading.Event()
        self.consumer.subscribe(list(topics), on_assign=self.on_assign)

    def on_assign(self, _consumer, partitions):
        self.assigned += 1

    def run(self):
        while not self.stopping.is_set():
            message = self.consumer.poll(0.1)
            if message is not None and message.error():
                self.errors.append(message.error())
            elif message is not None:
                self.read.append((message.partition(), message.offset(), message.value()))
                try:
                    self.consumer.commit(message, asynchronous=False)
                except confluent_kafka.KafkaException as error:
                    self.errors.append(error.args[0])
            self.owned = frozenset((tp.topic, tp.partition) for tp in self.consumer.assignment())
        self.consumer.close()

    def leave(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "the consumer does not close"


def start(*members):
    for member in members:
        member.start()
    return members


def produce(server, first, count, topic="t"):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka})
    for i in range(first, first + count):
        producer.produce(topic, b"%d" % i)
    assert producer.flush(30) == 0


def values(*members):
    return {int(value) for member in members for _, _, value in member.read}


def all_of(topic, count):
    return {(topic, p) for p in range(count)}


def wait_shared(members, wanted):
    """Until the members have all wanted partitions, each of them once, and everybody has some."""
    def shared():
        owned = [tp for member in members for tp in member.owned]
        return len(owned) == len(wanted) and set(owned) == wanted and all(member.owned for member in members)
    wait_until(shared, 60, what=f"an assignment of {sorted(wanted)}")


def groups(server, *arguments, check=True):
    done = tool("kafka-consumer-groups", "--bootstrap-server", server.kafka, *arguments, check=check)
    return done.stdout + done.stderr


def test_members_join_leave_and_read_everything_once(server):
    members = start(Member(server), Member(server))
    wait_shared(members, all_of("t", 4))
    produce(server, 0, 200)
    wait_until(lambda: len(values(*members)) == 200)
    third, = start(Member(server))
    wait_shared([*members, third], all_of("t", 4))
    produce(server, 200, 200)
    wait_until(lambda: len(values(*members, third)) == 400)
    members[0].leave()
    wait_shared([members[1], third], all_of("t", 4))
    admin = AdminClient({"bootstrap.servers": server.kafka})
    admin.create_partitions([NewPartitions("t", 6)])["t"].result(10)
    wait_shared([members[1], third], all_of("t", 6))

    described = groups(server, "--describe", "--group", "g", "--members", "--verbose")
    rows = [line.split() for line in described.splitlines() if line.startswith("g ")]
    assert len(rows) == 2, described
    state = groups(server, "--describe", "--group", "g", "--state", "--verbose")
    assert "Stable" in state and "uniform" in state, state
    offsets = groups(server, "--describe", "--group", "g")
    assert sum(int(line.split()[5]) for line in offsets.splitlines() if line.startswith("g ") and line.split()[5] != "-") == 0, offsets

    members[1].leave()
    third.leave()
    # Each record once: positions were handed over where they were.
    read = [(p, o) for member in (*members, third) for p, o, _ in member.read]
    assert len(read) == len(set(read)) == 400
    listed = groups(server, "--list", "--state")
    assert any(line.split() == ["g", "Empty"] for line in listed.splitlines()), listed
    assert "consumer" in groups(server, "--list", "--type").lower()


def test_static_members_come_back_to_their_partitions(server):
    one, two = start(Member(server, **{"group.instance.id": "one"}), Member(server, **{"group.instance.id": "two"}))
    wait_shared([one, two], all_of("t", 4))
    had, other, assigned = one.owned, two.owned, two.assigned
    one.leave()
    one, = start(Member(server, **{"group.instance.id": "one"}))
    wait_until(lambda: one.owned == had, 60, what="the old partitions")
    assert two.owned == other and two.assigned == assigned, "the other one was rebalanced"
    described = groups(server, "--describe", "--group", "g", "--members")
    assert " one " in described and " two " in described, described
    one.leave()
    two.leave()


def test_regular_expressions_find_new_topics(server):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    member, = start(Member(server, topics=["^x-.*"]))
    for name, wanted in (("x-1", all_of("x-1", 2)), ("x-2", all_of("x-1", 2) | all_of("x-2", 2))):
        for name in (name, "not-" + name):
            admin.create_topics([confluent_kafka.admin.NewTopic(name, 2, 1)])[name].result(10)
        wait_until(lambda: member.owned == wanted, 60, what=f"{wanted}")
    member.leave()


def test_a_killed_broker_goes_on_with_the_group(server):
    members = start(*(Member(server) for _ in range(3)))
    wait_shared(members, all_of("t", 4))
    port = server.kafka.rsplit(":", 1)[1]
    server.settings.append(f"listen.kafka=127.0.0.1:{port}")
    for round_number in range(3):
        produce(server, round_number * 100, 100)
        if round_number == 1:
            members[0].leave()
            members = members[1:]
        server.kill()
        server.start()
        wait_shared(members, all_of("t", 4))
    wait_until(lambda: committed_all(server), 60, what="everything to be read and committed")
    for member in members:
        member.leave()
    late, = start(Member(server))
    wait_until(lambda: late.owned == all_of("t", 4), 60)
    produce(server, 300, 10)
    wait_until(lambda: values(late) >= set(range(300, 310)), 60)
    assert values(late) == set(range(300, 310)), "something committed was read again"
    late.leave()


def committed_all(server, group="g"):
    """Whether the group has committed the end of every partition."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": group + "-observer"})
    try:
        partitions = [confluent_kafka.TopicPartition("t", p) for p in range(4)]
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions}
        request = confluent_kafka.ConsumerGroupTopicPartitions(group, partitions)
        admin = AdminClient({"bootstrap.servers": server.kafka})
        found = admin.list_consumer_group_offsets([request])[group].result(10).topic_partitions
        return all(max(tp.offset, 0) == ends[tp.partition] for tp in found)
    finally:
        consumer.close()


class JavaConsumer:
    """Kafka's VerifiableConsumer: tells in JSON what it is assigned and reads."""

    def __init__(self, server, *arguments, group="g"):
        line = command("org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", server.kafka, "--topic", "t", "--group-id", group,
                       *arguments, options=JAVA_OPTIONS, level="ERROR")
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.owned, self.read = set(), 0
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            event = json.loads(line) if line.startswith("{") else {}
            partitions = {(tp["topic"], tp["partition"]) for tp in event.get("partitions", []) if "topic" in tp}
            if event.get("name") == "partitions_assigned":
                self.owned |= partitions
            elif event.get("name") == "partitions_revoked":
                self.owned -= partitions
            elif event.get("name") == "records_consumed":
                self.read += event["count"]

    def leave(self):
        self.process.terminate()
        self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("protocol", [("--group-protocol", "consumer"), ("--group-protocol", "consumer", "--group-remote-assignor", "range"),
                                      ("--assignment-strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")],
                         ids=["uniform", "range", "cooperative-sticky"])
def test_java_members(server, protocol):
    members = [JavaConsumer(server, *protocol, "--session-timeout", "6000") if protocol[0] != "--group-protocol" else
               JavaConsumer(server, *protocol) for _ in range(2)]
    try:
        wait_shared(members, all_of("t", 4))
        produce(server, 0, 300)
        wait_until(lambda: sum(m.read for m in members) >= 300, 60, what="all records")
        members[0].leave()
        wait_shared(members[1:], all_of("t", 4))
        produce(server, 300, 100)
        wait_until(lambda: sum(m.read for m in members) >= 400, 60, what="all records")
        assert sum(m.read for m in members) == 400
        # One that dies without a word is found out by its session.
        members[0] = JavaConsumer(server, *protocol)
        wait_shared(members, all_of("t", 4))
        members[0].kill()
        wait_shared(members[1:], all_of("t", 4))
    finally:
        for member in members:
            member.kill()


def test_java_console_consumers_share_a_topic(server):
    produce(server, 0, 100)
    out = tool("kafka-console-consumer", "--bootstrap-server", server.kafka, "--topic", "t", "--group", "console", "--from-beginning",
               "--command-property", "group.protocol=consumer", "--max-messages", 100, "--timeout-ms", 30000).stdout
    assert sorted(map(int, out.split())) == list(range(100))
    described = groups(server, "--describe", "--group", "console", "--offsets")
    assert len([line for line in described.splitlines() if line.startswith("console ")]) == 4, described


CLASSIC = {"group.protocol": "classic", "session.timeout.ms": 6000, "heartbeat.interval.ms": 100}


def test_an_empty_group_changes_its_protocol(server):
    produce(server, 0, 50)
    seen = set()
    for first, settings in ((50, CLASSIC), (100, {}), (150, CLASSIC)):
        member, = start(Member(server, **settings))
        wait_until(lambda: values(member) | seen == set(range(first)), 60, what="the records so far")
        assert not values(member) & seen, "a committed offset was forgotten"
        seen |= values(member)
        member.leave()
        produce(server, first, 50)


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_group_changes_its_protocol_while_its_members_are_restarted_one_by_one(server, strategy):
    classic = {**CLASSIC, "partition.assignment.strategy": strategy}
    members, gone, produced = list(start(*(Member(server, **classic) for _ in range(3)))), [], 0
    wait_shared(members, all_of("t", 4))
    for settings in ({}, classic):
        for _ in range(3):
            gone.append(members.pop(0))
            gone[-1].leave()
            members += start(Member(server, **settings))
            produce(server, produced, 100)
            produced += 100
            wait_shared(members, all_of("t", 4))
        kind = "consumer" if not settings else "classic"
        listed = groups(server, "--list", "--type", kind)
        assert "g" in listed.split(), f"the group is not a {kind} one: {listed}"
    wait_until(lambda: values(*members, *gone) == set(range(produced)), 60, what="all records")
    wait_until(lambda: committed_all(server), 60, what="everything to be committed")
    for member in members:
        member.leave()


def test_java_members_of_both_protocols_share_a_group(server):
    consumer = ("--group-protocol", "consumer")
    classic = ("--group-protocol", "classic", "--session-timeout", "6000")
    members = [JavaConsumer(server, *arguments) for arguments in (classic, consumer)]
    try:
        wait_shared(members, all_of("t", 4))
        produce(server, 0, 200)
        wait_until(lambda: sum(m.read for m in members) >= 200, 60, what="all records")
        described = groups(server, "--describe", "--group", "g", "--members", "--verbose")
        assert len([line for line in described.splitlines() if line.startswith("g ")]) == 2, described
        # The last of the consumer protocol dies without a word: the other one goes on by the classic protocol.
        members[1].kill()
        wait_shared(members[:1], all_of("t", 4))
        assert "g" in groups(server, "--list", "--type", "classic").split()
        produce(server, 200, 100)
        read = sum(m.read for m in members)
        wait_until(lambda: sum(m.read for m in members) >= 300, 60, what=f"the records since, after {read}")
    finally:
        for member in members:
            member.kill()


def test_admin_tools_on_groups_that_are_not_there_empty_or_alive(server):
    assert "GroupIdNotFoundException" in groups(server, "--describe", "--group", "nobody", check=False) or \
        "does not exist" in groups(server, "--describe", "--group", "nobody", check=False)
    assert "GroupIdNotFoundException" in groups(server, "--delete", "--group", "nobody", check=False)
    produce(server, 0, 20)
    member, = start(Member(server))
    wait_until(lambda: len(values(member)) == 20)
    assert "GroupNotEmptyException" in groups(server, "--delete", "--group", "g", check=False)
    refused = groups(server, "--delete-offsets", "--group", "g", "--topic", "t", check=False)
    assert "GroupSubscribedToTopicException" in refused or "subscribed" in refused.lower(), refused
    member.leave()
    assert "Successful" in groups(server, "--delete-offsets", "--group", "g", "--topic", "t")
    reset = groups(server, "--reset-offsets", "--to-earliest", "--execute", "--group", "g", "--topic", "t")
    assert len([line for line in reset.splitlines() if line.startswith("g ")]) == 4, reset
    assert "successful" in groups(server, "--delete", "--group", "g")
    assert "g" not in groups(server, "--list").split()
