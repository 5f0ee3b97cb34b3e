"""What real clients send to the program, kept: by connection, cut into the frames of its protocol.

    with Recorder() as kafka, Recorder() as mqtt, Recorder() as http:
        ...                               # each has a target, and clients connect to its address
        kafka_frames(kafka.sent[0])
"""

import http.client
import re
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import paho.mqtt.client as paho
from bad_network import BadNetwork
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec
from harness import wait_until

KAFKA_PYTHON = Path(__file__).parent.parent / "interop/clients/kafka-python/client.py"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
RECORDS = 60
QUIET = {"log_level": 0}


class Tap:
    """A reader that keeps what was read."""

    def __init__(self, reader, kept):
        self.reader, self.kept = reader, kept

    async def read(self, size):
        piece = await self.reader.read(size)
        self.kept += piece
        return piece


class Recorder(BadNetwork):
    """Only forwards, and keeps what the client of each connection sent."""

    def __init__(self):
        super().__init__(0)
        self.quiet = True
        self.sent = []

    async def forward(self, there, back, writers):
        reader, writer = there
        self.sent.append(bytearray())
        await super().forward((Tap(reader, self.sent[-1]), writer), back, writers)


def kafka_frames(sent):
    """Whole requests, each with its size in front."""
    frames, at = [], 0
    while at + 4 <= len(sent):
        size = 4 + struct.unpack_from(">i", sent, at)[0]
        if not 4 < size <= len(sent) - at:
            break
        frames.append(bytes(sent[at:at + size]))
        at += size
    return frames


def mqtt_frames(sent):
    """Whole control packets."""
    frames, at = [], 0
    while at < len(sent) and (header := re.compile(rb".[\x80-\xff]{0,3}[\x00-\x7f]", re.DOTALL).match(sent, at)):
        length = sum((byte & 127) << 7 * i for i, byte in enumerate(header[0][1:]))
        frames.append(bytes(sent[at:header.end() + length]))
        at = header.end() + length
    return frames


def http_frames(sent):
    """Requests; no body has what they begin with."""
    return [bytes(frame) for frame in re.split(rb"(?=(?:GET|POST) /)", bytes(sent)) if frame]


def produce(bootstrap, topic, **properties):
    producer = Producer({**QUIET, "bootstrap.servers": bootstrap, **properties})
    for i in range(RECORDS):
        producer.produce(topic, b'{"n": %d}' % i, b"key-%d" % (i % 7), headers={"n": b"%d" % i})
    assert producer.flush(30) == 0


def produce_in_transactions(bootstrap):
    consumer = Consumer({**QUIET, "bootstrap.servers": bootstrap, "group.id": "attacked-copier", "auto.offset.reset": "earliest"})
    producer = Producer({**QUIET, "bootstrap.servers": bootstrap, "transactional.id": "attacked-id"})
    producer.init_transactions(30)
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce("attacked", b"in a transaction", b"key")
        positions = [TopicPartition("attacked", 0, 3)]
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 30)
        end(30)
    consumer.close()


def consume(bootstrap, group, **properties):
    consumer = Consumer({**QUIET, "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                         "enable.auto.commit": False, "fetch.wait.max.ms": 50, **properties})
    consumer.subscribe(["attacked"])
    wait_until(lambda: [message for message in consumer.consume(RECORDS, 1) if not message.error()], what=f"{group}'s records")
    consumer.commit(asynchronous=False)
    consumer.committed(consumer.assignment(), 30)
    consumer.close()


def administer(bootstrap):
    admin = AdminClient({**QUIET, "bootstrap.servers": bootstrap})
    topic, place = "attacked-admin", TopicPartition("attacked-admin", 0)

    def await_all(futures):
        wait(futures.values() if isinstance(futures, dict) else [futures], 30)

    await_all(admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "123456"})]))
    produce(bootstrap, topic, acks=0)
    produce(bootstrap, topic, acks=1)
    await_all(admin.create_partitions([NewPartitions(topic, 4)]))
    entry = ConfigEntry("retention.ms", "654321", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    await_all(admin.incremental_alter_configs([resource]))
    await_all(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
    await_all(admin.list_offsets({place: OffsetSpec.latest()}))
    await_all(admin.delete_records([TopicPartition(topic, 0, 3)]))
    await_all(admin.describe_cluster())
    await_all(admin.describe_topics(TopicCollection([topic])))
    await_all(admin.describe_user_scram_credentials())
    await_all(admin.list_consumer_groups())
    committed = ConsumerGroupTopicPartitions("attacked-offsets", [TopicPartition(topic, 0, 1)])
    await_all(admin.alter_consumer_group_offsets([committed]))
    await_all(admin.describe_consumer_groups(["attacked-offsets"]))
    await_all(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("attacked-offsets")]))
    await_all(admin.delete_consumer_groups(["attacked-offsets"]))
    await_all(admin.delete_topics([topic]))


def run_kafka_python(bootstrap, *arguments):
    subprocess.run([sys.executable, KAFKA_PYTHON, bootstrap, *arguments], capture_output=True, timeout=60, check=True)


def run_kafka_clients(bootstrap):
    """librdkafka and kafka-python: producers of every kind, groups of both protocols, transactions, administration."""
    with ThreadPoolExecutor(10) as pool:
        runs = [pool.submit(produce, bootstrap, topic, **{"enable.idempotence": True, "compression.codec": codec})
                for topic in ("attacked", "attacked-marks", "attacked-packed") for codec in CODECS]
        runs += [pool.submit(produce_in_transactions, bootstrap), pool.submit(administer, bootstrap),
                 pool.submit(consume, bootstrap, "attacked-classic", **{"session.timeout.ms": 6000}),
                 pool.submit(consume, bootstrap, "attacked-consumers", **{"group.protocol": "consumer"}),
                 pool.submit(run_kafka_python, bootstrap, "transact", "attacked-copies", "attacked", "attacked-group"),
                 pool.submit(run_kafka_python, bootstrap, "admin", "attacked-python"),
                 pool.submit(run_kafka_python, bootstrap, "produce", "attacked", "60", "zstd"),
                 pool.submit(run_kafka_python, bootstrap, "consume", "attacked", "60")]
    for run in runs:
        run.result()


def run_mqtt_client(address):
    host, port = address.rsplit(":", 1)
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="attacked")
    client.username_pw_set("user", "password")
    client.will_set("attacked/will", b"gone", qos=1)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect(host, int(port), keepalive=60)
    client.loop_start()
    assert connected.wait(30)
    client.subscribe([("attacked/+/data", 1), ("attacked/#", 2)])
    for i in range(12):
        client.publish(f"attacked/{i}/data", b'{"n": %d}' % i, qos=i % 3, retain=i % 2 == 0).wait_for_publish(30)
    client.unsubscribe("attacked/#")
    client.disconnect()
    client.loop_stop()


def run_http_client(address):
    bodies = [("application/json", b'{"n": 1}'), ("application/x-ndjson", b'{"n": 1}\n{"n": 2}\n{"n": 3}\n'),
              ("application/json", b'{"records": [{"value": 1, "key": "k", "partition": 0, "headers": {"h": "v"}}]}'),
              ("application/octet-stream", bytes(range(256)))]
    connection = http.client.HTTPConnection(address, timeout=30)
    for chunked in (False, True):
        for content_type, body in bodies:
            headers = {"content-type": content_type, **({"transfer-encoding": "chunked"} if chunked else {})}
            connection.request("POST", "/v1/topics/attacked-bytes/records?key=k", iter([body[:9], body[9:]]) if chunked else body,
                               headers, encode_chunked=chunked)
            connection.getresponse().read()
    for path in ("/metrics", "/api/v1/status", "/"):
        connection.request("GET", path)
        connection.getresponse().read()
    connection.close()
