"""Connections that are cut, reset, delayed, dribbled and left half-open between real clients and the broker: what it answered for
is there, once and in order, and everything is read. HEADRACE_SECONDS and HEADRACE_SEED choose how long and what; HEADRACE_DEEP=1
goes on for two hours, with transactions.
"""

import os
import random
import time

import paho.mqtt.client as paho
from bad_network import ENDS, BadNetwork
from harness import DEEP
from mixed_load import TOPICS, Actor, Copier, Members, Numbers, number_of, read_partition

SECONDS = int(os.environ.get("HEADRACE_SECONDS", "7200" if DEEP else "60"))
# Transactions are for longer runs: librdkafka's calls take many seconds until they give up.
ACTORS = [Numbers, Members, *([Copier] if DEEP else [])]
# In hours the numbers would fill a disk.
PAUSE_S = 0.02 if SECONDS <= 600 else 0.1
#: What has to have happened, at the least.
EACH_END, DELAYED_PIECES, SINGLE_BYTES = 3, 20, 1000
# A device's connection moves little, and has to come to its end as well.
DEVICE_BYTES_MAX = 5_000
DEVICES = """
  devices: {partitions: 1}
ingest: {mqtt: {routes: [{filter: devices, topic: devices}]}}
"""


class Publisher(Actor):
    """MQTT: numbers by QoS 1. What got a PUBACK is there, though maybe twice: a client sends again what was not answered."""

    IN_FLIGHT = 20

    def __init__(self, bootstrap, seed, mqtt):
        super().__init__(bootstrap, seed)
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="publisher", reconnect_on_failure=True)
        self.client.reconnect_delay_set(1, 1)
        self.published = set()  # Identifiers of messages that got a PUBACK and were not looked at.
        self.client.on_publish = lambda client, userdata, identifier, *_: self.published.add(identifier)
        host, port = mqtt.rsplit(":", 1)
        self.client.connect_async(host, int(port), keepalive=5)
        self.client.loop_start()
        self.sent = 0
        self.waiting, self.acknowledged = [], set()

    def step(self):
        for _ in range(self.IN_FLIGHT - len(self.waiting)):
            self.waiting.append((self.sent, self.client.publish("devices", b"%d " % self.sent, qos=1).mid))
            self.sent += 1
        self.look()
        time.sleep(2 * PAUSE_S)

    def look(self):
        answered = [each for each in self.waiting if each[1] in self.published]
        self.waiting = [each for each in self.waiting if each not in answered]
        self.acknowledged.update(number for number, _ in answered)
        self.published.difference_update(identifier for _, identifier in answered)

    def end(self):
        deadline = time.monotonic() + 60
        while self.waiting:
            assert time.monotonic() < deadline, f"no PUBACK for {len(self.waiting)} messages"
            self.look()
            time.sleep(0.02)
        self.client.disconnect()
        self.client.loop_stop()

    def now(self):
        return set(self.acknowledged)

    def check(self, acknowledged):
        found = {number_of(message) for message in read_partition(self.bootstrap, "devices", 0)}
        assert acknowledged <= found, f"{sorted(acknowledged - found)[:9]} got a PUBACK, and are not there"
        assert found <= set(range(self.sent))

    def told(self):
        return f"{len(self.acknowledged)} of {self.sent} by MQTT"


def run_under_faults(actors, networks):
    """For SECONDS, and on a slow machine longer, until everything has happened."""
    began = time.monotonic()
    while (ran := time.monotonic() - began) < SECONDS or (ran < 4 * SECONDS and not all(map(had_faults, networks))):
        time.sleep(1)
        for actor in actors:
            actor.raise_failure()


def had_faults(network):
    counts = network.counts
    return all(counts[end] >= EACH_END for end in ENDS) and counts["delayed pieces"] >= DELAYED_PIECES \
        and counts["single bytes"] >= SINGLE_BYTES


def test_a_bad_network_loses_and_doubles_nothing(headrace):
    seed = int(os.environ.get("HEADRACE_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    with BadNetwork(seed) as network, BadNetwork(f"{seed} mqtt", DEVICE_BYTES_MAX) as mqtt:
        listen = f"listen: {{kafka: '127.0.0.1:0', mqtt: '127.0.0.1:0', http: '127.0.0.1:0', advertised.kafka: '{network.address}'}}"
        server = headrace(f"{listen}\n{TOPICS}{DEVICES.lstrip(chr(10))}", free_ports=False)
        network.target, mqtt.target = server.kafka, server.ready["mqtt"]
        actors = [*(make(network.address, seed) for make in ACTORS), Publisher(network.address, seed, mqtt.address)]
        numbers, members = actors[:2]
        numbers.pause_s = PAUSE_S
        for actor in actors:
            actor.start()
        run_under_faults(actors, (network, mqtt))
        reached = dict(sent=numbers.sent, acknowledged=sum(numbers.count), read=len(members.read))
        network.calm()
        mqtt.calm()
        numbers.stop()
        members.await_all(numbers.sent)
        for actor in actors:
            actor.stop()
        for actor in actors:
            actor.finish()
        print(f"{reached} under faults; {'; '.join(actor.told() for actor in actors)}; {network.told()}; MQTT: {mqtt.told()}")
    for each in (network, mqtt):
        assert had_faults(each), each.told()
