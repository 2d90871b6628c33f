import { createHash } from 'node:crypto'
import { onReach } from '../../src/core/reach.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { ONE_PARTITION } from './appender.ts'

/*
 * A process of its own that reads a log into a replica in a folder, over and over, until it has seen `until` events or is
 * killed: at a named place, or from outside. Says what it read at the end.
 */

export interface ReaderTask {
  readonly brokers: string
  readonly prefix: string
  readonly directory: string
  readonly until: number
  readonly killAt?: { readonly point: string; readonly time: number }
}

/** Of each stream: how many events, and a hash of their ids in order. */
export type ReadStreams = Readonly<Record<string, readonly [count: number, ids: string]>>

export function hashOf(ids: readonly string[]): string {
  return createHash('sha256').update(ids.join()).digest('hex')
}

async function main({ brokers, prefix, directory, until, killAt }: ReaderTask): Promise<void> {
  let times = 0
  onReach((point) => {
    if (point === killAt?.point && ++times === killAt.time) process.kill(process.pid, 'SIGKILL')
  })
  const options = { topics: ONE_PARTITION, replica: { directory } }
  const store = await openKafkaStore({ brokers: brokers.split(','), prefix }, options)
  process.stdout.write('ready\n')
  for (let seen = 0; seen < until; ) {
    seen = 0
    for await (const { currentStreamVersion } of store.listStreams()) seen += currentStreamVersion
  }
  const read: Record<string, readonly [number, string]> = {}
  for await (const { stream } of store.listStreams()) {
    const ids: string[] = []
    for await (const { eventId } of store.readStream(stream)) ids.push(eventId)
    read[stream] = [ids.length, hashOf(ids)]
  }
  await store.close()
  process.stdout.write(`${JSON.stringify(read)}\n`)
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]))
