import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { AnyEvent } from '../../src/core/event.ts'
import type { FetchPosition, KafkaDriver, TopicPartition } from '../../src/kafka/driver.ts'
import { startBatchProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { timed } from '../report.ts'

/*
 * Consume, transform, append: ours exactly once, beside the plain consumer of the same driver, at least once.
 */

const BATCH = 500
const KEYS = 60

export const TRANSFORMED = 60_000
/** One for each partition of `in`, each in another partition of the events: as the plain consumer has it. */
const OUT = ['out-0', 'out-2', 'out-4']

/** Messages waiting in the topic `in` of the store. */
export async function fill(store: EventStore): Promise<void> {
  for (let n = 0; n < TRANSFORMED; n += BATCH) {
    const message = (_: unknown, m: number) => ({
      topic: 'in',
      key: `k${m % KEYS}`,
      type: 'In',
      data: { n: n + m, filler: 'x'.repeat(200) },
    })
    await store.appendToStream('sender', [], { outgoing: Array.from({ length: BATCH }, message) })
  }
}

/** Records per second: each batch, its transformed events and the checkpoint are one transaction. */
export async function exactlyOnce(store: EventStore): Promise<number> {
  const all = Promise.withResolvers<void>()
  let done = 0
  const ms = await timed(async () => {
    const processor = startBatchProcessor<AnyEvent>({
      store,
      group: `once-${randomUUID()}`,
      topics: ['in'],
      maxBatchMessages: BATCH,
      handleBatch: async (messages, context) => {
        const events = messages.map(({ data }) => ({ type: 'Out', data: { ...(data as object), done: true } }))
        await context.append(OUT[messages[0]?.partition ?? 0] as string, events)
        done += events.length
        if (done >= TRANSFORMED) all.resolve()
      },
    })
    await all.promise
    await processor.stop()
  })
  return (done * 1000) / ms
}

/** What an event of ours carries on the wire: CloudEvents 1.0 and the headers for other consumers. */
export function eventHeaders(): Record<string, string> {
  const time = new Date().toISOString()
  return {
    'content-type': 'application/json',
    ce_specversion: '1.0',
    ce_id: randomUUID(),
    ce_source: 'duolog',
    ce_type: 'Out',
    ce_time: time,
    ce_subject: 'out',
    ce_dataschema: 'duolog:Out:1',
    ce_correlationid: 'out',
    'event-type': 'Out',
    'correlation-id': 'out',
    'aggregate-id': 'out',
    ce_sequence: '0000000000000001',
    'sequence-number': '1',
  }
}

/** Records per second: fetch, produce, wait for all replicas, commit the offset; again after a crash. */
export async function atLeastOnce(
  driver: KafkaDriver,
  topic: string,
  headers: () => Record<string, string>,
): Promise<number> {
  const out = `plain-${randomUUID()}`
  await driver.createTopics([{ topic: out, partitions: 6 }])
  let done = 0
  const ms = await timed(async () => {
    const places = Promise.withResolvers<readonly TopicPartition[]>()
    const member = driver.openMember({
      group: out,
      topics: [topic],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      onAssigned: places.resolve,
      onRevoked: async () => {},
    })
    const loops = (await places.promise).map(async (place) => {
      const reader = driver.openReader()
      const end = await driver.offsetOf(place, 'latest')
      let position: FetchPosition = { ...place, offset: await driver.offsetOf(place, 'earliest') }
      while (position.offset < end) {
        const [fetched] = await reader.fetch([position], { maxWaitMs: 100 })
        const records = fetched?.records ?? []
        for (let from = 0; from < records.length; from += BATCH) {
          const chunk = records.slice(from, from + BATCH).map(({ key, value }) => ({
            topic: out,
            partition: place.partition,
            key,
            value: Buffer.from(JSON.stringify({ ...(JSON.parse(String(value)) as object), done: true })),
            headers: headers(),
          }))
          await driver.produce(chunk)
          done += chunk.length
          await member.commit([{ ...place, offset: (records[from + chunk.length - 1]?.offset ?? 0) + 1 }])
        }
        position = { ...place, offset: fetched?.nextOffset ?? position.offset }
        await turn()
      }
      await reader.close()
    })
    await Promise.all(loops)
    await member.leave()
  })
  if (done < TRANSFORMED) throw new Error(`${done} records were transformed, not ${TRANSFORMED}`)
  return (done * 1000) / ms
}
