import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Kafka, Partitioners } from 'kafkajs'
import { plainKafka } from '../support/plain-kafka.ts'
import { type Acknowledged, type AppenderTask, OUTGOING_TOPIC, READY } from './appender.ts'

/*
 * Looks at what appenders did with other eyes: a plain read_committed consumer of kafkajs, none of our code.
 */

export interface Appender {
  readonly child: ChildProcess
  readonly acknowledged: readonly Acknowledged[]
  /** Resolves when one that waits has opened its store. */
  readonly ready: Promise<void>
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

export function startAppender(task: AppenderTask, env: Readonly<Record<string, string>> = {}): Appender {
  const program = fileURLToPath(new URL('./appender.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ready = Promise.withResolvers<void>()
  const acknowledged: Acknowledged[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    if (line === READY) ready.resolve()
    else acknowledged.push(JSON.parse(line))
  })
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(([[code, signal]]) => signal ?? code)
  return { child, acknowledged, ready: ready.promise, ended }
}

export interface PlainRecord {
  readonly key: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

export function plainClient(brokers: string): Kafka {
  return plainKafka(brokers)
}

/** All committed records of a topic, each partition in order. A last record of our own marks the end. */
export async function readTopic(brokers: string, topic: string): Promise<readonly PlainRecord[]> {
  const kafka = plainClient(brokers)
  const marker = `end-${process.hrtime.bigint()}`
  const partitions = await markEnds(kafka, topic, marker)
  const consumer = kafka.consumer({ groupId: `check-${marker}` })
  const records: PlainRecord[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const complete = Promise.withResolvers<void>()
  let ends = 0
  await consumer.run({
    eachMessage: async ({ message }) => {
      const record = toPlain(message)
      if (record.key === marker) ends++
      else if (!record.key.startsWith('end-')) records.push(record)
      if (ends === partitions) complete.resolve()
    },
  })
  await complete.promise
  await consumer.disconnect()
  return records
}

async function markEnds(kafka: Kafka, topic: string, marker: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition }) => partition)
  await admin.disconnect()
  await sendPlain(
    kafka,
    topic,
    partitions.map((partition) => ({ partition, key: marker, value: 'end' })),
  )
  return partitions.length
}

export async function sendPlain(
  kafka: Kafka,
  topic: string,
  messages: readonly {
    partition?: number
    key: string | Buffer | null
    value: string | null
    headers?: Record<string, string>
  }[],
): Promise<void> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: [...messages] })
  await producer.disconnect()
}

type RawMessage = Parameters<
  NonNullable<Parameters<ReturnType<Kafka['consumer']>['run']>[0]>['eachMessage'] & {}
>[0]['message']

function toPlain({ key, value, headers = {} }: RawMessage): PlainRecord {
  const texts = Object.entries(headers).map(([name, text]) => [name, String(text)])
  return { key: String(key), value: String(value), headers: Object.fromEntries(texts) }
}

export interface Expectation {
  readonly brokers: string
  readonly prefix: string
  /** Every key that somebody was told to append to the end: each must be there once. */
  readonly keys: readonly string[]
  readonly acknowledged: readonly Acknowledged[]
}

/** P3 P4 P5: acknowledged = in the log, once, at the version that was answered; no gaps; messages with their events. */
export async function checkLog({ brokers, prefix, keys, acknowledged }: Expectation): Promise<void> {
  const events = (await readTopic(brokers, `${prefix}session.events`)).map((record) => ({
    stream: record.key,
    key: keyOf(record),
    version: Number(record.headers['sequence-number']),
  }))
  assert.deepEqual(sorted(events.map(({ key }) => key)), sorted(keys), 'every key is in the log exactly once')
  const places = new Map(events.map(({ key, stream, version }) => [key, `${stream}@${version}`]))
  for (const { key, stream, version } of acknowledged) assert.equal(places.get(key), `${stream}@${version}`)
  const versions = new Map<string, number>()
  for (const { stream, version } of events) {
    assert.equal(version, (versions.get(stream) ?? 0) + 1, `the versions of ${stream} have no gap`)
    versions.set(stream, version)
  }
  const messages = await readTopic(brokers, `${prefix}${OUTGOING_TOPIC}`)
  assert.deepEqual(sorted(messages.map(keyOf)), sorted(keys), 'every message is there exactly once')
}

function keyOf({ value }: PlainRecord): string {
  return JSON.parse(value).key
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...texts].sort()
}

export function numbered(label: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${label}-${index}`)
}
