import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IHeaders, Kafka, KafkaMessage } from 'kafkajs'
import { plainKafka } from '../support/plain-kafka.ts'
import type { RawEvent, RawLog, RawTask } from './evidence.ts'

/*
 * Everything in the topics of a log, read as any consumer in any language would: read_committed, from the beginning. A
 * topic's end may be a transaction marker or records that were never committed, which nobody is handed: so reading is
 * over at the end, or when nothing has come for a while.
 */

const QUIET_MS = 5_000
const eventTopic = 'session.events'
const taskTopics = ['agent.tasks.manager', 'agent.tasks.worker', 'quality.gates']

interface Taken {
  readonly topic: string
  readonly partition: number
  readonly message: KafkaMessage
}

export async function readRawKafka(brokers: readonly string[], prefix: string): Promise<RawLog> {
  const kafka = plainKafka(brokers.join(), { clientId: 'chaos-reader' })
  const taken = await readTopics(
    kafka,
    [eventTopic, ...taskTopics].map((topic) => prefix + topic),
  )
  taken.sort((a, b) => a.partition - b.partition || Number(a.message.offset) - Number(b.message.offset))
  const of = (topic: string) => taken.filter((one) => one.topic === prefix + topic).map(({ message }) => message)
  return {
    events: of(eventTopic).map(eventOf),
    tasks: taskTopics.flatMap((topic) =>
      of(topic)
        .filter(isTask)
        .map((message) => taskOf(message, topic)),
    ),
  }
}

async function readTopics(kafka: Kafka, topics: readonly string[]): Promise<Taken[]> {
  const unread = await endsOf(kafka, topics)
  const consumer = kafka.consumer({ groupId: `chaos-reader-${randomUUID()}`, maxWaitTimeInMs: 100 })
  const taken: Taken[] = []
  let movedAt = performance.now()
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      taken.push({ topic, partition, message })
      movedAt = performance.now()
      // The last record stands right before the marker of its transaction.
      if (Number(message.offset) >= (unread.get(`${topic} ${partition}`) ?? 0) - 2)
        unread.delete(`${topic} ${partition}`)
    },
  })
  while (unread.size > 0 && performance.now() - movedAt < QUIET_MS) await sleep(20)
  await consumer.disconnect()
  return taken
}

/** Partition → where its log ends; empty ones left out. */
async function endsOf(kafka: Kafka, topics: readonly string[]): Promise<Map<string, number>> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const ends = new Map<string, number>()
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        if (Number(high) > Number(low)) ends.set(`${topic} ${partition}`, Number(high))
      }
    }
    return ends
  } finally {
    await admin.disconnect()
  }
}

function eventOf(message: KafkaMessage): RawEvent {
  const { headers = {} } = message
  return {
    stream: message.key?.toString() ?? '',
    version: Number(headerOf(headers, 'ce_sequence')),
    eventId: headerOf(headers, 'ce_id'),
    type: headerOf(headers, 'ce_type'),
    data: JSON.parse(message.value?.toString() ?? 'null'),
    timestamp: headerOf(headers, 'ce_time'),
  }
}

/** What gates said travels on their topic, too. */
function isTask({ headers = {} }: KafkaMessage): boolean {
  return headerOf(headers, 'ce_type') === 'AgentTask'
}

function taskOf(message: KafkaMessage, topic: string): RawTask {
  const { sessionId, callId } = JSON.parse(message.value?.toString() ?? 'null')
  return { topic, sessionId, callId }
}

function headerOf(headers: IHeaders, name: string): string {
  return headers[name]?.toString() ?? ''
}
