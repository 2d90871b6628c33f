import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { RequestBroker, RequestCluster } from '../../src/kafka/drivers/kafkajs-internals.ts'
import { KafkajsWriter } from '../../src/kafka/drivers/kafkajs-writer.ts'

/*
 * The markers of a transaction are written after its commit was answered, so one that follows at once is told
 * CONCURRENT_TRANSACTIONS. kafkajs would wait 300 ms then, and longer each time.
 */

const pauses: number[] = []
vi.mock('node:timers/promises', () => ({ setTimeout: async (ms: number) => void pauses.push(ms) }))

const concurrent = () => Object.assign(new Error('the markers are yet to come'), { type: 'CONCURRENT_TRANSACTIONS' })
const TIMES = 20

const REQUESTS = [
  'initProducerId',
  'addPartitionsToTxn',
  'produce',
  'addOffsetsToTxn',
  'txnOffsetCommit',
  'endTxn',
] as const
type Request = (typeof REQUESTS)[number]

const topics = [{ topicName: 't', partitions: [{ partition: 0, baseOffset: '0' }] }]
const ANSWER = { producerId: '1', producerEpoch: 0, topics }
const record = { topic: 't', partition: 0, key: Buffer.from('k'), value: Buffer.from('{}'), headers: {} }
const offsets = [{ group: 'g', offsets: [{ topic: 't', partition: 0, offset: 1 }] }]

/** One broker that leads and coordinates all, and tells what it was asked. */
function writerOn(answer: (request: Request) => Promise<object>) {
  const asked: string[] = []
  const reconnects: string[] = []
  const request = (name: Request) => () => {
    asked.push(name)
    return answer(name)
  }
  const broker = Object.fromEntries(REQUESTS.map((name) => [name, request(name)])) as unknown as RequestBroker
  const cluster = {
    connect: async () => void reconnects.push('connect'),
    refreshMetadata: async () => void reconnects.push('refreshMetadata'),
    disconnect: async () => {},
    addMultipleTargetTopics: async () => {},
    findBroker: async () => broker,
    findGroupCoordinator: async ({ groupId }: { groupId: string }) => {
      asked.push(`find ${groupId}`)
      return broker
    },
    findTopicPartitionMetadata: () => [{ partitionId: 0, leader: 1 }],
  } as unknown as RequestCluster
  const writer = new KafkajsWriter(cluster, { transactionalId: 'id', transactionTimeoutMs: 10_000 })
  return { writer, asked, reconnects }
}

/** Not ready for the request `busy` so many times. */
function busyWriter(busy: Request) {
  let refusals = TIMES
  return writerOn(async (name) => {
    if (name === busy && refusals-- > 0) throw concurrent()
    return ANSWER
  })
}

/** Answers these requests when the test says so. */
function slowWriter(...slow: Request[]) {
  const open = new Map<string, PromiseWithResolvers<object>>()
  const on = writerOn(async (name) => {
    if (!slow.includes(name)) return ANSWER
    const waiting = Promise.withResolvers<object>()
    open.set(name, waiting)
    return waiting.promise
  })
  const refuse = (name: Request, type: string) => open.get(name)?.reject(Object.assign(new Error(type), { type }))
  return { ...on, refuse, allow: (name: Request) => open.get(name)?.resolve(ANSWER) }
}

beforeEach(() => void pauses.splice(0))

it.each(['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const)(
  'CONCURRENT_TRANSACTIONS at %s is asked again after a few milliseconds, on the same connection',
  async (busy) => {
    const { writer, asked, reconnects } = busyWriter(busy)
    await writer.init()
    expect(await writer.transact({ records: [record], offsets })).toMatchObject({ kind: 'committed' })
    expect(asked.filter((name) => name === busy)).toHaveLength(TIMES + 1)
    expect(pauses).toHaveLength(TIMES)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(5)
    expect(reconnects).toEqual(['connect']) // by init, once
  },
)

describe('the offsets of a transaction', () => {
  it('go beside its records, and it ends only when both were answered', async () => {
    const { writer, asked, allow } = slowWriter('produce', 'txnOffsetCommit')
    await writer.init()
    const outcome = writer.transact({ records: [record], offsets })
    await expect.poll(() => asked.slice(-4).sort()).toEqual(['addOffsetsToTxn', 'find g', 'produce', 'txnOffsetCommit'])
    allow('txnOffsetCommit')
    await new Promise(setImmediate)
    expect(asked).not.toContain('endTxn')
    allow('produce')
    expect(await outcome).toMatchObject({ kind: 'committed' })
  })

  it('that are refused end it when its records were answered too: none lands in the transaction after it', async () => {
    const { writer, asked, refuse, allow } = slowWriter('produce', 'txnOffsetCommit')
    await writer.init()
    const outcome = writer.transact({ records: [record], offsets })
    await expect.poll(() => asked.at(-1)).toBe('txnOffsetCommit')
    refuse('txnOffsetCommit', 'ILLEGAL_GENERATION')
    await new Promise(setImmediate)
    expect(asked).not.toContain('endTxn')
    allow('produce')
    expect(await outcome).toMatchObject({ kind: 'aborted', fenced: offsets[0] })
    expect(asked.at(-1)).toBe('endTxn')
  })

  it('go to whoever coordinates their group, which is asked for once, and again when it says that it does not', async () => {
    const { writer, asked, refuse, allow } = slowWriter('txnOffsetCommit')
    await writer.init()
    const found = () => asked.filter((name) => name === 'find g').length
    for (let n = 0; n < 2; n++) {
      const outcome = writer.transact({ records: [record], offsets })
      await expect.poll(() => asked.at(-1)).toBe('txnOffsetCommit')
      allow('txnOffsetCommit')
      expect(await outcome).toMatchObject({ kind: 'committed' })
    }
    expect(found()).toBe(1)
    const outcome = writer.transact({ records: [record], offsets })
    await expect.poll(() => asked.at(-1)).toBe('txnOffsetCommit')
    const before = asked.length
    refuse('txnOffsetCommit', 'NOT_COORDINATOR_FOR_GROUP')
    await expect.poll(() => asked.slice(before)).toEqual(['find g', 'txnOffsetCommit'])
    allow('txnOffsetCommit')
    expect(await outcome).toMatchObject({ kind: 'committed' })
  })
})
