import { existsSync } from 'node:fs'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { percentile, settle } from '../report.ts'

/*
 * A process of its own that reads a log it has never seen, and then sessions of it, so that its memory is that of one reader.
 */

export interface ReadsTask {
  readonly brokers: readonly string[]
  readonly driver: KafkaDriverName
  readonly prefix: string
  /** A folder for the replica; absent: in memory. */
  readonly directory?: string
  readonly sessions: number
  readonly sessionEvents: number
  readonly reads: number
}

export interface ReadsMeasured {
  readonly coldMs: number
  /** Percentiles 50 and 99 of reading one session. */
  readonly eventualMs: readonly [number, number]
  readonly linearizableMs: readonly [number, number]
  readonly foldedPerSecond: number
  /** The most memory the process had at any time. */
  readonly peakMb: number
  readonly takeoverMs: number
  readonly restartMs: number
}

type Consistency = 'eventual' | 'linearizable'

async function measure(task: ReadsTask): Promise<ReadsMeasured> {
  const { brokers, driver, prefix, directory } = task
  const replica = directory === undefined ? {} : { replica: { directory } }
  const open = () =>
    openKafkaStore({ brokers, driver, prefix }, { topics: { 'session.events': { partitions: 1 } }, ...replica })
  const store = await open()
  const session = (n: number) => `session-${(n * 7919) % task.sessions}`

  const read = async (stream: string, consistency: Consistency) => {
    const start = performance.now()
    let count = 0
    for await (const _ of store.readStream(stream, { consistency })) count++
    if (count !== task.sessionEvents) throw new Error(`${stream} has ${count} events, expected ${task.sessionEvents}`)
    return performance.now() - start
  }
  const latencies = async (consistency: Consistency): Promise<readonly [number, number]> => {
    const each: number[] = []
    for (let n = 0; n < task.reads; n++) each.push(await read(session(n), consistency))
    return [percentile(each, 0.5), percentile(each, 0.99)]
  }

  const coldMs = await read(session(0), 'linearizable')
  await settle()
  const linearizableMs = await latencies('linearizable')
  const eventualMs = await latencies('eventual')
  const foldedPerSecond = await fold(store, task, session)
  const peakMb = process.resourceUsage().maxRSS / 1024
  const beforeTakeover = performance.now()
  await store.appendToStream('bench-takeover', [{ type: 'Measured', data: {} }])
  const takeoverMs = performance.now() - beforeTakeover
  await store.close()
  const beforeRestart = performance.now()
  const again = await open()
  for await (const _ of again.readStream(session(1))) break
  const restartMs = performance.now() - beforeRestart
  await again.close()
  return { coldMs, eventualMs, linearizableMs, foldedPerSecond, peakMb, takeoverMs, restartMs }
}

async function fold(
  store: Awaited<ReturnType<typeof openKafkaStore>>,
  task: ReadsTask,
  session: (n: number) => string,
) {
  const counter = { initialState: () => 0, evolve: (count: number) => count + 1, consistency: 'eventual' } as const
  const start = performance.now()
  let events = 0
  for (let n = 0; n < task.sessions; n++) events += (await store.aggregateStream(session(n), counter)).state
  return (events * 1000) / (performance.now() - start)
}

const [, program, given] = process.argv
if (given !== undefined && program !== undefined && existsSync(program)) {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(given)))}\n`)
}
