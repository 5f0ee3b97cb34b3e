"""What an idle connection of a Kafka client costs: memory of Headrace and of Apache Kafka with 10,000 of them, each of which
has asked for the broker's API versions, as clients do first."""

import os
import resource
import socket
import struct
import time
from pathlib import Path

from harness import Headrace
from servers.kafka import Kafka

from bench import measure

CONNECTIONS = int(os.environ.get("HEADRACE_CONNECTIONS", "10000"))
#: ApiVersions (18) in version 0, correlation id 1, client id "c".
API_VERSIONS = struct.pack(">ihhih1s", 11, 18, 0, 1, 1, b"c")


def connect(address):
    """A connection that has its answer."""
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(API_VERSIONS)
    left = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
    if len(connection.recv(left, socket.MSG_WAITALL)) != left:
        raise SystemExit("the server closed a connection")
    return connection


def case(name, address, pid):
    before = measure.memory_mib(pid, "VmRSS")
    begin = time.perf_counter()
    connections = [connect(address) for _ in range(CONNECTIONS)]
    seconds = time.perf_counter() - begin
    time.sleep(2)
    with measure.Cost(pid) as cost:
        time.sleep(5)
    after = measure.memory_mib(pid, "VmRSS")
    for connection in connections:
        connection.close()
    return [name, f"{before:.0f}", f"{after:.0f}", f"{(after - before) * 1024 / CONNECTIONS:.1f}", f"{seconds:.1f}",
            f"{cost.cpu / 5 * 100:.1f}"]


def main(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ours = Headrace(Path(folder) / "headrace", "").start()
    kafka = Kafka(Path(folder) / "kafka", heap="1g").start()
    try:
        rows = [case("Headrace", ours.kafka, ours.process.pid), case("Apache Kafka 4.3.1", kafka.bootstrap, kafka.processes[1].pid)]
    finally:
        ours.stop()
        kafka.stop()
    print(measure.table(["server", "MiB before", f"MiB with {CONNECTIONS:,} connections", "KiB each", "seconds to connect",
                         "idle CPU %"], rows))
