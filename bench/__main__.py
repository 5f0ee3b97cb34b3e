"""Runs benchmarks and prints their tables: `./dev bench [start|broker|mqtt|sql|connections|partitions|recovery]...`."""

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

NAMES = ("start", "mqtt", "sql", "broker")
LARGE = ("connections", "partitions", "recovery")  # By name only: they take minutes or, the last one, 10 GB of disk.


def main():
    names = sys.argv[1:] or NAMES
    for name in names:
        if name not in NAMES + LARGE:
            raise SystemExit(f"no benchmark {name}; there are {', '.join(NAMES + LARGE)}")
    for name in names:
        folder = tempfile.mkdtemp(prefix="headrace-bench-", dir=ROOT / "build")
        try:
            importlib.import_module(f"bench.{name}").main(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(flush=True)


if __name__ == "__main__":
    main()
