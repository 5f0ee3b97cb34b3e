"""A disk of its own that is soon full."""

import contextlib
import subprocess

import pytest

DISK_MIB = 64


@contextlib.contextmanager
def mounted(path):
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", path], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"this user may not mount a tmpfs: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)
