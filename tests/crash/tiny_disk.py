"""A disk of its own that is soon full."""

import contextlib
import subprocess
from pathlib import Path

import pytest

DISK_MIB = 64


@contextlib.contextmanager
def mounted(path):
    """The folder that has the disk: `path` itself, or as a process sees it who may mount there what this user may not."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", path]
    if subprocess.run(mount, capture_output=True).returncode == 0:
        yield path
        subprocess.run(["umount", "-l", path], check=True)
        return
    script = '"$@" && echo mounted && exec cat'
    with subprocess.Popen(["unshare", "-Urm", "sh", "-c", script, "sh", *mount], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as holder:
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"this user may not mount a tmpfs: {holder.stderr.read().strip()}")
        yield Path(f"/proc/{holder.pid}/root") / path.relative_to("/")
