"""What one run of one server cost: processor time and memory, from the kernel's own accounting."""

import contextlib
import mmap
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid, what="VmHWM"):
    """Peak (VmHWM) or present (VmRSS) resident memory in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", text)[1]) / 1024


def reset_peak(pid):
    """Lets the peak of memory_mib begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Cost:
    """CPU seconds of a process between begin and end of a `with`."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.before = cpu_seconds(self.pid)
        return self

    def __exit__(self, *exc):
        self.cpu = cpu_seconds(self.pid) - self.before


#: Settings of the machine's kernel during a comparison, where they exist and we may change them: which of two servers
#: has to pay for them would be chance.
#: - Free pages of a virtual machine stay with it (11: no block is large enough to be given back to the host). A page's
#:   next use would fault in the host, at ten times the cost of filling it, for whoever writes to the page cache first.
#: - Linux' own congestion control: others (bbr) set a timer for each burst, on the loopback device too.
KERNEL_SETTINGS = {Path("/sys/module/page_reporting/parameters/page_reporting_order"): "11",
                   Path("/proc/sys/net/ipv4/tcp_congestion_control"): "cubic"}


@contextlib.contextmanager
def steady_kernel():
    """KERNEL_SETTINGS, and what was set before afterwards; says what it changed, and what the kernel did not take."""
    before = {}
    try:
        for path, value in KERNEL_SETTINGS.items():
            if not os.access(path, os.W_OK):
                continue
            old = path.read_text().strip()
            try:
                path.write_text(value)
            except OSError as error:
                print(f"during this run {path.name} stays {old}: {error}", flush=True)
                continue
            before[path] = old
            if old != value:
                print(f"during this run {path.name}: {old} -> {value}", flush=True)
        touch_free_memory()
        yield
    finally:
        for path, value in before.items():
            path.write_text(value)


def touch_free_memory(spare=1 << 30):
    """Has the host back the free pages, but `spare` bytes."""
    free = int(re.search(r"MemFree:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1]) * 1024 - spare
    if free > 0:
        with mmap.mmap(-1, free, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
            pass


def medians(case, servers, rounds):
    """`case(server)` answers figures by name: each server's medians of `rounds`, by its name. Who is first changes."""
    found = {s.name: [] for s in servers}
    for i in range(rounds):
        for server in servers[i % len(servers):] + servers[:i % len(servers)]:
            found[server.name].append(case(server))
    return {name: {key: statistics.median(one[key] for one in all) for key in all[0]} for name, all in found.items()}


def run(command, seconds=600):
    """Runs a command to its end; its standard output. A failure shows what it printed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fsync_cost(folder, rounds=200):
    """Of an fdatasync after a 4 KiB write inside a file, on the disk of `folder`: its median in microseconds, and the
    microseconds of processor time that it takes of who calls it."""
    path = Path(folder) / "fsync-probe"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(fd, 0, rounds * 4096)
    os.fsync(fd)
    times, cpu = [], 0
    for i in range(rounds):
        os.pwrite(fd, b"x" * 4096, i * 4096)
        begin, cpu_begin = time.perf_counter(), time.thread_time()
        os.fdatasync(fd)
        times.append((time.perf_counter() - begin) * 1e6)
        cpu += (time.thread_time() - cpu_begin) * 1e6
    os.close(fd)
    path.unlink()
    return sorted(times)[rounds // 2], cpu / rounds


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
