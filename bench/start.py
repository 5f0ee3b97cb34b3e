"""Start to ready with an empty data folder, and idle memory with the cabs example."""

import time
from pathlib import Path

from harness import ROOT, Headrace

from bench import measure

ROUNDS = 10


def main(folder):
    cabs = (ROOT / "examples/cabs/cabs.yaml").read_text()
    listen = cabs[cabs.index("listen:"):cabs.index("topics:")]
    rows = []
    for name, config in (("empty file", ""), ("cabs example", cabs.replace(listen, ""))):
        times, memory = [], 0
        for i in range(ROUNDS):
            server = Headrace(Path(folder) / f"{name.split()[0]}-{i}", config)
            begin = time.perf_counter()
            server.start()
            times.append((time.perf_counter() - begin) * 1000)
            if i == 0:
                time.sleep(5)
                memory = measure.memory_mib(server.process.pid, "VmRSS")
            server.stop()
        times.sort()
        rows.append([name, f"{times[0]:.0f}", f"{times[ROUNDS // 2]:.0f}", f"{memory:.1f}"])
    print("Start to ready and idle memory (resident, 5 s after the start)\n")
    print(measure.table(["file", "ready ms, fastest", "median", "idle MiB"], rows))
