import { expect, it, vi } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { KafkaError } from '../../src/kafka/driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStoreOn } from '../../src/store/kafka/kafka-store.ts'
import type { StoreOptions } from '../../src/store/store-options.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { type Between, interposedDriver } from './interposed-driver.ts'
import { plainClient, readTopic } from './log-check.ts'

/* Appends that wait too long, find no room, are given up on their way, or lose their topic: what the caller hears is what the log says. */

const DRIVERS = ['kafkajs', 'platformatic'] as const
const counted = (n: number) => [{ type: 'Counted', data: { n } }]
const UNKNOWN_TOPIC = new KafkaError('UNAVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION: the broker does not know it', {
  type: 'UNKNOWN_TOPIC_OR_PARTITION',
})

interface Setting {
  readonly store: EventStore
  readonly between: Between
  readonly eventTopic: string
  /** Holds the next transaction before it is sent; resolves when it has come so far. */
  hold(): { readonly held: Promise<void>; release(error?: Error): void }
  inLog(): Promise<readonly number[]>
}

async function withStore(
  name: KafkaDriverName,
  options: StoreOptions,
  test: (setting: Setting) => Promise<void>,
): Promise<void> {
  const prefix = uniquePrefix('giving-up')
  const eventTopic = `${prefix}session.events`
  const between: Between = {}
  const driver = await interposedDriver(between, name)
  const connection = { brokers: kafkaBrokers.split(','), prefix }
  const store = await openKafkaStoreOn(driver, connection, { topics: ONE_PARTITION, logger: silentLogger, ...options })
  const hold = () => {
    const held = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    between.beforeTransaction = () => {
      delete between.beforeTransaction
      held.resolve()
      return gate.promise
    }
    const release = (error?: Error) => (error === undefined ? gate.resolve() : gate.reject(error))
    return { held: held.promise, release }
  }
  const inLog = async () =>
    (await readTopic(kafkaBrokers, eventTopic)).map(({ value }) => (JSON.parse(value) as { n: number }).n)
  try {
    await test({ store, between, eventTopic, hold, inLog })
  } finally {
    await store.close()
  }
}

describeKafka.each(DRIVERS)('appends that do not come through, with %s', (name) => {
  it('P4 APPEND_TIMEOUT: what waited too long to be begun is not in the log; what was sent in time is awaited', async () => {
    await withStore(name, {}, async ({ store, hold, inLog }) => {
      await store.appendToStream('s', counted(1))
      const { held, release } = hold()
      const sent = store.appendToStream('s', counted(2), { appendTimeoutMs: 2000 })
      await Promise.race([held, sent])
      const waiting = store.appendToStream('t', counted(3), { appendTimeoutMs: 2100 }) // ends after the one that was sent
      await expect(waiting).rejects.toMatchObject({
        code: 'APPEND_TIMEOUT',
        message: expect.stringContaining('Nothing was written'),
      })
      release()
      expect((await sent).currentStreamVersion).toBe(2)
      expect(await inLog()).toEqual([1, 2])
    })
  })

  it('Q2 APPEND_QUEUE_FULL: who finds no room in time is told so; those with room go on', async () => {
    await withStore(name, { maxQueuedAppends: 1 }, async ({ store, hold, inLog }) => {
      const { held, release } = hold()
      const sent = store.appendToStream('s', counted(1))
      await held
      const queued = store.appendToStream('t', counted(2))
      const inLine = store.appendToStream('u', counted(3), { appendTimeoutMs: 50 })
      await expect(inLine).rejects.toMatchObject({
        code: 'APPEND_QUEUE_FULL',
        message: expect.stringMatching(/Nothing was written; .*maxQueuedAppends/),
      })
      const inLineLonger = store.appendToStream('v', counted(4))
      release()
      await Promise.all([sent, queued, inLineLonger])
      expect(await inLog()).toEqual([1, 2, 4])
    })
  })

  it('P4 a signal while the append is on its way: its true outcome is awaited, here a success', async () => {
    await withStore(name, {}, async ({ store, hold, inLog }) => {
      const stop = new AbortController()
      const { held, release } = hold()
      const sent = store.appendToStream('s', counted(1), { signal: stop.signal })
      await held
      stop.abort()
      const queued = store.appendToStream('t', counted(2), { signal: stop.signal })
      await expect(queued).rejects.toMatchObject({ code: 'ABORTED' })
      release()
      expect((await sent).currentStreamVersion).toBe(1)
      expect(await inLog()).toEqual([1])
    })
  })

  it('Q1 a signal while the append is on its way, and its transaction is aborted: it is not begun again', async () => {
    await withStore(name, {}, async ({ store, hold, inLog }) => {
      const stop = new AbortController()
      const { held, release } = hold()
      const sent = store.appendToStream('s', counted(1), { signal: stop.signal })
      await held
      stop.abort()
      release(new KafkaError('FENCED', 'Somebody else took over.', { type: 'PRODUCER_FENCED' }))
      await expect(sent).rejects.toMatchObject({ code: 'ABORTED' })
      await store.appendToStream('t', counted(2))
      expect(await inLog()).toEqual([2])
    })
  })

  it('a broker that does not know the topic for a moment makes an append slower, and nothing else', async () => {
    await withStore(name, {}, async ({ store, between, inLog }) => {
      await store.appendToStream('s', counted(1))
      let answers = 0
      between.beforeTransaction = () => {
        if (answers === 0) throw UNKNOWN_TOPIC
      }
      between.beforeFetch = () => {
        if (answers++ < 4) throw UNKNOWN_TOPIC
      }
      const appended = await store.appendToStream('s', counted(2), { expectedStreamVersion: 1 })
      expect(appended).toMatchObject({ currentStreamVersion: 2, repeated: false })
      expect(answers).toBeGreaterThan(4)
      expect(await inLog()).toEqual([1, 2])
    })
  })
})

describeKafka('appends that lose their topic', () => {
  it.concurrent('TOPIC_MISSING when the event topic was deleted under the store, with each driver', async () => {
    await Promise.all(DRIVERS.map((name) => withStore(name, {}, loseTopic)))
  }, 120_000)

  it.concurrent('TOPIC_MISSING for who was committed and not yet read back, too: nobody waits for ever', async () => {
    await Promise.all(DRIVERS.map((name) => withStore(name, {}, loseTopicInDoubt)))
  }, 120_000)
})

async function loseTopic({ store, eventTopic }: Setting): Promise<void> {
  await store.appendToStream('s', counted(1))
  const admin = plainClient(kafkaBrokers).admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [eventTopic] })
  await expect(appendUntilRefused(store)).rejects.toMatchObject({
    code: 'TOPIC_MISSING',
    message: expect.stringContaining(`"${eventTopic}" is gone`),
  })
  expect(await admin.listTopics()).not.toContain(eventTopic) // nobody made an empty one in its place
  await admin.disconnect()
}

async function loseTopicInDoubt({ store, between, eventTopic }: Setting): Promise<void> {
  await store.appendToStream('s', counted(1))
  between.afterTransaction = () => {
    delete between.afterTransaction
    return deleteTopic(eventTopic)
  }
  await expect(store.appendToStream('s', counted(2))).rejects.toMatchObject({
    code: 'TOPIC_MISSING',
    message: expect.stringMatching(/is gone.*"s" was sent/),
  })
}

/** Resolves when the broker knows of it no more, a moment after it answered. */
async function deleteTopic(topic: string): Promise<void> {
  const admin = plainClient(kafkaBrokers).admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await vi.waitFor(async () => expect(await admin.listTopics()).not.toContain(topic), { timeout: 30_000 })
  await admin.disconnect()
}

/** The broker takes what comes until it has heard of the deletion itself, a moment after it was answered. */
async function appendUntilRefused(store: EventStore): Promise<never> {
  for (;;) await store.appendToStream('s', counted(2))
}
