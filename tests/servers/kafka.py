"""A real Apache Kafka cluster: KRaft nodes that are broker and controller in one.

    with Kafka(tmp_path / "kafka", brokers=3) as kafka:
        kafka.bootstrap            # "127.0.0.1:40001,..."
        kafka.kill(2)              # kill -9
        kafka.restart(2)
        kafka.tool("kafka-topics", "--list")
"""

import base64
import subprocess
import time
import uuid
from pathlib import Path

from servers import maven

SOURCE = Path(__file__).parent / "kafka_server"
START_SECONDS = 120

TOOLS = {
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
}


#: The JVM of a tool, which ends soon: small, and quick to start.
TOOL_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def install():
    """Fetches Kafka's jars; returns the class path."""
    return str(maven.install("kafka", SOURCE) / "lib" / "*")


def command(main, *arguments, options=(), level="WARN"):
    """The command line of a class of Kafka's."""
    return [maven.java(), "-cp", install(), *options, f"-Dkafka.log.level={level}",
            f"-Dlog4j2.configurationFile={SOURCE / 'log4j2.properties'}", main, *map(str, arguments)]


def tool(name, *arguments, input=None, seconds=120, check=True, options=TOOL_OPTIONS):
    """Runs a tool by its short name (a key of TOOLS) or its class; returns the finished process (text)."""
    done = subprocess.run(command(TOOLS.get(name, name), *arguments, options=options), input=input, text=True,
                          capture_output=True, timeout=seconds)
    if check and done.returncode != 0:
        raise AssertionError(f"{name}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


class Kafka:
    """A cluster of `brokers` nodes in `folder`, numbered from 1. `settings` are brokers' properties."""

    def __init__(self, folder, brokers=1, settings=None, heap="512m"):
        self.folder = Path(folder)
        self.brokers = brokers
        self.heap = heap
        self.processes = {}
        ports = maven.free_ports(2 * brokers)
        self.ports = dict(enumerate(ports[:brokers], 1))
        self.controller_ports = dict(enumerate(ports[brokers:], 1))
        self.settings = settings or {}

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    def properties(self, node):
        replicas = min(self.brokers, 3)
        in_sync = 2 if replicas == 3 else 1
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in self.controller_ports.items())
        listeners = f"PLAINTEXT://127.0.0.1:{self.ports[node]},CONTROLLER://127.0.0.1:{self.controller_ports[node]}"
        out = {
            "node.id": node, "process.roles": "broker,controller", "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "listeners": listeners,
            "log.dirs": self.folder / str(node) / "data", "group.initial.rebalance.delay.ms": 0,
            "default.replication.factor": replicas, "min.insync.replicas": in_sync,
        }
        for prefix, suffix in (("offsets.topic", ""), ("transaction.state.log", ".min.isr"),
                               ("share.coordinator.state.topic", ".min.isr")):
            out[prefix + ".num.partitions"] = 4
            out[prefix + ".replication.factor"] = replicas
            if suffix:
                out[prefix + suffix] = in_sync
        return {**out, **self.settings}

    def format(self):
        """Writes the nodes' settings and formats their storage."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").lstrip("-")
        cluster = cluster.ljust(22, "A")
        for node in self.ports:
            folder = self.folder / str(node)
            folder.mkdir(parents=True)
            lines = [f"{name}={value}\n" for name, value in self.properties(node).items()]
            (folder / "server.properties").write_text("".join(lines))
            tool("kafka-storage", "format", "-t", cluster, "-c", folder / "server.properties")

    def launch(self, node):
        folder = self.folder / str(node)
        options = (f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseG1GC")
        with open(folder / "log", "ab") as log:
            start = log.tell()
            self.processes[node] = subprocess.Popen(
                command("kafka.Kafka", folder / "server.properties", options=options, level="INFO"),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return start

    def await_started(self, node, start):
        deadline = time.monotonic() + START_SECONDS
        log = self.folder / str(node) / "log"
        while True:
            text = log.read_bytes()[start:]
            if b"Kafka Server started" in text:
                return
            if self.processes[node].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"node {node} did not start: {text[-3000:].decode(errors='replace')}")
            time.sleep(0.1)

    def start(self):
        if not self.folder.exists() or not any(self.folder.iterdir()):
            self.format()
        starts = {node: self.launch(node) for node in self.ports}
        for node, start in starts.items():
            self.await_started(node, start)
        return self

    def kill(self, node):
        """kill -9."""
        self.processes[node].kill()
        self.processes[node].wait()

    def stop(self, node=None):
        """Stops one node or all."""
        nodes = [node] if node else list(self.processes)
        for n in nodes:
            self.processes[n].terminate()
        for n in nodes:
            maven.end(self.processes[n])

    def restart(self, node):
        """Starts a node again, stopping it first if it runs."""
        if self.processes[node].poll() is None:
            self.stop(node)
        self.await_started(node, self.launch(node))

    def tool(self, name, *arguments, **options):
        """A tool with --bootstrap-server of this cluster."""
        return tool(name, "--bootstrap-server", self.bootstrap, *arguments, **options)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc):
        self.stop()
