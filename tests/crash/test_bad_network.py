"""Connections that are cut, reset, delayed, dribbled and left half-open between real clients and the broker: what it answered for
is there, once, and everything is read. HEADRACE_SECONDS and HEADRACE_SEED choose how long and what."""

import os
import random
import time

from bad_network import ENDS, BadNetwork
from harness import DEEP
from mixed_load import TOPICS, Copier, Members, Numbers

SECONDS = int(os.environ.get("HEADRACE_SECONDS", "300" if DEEP else "12"))
# Transactions are for longer runs: librdkafka's calls take many seconds until they give up.
ACTORS = [Numbers, Members, *([Copier] if DEEP else [])]


def test_a_bad_network_loses_and_doubles_nothing(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    with BadNetwork(seed) as network:
        listen = f"listen: {{kafka: '127.0.0.1:0', mqtt: '127.0.0.1:0', http: '127.0.0.1:0', advertised.kafka: '{network.address}'}}"
        server = headrace(f"{listen}\n{TOPICS}", free_ports=False)
        network.target = server.kafka
        actors = [make(network.address, seed) for make in ACTORS]
        numbers, members = actors[:2]
        for actor in actors:
            actor.start()
        began = time.monotonic()
        while time.monotonic() - began < SECONDS:
            time.sleep(1)
            for actor in actors:
                actor.raise_failure()
        reached = dict(sent=numbers.sent, acknowledged=sum(numbers.count), read=len(members.read))
        network.calm()
        members.await_all(numbers.sent)
        for actor in actors:
            actor.stop()
        for actor in actors:
            actor.finish()
        print(f"{reached} under faults; {'; '.join(actor.told() for actor in actors)}; {network.told()}")
    assert sum(network.counts[end] for end in ENDS) > 5
