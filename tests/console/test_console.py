"""The console in headless Chromium: console_test.mjs, with what it needs from npm installed beside it."""

import os
import subprocess
from pathlib import Path

from harness import BIN

HERE = Path(__file__).resolve().parent


def test_console_in_chromium(tmp_path):
    installed = HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--silent"], cwd=HERE, check=True)
    done = subprocess.run(["npm", "test", "--silent"], cwd=HERE, text=True, capture_output=True, timeout=300,
                          env=os.environ | {"HEADRACE_BIN": str(BIN), "HEADRACE_SHOTS": str(tmp_path)})
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
