import { expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import {
  type KafkaDriver,
  KafkaError,
  type Transaction,
  type TransactionalWriter,
  type TransactionOutcome,
  type WriterOptions,
} from '../../src/kafka/driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStoreOn } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION, OUTGOING_TOPIC } from './appender.ts'
import { readTopic } from './log-check.ts'

const brokers = kafkaBrokers.split(',')
const LOST = new KafkaError('UNAVAILABLE', 'The answer to the commit was lost.')

type Loss = 'after-commit' | 'before-commit'

interface Lossy {
  readonly driver: KafkaDriver
  lose(loss: Loss): void
}

/** A real driver whose writers lose the answer to one commit, on either side of it. */
async function lossy(name: KafkaDriverName): Promise<Lossy> {
  const real = await connectDriver(name, { brokers, clientId: 'lossy', logger: silentLogger, connectTimeoutMs: 8000 })
  let due: Loss | undefined
  const openWriter = (options: WriterOptions): TransactionalWriter => {
    const writer = real.openWriter(options)
    const transact = (transaction: Transaction): Promise<TransactionOutcome> => {
      const loss = due
      due = undefined
      if (loss === 'after-commit') return loseAnswer(writer, transaction)
      return loss === 'before-commit' ? loseCommit(real, options, transaction) : writer.transact(transaction)
    }
    return { ...passOn(writer), transact }
  }
  const lose = (loss: Loss) => {
    due = loss
  }
  return { driver: { ...real, openWriter }, lose }
}

function passOn(writer: TransactionalWriter): Omit<TransactionalWriter, 'transact'> {
  return { init: () => writer.init(), endOf: (place) => writer.endOf(place), close: () => writer.close() }
}

async function loseAnswer(writer: TransactionalWriter, transaction: Transaction): Promise<TransactionOutcome> {
  const outcome = await writer.transact(transaction)
  return outcome.kind === 'committed' ? { ...outcome, kind: 'unknown', error: LOST } : outcome
}

/** The commit never arrived, and meanwhile somebody else initialised the id. */
async function loseCommit(
  driver: KafkaDriver,
  options: WriterOptions,
  { records }: Transaction,
): Promise<TransactionOutcome> {
  const { topic = '', partition = 0 } = records[0] ?? {}
  const offset = await driver.offsetOf({ topic, partition }, 'latest')
  const rival = driver.openWriter(options)
  await rival.init()
  await rival.close()
  return { kind: 'unknown', error: LOST, placed: [{ topic, partition, baseOffset: offset, lastOffset: offset }] }
}

type LossyTest = (store: EventStore, lose: (loss: Loss) => void, prefix: string) => Promise<void>

async function onLossyStoreOf(name: KafkaDriverName, test: LossyTest) {
  const prefix = uniquePrefix('lossy')
  const { driver, lose } = await lossy(name)
  const store = await openKafkaStoreOn(driver, { brokers, prefix }, { topics: ONE_PARTITION, logger: silentLogger })
  try {
    await store.appendToStream('s', [{ type: 'A', data: 1 }])
    await test(store, lose, prefix)
  } finally {
    await store.close()
  }
}

describeKafka.each(['kafkajs', 'platformatic'] as const)('the answer to a commit is lost, with %s', (name) => {
  const onLossyStore = (test: LossyTest) => onLossyStoreOf(name, test)

  it('P4 after it was committed: found in the log, answered once, written once', async () => {
    await onLossyStore(async (store, lose, prefix) => {
      lose('after-commit')
      const answers = await Promise.all([
        store.appendToStream('s', [{ type: 'A', data: 2 }], { expectedStreamVersion: 1 }),
        store.appendToStream('t', [{ type: 'A', data: 1 }]),
      ])
      expect(answers.map(({ currentStreamVersion, repeated }) => [currentStreamVersion, repeated])).toEqual([
        [2, false],
        [1, false],
      ])
      const log = await readTopic(kafkaBrokers, `${prefix}session.events`)
      expect(log.map(({ key, headers }) => `${key}${headers['sequence-number']}`)).toEqual(['s1', 's2', 't1'])
    })
  })

  it('P4 and it was never committed: judged and appended again', async () => {
    await onLossyStore(async (store, lose, prefix) => {
      lose('before-commit')
      const answer = await store.appendToStream('s', [{ type: 'A', data: 2 }], { expectedStreamVersion: 1 })
      expect(answer).toMatchObject({ currentStreamVersion: 2, repeated: false })
      const log = await readTopic(kafkaBrokers, `${prefix}session.events`)
      expect(log.map(({ key, headers }) => `${key}${headers['sequence-number']}`)).toEqual(['s1', 's2'])
    })
  })

  it('P2 P4 an append of messages alone is found by its place in their topic', async () => {
    await onLossyStore(async (store, lose, prefix) => {
      const outgoing = [{ topic: OUTGOING_TOPIC, key: 's', type: 'Task', data: 'once' }]
      lose('after-commit')
      await store.appendToStream('s', [], { outgoing })
      const messages = await readTopic(kafkaBrokers, `${prefix}${OUTGOING_TOPIC}`)
      expect(messages.map(({ value }) => value)).toEqual(['"once"'])
    })
  })
})
