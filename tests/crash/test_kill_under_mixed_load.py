"""kill -9 at random points of everything at once: produce, transactions, compaction, retention, topics that come and go, groups.

Now and then the process is halted for seconds instead (SIGSTOP), longer than sessions last. HEADRACE_KILLS and HEADRACE_SEED choose
how often and when; HEADRACE_DEEP=1 kills 500 times.
"""

import os
import random
import signal
import subprocess
import time

from mixed_load import ACTORS, TOPICS, Members, Numbers

KILLS = int(os.environ.get("HEADRACE_KILLS", "500" if os.environ.get("HEADRACE_DEEP") else "30"))
TOLD_EVERY = 25
HALT_EVERY = 20
HALT_S_MAX = 9


def kill_while_starting(server, chance):
    """Recovery itself is cut short."""
    process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL, stderr=server.log)
    time.sleep(chance.uniform(0.0, 0.15))
    process.kill()
    process.wait()


def kill_and_check(server, actors, chance):
    """Returns the number of kills."""
    server.kill()
    answered = [actor.answered() for actor in actors]
    kills = 1
    while chance.random() < 0.1:
        kill_while_starting(server, chance)
        kills += 1
    server.start()
    for actor, what in zip(actors, answered):
        actor.check(what)
    return kills


def halt_and_check(server, actors, chance):
    """What clients were answered before is there when the process goes on."""
    server.process.send_signal(signal.SIGSTOP)
    answered = [actor.answered() for actor in actors]
    time.sleep(chance.uniform(1, HALT_S_MAX))
    server.process.send_signal(signal.SIGCONT)
    for actor, what in zip(actors, answered):
        actor.check(what)


def tell(kills, began, server, actors):
    compactions = server.errors().count(" compacted ")
    print(f"{kills} kills in {time.monotonic() - began:.0f} s: " + "; ".join(actor.told() for actor in actors) +
          f"; {compactions} compactions", flush=True)


def test_what_was_answered_is_there_after_each_kill(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    server = headrace(TOPICS)
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    actors = [make(server.kafka, seed) for make in ACTORS]
    for actor in actors:
        actor.start()
    began = time.monotonic()
    kills = told = halted = 0
    while kills < KILLS:
        time.sleep(chance.uniform(0.0, 0.3))
        if kills >= (halted + 0.5) * HALT_EVERY:
            halt_and_check(server, actors, chance)
            halted += 1
        kills += kill_and_check(server, actors, chance)
        if kills - told >= TOLD_EVERY:
            told = kills
            tell(kills, began, server, actors)
    numbers, = (actor for actor in actors if isinstance(actor, Numbers))
    for actor in actors:
        if isinstance(actor, Members):
            actor.await_all(numbers.sent)
        actor.stop()
    server.kill()
    server.start()
    for actor in actors:
        actor.finish()
    tell(kills, began, server, actors)
