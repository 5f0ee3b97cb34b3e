"""Runs a module's unit test program with a real server in its environment."""

import os
import subprocess
from pathlib import Path

import harness


def run(module, test_filter, **environment):
    """Runs build/.../src/MODULE_test with a gtest filter; every selected test has to run and pass."""
    program = Path(harness.BIN).parent / "src" / f"{module}_test"
    done = subprocess.run([program, f"--gtest_filter={test_filter}"], env={**os.environ, **environment},
                          text=True, capture_output=True, timeout=600)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    assert "SKIPPED" not in output and "PASSED  ] 0 tests" not in output, output[-6000:]
