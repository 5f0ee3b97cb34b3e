// KafkaJS with the commands of ../README.md. It has gzip itself; the other codecs are plugged in as its manual says.
import { createRequire } from 'node:module'

// The packages lie in a cache, not beside this file.
const require = createRequire(`${process.env.HEADRACE_NODE_PACKAGES}/package.json`)
const kafkajs = require('kafkajs')
const lz4 = require('lz4js')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs

const zstd = new Promise((resolve) => require('zstd-codec').ZstdCodec.run((codec) => resolve(new codec.Simple())))
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
})

const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }
const [, , bootstrap, command, ...args] = process.argv
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'kafkajs', logLevel: logLevel.ERROR })
const tell = (fields) => process.stdout.write(JSON.stringify(fields) + '\n')
const tellRecord = ({ partition, message }) =>
  tell({ partition, offset: Number(message.offset), value: message.value.toString() })

async function produce(topic, count, codec) {
  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  const messages = Array.from({ length: Number(count) }, (_, i) => ({ key: `k${i}`, value: `${codec}-${i}`, headers: { n: `${i}` } }))
  for (let at = 0; at < messages.length; at += 500) {
    await producer.send({ topic, compression: CompressionTypes[CODECS[codec]], messages: messages.slice(at, at + 500) })
  }
  tell({ acknowledged: messages.length })
  await producer.disconnect()
}

async function consume(topic, count) {
  // KafkaJS reads in groups only.
  const consumer = kafka.consumer({ groupId: `${topic}-${process.pid}`, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  let left = Number(count)
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error))
    consumer.run({ eachMessage: async (record) => { tellRecord(record); if (--left === 0) resolve() } })
  })
  await consumer.disconnect()
}

async function member(topic, groupId) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 200, sessionTimeout: 6000, rebalanceTimeout: 10000 })
  await consumer.connect()
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => tell({ assigned: payload.memberAssignment[topic] ?? [] }))
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async (record) => tellRecord(record) })
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.on('end', resolve))
  await consumer.disconnect()
}

async function transact(topic, source, groupId) {
  const producer = kafka.producer({ transactionalId: `${topic}-id`, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [value, offset, end] of [['lost', '7', 'abort'], ['kept', '42', 'commit']]) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value, partition: 0 }] })
    await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions: [{ partition: 0, offset }] }] })
    await transaction[end]()
    tell({ ended: value })
  }
  await producer.disconnect()
}

async function admin(topic) {
  const client = kafka.admin()
  await client.connect()
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const retention = async () => {
    const { resources } = await client.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ['retention.ms'] }] })
    return resources[0].configEntries[0].configValue
  }
  await client.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '123456' }] }] })
  const created = await retention()
  await client.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '654321' }] }] })
  await client.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, partition: 0 })) })
  await producer.disconnect()
  await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  const offsets = await client.fetchTopicOffsets(topic)
  const { topics } = await client.fetchTopicMetadata({ topics: [topic] })
  const { groups } = await client.listGroups()
  const changed = await retention()
  await client.deleteTopics({ topics: [topic] })
  tell({
    created, changed, partitions: topics[0].partitions.length, log_start: Number(offsets.find((o) => o.partition === 0).low),
    groups: groups.map((g) => g.groupId).sort(), topic_left: (await client.listTopics()).includes(topic),
  })
  await client.disconnect()
}

await { produce, consume, member, transact, admin }[command](...args)
process.exit(0)
