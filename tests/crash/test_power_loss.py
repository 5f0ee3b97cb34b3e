"""Power losses of the real program under everything at once, on a disk that forgets what was not synced (volatile_disk.py).

HEADRACE_POWER_LOSSES and HEADRACE_SEED choose how often and when; HEADRACE_DEEP=1 loses the power 200 times.
"""

import os
import random
import threading
import time

import mixed_load
import pytest
from confluent_kafka import Producer
from crashes import LoadedServer
from harness import wait_until
from mixed_load import ACTORS, QUICK, TOPICS, Actor, Numbers, number_of, read_partition
from volatile_disk import Loss, VolatileDisk

LOSSES = int(os.environ.get("HEADRACE_POWER_LOSSES", "200" if os.environ.get("HEADRACE_DEEP") else "5"))
TOLD_EVERY = 20

TOPICS_NOT_SYNCED = """
  by-os: {partitions: 1, flush: os, segment.bytes: 64KiB}
  by-interval: {partitions: 1, flush: interval, flush.ms: 50, segment.bytes: 64KiB}
"""


@pytest.fixture
def disk(tmp_path, volatile_library):
    return VolatileDisk(tmp_path / "headrace", volatile_library)


class NotSynced(Actor):
    """Produce to a topic that answers before the disk has it: what a loss leaves is a prefix. The start that finds it makes
    it durable, so no later loss takes of it."""

    topic = ""

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": 1, "linger.ms": 1, "retries": 0, **QUICK})
        self.lock = threading.Lock()  # Held from a crash until it is checked.
        self.sent = self.safe = self.lost = 0
        self.answers = {}  # Offset to number.

    def step(self):
        with self.lock:
            for _ in range(20):
                value = b"%d %s" % (self.sent, b"w" * self.chance.randrange(200))
                self.producer.produce(self.topic, value, partition=0, on_delivery=self.delivered)
                self.sent += 1
            self.producer.poll(0.01)
        time.sleep(0.02)

    def delivered(self, error, message):
        if error is None:
            assert message.offset() not in self.answers, f"{self.topic} gives {message.offset()} twice"
            self.answers[message.offset()] = number_of(message)

    def now(self):
        self.lock.acquire()
        self.producer.purge()
        assert self.producer.flush(mixed_load.PATIENCE_S) == 0
        return dict(self.answers)

    def check(self, answers):
        try:
            self.check_start_of(answers)
        finally:
            self.lock.release()

    def check_start_of(self, answers):
        messages = read_partition(self.bootstrap, self.topic, 0)
        assert [m.offset() for m in messages] == list(range(len(messages))), f"{self.topic} has gaps"
        numbers = [number_of(m) for m in messages]
        assert numbers == sorted(set(numbers)), f"{self.topic} is out of order"
        assert len(messages) >= self.safe, f"{self.topic} ends at {len(messages)}, after a loss left {self.safe}"
        wrong = [(o, n) for o, n in answers.items() if o < len(messages) and numbers[o] != n]
        assert not wrong, f"{self.topic} has others than the answered {wrong[:3]}"
        self.answers = dict(enumerate(numbers))
        self.lost += sum(offset >= len(messages) for offset in answers)
        self.safe = len(messages)

    def told(self):
        return f"{self.safe} of {self.topic} left, {self.lost} lost"


class ByOs(NotSynced):
    topic = "by-os"


class ByInterval(NotSynced):
    topic = "by-interval"


def test_what_was_answered_is_there_after_each_power_loss(headrace, disk):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(f"{seed} power")
    losses = 0

    def lose_power():
        """Some kills leave the power on: what was not synced then waits for a later loss."""
        nonlocal losses
        if chance.random() < 0.75:
            losses += 1
            disk.lose_power(chance)

    server = headrace(TOPICS + TOPICS_NOT_SYNCED, environment=disk.environment())
    load = LoadedServer(server, seed, LOSSES, [*ACTORS, ByOs, ByInterval], lose_power, stops=0.2)
    told = 0
    while losses < LOSSES:
        load.crash_and_check()
        if losses - told >= TOLD_EVERY:
            told = losses
            load.tell()
    load.finish()
    load.tell()


def test_a_disk_that_lies_is_noticed(headrace, disk, monkeypatch):
    """Were the program to leave out its calls of fdatasync, the checks above would find acknowledged records missing."""
    server = headrace(TOPICS, environment=disk.environment())
    server.kill()
    disk.lose_power(random.Random(), [Loss])
    server.environment = disk.environment(lies=True)
    server.start()
    numbers = Numbers(server.kafka, 0)
    numbers.start()
    wait_until(lambda: sum(numbers.answered()) > 1000, what="answers")
    numbers.stop()
    server.kill()
    disk.lose_power(random.Random(), [Loss])
    server.start()
    monkeypatch.setattr(mixed_load, "PATIENCE_S", 5)
    with pytest.raises(AssertionError, match="were answered for"):
        numbers.finish()
