"""SQL over 200-byte JSON, topic to topic: events per second of processor time, for a filter and for a window."""

import time
import urllib.request
from pathlib import Path

from harness import BIN, Headrace, wait_until

from bench import measure

RECORDS = 3_000_000
FILE = """
topics: {readings: {partitions: 1, flush: os}, out: {partitions: 1, flush: os}}
streams:
  readings:
    event_time: ts
    columns: {device: text, ts: timestamp, temperature: double, humidity: double, speed: double, ok: bool, site: text}
"""
PIPELINES = {
    "filter and map": "SELECT device, ts, temperature * 9 / 5 + 32 AS fahrenheit, speed FROM readings WHERE speed > 60",
    "tumbling window, 1,000 keys": "SELECT device, window_start, avg(temperature) AS t, max(speed) AS s, count(*) AS n "
                                   "FROM readings GROUP BY device, tumble(ts, interval '10 seconds')",
}


def committed(server, group_metric):
    text = urllib.request.urlopen(server.http + "/metrics", timeout=10).read().decode()
    for line in text.splitlines():
        if line.startswith(group_metric):
            return int(float(line.rsplit(" ", 1)[1]))
    return 0


def one(folder, name, sql):
    server = Headrace(folder, FILE).start()
    measure.run([BIN, "bench", "fill", "readings", "-b", server.kafka, "--records", RECORDS])
    server.stop()
    server.file.write_text(server.file.read_text() + f"pipelines:\n  p:\n    sql: \"{sql}\"\n    to: out\n")
    server.start()
    begin = time.perf_counter()
    with measure.Cost(server.process.pid) as cost:
        wait_until(lambda: committed(server, "headrace_pipeline_records_in_total") >= RECORDS, 300, "the pipeline")
    seconds = time.perf_counter() - begin
    memory = measure.memory_mib(server.process.pid)
    server.stop()
    return [name, f"{RECORDS / seconds:,.0f}", f"{RECORDS / cost.cpu:,.0f}", f"{memory:.0f}"]


def main(folder):
    rows = [one(Path(folder) / str(i), name, sql) for i, (name, sql) in enumerate(PIPELINES.items())]
    print(f"SQL, topic to topic, {RECORDS:,} JSON readings of 200 bytes, one partition, exactly once\n")
    print(measure.table(["pipeline", "events/s", "events per CPU second (whole process)", "peak MiB"], rows))
