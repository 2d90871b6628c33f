import { afterAll, expect, it } from 'vitest'
import type { Logger } from '../../src/core/logger.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { counting, snapshotSuite } from '../store/snapshot-suite.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainClient, sendPlain } from './log-check.ts'

const brokers = kafkaBrokers.split(',')
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

describeKafka.each(['kafkajs', 'platformatic'] as const)('snapshots in a compacted topic, with %s', (driver) => {
  const prefix = uniquePrefix(`snapshots-${driver}`)
  const opened: EventStore[] = []
  const open = async (logger: Logger = quiet) => {
    const store = await openKafkaStore({ brokers, prefix, driver }, { logger })
    opened.push(store)
    return store
  }
  afterAll(() => Promise.all(opened.map((store) => store.close())))

  snapshotSuite(`Kafka, ${driver}`, () => ({ open: () => open() }))

  it('the topic is compacted, and keyed by kind and stream', async () => {
    const admin = plainClient(kafkaBrokers).admin()
    await admin.connect()
    const name = `${prefix}duolog.snapshots`
    const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name }], includeSynonyms: false })
    await admin.disconnect()
    const policy = resources[0]?.configEntries.find(({ configName }) => configName === 'cleanup.policy')
    expect(policy?.configValue).toBe('compact')
  })

  it('N1 records by strangers in it are said once and change nothing', async () => {
    const said: string[] = []
    const store = await open({ ...quiet, warn: (_fields, message) => void said.push(message) })
    const fold = { initialState: () => 0, evolve: (sum: number) => sum + 1 }
    const snapshot = { name: 'n', version: 1, every: 5 }
    await store.appendToStream(
      's',
      Array.from({ length: 8 }, () => ({ type: 'Counted', data: null })),
    )
    await store.aggregateStream('s', { ...fold, snapshot })
    await store.snapshots.idle()
    const topic = `${prefix}duolog.snapshots`
    const key = JSON.stringify(['n', 's'])
    const everywhere = Array.from({ length: 6 }, (_, partition) => ({ partition, key, value: 'no snapshot' }))
    await sendPlain(plainClient(kafkaBrokers), topic, everywhere)
    for (const _ of [1, 2]) {
      const counted = counting(store)
      const never = { ...snapshot, every: 100 }
      expect(await counted.store.aggregateStream('s', { ...fold, snapshot: never })).toMatchObject({ state: 8 })
      expect(counted.read()).toBe(8)
    }
    expect(said.filter((line) => line.includes('"n"'))).toEqual([expect.stringContaining('it is damaged')])
  })
})
