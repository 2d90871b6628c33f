import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { FetchedPartition, KafkaDriver, PartitionReader, TransactionalWriter } from '../../src/kafka/driver.ts'
import { kafkaBrokers } from '../support/kafka.ts'

/** What stands between the store and a real driver. */
export interface Between {
  /** Awaited before a transaction is sent; what it throws, the writer hears as aborted. */
  beforeTransaction?(): Promise<void> | void
  /** Awaited after a transaction ended, before the writer hears how. */
  afterTransaction?(): Promise<void> | void
  /** What it throws, the reader hears. */
  beforeFetch?(): void
  /** What the reader gets of a partition instead. */
  afterFetch?(fetched: FetchedPartition): FetchedPartition
}

/** A real driver with something in between; change `between` while it runs. */
export async function interposedDriver(between: Between, name: KafkaDriverName = 'kafkajs'): Promise<KafkaDriver> {
  const options = { brokers: kafkaBrokers.split(','), clientId: 'interposed', logger: silentLogger }
  const real = await connectDriver(name, { ...options, connectTimeoutMs: 8000 })
  return {
    ...real,
    openWriter: (writerOptions) => interposedWriter(real.openWriter(writerOptions), between),
    openReader: () => interposedReader(real.openReader(), between),
  }
}

function interposedWriter(writer: TransactionalWriter, between: Between): TransactionalWriter {
  return {
    init: () => writer.init(),
    endOf: (place) => writer.endOf(place),
    close: () => writer.close(),
    async transact(transaction) {
      try {
        await between.beforeTransaction?.()
      } catch (error) {
        return { kind: 'aborted', error }
      }
      const outcome = await writer.transact(transaction)
      await between.afterTransaction?.()
      return outcome
    },
  }
}

function interposedReader(reader: PartitionReader, between: Between): PartitionReader {
  return {
    async fetch(positions, options) {
      between.beforeFetch?.()
      const fetched = await reader.fetch(positions, options)
      return fetched.map((each) => between.afterFetch?.(each) ?? each)
    },
    close: () => reader.close(),
  }
}
