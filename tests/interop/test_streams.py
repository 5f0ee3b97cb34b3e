"""A Kafka Streams application with exactly_once_v2, unchanged libraries: killed in the middle, and the broker killed too."""

import subprocess
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from servers import connect, maven
from servers.jvm import JavaProcess

from harness import deep, wait_until

SOURCE = Path(__file__).parent / "streams" / "Totals.java"
RECORDS = 20_000
REMAINDERS = 7


def application(folder, bootstrap):
    classes = folder / "classes"
    class_path = connect.install()
    if not classes.exists():
        subprocess.run([maven.java("javac"), "-cp", class_path, "-d", str(classes), str(SOURCE)], check=True)
    return JavaProcess(folder, f"{classes}:{class_path}", "Totals", bootstrap, folder / "state", level="WARN")


class Writer(threading.Thread):
    """Produces the numbers, slowly enough to be killed in between."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "message.timeout.ms": 0,
                                  "reconnect.backoff.max.ms": 100, "log_level": 0})
        self.sent = 0

    def run(self):
        for i in range(RECORDS):
            self.producer.produce("input", b"%d" % i, partition=i % 3)
            self.sent = i + 1
            if i % 200 == 199:
                self.producer.poll(0)
                time.sleep(0.1)
        assert self.producer.flush(60) == 0


class Results:
    """The newest "count sum" of each remainder in a topic, as committed transactions show it."""

    def __init__(self, bootstrap, topic, partitions=3):
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "check", "isolation.level": "read_committed",
                                  "enable.auto.commit": False, "reconnect.backoff.max.ms": 100, "log_level": 0})
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        self.newest = {}

    def read(self):
        for message in self.consumer.consume(5000, 0.3):
            if message.error():
                continue
            count, total = map(int, message.value().split())
            before, _ = self.newest.get(message.key(), (0, 0))
            assert count > before, f"the count of {message.key()} goes from {before} to {count}"
            self.newest[message.key()] = (count, total)
        return self.newest

    def counted(self):
        return sum(count for count, _ in self.read().values())


def expected():
    out = {}
    for i in range(RECORDS):
        count, total = out.get(b"%d" % (i % REMAINDERS), (0, 0))
        out[b"%d" % (i % REMAINDERS)] = (count + 1, total + i)
    return out


@deep
def test_totals_are_exact_over_crashes_of_the_application_and_of_the_broker(headrace, tmp_path):
    server = headrace("topics: {input: {partitions: 3}, output: {partitions: 3}}\n")
    server.settings = [f"listen.{name}={address}" for name, address in server.ready.items()]
    results = Results(server.kafka, "output")
    with application(tmp_path / "totals", server.kafka) as totals:
        writer = Writer(server.kafka)
        writer.start()
        wait_until(lambda: results.counted() > RECORDS * 0.1, 90, "the first results: " + totals.text()[-3000:])
        totals.kill()
        totals.start()
        wait_until(lambda: results.counted() > RECORDS * 0.4, 90, "results after the application was killed")
        server.kill()
        server.start()
        wait_until(lambda: results.counted() > RECORDS * 0.6, 90, "results after the broker was killed")
        assert totals.running(), "the application outlives the broker: " + totals.text()[-5000:]
        server.kill()
        totals.kill()
        server.start()
        totals.start()
        writer.join(90)
        wait_until(lambda: results.counted() >= RECORDS, 120, "every number to be counted")
        assert totals.running(), totals.text()[-5000:]
    assert results.read() == expected()
    changelog = Results(server.kafka, "totals-totals-changelog")
    wait_until(lambda: changelog.counted() >= RECORDS, 30, "the changelog")
    assert changelog.newest == expected()
