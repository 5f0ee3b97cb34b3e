"""MQTT QoS 1, 50 clients with 20 in flight, 200 bytes: acknowledged and committed here, acknowledged in memory by Mosquitto."""

import re
import shutil
import subprocess
import time
from pathlib import Path

from harness import BIN, Headrace
from servers.maven import end, free_ports

from bench import measure

CONFIG = """
topics: {bench: {partitions: 4, flush: %s}}
ingest:
  mqtt:
    routes: [{filter: "bench/+/data", topic: bench, key: "{1}"}]
"""
SECONDS = 8


def load(port, pid):
    with measure.Cost(pid) as cost:
        out = measure.run([BIN, "bench", "mqtt", "--mqtt", f"127.0.0.1:{port}", "--seconds", SECONDS])
    found = dict(re.findall(r"(\w+)=([0-9.]+)", out))
    acknowledged = int(found["acknowledged"])
    return [f"{acknowledged / float(found['seconds']):,.0f}", f"{int(found['p50_us']) / 1000:.1f}",
            f"{int(found['p99_us']) / 1000:.1f}", f"{cost.cpu / acknowledged * 1e6:.2f}", f"{measure.memory_mib(pid):.0f}"]


def mosquitto(folder):
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = free_ports(1)[0]
    file = Path(folder) / "mosquitto.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    try:
        return load(port, process.pid)
    finally:
        end(process)


def main(folder):
    rows = []
    for flush in ("commit", "os"):
        with Headrace(Path(folder) / flush, CONFIG % flush) as server:
            rows.append([f"Headrace, flush: {flush}", *load(server.mqtt[1], server.process.pid)])
    rows.append(["Mosquitto, in memory", *mosquitto(folder)])
    fsync_us, _ = measure.fsync_cost(folder)
    print(f"MQTT QoS 1, 50 clients, 20 in flight, 200 bytes, {SECONDS} s; client and server share the cores; fdatasync here "
          f"{fsync_us:.0f} us\n")
    print(measure.table(["server", "messages/s", "p50 ms", "p99 ms", "server CPU s per M", "peak MiB"], rows))
