"""Start to ready after kill -9 amid writing, with a large log."""

import os
import subprocess
import time
from pathlib import Path

from harness import BIN, Headrace

from bench import measure

GIGABYTES = float(os.environ.get("HEADRACE_GIGABYTES", "10"))
RECORD_BYTES = 1000
ROUNDS = 5


def fill(server, records):
    return [BIN, "bench", "fill", "log", "-b", server.kafka, "--records", records, "--size", RECORD_BYTES]


def log_bytes(folder):
    return sum(path.stat().st_size for path in Path(folder).glob("data/log-*/*.log"))


def rounds(folder, partitions):
    server = Headrace(folder, f"topics: {{log: {{partitions: {partitions}, flush: os}}}}\n")
    server.start()
    measure.run(fill(server, int(GIGABYTES * 1e9 / RECORD_BYTES)))
    times = []
    for _ in range(ROUNDS):
        writer = subprocess.Popen([str(a) for a in fill(server, 100_000_000)], stderr=subprocess.DEVNULL)
        time.sleep(2)
        server.kill()
        writer.kill()
        writer.wait()
        begin = time.perf_counter()
        server.start(300)
        times.append(time.perf_counter() - begin)
    times.sort()
    memory = measure.memory_mib(server.process.pid)
    size = log_bytes(folder) / 1e9
    server.stop(300)
    return [partitions, f"{size:.1f}", f"{times[0] * 1000:.0f}", f"{times[ROUNDS // 2] * 1000:.0f}",
            f"{times[-1] * 1000:.0f}", f"{memory:.0f}"]


def main(folder):
    rows = []
    for partitions in (1, 8):
        where = Path(folder) / f"partitions-{partitions}"
        rows.append(rounds(where, partitions))
        subprocess.run(["rm", "-r", str(where)], check=True)
    print(f"Start to ready after kill -9 amid writing, {ROUNDS} times\n")
    print(measure.table(["partitions", "GB of log", "ready ms, fastest", "median", "slowest", "peak MiB"], rows))
