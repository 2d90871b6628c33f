import { expect, it, vi } from 'vitest'
import type { Logger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { watchEventTopic } from '../../src/store/kafka/event-topic-watch.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { asAdmin, FOR_EVER, makeAnew } from './make-anew.ts'

/*
 * Somebody changes the event topic, deletes it, or deletes it and makes it anew, while stores are open: it is seen, said as
 * an error, and nobody is answered by what the log was.
 */

const brokers = kafkaBrokers.split(',')
const DRIVERS = ['kafkajs', 'platformatic'] as const

const counted = (n: number) => [{ type: 'Counted', data: { n } }]

function notebook(): { readonly said: string[]; readonly logger: Logger } {
  const said: string[] = []
  return { said, logger: { debug() {}, info() {}, warn() {}, error: (_fields, message) => void said.push(message) } }
}

async function read(store: EventStore, stream: string): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const { data } of store.readStream(stream)) found.push(data)
  return found
}

describeKafka.each(DRIVERS)('an event topic that changes under the store, with %s', (driver: KafkaDriverName) => {
  const prefixes: string[] = []

  async function opened(label: string) {
    const prefix = uniquePrefix(label)
    prefixes.push(prefix)
    const { said, logger } = notebook()
    const open = () => openKafkaStore({ brokers, prefix, driver }, { topics: ONE_PARTITION, logger })
    return { store: await open(), open, said, eventTopic: `${prefix}session.events` }
  }

  it('retention, compaction, deletion: each is said once, and what to do', async () => {
    const { store, eventTopic: topic } = await opened('watched')
    const { said, logger } = notebook()
    const eyes = await connectDriver(driver, { brokers, clientId: 'watch', logger, connectTimeoutMs: 8000 })
    const stop = watchEventTopic({ driver: eyes, topic, logger, everyMs: 50, partitions: 1 })
    const set = (name: string, value: string) => eyes.alterTopicConfig(topic, { ...FOR_EVER, [name]: value })
    const next = async () => {
      await expect.poll(() => said.length, { timeout: 30_000 }).toBeGreaterThan(0)
      return said.splice(0)
    }
    try {
      await set('retention.ms', '3600000')
      expect(await next()).toEqual([expect.stringMatching(/deletes events after 3600000 ms.*Set retention\.ms=-1/)])
      await set('retention.bytes', '1000000')
      expect(await next()).toEqual([expect.stringMatching(/beyond 1000000 bytes\. Set retention\.bytes=-1/)])
      await set('retention.bytes', '-1')
      await eyes.addPartitions(topic, 2)
      expect(await next()).toEqual([expect.stringMatching(/2 partitions by now, 1 when this store opened/)])
      await set('cleanup.policy', 'compact')
      expect(await next()).toEqual([expect.stringMatching(/cleanup\.policy=compact by now.*at once/)])
      await asAdmin((admin) => admin.deleteTopics({ topics: [topic] }))
      expect(await next()).toEqual([expect.stringContaining(`${topic} is gone`)])
    } finally {
      stop()
      await eyes.close()
      await store.close()
    }
  })

  it('W6 made anew under an idle owner: nothing of it is written by the old history, and all are answered by the new log', async () => {
    const { store, open, said, eventTopic } = await opened('anew')
    for (const n of [1, 2, 3]) await store.appendToStream('s', counted(n))
    await makeAnew(eventTopic)
    const [old, fresh] = await Promise.allSettled([
      store.appendToStream('s', counted(4), { expectedStreamVersion: 3 }),
      store.appendToStream('fresh', counted(1)),
    ])
    expect(old).toMatchObject({
      status: 'rejected',
      reason: { code: 'EXPECTED_VERSION_CONFLICT', current: 0 },
    })
    expect(fresh).toMatchObject({ status: 'fulfilled', value: { firstStreamPosition: 1 } })
    expect(said).toEqual([expect.stringContaining('is not in its log any more')])
    // From here on it goes by the log there is, and other readers see what it acknowledges.
    expect(await store.appendToStream('s', counted(5))).toMatchObject({ firstStreamPosition: 1 })
    const other = await open()
    for (const reader of [store, other]) {
      expect(await read(reader, 's')).toEqual([{ n: 5 }])
      expect(await read(reader, 'fresh')).toEqual([{ n: 1 }])
    }
    await Promise.all([other.close(), store.close()])
  })

  it('L4 made anew under a reader: it says so, and has what there is now', async () => {
    const { store, open, said, eventTopic } = await opened('anew-read')
    const reader = await open()
    for (const n of [1, 2, 3]) await store.appendToStream('s', counted(n))
    expect(await read(reader, 's')).toHaveLength(3)
    await store.close()
    await makeAnew(eventTopic)
    expect(await read(reader, 's')).toEqual([])
    expect(said).toEqual([expect.stringContaining('is not in its log any more')])
    const late = reader.appendToStream('s', counted(4), { expectedStreamVersion: 3 })
    await expect(late).rejects.toMatchObject({ code: 'EXPECTED_VERSION_CONFLICT', current: 0 })
    await reader.close()
  })

  it('made anew under those who follow it: each ends and says why; who begins then reads what there is', async () => {
    const { store, eventTopic } = await opened('anew-followed')
    for (const n of [1, 2, 3]) await store.appendToStream('s', counted(n))
    const seen: unknown[] = []
    const consume = (group: string) => {
      const handler = async ({ data }: { data: unknown }) => void seen.push(data)
      return store.consume({ group, topics: ['session.events'], handler, onError: () => {} })
    }
    const running = consume('g')
    const looking = subscribe(store, {})
    for (let n = 0; n < 3; n++) await looking.next()
    const next = looking.next()
    next.catch(() => {})
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(3)
    await makeAnew(eventTopic)
    expect(await running.ended).toMatchObject({
      code: 'CHECKPOINT_AHEAD',
      message: expect.stringContaining('"g" is at'),
    })
    await expect(next).rejects.toMatchObject({ code: 'CHECKPOINT_AHEAD' })
    await store.appendToStream('fresh', counted(9))
    const anew = consume('g') // its checkpoints went with the topic: Kafka deletes them
    await expect.poll(() => seen, { timeout: 30_000 }).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 9 }])
    await anew.stop()
    expect(await anew.ended).toBeUndefined()
    await store.close()
  })

  it('a topic of messages that is deleted: what sends to it is refused, its neighbours go on, then and later', async () => {
    const { store } = await opened('lost-messages')
    const prefix = prefixes.at(-1)
    const task = { outgoing: [{ topic: 'jobs', key: 'k', type: 'Job', data: {} }] }
    await store.appendToStream('s', counted(1), task)
    await asAdmin((admin) => admin.deleteTopics({ topics: [`${prefix}jobs`] }))
    await asAdmin(async (admin) => {
      await expect.poll(() => admin.listTopics(), { timeout: 30_000 }).not.toContain(`${prefix}jobs`)
    })
    const neighbours = Array.from({ length: 20 }, (_, n) => store.appendToStream(`neighbour-${n}`, counted(n)))
    const lost = store.appendToStream('s', counted(2), task)
    lost.catch(() => {})
    expect(await Promise.all(neighbours)).toHaveLength(20)
    await expect(lost).rejects.toMatchObject({ code: 'TOPIC_MISSING', message: expect.stringContaining('stream "s"') })
    expect(await store.appendToStream('s', counted(3))).toMatchObject({ firstStreamPosition: 2 })
    expect(await read(store, 's')).toEqual([{ n: 1 }, { n: 3 }])
    await store.close()
  })

  it('L6 made anew and grown past what a sleeper knew: it wakes up to the new log, not to a mixture', async () => {
    const { store: sleeper, open, said, eventTopic } = await opened('anew-grown')
    for (const n of [1, 2, 3]) await sleeper.appendToStream('s', counted(n))
    await makeAnew(eventTopic)
    const other = await open()
    for (const n of [11, 12]) await other.appendToStream('s', counted(n))
    for (let n = 0; n < 10; n++) await other.appendToStream('grown', counted(n))
    const now = performance.now.bind(performance)
    const later = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_000)
    try {
      expect(await sleeper.appendToStream('s', counted(13))).toMatchObject({ firstStreamPosition: 3 })
      expect(said).toEqual([expect.stringContaining('is not in its log any more')])
      for (const reader of [sleeper, other]) {
        expect(await read(reader, 's')).toEqual([{ n: 11 }, { n: 12 }, { n: 13 }])
        expect(await read(reader, 'grown')).toHaveLength(10)
      }
    } finally {
      later.mockRestore()
      await Promise.all([other.close(), sleeper.close()])
    }
  })
})
