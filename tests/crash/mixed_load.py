"""What clients do at the same time while the broker is killed, and what of it was answered.

Each actor is a thread with clients of its own. `answered()` takes down what the broker has answered for so far, while it is down;
`check(answered)` holds the broker, up again, against that; `finish()` is the last check, when the actor has stopped.
"""

import random
import threading
import time
import traceback

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
PATIENCE_S = 60
# Without a new bootstrap, which waits for up to a second: by then a broker that is killed this often is gone again.
QUICK = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50, "metadata.recovery.strategy": "none", "log_level": 0}

TOPICS = f"""
broker: {{auto_create_topics: false, retention_check_interval: 200ms, compaction_interval: 100ms}}
topics:
  numbers: {{partitions: {PARTITIONS}, segment.bytes: 1MiB}}
  copies: {{partitions: {PARTITIONS}, segment.bytes: 256KiB}}
  marks: {{partitions: 1, cleanup.policy: compact, segment.bytes: 4KiB, min.cleanable.dirty.ratio: 0.01, delete.retention.ms: 500}}
  latest: {{partitions: 2, cleanup.policy: compact, segment.bytes: 4KiB, min.cleanable.dirty.ratio: 0.01, delete.retention.ms: 500}}
  recent: {{partitions: 1, segment.bytes: 64KiB, retention.bytes: 512KiB}}
"""
RECENT_RETENTION_BYTES = 512 << 10


def idempotent(bootstrap, **properties):
    """A producer that tries until it is answered."""
    return Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, "message.timeout.ms": 0,
                     "retry.backoff.ms": 10, "queue.buffering.max.messages": 20_000, **QUICK, **properties})


def reader(bootstrap, group="checks", **properties):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False,
                     "auto.offset.reset": "error", "fetch.wait.max.ms": 50, **QUICK, **properties})


class Tail:
    """Reads a topic's partitions from their start on, for as long as is asked, over restarts of the broker. The n-th
    record that a partition p shows has to be the number p + n * PARTITIONS."""

    def __init__(self, bootstrap, topic, isolation="read_committed"):
        self.topic = topic
        self.count = [0] * PARTITIONS
        self.consumer = reader(bootstrap, **{"isolation.level": isolation, "check.crcs": True})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])

    def read(self, wanted):
        """Reads until each partition has shown as many records as `wanted` says, for as long as more come."""
        deadline = time.monotonic() + PATIENCE_S
        while any(have < want for have, want in zip(self.count, wanted)):
            assert time.monotonic() < deadline, f"{self.topic} shows {self.count} records; {wanted} were answered for"
            messages = self.consumer.consume(5000, 0.05)
            for message in messages:
                self.take(message)
            if messages:
                deadline = time.monotonic() + PATIENCE_S

    def take(self, message):
        assert not message.error(), f"{self.topic}: {message.error()}"
        partition = message.partition()
        want = partition + self.count[partition] * PARTITIONS
        got = number_of(message)
        assert got == want, f"{self.topic}-{partition} has {got} at {message.offset()}, not {want}"
        self.count[partition] += 1

    def close(self):
        self.consumer.close()


def read_partition(bootstrap, topic, partition, **properties):
    """Everything of a partition, from its start to its end now. Where retention overtakes it, it begins again at the new
    start; a position inside of the log is never out of range."""
    consumer = reader(bootstrap, **{"enable.partition.eof": True, **properties})
    low, end = watermarks(consumer, topic, partition)
    consumer.assign([TopicPartition(topic, partition, low)])
    out, deadline = [], time.monotonic() + PATIENCE_S
    while True:
        assert time.monotonic() < deadline, f"{topic}-{partition} can't be read to its end"
        for message in consumer.consume(5000, 0.02):
            if not message.error():
                out.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                consumer.close()
                return out
            elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                position = out[-1].offset() + 1 if out else low
                low, _ = watermarks(consumer, topic, partition)
                assert low > position, f"{topic}-{partition} begins at {low}, but at {position}: {message.error()}"
                consumer.assign([TopicPartition(topic, partition, low)])
                out = []
                break
            else:
                raise AssertionError(f"{topic}-{partition}: {message.error()}")
        # There is no end of the partition while others write faster than it is asked for.
        if out and out[-1].offset() >= end - 1:
            consumer.close()
            return out


def watermarks(consumer, topic, partition):
    return again(lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5), "watermarks")


def again(ask, what):
    """Asks until there is an answer: connections break when the broker does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            assert time.monotonic() < deadline, f"{what}: {error}"
            time.sleep(0.02)


def number_of(message):
    return int(message.value().split(b" ", 1)[0])


class Actor(threading.Thread):
    """Does step() again and again until it is stopped. What goes wrong there is raised by stop() and answered()."""

    # Of so many checks one reads all of a compacted topic.
    whole_every = 1

    def __init__(self, bootstrap, seed):
        super().__init__(daemon=True)
        self.bootstrap = bootstrap
        self.chance = random.Random(f"{seed} {type(self).__name__}")
        self.stopping = threading.Event()
        self.failure = None
        self.checks = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
            self.end()
        except BaseException:
            self.failure = traceback.format_exc()

    def stop(self):
        self.stopping.set()
        self.join(2 * PATIENCE_S)
        assert not self.is_alive(), f"{type(self).__name__} does not come to its end"
        self.raise_failure()

    def raise_failure(self):
        assert not self.failure, f"{type(self).__name__}: {self.failure}"

    def answered(self):
        self.raise_failure()
        return self.now()

    def end(self):
        """What is left to do after the last step."""

    def finish(self):
        self.check(self.answered())

    def is_time_for_all(self):
        self.checks += 1
        return self.checks % self.whole_every == 0


class Numbers(Actor):
    """Idempotent produce: the number n goes to partition n % PARTITIONS, and has the offset n // PARTITIONS."""

    pause_s = 0.02

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = idempotent(bootstrap)
        self.sent = 0
        self.count = [0] * PARTITIONS
        self.tail = Tail(bootstrap, "numbers", "read_uncommitted")

    def step(self):
        for _ in range(50):
            try:
                self.producer.produce("numbers", b"%d %s" % (self.sent, b"x" * self.chance.randrange(200)),
                                      partition=self.sent % PARTITIONS, on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.01)
        self.producer.poll(0.002)
        time.sleep(self.pause_s)

    def delivered(self, error, message):
        if error or number_of(message) != message.partition() + message.offset() * PARTITIONS:
            self.failure = f"{message.value()[:20]} is answered with {error}, offset {message.offset()}"
        self.count[message.partition()] += 1

    def end(self):
        assert self.producer.flush(PATIENCE_S) == 0

    def now(self):
        return list(self.count)

    def check(self, count):
        self.tail.read(count)

    def finish(self):
        assert sum(self.count) == self.sent
        self.tail.close()
        self.tail = Tail(self.bootstrap, "numbers", "read_uncommitted")
        self.tail.read(self.count)
        ends = [watermarks(self.tail.consumer, "numbers", partition)[1] for partition in range(PARTITIONS)]
        assert ends == self.count, f"the partitions end at {ends}; {self.count} were answered for"

    def told(self):
        return f"{self.sent} numbers"


class Stuck(Exception):
    """A call of the client does not come back."""


def bounded(call, seconds=20):
    """The call's result; Stuck when there is none after twice the time that the call was given itself. librdkafka now and
    then waits for ever in send_offsets_to_transaction(), after AddOffsetsToTxn was answered (its issues 5456 and 5511)."""
    outcome = []

    def run():
        try:
            outcome.append((call(), None))
        except BaseException as exception:
            outcome.append((None, exception))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise Stuck()
    result, exception = outcome[0]
    if exception:
        raise exception
    return result


class Copier(Actor):
    """Transactions: copies `numbers` with its positions, exactly once; now and then it aborts. The positions are marked in
    a compacted topic too, by partition: there each one's last committed mark stays, and no aborted one shows."""

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.consumer = reader(bootstrap, "copier")
        self.committed = [0] * PARTITIONS
        self.commits = self.aborts = self.renewals = self.stuck = self.marks = self.marks_left = 0
        self.producer = None
        self.tail = Tail(bootstrap, "copies")
        self.asker = reader(bootstrap, "copier")

    def step(self):
        if self.producer is None:
            self.renew()
        messages = [m for m in self.consumer.consume(self.chance.randrange(1, 1000), 0.1) if not m.error()]
        if not messages:
            return
        try:
            self.copy(messages)
        except KafkaException as exception:
            self.recover(exception.args[0])
        except Stuck:
            self.stuck += 1
            self.producer = None

    def copy(self, messages):
        self.producer.begin_transaction()
        for message in messages:
            self.producer.produce("copies", message.value(), partition=message.partition())
        positions = self.consumer.position([TopicPartition("numbers", p) for p in range(PARTITIONS)])
        positions = [p for p in positions if p.offset >= 0]
        for position in positions:
            self.producer.produce("marks", b"%d" % position.offset, b"%d" % position.partition, partition=0)
        self.marks += len(positions)
        producer, group = self.producer, self.consumer.consumer_group_metadata()
        self.try_on(lambda: bounded(lambda: producer.send_offsets_to_transaction(positions, group, 10)))
        if self.chance.random() < 0.1:
            self.abort()
            return
        self.try_on(lambda: self.producer.commit_transaction(10))
        self.commits += 1
        for position in positions:
            self.committed[position.partition] = position.offset

    def abort(self):
        self.try_on(lambda: self.producer.abort_transaction(10))
        self.aborts += 1
        self.rewind()

    def recover(self, error):
        """An error that allows it is answered with an abort, any other with a new producer, which ends what the old
        one has left open."""
        if error.txn_requires_abort():
            try:
                self.abort()
                return
            except KafkaException:
                pass
        self.producer = None

    def renew(self):
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": "copier", "linger.ms": 0,
                             "transaction.timeout.ms": 30_000, "retry.backoff.ms": 10, **QUICK})
        again(lambda: producer.init_transactions(10), "init_transactions")
        self.producer = producer
        self.renewals += 1
        self.rewind()

    def rewind(self):
        """To the committed positions."""
        self.consumer.assign(self.positions(self.consumer))

    def positions(self, consumer):
        asked = [TopicPartition("numbers", p) for p in range(PARTITIONS)]
        found = again(lambda: consumer.committed(asked, timeout=10), "committed positions")
        return [TopicPartition("numbers", p.partition, max(p.offset, 0)) for p in found]

    @staticmethod
    def try_on(step):
        """Runs a step again while the client says that this may help."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return step()
            except KafkaException as exception:
                if not exception.args[0].retriable() or time.monotonic() > deadline:
                    raise

    def now(self):
        return list(self.committed)

    def check(self, committed):
        found = [p.offset for p in self.positions(self.asker)]
        assert all(have >= want for have, want in zip(found, committed)), f"positions {found}; committed were {committed}"
        # What is committed is visible, with all of its records; whether more is, the tail judges.
        self.tail.read(committed)
        if self.is_time_for_all():
            marked = self.marked()
            assert all(have >= want for have, want in zip(marked, committed)), f"marks {marked}; committed were {committed}"

    def marked(self):
        """The last mark of each partition."""
        marks, messages = [0] * PARTITIONS, read_partition(self.bootstrap, "marks", 0, **{"isolation.level": "read_committed"})
        for message in messages:
            partition, position = int(message.key()), int(message.value())
            assert position >= marks[partition], f"the mark of {partition} goes back from {marks[partition]} to {position}"
            marks[partition] = position
        self.marks_left = len(messages)
        return marks

    def finish(self):
        found = [p.offset for p in self.positions(self.asker)]
        marked = self.marked()
        assert marked == found, f"marks {marked}; the positions of the same transactions are {found}"
        assert self.marks_left < self.marks / 2 or self.marks < 1000, f"{self.marks_left} of {self.marks} marks left: not compacted"
        for partition, count in enumerate(found):
            copies = read_partition(self.bootstrap, "copies", partition)
            numbers = [number_of(message) for message in copies]
            assert numbers == list(range(partition, partition + count * PARTITIONS, PARTITIONS)), "each once, and no more"
        assert found == self.committed or self.renewals > 1

    def told(self):
        return f"{sum(self.committed)} copied in {self.commits} transactions, {self.aborts} aborted, " \
               f"{self.renewals} producers, {self.stuck} stuck, {self.marks_left} of {self.marks} marks left"


class Latest(Actor):
    """Compaction: each key's newest version stays; a tombstone takes the key away."""

    KEYS = 40

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = idempotent(bootstrap, **{"compression.type": "lz4"})
        self.version = 0
        self.left = 0
        self.sent = {}  # The versions of a key; a negative one is a tombstone.
        self.acknowledged = {}

    def step(self):
        for _ in range(10):
            self.version += 1
            key = b"k%d" % self.chance.randrange(self.KEYS)
            gone = self.chance.random() < 0.1
            version = -self.version if gone else self.version
            value = None if gone else b"%d %s" % (version, b"y" * 100)
            try:
                self.producer.produce("latest", value, key, partition=key[-1] % 2, headers=[("version", b"%d" % version)],
                                      on_delivery=lambda error, _, key=key, version=version: self.delivered(error, key, version))
                self.sent.setdefault(key, []).append(version)
            except BufferError:
                self.producer.poll(0.01)
        self.producer.poll(0.002)
        time.sleep(0.02)

    def delivered(self, error, key, version):
        if error:
            self.failure = f"version {version} of {key} is answered with {error}"
        self.acknowledged[key] = version

    def end(self):
        assert self.producer.flush(PATIENCE_S) == 0

    def now(self):
        return dict(self.acknowledged)

    def check(self, acknowledged):
        if self.is_time_for_all():
            self.check_all(acknowledged)

    def finish(self):
        self.check_all(self.answered())
        assert self.left < self.version / 2 or self.version < 5000, f"{self.told()}: not compacted"

    def check_all(self, acknowledged):
        found, self.left = {}, 0
        for partition in range(2):
            for message in read_partition(self.bootstrap, "latest", partition):
                self.left += 1
                version = int(message.headers()[0][1])
                assert abs(version) > abs(found.get(message.key(), 0)), f"{message.key()} goes back to {version}"
                assert (message.value() is None) == (version < 0)
                found[message.key()] = version
        for key, version in acknowledged.items():
            self.check_key(key, version, found.get(key))

    def check_key(self, key, acknowledged, found):
        if found is None:
            deletes = [v for v in list(self.sent[key]) if v < 0 and abs(v) >= abs(acknowledged)]
            assert deletes, f"{key} is gone; its version {acknowledged} was acknowledged"
        else:
            assert abs(found) >= abs(acknowledged), f"{key} has version {found}; {acknowledged} was acknowledged"

    def told(self):
        return f"{self.version} versions of {self.KEYS} keys, {self.left} left"


class Recent(Actor):
    """Retention by size: the offset n holds the number n; old segments go, and nothing else."""

    VALUE_BYTES = 200
    # With its own batch around it, a record takes no more than this.
    RECORD_BYTES_MAX = 300

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = idempotent(bootstrap)
        self.sent = self.acknowledged = 0
        self.start_offset = 0
        self.asker = reader(bootstrap)

    def step(self):
        for _ in range(20):
            try:
                self.producer.produce("recent", (b"%d " % self.sent).ljust(self.VALUE_BYTES, b"z"), partition=0,
                                      on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.01)
        self.producer.poll(0.002)
        time.sleep(0.02)

    def delivered(self, error, message):
        if error or number_of(message) != message.offset():
            self.failure = f"{message.value()[:20]} is answered with {error}, offset {message.offset()}"
        self.acknowledged += 1

    def end(self):
        assert self.producer.flush(PATIENCE_S) == 0

    def now(self):
        return self.acknowledged

    def check(self, acknowledged):
        start, end = watermarks(self.asker, "recent", 0)
        assert end >= acknowledged, f"the log ends at {end}; {acknowledged} were acknowledged"
        assert start >= self.start_offset, f"the log's start goes back from {self.start_offset} to {start}"
        if start > 0:
            kept = (end - start) * self.RECORD_BYTES_MAX
            assert kept >= RECENT_RETENTION_BYTES, f"from {start} to {end}: less than retention keeps"
        self.start_offset = start
        messages = read_partition(self.bootstrap, "recent", 0)
        assert messages[-1].offset() >= acknowledged - 1 if acknowledged else True
        for before, after in zip(messages, messages[1:]):
            assert after.offset() == before.offset() + 1, f"{after.offset()} follows {before.offset()}, from {start} to {end}"
        assert all(number_of(m) == m.offset() for m in messages)

    def finish(self):
        super().finish()
        assert self.start_offset > 0 or self.sent * self.VALUE_BYTES < 2 * RECENT_RETENTION_BYTES, f"{self.told()}: nothing is deleted"

    def told(self):
        return f"{self.sent} recent ones, {self.start_offset} of them gone"


class Topics(Actor):
    """Topics come, get records, and go."""

    PRESENT_MAX = 10

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.admin = AdminClient({"bootstrap.servers": bootstrap, **QUICK})
        self.producer = idempotent(bootstrap)
        self.made = self.deleted = 0
        self.lock = threading.Lock()
        self.present = {}  # Name to [partitions, acknowledged records]; what is in doubt is in neither.
        self.absent = set()

    def step(self):
        if len(self.present) < self.PRESENT_MAX and (not self.present or self.chance.random() < 0.6):
            self.create()
        else:
            self.delete(self.chance.choice(list(self.present)))
        time.sleep(0.02)

    def create(self):
        name, partitions = f"made-{self.made}", self.chance.randrange(1, 4)
        self.made += 1
        try:
            self.admin.create_topics([NewTopic(name, partitions, 1)], operation_timeout=5)[name].result(10)
        except (KafkaException, TimeoutError):
            return
        with self.lock:
            self.present[name] = [partitions, 0]
        for i in range(3):
            self.producer.produce(name, b"%d" % i, partition=0, on_delivery=self.delivered)
        assert self.producer.flush(PATIENCE_S) == 0

    def delivered(self, error, message):
        if error:
            self.failure = f"record for {message.topic()} is answered with {error}"
        self.present[message.topic()][1] += 1

    def delete(self, name):
        with self.lock:
            del self.present[name]
        try:
            self.admin.delete_topics([name], operation_timeout=5)[name].result(10)
        except (KafkaException, TimeoutError):
            return
        self.deleted += 1
        with self.lock:
            self.absent.add(name)

    def now(self):
        with self.lock:
            return {name: tuple(what) for name, what in self.present.items()}, set(self.absent)

    def check(self, answered):
        present, absent = answered
        with self.lock:  # No deletion begins meanwhile.
            found = again(lambda: self.admin.list_topics(timeout=5), "list of topics").topics
            assert not absent & set(found), f"deleted topics are back: {absent & set(found)}"
            present = {name: what for name, what in present.items() if name in self.present}
            for name, (partitions, _) in present.items():
                assert name in found and len(found[name].partitions) == partitions, f"{name} is not what was created"
            self.check_records({name: records for name, (_, records) in present.items()})

    def check_records(self, wanted):
        """Each topic shows as many records as are wanted; the offset n holds the number n."""
        shown, deadline = dict.fromkeys(wanted, 0), time.monotonic() + PATIENCE_S
        consumer = reader(self.bootstrap)
        consumer.assign([TopicPartition(name, 0, 0) for name in wanted])
        while any(shown[name] < records for name, records in wanted.items()):
            assert time.monotonic() < deadline, f"topics show {shown} records; {wanted} were answered for"
            for message in consumer.consume(100, 0.02):
                assert not message.error(), f"{message.topic()}: {message.error()}"
                assert number_of(message) == message.offset() == shown[message.topic()], f"{message.topic()} at {message.offset()}"
                shown[message.topic()] += 1
        consumer.close()

    def told(self):
        return f"{self.made} topics made, {self.deleted} deleted"


class Offsets(Actor):
    """Groups commit growing offsets."""

    GROUPS = 3

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.groups = [reader(bootstrap, f"group-{i}") for i in range(self.GROUPS)]
        self.askers = [reader(bootstrap, f"group-{i}") for i in range(self.GROUPS)]
        self.sent = [0] * self.GROUPS
        self.committed = [0] * self.GROUPS

    def step(self):
        group = self.chance.randrange(self.GROUPS)
        self.sent[group] += 1
        try:
            position = TopicPartition("numbers", 0, self.sent[group], metadata="m")
            self.groups[group].commit(offsets=[position], asynchronous=False)
            self.committed[group] = self.sent[group]
        except KafkaException:
            time.sleep(0.01)

    def now(self):
        return list(self.committed)

    def check(self, committed):
        for group, want in enumerate(committed):
            asker = self.askers[group]
            found = again(lambda: asker.committed([TopicPartition("numbers", 0)], timeout=10), "committed offset")[0].offset
            if want:
                assert want <= found <= self.sent[group], f"group-{group} is at {found}; {want} was committed"

    def told(self):
        return f"{sum(self.committed)} offsets committed"


class Seen:
    """Which numbers came: of each partition all up to one, and those that are ahead of it."""

    def __init__(self):
        self.next = list(range(PARTITIONS))
        self.ahead = set()

    def add(self, number):
        partition = number % PARTITIONS
        if number < self.next[partition]:
            return
        self.ahead.add(number)
        while self.next[partition] in self.ahead:
            self.ahead.remove(self.next[partition])
            self.next[partition] += PARTITIONS

    def __len__(self):
        return sum(number // PARTITIONS for number in self.next) + len(self.ahead)


class Members(Actor):
    """Two members of a group share `numbers`; one of them leaves and joins again now and then. Each number is read."""

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.read = Seen()
        self.committed = [0] * PARTITIONS
        self.members = [self.join_group(), self.join_group()]
        self.joins = 2
        self.asker = reader(bootstrap, "members")

    def join_group(self):
        member = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "members", "auto.offset.reset": "earliest",
                           "auto.commit.interval.ms": 100, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                           "partition.assignment.strategy": "cooperative-sticky", "on_commit": self.answer, **QUICK})
        member.subscribe(["numbers"])
        return member

    def answer(self, error, positions):
        """The last answer counts, not the largest: librdkafka sends a commit whose connection broke again behind later ones.
        One that failed may have been taken, with its answer lost."""
        for position in positions:
            if position.offset < 0:
                continue
            if not error and not position.error:
                self.committed[position.partition] = position.offset
            else:
                self.committed[position.partition] = min(self.committed[position.partition], position.offset)

    def step(self):
        for member in self.members:
            for message in member.consume(1000, 0.05):
                if not message.error():
                    self.read.add(number_of(message))
        if self.chance.random() < 0.01:
            self.members.pop(0).close()
            self.members.append(self.join_group())
            self.joins += 1

    def end(self):
        for member in self.members:
            member.close()

    def now(self):
        return list(self.committed)

    def check(self, committed):
        asked = [TopicPartition("numbers", p) for p in range(PARTITIONS)]
        found = [p.offset for p in again(lambda: self.asker.committed(asked, timeout=10), "the group's positions")]
        assert all(have >= want for have, want in zip(found, committed) if want), f"the group is at {found}; {committed} were committed"

    def await_all(self, count):
        reached, deadline = 0, time.monotonic() + 2 * PATIENCE_S
        while len(self.read) < count:
            self.raise_failure()
            if len(self.read) > reached:
                reached, deadline = len(self.read), time.monotonic() + 2 * PATIENCE_S
            assert time.monotonic() < deadline, f"the group has read {len(self.read)} of {count} numbers"
            time.sleep(0.05)

    def told(self):
        return f"{len(self.read)} read by a group with {self.joins} joins, committed to {self.committed}"


ACTORS = [Numbers, Copier, Latest, Recent, Topics, Offsets, Members]
