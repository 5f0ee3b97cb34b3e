"""Produce throughput, latency, processor time and memory: Headrace and Apache Kafka side by side, in one run.

The Java client is Kafka's own kafka-producer-perf-test, the native one librdkafka (confluent-kafka's). acks=all; Headrace syncs
every batch to the disk before its ack, Kafka does not. Each row of the table is one case: both servers in turn.
"""

import re
import time
from pathlib import Path

from confluent_kafka import Producer
from harness import Headrace
from servers.kafka import Kafka, tool

from bench import measure

RECORDS_JAVA = 2_000_000
RECORDS_NATIVE = 2_000_000
BATCHES = ((16384, 5), (262144, 10))


def java_perf(bootstrap, topic, batch, linger):
    out = tool("kafka-producer-perf-test", "--bootstrap-server", bootstrap, "--topic", topic, "--num-records", RECORDS_JAVA,
               "--record-size", 100, "--throughput", -1, "--command-property", "acks=all", f"batch.size={batch}",
               f"linger.ms={linger}", seconds=600).stdout.strip().splitlines()[-1]
    rate, p99 = re.search(r"sent, ([0-9.]+) records/sec.* ([0-9]+) ms 99th", out).groups()
    return float(rate), float(p99)


def native_perf(bootstrap, topic, batch, linger):
    """librdkafka through confluent-kafka: the Python loop is its own bound, the same for both servers."""
    latencies = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "batch.size": batch, "linger.ms": linger,
                         "queue.buffering.max.messages": 1_000_000, "dr_cb": True, "delivery.report.only.error": False})
    value = b"x" * 100
    begin = time.perf_counter()
    for i in range(RECORDS_NATIVE // 4):
        report = None
        if i % 1000 == 0:
            sent = time.perf_counter()

            def report(error, _, sent=sent):
                latencies.append(time.perf_counter() - sent)
        while True:
            try:
                producer.produce(topic, value, on_delivery=report) if report else producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.01)
        if i % 1000 == 0:
            producer.poll(0)
    producer.flush()
    seconds = time.perf_counter() - begin
    latencies.sort()
    return RECORDS_NATIVE / 4 / seconds, latencies[len(latencies) * 99 // 100] * 1000


CLIENTS = {"java": (java_perf, RECORDS_JAVA), "librdkafka": (native_perf, RECORDS_NATIVE // 4)}


def one(name, pid, bootstrap, create, client, partitions, batch, linger):
    topic = f"{client}-{partitions}-{batch}"
    create(topic, partitions)
    perf, records = CLIENTS[client]
    with measure.Cost(pid) as cost:
        rate, p99 = perf(bootstrap, topic, batch, linger)
    return {"server": name, "rate": rate, "p99": p99, "cpu": cost.cpu / records * 1e6, "memory": measure.memory_mib(pid)}


def rows_of(case, ours, theirs):
    ratio = lambda key: f"{ours[key] / max(theirs[key], 1e-9):.2f}"  # noqa: E731
    cell = lambda key, form: f"{ours[key]:{form}} / {theirs[key]:{form}}"  # noqa: E731
    return [case, cell("rate", ",.0f"), ratio("rate"), cell("p99", ".0f"), cell("cpu", ".2f"), ratio("cpu"), cell("memory", ".0f"),
            ratio("memory")]


def main(folder):
    folder = Path(folder)
    server = Headrace(folder / "headrace", "").start()
    kafka = Kafka(folder / "kafka", heap="1g").start()
    rows = []
    try:
        def create_ours(topic, partitions):
            measure.run([server.command()[0], "topic", "create", topic, "-p", partitions, "-b", server.kafka])

        def create_theirs(topic, partitions):
            kafka.tool("kafka-topics", "--create", "--topic", topic, "--partitions", partitions)

        for client in CLIENTS:
            for partitions in (1, 8):
                for batch, linger in BATCHES:
                    ours = one("headrace", server.process.pid, server.kafka, create_ours, client, partitions, batch, linger)
                    theirs = one("kafka", kafka.processes[1].pid, kafka.bootstrap, create_theirs, client, partitions, batch, linger)
                    rows.append(rows_of(f"{client}, {partitions} p, batch {batch}", ours, theirs))
                    print("  " + " | ".join(rows[-1]), flush=True)
    finally:
        server.stop()
        kafka.stop()
    print(f"\nProduce, 100-byte records, acks=all: Headrace (fsync before each ack, fdatasync here "
          f"{measure.fsync_us(folder):.0f} us) / Apache Kafka 4.3.1 (no fsync)\n")
    print(measure.table(["client, partitions, batch", "records/s", "ratio", "p99 ms", "broker CPU s per M", "ratio", "peak MiB",
                         "ratio"], rows))
