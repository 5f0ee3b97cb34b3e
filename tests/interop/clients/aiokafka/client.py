"""aiokafka with the commands of ../README.md."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

BOOTSTRAP = sys.argv[1]


def tell(**fields):
    print(json.dumps(fields), flush=True)


def tell_record(message):
    tell(partition=message.partition, offset=message.offset, value=message.value.decode())


async def produce(topic, count, codec):
    compression = None if codec == "none" else codec
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True, compression_type=compression,
                                linger_ms=5) as producer:
        sent = [await producer.send(topic, b"%s-%d" % (codec.encode(), i), key=b"k%d" % i, headers=[("n", b"%d" % i)])
                for i in range(int(count))]
        tell(acknowledged=len(await asyncio.gather(*sent)))


async def consume(topic, count):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest", isolation_level="read_committed")
    async with consumer:
        for _ in range(int(count)):
            tell_record(await consumer.getone())


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        tell(assigned=sorted(tp.partition for tp in assigned))


async def member(topic, group):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
                                heartbeat_interval_ms=200, session_timeout_ms=6000,
                                partition_assignment_strategy=[RangePartitionAssignor])
    async with consumer:
        consumer.subscribe([topic], listener=Listener())
        closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        while not closed.done():
            for messages in (await consumer.getmany(timeout_ms=100)).values():
                for message in messages:
                    tell_record(message)
        await consumer.commit()


async def transact(topic, source, group):
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=f"{topic}-id") as producer:
        for value, offset, end in (("lost", 7, producer.abort_transaction), ("kept", 42, producer.commit_transaction)):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, value.encode(), partition=0)
            await producer.send_offsets_to_transaction({TopicPartition(source, 0): offset}, group)
            await end()
            tell(ended=value)


async def admin(topic):
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "654321"})
    await client.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "123456"})])
    before = await config(client, topic)
    await client.alter_configs([resource])
    await client.create_partitions({topic: NewPartitions(5)})
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as producer:
        for i in range(10):
            await producer.send_and_wait(topic, b"%d" % i, partition=0)
    removed = await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(4)})
    groups = await client.list_consumer_groups()
    described = await client.describe_topics([topic])
    changed = await config(client, topic)
    await client.delete_topics([topic])
    tell(created=before, changed=changed, partitions=len(described[0]["partitions"]), log_start=list(removed.values())[0],
         groups=sorted(group[0] for group in groups), topic_left=topic in await client.list_topics())
    await client.close()


async def config(client, topic):
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return next(entry[1] for entry in answers[0].resources[0][4] if entry[0] == "retention.ms")


COMMANDS = {"produce": produce, "consume": consume, "member": member, "transact": transact, "admin": admin}
asyncio.run(COMMANDS[sys.argv[2]](*sys.argv[3:]))
