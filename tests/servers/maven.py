"""Fetches the jars that a pom.xml names into a cache, once."""

import fcntl
import os
import shutil
import socket
import subprocess
from pathlib import Path


def cache(name):
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "headrace" / "servers" / name


def java(tool="java"):
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / tool) if home else tool


def install(name, source, prepare=None):
    """Copies the runtime dependencies of source/pom.xml into the cache's lib/, then calls prepare(cache); returns the
    cache. Safe beside other processes; does nothing when the sources are those of the last time."""
    target = cache(name)
    target.mkdir(parents=True, exist_ok=True)
    wanted = b"".join(path.read_bytes() for path in sorted(source.iterdir()) if path.is_file())
    stamp = target / "stamp"
    with open(target / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == wanted:
            return target
        shutil.rmtree(target / "lib", ignore_errors=True)
        subprocess.run(
            ["mvn", "-B", "-q", "-f", str(source / "pom.xml"), "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={target / 'lib'}"],
            check=True)
        if prepare:
            prepare(target)
        stamp.write_bytes(wanted)
    return target


def free_ports(count):
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def end(process, seconds=20):
    """Stops a process that we started: SIGTERM, and SIGKILL where that does not help."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
