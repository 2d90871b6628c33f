import { expect, it } from 'vitest'
import { startBatchProcessor } from '../../src/processing/start-processor.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { plainClient } from '../kafka/log-check.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { startProgram } from '../support/program.ts'
import { until, workbench } from './logs.ts'

/*
 * D6 W7 On a real broker: a process that lost its partition while it was suspended, and one that died between its
 * transaction's offsets and its commit.
 */

const { later, open, running } = workbench()

const job = (n: number) => ({ topic: 'zombie.jobs', key: 'k', type: 'Job', data: { n } })
const numberOf = ({ data }: { readonly data: unknown }) => (data as { n: number }).n

it.each(['kafkajs', 'platformatic'])(
  'P5 a batch is applied once, though a former owner wakes up in the middle of an append of other messages together (%s)',
  async (driver) => {
    const prefix = uniquePrefix('zombie')
    const url = `kafka://${kafkaBrokers}/?prefix=${prefix}&driver=${driver}&eventPartitions=1&leaseMs=1000`
    const store = await open(url)
    await store.appendToStream('sender', [], { outgoing: [1, 2, 3, 4].map(job) })
    const zombie = startProgram(new URL('./zombie-main.ts', import.meta.url), { url })
    later(() => zombie.process.kill('SIGKILL'))
    await zombie.said('stopping')
    const batches: number[][] = []
    const successor = startBatchProcessor({
      store,
      group: 'zombies',
      topics: ['zombie.jobs'],
      maxBatchMessages: 3,
      handleBatch: async (messages, { append }) => {
        batches.push(messages.map(numberOf))
        await append(
          'handled',
          messages.map(({ data }) => ({ type: 'Handled', data })),
        )
      },
    })
    running(successor)
    await until(() => batches.flat().includes(4))
    zombie.process.kill('SIGCONT')
    await until(() => zombie.lines.length > 1)
    expect(zombie.lines).toEqual(['stopping', 'refused CHECKPOINT_FENCED'])
    await store.appendToStream('sender', [], { outgoing: [job(5)] })
    const handled = async () => {
      const numbers: number[] = []
      for await (const event of store.readStream('handled')) numbers.push(numberOf(event))
      return numbers
    }
    await until(async () => (await handled()).includes(5))
    expect(batches[0]).toEqual([1, 2, 3])
    expect(await handled()).toEqual([1, 2, 3, 4, 5])
  },
)

it('a checkpoint that a dead process left undecided is settled by who takes its partition, not by the time a transaction has', async () => {
  const prefix = uniquePrefix('undecided')
  const store = await openEventStore(`kafka://${kafkaBrokers}/?prefix=${prefix}&eventPartitions=1&leaseMs=1000`)
  later(() => store.close())
  await store.appendToStream('sender', [], { outgoing: [1, 2].map(job) })
  const transactionalId = `duolog.writer.${prefix}session.events.0`
  const dead = plainClient(kafkaBrokers).producer({
    transactionalId,
    transactionTimeout: 600_000,
    maxInFlightRequests: 1,
    idempotent: true,
  })
  await dead.connect()
  later(() => dead.disconnect())
  const transaction = await dead.transaction()
  await transaction.sendOffsets({
    consumerGroupId: `${prefix}g`,
    topics: [{ topic: `${prefix}zombie.jobs`, partitions: [0, 1, 2].map((partition) => ({ partition, offset: '1' })) }],
  })
  const seen: number[] = []
  running(
    startBatchProcessor({
      store,
      group: 'g',
      topics: ['zombie.jobs'],
      handleBatch: async (messages) => void seen.push(...messages.map(numberOf)),
    }),
  )
  await until(() => seen.length >= 2)
  expect(seen).toEqual([1, 2])
})
