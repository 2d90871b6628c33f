import { randomUUID } from 'node:crypto'
import type { DriverRecord, KafkaDriver } from '../../src/kafka/driver.ts'
import { timed } from '../report.ts'
import { eventOf } from './load.ts'

/*
 * What stands beside us: the same driver without the store.
 */

export interface RawTarget {
  readonly driver: KafkaDriver
  readonly topic: string
  readonly dataBytes: number
}

function recordOf({ topic, dataBytes }: RawTarget): DriverRecord {
  const value = Buffer.from(JSON.stringify(eventOf(dataBytes).data))
  return { topic, partition: 0, key: Buffer.from(randomUUID()), value, headers: { ce_type: 'Measured' } }
}

/** (a) What the textbook does for an exactly-once append: a transaction for each, by one writer. Records per second. */
export async function transactionPerAppend(target: RawTarget, appends: number): Promise<number> {
  const writer = target.driver.openWriter({ transactionalId: `bench-${randomUUID()}`, transactionTimeoutMs: 10_000 })
  await writer.init()
  const record = recordOf(target)
  const ms = await timed(async () => {
    for (let i = 0; i < appends; i++) {
      const { kind } = await writer.transact({ records: [record], offsets: [] })
      if (kind !== 'committed') throw new Error(`The raw transaction ended ${kind}`)
    }
  })
  await writer.close()
  return (appends * 1000) / ms
}

/** (b) Plain batches, acknowledged by all replicas, without any guarantee of ours. Records per second. */
export async function plainBatches(target: RawTarget, { batches, size }: { batches: number; size: number }) {
  const records = Array.from({ length: size }, () => recordOf(target))
  const ms = await timed(async () => {
    for (let i = 0; i < batches; i++) await target.driver.produce(records)
  })
  return (batches * size * 1000) / ms
}
