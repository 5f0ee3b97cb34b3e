"""Something else fills a small disk to the last byte amid everything at once, and gives the room back, again and again.

Produce with and without idempotence, transactions, groups, topics that come and go, compaction and retention go on, and the broker is
never restarted. HEADRACE_ROUNDS and HEADRACE_SEED choose how often and when; HEADRACE_DEEP=1 fills it 50 times.
"""

import errno
import os
import random
import time

from confluent_kafka import Producer
from harness import wait_until
from mixed_load import ACTORS, PATIENCE_S, QUICK, TOPICS, Actor, Copier, Latest, Members, Numbers, Offsets, Recent, Topics, \
    number_of, read_partition

ROUNDS = int(os.environ.get("HEADRACE_ROUNDS", "50" if os.environ.get("HEADRACE_DEEP") else "3"))
CONFIG = TOPICS.replace("broker: {", "broker: {disk_reserve: 4MiB, ") + "  plain: {partitions: 1, segment.bytes: 256KiB}\n"
FULL_S_MAX = 2


class Plain(Actor):
    """Produce without idempotence, by a client that gives a record up after a while: what was acknowledged is in its place."""

    def __init__(self, bootstrap, seed):
        super().__init__(bootstrap, seed)
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "message.timeout.ms": 1000, "retry.backoff.ms": 10,
                                  **QUICK})
        self.sent = self.refused = 0
        self.acknowledged = {}

    def step(self):
        self.producer.produce("plain", b"%d %s" % (self.sent, b"p" * 200), partition=0, on_delivery=self.delivered)
        self.sent += 1
        self.producer.poll(0.002)

    def delivered(self, error, message):
        if error:
            self.refused += 1
        else:
            self.acknowledged[message.offset()] = number_of(message)

    def end(self):
        assert self.producer.flush(PATIENCE_S) == 0

    def now(self):
        return dict(self.acknowledged)

    def check(self, acknowledged):
        found = {message.offset(): number_of(message) for message in read_partition(self.bootstrap, "plain", 0)}
        assert acknowledged.items() <= found.items(), "what was acknowledged is in its place"

    def told(self):
        return f"{len(self.acknowledged)} plain ones, {self.refused} refused"


# What grows with each thing that an actor gets done.
DONE = {
    Numbers: lambda actor: sum(actor.count),
    Copier: lambda actor: actor.commits,
    Latest: lambda actor: max(map(abs, dict(actor.acknowledged).values()), default=0),
    Recent: lambda actor: actor.acknowledged,
    Topics: lambda actor: actor.deleted,
    Offsets: lambda actor: sum(actor.committed),
    Members: lambda actor: len(actor.read),
    Plain: lambda actor: len(actor.acknowledged),
}


def done(actor):
    actor.raise_failure()
    return DONE[type(actor)](actor)


def fill(path):
    """Takes all the room that there is, in ever smaller pieces."""
    with open(path, "ab", buffering=0) as out:
        for size in (1 << 20, 4096):
            try:
                while out.write(b"\0" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def fill_for(seconds, path):
    """What the server gives back meanwhile is taken too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fill(path)
        time.sleep(0.02)


def await_progress(actors, before):
    for actor, had in zip(actors, before):
        wait_until(lambda actor=actor, had=had: done(actor) > had, PATIENCE_S, f"{type(actor).__name__} to go on")


def fill_and_give_back(server, actors, filler, seconds):
    answered = [actor.answered() for actor in actors]
    fill_for(seconds, filler)
    wait_until(lambda: server.metric("headrace_disk_refusing") == 1, what="the disk to be noticed as full")
    # What was answered can be read from a full disk.
    numbers, = (each for each in zip(actors, answered) if isinstance(each[0], Numbers))
    numbers[0].check(numbers[1])
    before = [done(actor) for actor in actors]
    filler.unlink()
    await_progress(actors, before)
    for actor, what in zip(actors, answered):
        actor.check(what)


def finish(server, actors):
    numbers, = (actor for actor in actors if isinstance(actor, Numbers))
    for actor in actors:
        if isinstance(actor, Members):
            actor.await_all(numbers.sent)
        actor.stop()
    for actor in actors:
        actor.finish()
    assert server.process.poll() is None, "the broker was never restarted"
    assert "out of service" not in server.errors()


def test_everything_goes_on_when_a_full_disk_has_room_again(small_server, small_disk):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    server, chance = small_server(CONFIG), random.Random(seed)
    actors = [make(server.kafka, seed) for make in [*ACTORS, Plain]]
    for actor in actors:
        actor.start()
    await_progress(actors, [0] * len(actors))
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0, 0.5))
        fill_and_give_back(server, actors, small_disk / "filler", chance.uniform(0.2, FULL_S_MAX))
    finish(server, actors)
    print("; ".join(actor.told() for actor in actors))
    assert server.metric("headrace_disk_refused_total") > 0
