"""A consumer that has read more than a power loss left (flush: os) finds out, by the leader epochs of KIP-320, though other
records stand at those offsets by now."""

import shutil
import subprocess
import threading

import confluent_kafka
import pytest
from servers.kafka import command

from harness import wait_until

CONFIG = """
topics: {t: {partitions: 1, flush: os}}
"""


def produce(server, first, count):
    producer = confluent_kafka.Producer({"bootstrap.servers": server.kafka, "message.timeout.ms": 20000})
    for i in range(first, first + count):
        producer.produce("t", b"%d" % i)
    assert producer.flush(30) == 0


class Librdkafka(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": server.kafka, "group.id": "g", "auto.offset.reset": "earliest",
                                                  "reconnect.backoff.max.ms": 500, "topic.metadata.refresh.interval.ms": 1000})
        self.consumer.subscribe(["t"])
        self.read, self.stopping = [], threading.Event()
        self.start()

    def run(self):
        while not self.stopping.is_set():
            message = self.consumer.poll(0.1)
            if message is not None and not message.error():
                self.read.append(int(message.value()))
        self.consumer.close()

    def stop(self):
        self.stopping.set()
        self.join(60)


class Java(threading.Thread):
    def __init__(self, server):
        super().__init__(daemon=True)
        line = command("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", server.kafka, "--topic", "t", "--group", "g",
                       "--from-beginning", options=("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"), level="ERROR")
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.read = []
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.read.append(int(line))

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("client", [Librdkafka, Java])
def test_a_live_consumer_reads_what_came_in_place_of_what_was_lost(headrace, tmp_path, client):
    server = headrace(CONFIG)
    server.settings.append(f"listen.kafka={server.kafka}")
    produce(server, 0, 50)
    server.stop()
    folder = server.folder / "data" / "t-0"
    shutil.copytree(folder, tmp_path / "kept")
    server.start()
    produce(server, 50, 50)
    consumer = client(server)
    try:
        wait_until(lambda: len(consumer.read) == 100, 60, what="the first records")
        # The power goes, and with it all that came after the copy; the consumer lives on at offset 100.
        server.kill()
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kept", folder)
        server.start()
        produce(server, 100, 100)
        wait_until(lambda: set(range(100, 200)) <= set(consumer.read), 60, what="all that was written since")
    finally:
        consumer.stop()
