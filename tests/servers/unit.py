"""Runs a module's unit test program with a real server in its environment."""

import os
import subprocess
from pathlib import Path

import harness


def program(module):
    """The test program of a module, built beside the program under test."""
    return Path(harness.BIN).parent / "src" / f"{module}_test"


def run(module, test_filter, **environment):
    """Runs a module's tests that a gtest filter selects; every one of them has to run and pass."""
    done = subprocess.run([program(module), f"--gtest_filter={test_filter}"], env={**os.environ, **environment},
                          text=True, capture_output=True, timeout=600)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    assert "SKIPPED" not in output and "PASSED  ] 0 tests" not in output, output[-6000:]
