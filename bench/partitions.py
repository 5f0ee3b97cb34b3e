"""What a partition costs: creation, memory, descriptors, start and stop, empty and with a record in each."""

import os
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from harness import Headrace

from bench import measure

PARTITIONS = int(os.environ.get("HEADRACE_PARTITIONS", "50000"))
TOPIC_PARTITIONS = 5000


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def create(server, topics):
    admin = AdminClient({"bootstrap.servers": server.kafka})
    new = [NewTopic(name, num_partitions=TOPIC_PARTITIONS, replication_factor=1) for name in topics]
    for future in admin.create_topics(new, request_timeout=300, operation_timeout=300).values():
        future.result()


def write_one_each(server, topics):
    failed = []
    producer = Producer({"bootstrap.servers": server.kafka, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000,
                         "message.timeout.ms": 300_000})
    for topic in topics:
        for partition in range(TOPIC_PARTITIONS):
            producer.produce(topic, b"x" * 100, partition=partition,
                             on_delivery=lambda error, _: failed.append(error) if error else None)
            producer.poll(0)
    left = producer.flush(500)
    if failed or left:
        raise SystemExit(f"{left} records are left, {len(failed)} failed: {failed[:1]}")


def main(folder):
    topics = [f"topic-{i}" for i in range(PARTITIONS // TOPIC_PARTITIONS)]
    server = Headrace(Path(folder) / "server", "")
    rows = []

    def step(name, action):
        begin = time.perf_counter()
        action()
        seconds = time.perf_counter() - begin
        pid = server.process.pid
        running = server.process.poll() is None
        memory = f"{measure.memory_mib(pid, 'VmRSS'):.0f}" if running else "–"
        rows.append([name, f"{seconds:.2f}", memory, descriptors(pid) if running else "–"])
        print(rows[-1], flush=True)

    step("start, no partitions", lambda: server.start(300))
    step(f"create {len(topics)} topics", lambda: create(server, topics))
    step("stop", lambda: server.stop(300))
    step("start, all empty", lambda: server.start(300))
    step("write a record to each", lambda: write_one_each(server, topics))
    step("kill -9", server.kill)
    step("start after it", lambda: server.start(300))
    step("stop", lambda: server.stop(300))
    step("start after it", lambda: server.start(300))
    step("stop at once", lambda: server.stop(300))
    print(f"{PARTITIONS} partitions\n")
    print(measure.table(["step", "seconds", "resident MiB", "descriptors"], rows))
