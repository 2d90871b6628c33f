import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { ONE_PARTITION } from './appender.ts'

/* A process of its own that reads one stream of a large partition, and says how much memory it has then. */

export interface IndexReaderTask {
  readonly brokers: string
  readonly prefix: string
  readonly stream: string
  /** Default: the replica is in memory. */
  readonly directory?: string
}

async function main({ brokers, prefix, stream, directory }: IndexReaderTask): Promise<void> {
  const replica = directory === undefined ? {} : { replica: { directory } }
  const store = await openKafkaStore({ brokers: brokers.split(','), prefix }, { topics: ONE_PARTITION, ...replica })
  let events = 0
  for await (const _event of store.readStream(stream)) events++
  const megabytes = process.memoryUsage.rss() / 1024 / 1024
  await store.close()
  process.stdout.write(`${JSON.stringify({ events, megabytes })}\n`)
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]))
