"""The broker beside Apache Kafka, in one run on one machine: throughput, processor time, latency and memory.

Three servers take every case in turn: Headrace with an fsync before each ack (its default), Headrace with `flush: os`, and Kafka,
whose ack never waits for the disk. Clients: Kafka's own kafka-producer-perf-test (java), librdkafka through confluent-kafka, whose
Python loop is its bound (librdkafka), and `headrace bench`, which costs less than any server (native). acks=all everywhere.
What takes seconds (native) is run three times, each server being first once: the cells are medians. Kafka's clients run with the
JVM's default options.
"""

import re
import statistics
import time
from pathlib import Path

from confluent_kafka import Producer
from harness import BIN, Headrace
from servers.kafka import Kafka, tool

from bench import measure

#: Records that each client sends, by value and batch bytes: some seconds' worth.
RECORDS = {
    "java": {(100, 16384): 2_000_000, (100, 262144): 2_000_000, (1024, 16384): 300_000, (1024, 262144): 500_000},
    "librdkafka": {(100, 16384): 500_000, (100, 262144): 500_000, (1024, 16384): 200_000, (1024, 262144): 300_000},
    "native": {(100, 16384): 5_000_000, (100, 262144): 10_000_000, (1024, 16384): 1_000_000, (1024, 262144): 1_500_000},
}
#: (client, value bytes, partitions, batch bytes, records)
PRODUCE = [(client, size, partitions, batch, records) for client, cases in RECORDS.items()
           for (size, batch), records in cases.items() for partitions in (1, 8)]
LINGER_MS = {16384: 5, 262144: 10}
ROUNDS = {"java": 1, "librdkafka": 1, "native": 3}


def java(server, topic, size, batch, records):
    out = tool("kafka-producer-perf-test", "--bootstrap-server", server.bootstrap, "--topic", topic, "--num-records", records,
               "--record-size", size, "--throughput", -1, "--command-property", "acks=all", f"batch.size={batch}",
               f"linger.ms={LINGER_MS[batch]}", seconds=600, options=()).stdout.strip().splitlines()[-1]
    rate, p99 = re.search(r"sent, ([0-9.]+) records/sec.* ([0-9]+) ms 99th", out).groups()
    return float(rate), float(p99), records


def librdkafka(server, topic, size, batch, records):
    latencies = []
    producer = Producer({"bootstrap.servers": server.bootstrap, "acks": "all", "batch.size": batch, "linger.ms": LINGER_MS[batch],
                         "queue.buffering.max.messages": 1_000_000})
    value = b"x" * size
    begin = time.perf_counter()
    for i in range(records):
        report = None
        if i % 1000 == 0:
            producer.poll(0)

            def report(error, _, sent=time.perf_counter()):
                latencies.append(time.perf_counter() - sent)
        while True:
            try:
                producer.produce(topic, value, on_delivery=report) if report else producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.01)
    producer.flush()
    return records / (time.perf_counter() - begin), statistics.quantiles(latencies, n=100)[98] * 1000, records


def native(server, topic, size, batch, records):
    found = load(server, "produce", topic, "--size", size, "--batch-bytes", batch, "--records", records)
    return found["rate"], found["p99_us"] / 1000, int(found["records"])


CLIENTS = {"java": java, "librdkafka": librdkafka, "native": native}


def load(server, *arguments):
    """What `headrace bench` prints, as numbers."""
    out = measure.run([BIN, "bench", *arguments, "-b", server.bootstrap])
    return {name: float(value) for name, value in re.findall(r"(\w+)=([0-9.]+)", out)}


class Server:
    """One of the three: its address and process, and topics made in its way."""

    def __init__(self, name, bootstrap, pid, configs=()):
        self.name, self.bootstrap, self.pid, self.configs = name, bootstrap, pid, configs

    def create(self, topic, partitions):
        options = [part for config in self.configs for part in ("-c", config)]
        measure.run([BIN, "topic", "create", topic, "-p", partitions, "-b", self.bootstrap, *options])
        time.sleep(2)  # Until Kafka's partitions have leaders.

    def delete(self, topic):
        measure.run([BIN, "topic", "delete", topic, "-b", self.bootstrap])


def cells(servers, results, key, form):
    return " / ".join(f"{results[s.name][key]:{form}}" for s in servers)


def ratios(servers, results, key):
    kafka = results[servers[-1].name][key]
    return " / ".join(f"{results[s.name][key] / max(kafka, 1e-9):.2f}" for s in servers[:-1])


def produce_case(server, client, size, partitions, batch, records):
    topic = f"{client}-{size}-{partitions}-{batch}"
    server.create(topic, partitions)
    measure.reset_peak(server.pid)
    with measure.Cost(server.pid) as cost:
        rate, p99, sent = CLIENTS[client](server, topic, size, batch, records)
    result = {"rate": rate, "p99": p99, "cpu": cost.cpu / sent * 1e6, "memory": measure.memory_mib(server.pid)}
    server.delete(topic)
    return result


def produce(servers):
    rows = []
    for client, size, partitions, batch, records in PRODUCE:
        results = measure.medians(lambda s: produce_case(s, client, size, partitions, batch, records), servers, ROUNDS[client])
        rows.append([f"{client}, {size} B, {partitions} p, {batch // 1024} KiB", cells(servers, results, "rate", ",.0f"),
                     ratios(servers, results, "rate"), cells(servers, results, "cpu", ".2f"), ratios(servers, results, "cpu"),
                     cells(servers, results, "p99", ".1f"), cells(servers, results, "memory", ".0f")])
        print("  " + " | ".join(rows[-1]), flush=True)
    return measure.table(["client, value, partitions, batch", "records/s", "to Kafka's", "broker CPU s per M", "to Kafka's",
                          "p99 ms", "peak MiB"], rows)


def consume_case(server, consumers, groups):
    with measure.Cost(server.pid) as cost:
        found = load(server, "consume", "consumed", "--consumers", consumers, "--groups", groups)
    return {"rate": found["rate"], "cpu": cost.cpu / found["records"] * 1e6, "memory": measure.memory_mib(server.pid)}


def consume(servers):
    for server in servers:
        server.create("consumed", 8)
        load(server, "produce", "consumed", "--records", 5_000_000)
    rows = []
    for consumers, groups in ((1, 1), (4, 1), (1, 50)):
        for server in servers:
            measure.reset_peak(server.pid)
        results = measure.medians(lambda s: consume_case(s, consumers, groups), servers, ROUNDS["native"])
        rows.append([f"{groups} x {consumers}", cells(servers, results, "rate", ",.0f"), ratios(servers, results, "rate"),
                     cells(servers, results, "cpu", ".3f"), ratios(servers, results, "cpu"), cells(servers, results, "memory", ".0f")])
        print("  " + " | ".join(rows[-1]), flush=True)
    return measure.table(["groups x consumers", "records/s", "to Kafka's", "broker CPU s per M", "to Kafka's", "peak MiB"], rows)


def steady(server):
    topic = "steady"
    server.create(topic, 1)
    load(server, "latency", topic, "--seconds", 3)
    found = load(server, "latency", topic, "--seconds", 10)
    server.delete(topic)
    return {"mean": found["mean_us"] / 1000, "p99": found["p99_us"] / 1000}


def one_by_one(server):
    """Kafka's EndToEndLatency: one record at a time, produced and consumed."""
    topic = "one-by-one"
    server.create(topic, 1)
    out = tool("kafka-e2e-latency", "--bootstrap-server", server.bootstrap, "--topic", topic, "--num-records", 10000, "--producer-acks",
               "all", "--record-size", 100, seconds=300, options=()).stdout
    return {"mean": float(re.search(r"Avg latency: ([0-9.]+)", out)[1]), "p99": float(re.search(r"99th = ([0-9.]+)", out)[1])}


def latency(servers):
    rows = []
    cases = (("20,000 records/s, native", steady, ROUNDS["native"]), ("one at a time, EndToEndLatency", one_by_one, ROUNDS["java"]))
    for name, case, rounds in cases:
        results = measure.medians(case, servers, rounds)
        rows.append([name, cells(servers, results, "mean", ".2f"), ratios(servers, results, "mean"), cells(servers, results, "p99", ".2f"),
                     ratios(servers, results, "p99")])
        print("  " + " | ".join(rows[-1]), flush=True)
    return measure.table(["load", "mean ms", "to Kafka's", "p99 ms", "to Kafka's"], rows)


def main(folder):
    with measure.steady_kernel():
        compare(Path(folder))


def compare(folder):
    ours = Headrace(folder / "headrace", "").start()
    ours_os = Headrace(folder / "headrace-os", "").start()
    kafka = Kafka(folder / "kafka", heap="1g").start()
    servers = [Server("commit", ours.kafka, ours.process.pid), Server("os", ours_os.kafka, ours_os.process.pid, ("flush=os",)),
               Server("kafka", kafka.bootstrap, kafka.processes[1].pid)]
    try:
        for server in servers:  # The JVM compiles what it will need.
            server.create("warm-up", 8)
            load(server, "produce", "warm-up", "--records", 5_000_000)
            load(server, "consume", "warm-up")
            server.delete("warm-up")
        parts = [("Latency, 100-byte records", latency(servers)), ("Produce", produce(servers)),
                 ("Consume a cached topic, 100-byte records, native", consume(servers))]
    finally:
        ours.stop()
        ours_os.stop()
        kafka.stop()
    fsync_us, fsync_cpu_us = measure.fsync_cost(folder)
    print(f"\nCells: Headrace, fsync before each ack / Headrace, flush: os / Apache Kafka 4.3.1. An fdatasync takes "
          f"{fsync_us:.0f} us here, {fsync_cpu_us:.0f} us of processor time.\n")
    for title, table in parts:
        print(f"{title}:\n\n{table}\n")
