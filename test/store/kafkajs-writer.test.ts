import { beforeEach, expect, it, vi } from 'vitest'
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

type Busy = 'initProducerId' | 'addPartitionsToTxn' | 'addOffsetsToTxn' | 'txnOffsetCommit' | 'endTxn'

/** A coordinator that is not ready for the request `busy` so many times. */
function busyCluster(busy: Busy) {
  const asked: string[] = []
  let refusals = TIMES
  const answer = (name: string) => async () => {
    asked.push(name)
    if (name === busy && refusals-- > 0) throw concurrent()
    const topics = [{ topicName: 't', partitions: [{ partition: 0, baseOffset: '0' }] }]
    return { producerId: '1', producerEpoch: 0, topics }
  }
  const names = ['initProducerId', 'addPartitionsToTxn', 'produce', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn']
  const broker = Object.fromEntries(names.map((name) => [name, answer(name)])) as unknown as RequestBroker
  const reconnects: string[] = []
  const cluster = {
    connect: async () => void reconnects.push('connect'),
    refreshMetadata: async () => void reconnects.push('refreshMetadata'),
    disconnect: async () => {},
    addMultipleTargetTopics: async () => {},
    findBroker: async () => broker,
    findGroupCoordinator: async () => broker,
    findTopicPartitionMetadata: () => [{ partitionId: 0, leader: 1 }],
  } as unknown as RequestCluster
  return { cluster, asked, reconnects }
}

beforeEach(() => void pauses.splice(0))

it.each(['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const)(
  'CONCURRENT_TRANSACTIONS at %s is asked again after a few milliseconds, on the same connection',
  async (busy) => {
    const { cluster, asked, reconnects } = busyCluster(busy)
    const writer = new KafkajsWriter(cluster, { transactionalId: 'id', transactionTimeoutMs: 10_000 })
    await writer.init()
    const record = { topic: 't', partition: 0, key: Buffer.from('k'), value: Buffer.from('{}'), headers: {} }
    const offsets = [{ group: 'g', offsets: [{ topic: 't', partition: 0, offset: 1 }] }]
    expect(await writer.transact({ records: [record], offsets })).toMatchObject({ kind: 'committed' })
    expect(asked.filter((name) => name === busy)).toHaveLength(TIMES + 1)
    expect(pauses).toHaveLength(TIMES)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(5)
    expect(reconnects).toEqual(['connect']) // by init, once
  },
)
