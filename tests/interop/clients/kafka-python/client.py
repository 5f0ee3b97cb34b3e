"""kafka-python with the commands of ../README.md."""

import json
import sys
import threading

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

BOOTSTRAP = sys.argv[1]


def tell(**fields):
    print(json.dumps(fields), flush=True)


def tell_record(message):
    tell(partition=message.partition, offset=message.offset, value=message.value.decode())


def produce(topic, count, codec):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True, linger_ms=5,
                             compression_type=None if codec == "none" else codec)
    sent = [producer.send(topic, b"%s-%d" % (codec.encode(), i), key=b"k%d" % i, headers=[("n", b"%d" % i)])
            for i in range(int(count))]
    tell(acknowledged=len([each.get(30) for each in sent]))
    producer.close()


def consume(topic, count):
    consumer = KafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", isolation_level="read_committed")
    for _ in range(int(count)):
        tell_record(next(consumer))
    consumer.close()


class Listener(ConsumerRebalanceListener):
    """Keeps what is assigned: in a cooperative rebalance the calls tell the changes only."""

    def __init__(self):
        self.assigned = set()

    def on_partitions_revoked(self, revoked):
        self.assigned -= {tp.partition for tp in revoked}
        tell(assigned=sorted(self.assigned))

    def on_partitions_assigned(self, assigned):
        self.assigned |= {tp.partition for tp in assigned}
        tell(assigned=sorted(self.assigned))


def member(topic, group):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
                             heartbeat_interval_ms=200, session_timeout_ms=6000,
                             partition_assignment_strategy=[CooperativeStickyAssignor])
    consumer.subscribe([topic], listener=Listener())
    closed = threading.Event()
    threading.Thread(target=lambda: sys.stdin.read() or closed.set(), daemon=True).start()
    while not closed.is_set():
        for messages in consumer.poll(100).values():
            for message in messages:
                tell_record(message)
    consumer.commit()
    consumer.close()


def transact(topic, source, group):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=f"{topic}-id")
    producer.init_transactions()
    for value, offset, end in (("lost", 7, producer.abort_transaction), ("kept", 42, producer.commit_transaction)):
        producer.begin_transaction()
        producer.send(topic, value.encode(), partition=0).get(30)
        producer.send_offsets_to_transaction({TopicPartition(source, 0): OffsetAndMetadata(offset, "", -1)}, group)
        end()
        tell(ended=value)
    producer.close()


def admin(topic):
    client = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    client.create_topics({topic: {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": "123456"}}})
    before = config(client, topic)
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "654321"})])
    client.create_partitions({topic: 5})
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    for i in range(10):
        producer.send(topic, b"%d" % i, partition=0).get(30)
    producer.close()
    place = TopicPartition(topic, 0)
    removed = client.delete_records({place: 4})
    groups = client.list_groups()
    described, = client.describe_topics([topic])
    changed = config(client, topic)
    client.delete_topics([topic])
    tell(created=before, changed=changed, partitions=len(described["partitions"]), log_start=removed[place]["low_watermark"],
         groups=sorted(group["group_id"] for group in groups), topic_left=topic in client.list_topics())
    client.close()


def config(client, topic):
    return client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]["retention.ms"]["value"]


COMMANDS = {"produce": produce, "consume": consume, "member": member, "transact": transact, "admin": admin}
COMMANDS[sys.argv[2]](*sys.argv[3:])
