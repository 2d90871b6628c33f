import { once } from 'node:events'
import { onReach } from '../../src/core/reach.ts'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'

/*
 * A process of its own that appends to a log on Kafka and prints one line per acknowledged append. Told so, it kills
 * itself at a named place, the hard way.
 */

export interface AppenderTask {
  readonly brokers: string
  readonly prefix: string
  readonly driver?: KafkaDriverName
  readonly streams: readonly string[]
  /** Idempotency keys, one append each; append number i goes to stream i modulo their count. */
  readonly keys: readonly string[]
  readonly concurrency: number
  /** An owner to announce; the process then stays until it is killed. */
  readonly announce?: string
  /** After its first append it says so and waits for a word on stdin; when that ends it begins no more appends. */
  readonly waits?: boolean
  readonly killAt?: { readonly point: string; readonly time: number }
}

export interface Acknowledged {
  readonly key: string
  readonly stream: string
  readonly version: number
  readonly atMs: number
}

export const READY = 'ready'
export const OUTGOING_TOPIC = 'agent.tasks.worker'
export const ONE_PARTITION = { 'session.events': { partitions: 1 } }

async function main(task: AppenderTask): Promise<void> {
  const { killAt } = task
  let times = 0
  onReach((point) => {
    if (point === killAt?.point && ++times === killAt.time) process.kill(process.pid, 'SIGKILL')
  })
  const store = await openKafkaStore(
    { brokers: task.brokers.split(','), prefix: task.prefix, driver: task.driver },
    { topics: ONE_PARTITION },
  )
  if (task.announce !== undefined) await store.presence.announce(task.announce)
  let next = 0
  let stopped = false
  const append = async (i: number) => {
    const [key, stream] = [task.keys[i] ?? '', task.streams[i % task.streams.length] ?? '']
    const outgoing = [{ topic: OUTGOING_TOPIC, key: stream, type: 'Task', data: { key } }]
    const event = { type: 'Counted', data: { key } }
    const { currentStreamVersion: version } = await store.appendToStream(stream, [event], {
      idempotencyKey: key,
      outgoing,
    })
    process.stdout.write(`${JSON.stringify({ key, stream, version, atMs: Date.now() } satisfies Acknowledged)}\n`)
  }
  if (task.waits === true) {
    await append(next++)
    process.stdout.write(`${READY}\n`)
    await once(process.stdin, 'data')
    process.stdin.once('end', () => (stopped = true))
  }
  const work = async () => {
    while (next < task.keys.length && !stopped) await append(next++)
  }
  await Promise.all(Array.from({ length: task.concurrency }, work))
  if (task.announce === undefined) await store.close()
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]))
