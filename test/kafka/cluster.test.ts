import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { type NativeCluster, startNativeCluster } from '../support/broker-cluster.ts'
import { invariantsOnly } from '../support/contract-invariants.ts'
import { describeNative, uniquePrefix } from '../support/kafka.ts'
import { plainClient, readTopic } from './log-check.ts'

/*
 * Three brokers, everything kept on all of them, two needed for a commit: the store's contract, and what is left of it
 * when brokers die under load.
 */

/**
 * `npm run test:cluster`: the whole contract, and every broker dies. Else what the contract says of appends (P2 to P5), and one
 * broker dies, to keep the time short.
 */
const WHOLE = process.env.DUOLOG_LONG === '1'
const DRIVERS: readonly KafkaDriverName[] = ['kafkajs', 'platformatic']
const APPENDERS = 4
/** Without brokers to lose, more streams than partitions: every partition is written all the time. */
const STREAMS = 24

interface Answered {
  readonly key: string
  readonly stream: string
  readonly version: number
}

describeNative('three brokers', () => {
  let cluster: NativeCluster

  beforeAll(async () => {
    cluster = await startNativeCluster()
  })
  afterAll(() => cluster.stop())

  for (const driver of DRIVERS) {
    const prefix = uniquePrefix(`contract-${driver}`)
    storeContract({
      name: `kafka on three brokers, ${driver}`,
      runner: invariantsOnly,
      createLog: async () => ({
        open: (options) =>
          openKafkaStore({ brokers: cluster.address.split(','), prefix, driver }, { logger: silentLogger, ...options }),
      }),
    })
  }

  it('P3 P4 P5: leaders and coordinators die one after the other; what was acknowledged is there once', async () => {
    const works = await Promise.all(DRIVERS.map((driver) => startWork(driver, cluster.address)))
    for (const node of WHOLE ? cluster.nodes : cluster.nodes.slice(0, 1)) {
      await progress(works) // the cluster keeps transactions since the first one
      const roles = await rolesOf(node.nodeId, cluster.address, works)
      expect(roles.leads, `broker ${node.nodeId} leads event partitions`).toBeGreaterThan(0)
      expect(roles.coordinates, `broker ${node.nodeId} coordinates transactions`).toBeGreaterThan(0)
      await node.kill()
      await progress(works) // with two of three
      await node.restart()
      await cluster.complete()
      await allInSync(cluster.address, works)
    }
    await progress(works)
    for (const work of works) await check(work, await work.stop(), cluster.address)
  }, 240_000)
})

interface Work {
  readonly driver: KafkaDriverName
  readonly prefix: string
  readonly answered: readonly Answered[]
  stop(): Promise<Expected>
}

interface Expected {
  readonly keys: readonly string[]
  readonly refused: readonly string[]
}

/** Appends without a pause for breath; every call gets its answer in the end (P4). */
async function startWork(driver: KafkaDriverName, address: string): Promise<Work> {
  const prefix = uniquePrefix(`rolling-${driver}`)
  const store = await openKafkaStore({ brokers: address.split(','), prefix, driver }, { logger: silentLogger })
  const answered: Answered[] = []
  const keys: string[] = []
  const refused: string[] = []
  let stopping = false
  const appender = async (appenderIndex: number) => {
    for (let n = 0; !stopping; n++) {
      const stream = `stream-${(n * APPENDERS + appenderIndex) % STREAMS}`
      const key = `${appenderIndex}-${n}`
      keys.push(key)
      await append(store, stream, key).then(
        (version) => answered.push({ key, stream, version }),
        (error: unknown) => refused.push(`${key}: ${String(error)}`),
      )
      await sleep(5)
    }
  }
  const running = Array.from({ length: APPENDERS }, (_, index) => appender(index))
  const stop = async () => {
    stopping = true
    await Promise.all(running)
    await store.close()
    return { keys, refused }
  }
  return { driver, prefix, answered, stop }
}

async function append(store: EventStore, stream: string, key: string): Promise<number> {
  const events = [{ type: 'Counted', data: { key } }]
  const { currentStreamVersion } = await store.appendToStream(stream, events, { idempotencyKey: key })
  return currentStreamVersion
}

/** Waits until each appender of each driver has been answered a few times more. */
async function progress(works: readonly Work[]): Promise<void> {
  const wanted = works.map(({ answered }) => answered.length + 10 * APPENDERS)
  while (works.some(({ answered }, index) => answered.length < (wanted[index] ?? 0))) await sleep(50)
}

async function rolesOf(nodeId: number, address: string, works: readonly Work[]) {
  const eventTopics = works.map(({ prefix }) => `${prefix}session.events`)
  const transactions = await leadersOf(address, ['__transaction_state'])
  const ids = works.flatMap(({ prefix }) => {
    const { transactionalId } = namesOf(prefix, 'session.events')
    return [0, 1, 2, 3, 4, 5].map(transactionalId)
  })
  const coordinators = ids.map((id) => transactions[(javaHash(id) & 0x7fffffff) % transactions.length])
  const leaders = await leadersOf(address, eventTopics)
  const led = (nodes: readonly (number | undefined)[]) => nodes.filter((leader) => leader === nodeId).length
  return { leads: led(leaders), coordinates: led(coordinators) }
}

async function leadersOf(address: string, topics: readonly string[]): Promise<readonly number[]> {
  const found = await metadataOf(address, topics)
  return found.flatMap(({ partitions }) =>
    [...partitions].sort((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader),
  )
}

async function allInSync(address: string, works: readonly Work[]): Promise<void> {
  const topics = ['__transaction_state', ...works.map(({ prefix }) => `${prefix}session.events`)]
  const inSync = async () => {
    const found = await metadataOf(address, topics).catch(() => [])
    return found.length > 0 && found.every(({ partitions }) => partitions.every(({ isr }) => isr.length === 3))
  }
  while (!(await inSync())) await sleep(200)
}

async function metadataOf(address: string, topics: readonly string[]) {
  const admin = plainClient(address).admin()
  await admin.connect()
  try {
    return (await admin.fetchTopicMetadata({ topics: [...topics] })).topics
  } finally {
    await admin.disconnect()
  }
}

/** `String.hashCode`, by which Kafka finds a transactional id's coordinator. */
function javaHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0
  return hash
}

async function check({ driver, prefix, answered }: Work, { keys, refused }: Expected, address: string) {
  const events = (await readTopic(address, `${prefix}session.events`)).map(({ key, value, headers }) => ({
    stream: key,
    key: (JSON.parse(value) as { key: string }).key,
    version: Number(headers['sequence-number']),
  }))
  expect(refused, `${driver}: refused`).toEqual([])
  expect(events.map(({ key }) => key).sort(), `${driver}: each key once`).toEqual([...keys].sort())
  const places = new Map(events.map(({ key, stream, version }) => [key, `${stream}@${version}`]))
  expect(answered.filter(({ key, stream, version }) => places.get(key) !== `${stream}@${version}`)).toEqual([])
  const versions = new Map<string, number>()
  for (const { stream, version } of events) {
    expect(version, `${driver}: version of ${stream}`).toBe((versions.get(stream) ?? 0) + 1)
    versions.set(stream, version)
  }
}
