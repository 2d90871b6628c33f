import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { uuidV7 } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { DriverRecord } from '../../src/kafka/driver.ts'
import { connectKafkajs } from '../../src/kafka/drivers/kafkajs.ts'
import { encodeRecord } from '../../src/store/kafka/record-codec.ts'
import { systemRandom } from '../../src/store/system.ts'
import { startBroker } from '../../test/support/broker.ts'
import { progress, type Result, round } from '../report.ts'
import { openWith } from './open.ts'
import type { ReadsMeasured, ReadsTask } from './reads-program.ts'

/*
 * Reading: a session among many others, and a process that has to read the whole log first. A quarter of a hundredth of
 * the streams are sessions of 50 events, the others have 9; all of them grow side by side, as in a busy system.
 * `BENCH_EVENTS=1000000` is the size the goals are written for.
 */

const SESSION_EVENTS = 50
const ROUNDS = 10
const READS = 1000
const BATCH = 2000

export async function run(): Promise<readonly Result[]> {
  const broker = await startBroker()
  try {
    return await measureReads(broker.address.split(','))
  } finally {
    await broker.stop()
  }
}

export async function measureReads(brokers: readonly string[]): Promise<readonly Result[]> {
  const size = Number(process.env.BENCH_EVENTS ?? 200_000)
  const prefix = process.env.BENCH_PREFIX ?? (await writeLog(brokers, size))
  const task = { brokers, prefix, sessions: Math.round(size * 0.0025), sessionEvents: SESSION_EVENTS, reads: READS }
  const directory = await mkdtemp(join(tmpdir(), 'duolog-bench-replica-'))
  try {
    const inFile = await measureIn({ ...task, directory }, 'replica in a file')
    const inMemory = await measureIn(task, 'replica in memory')
    return [...resultsOf(inFile, size, 'in a file'), ...resultsOf(inMemory, size, 'in memory')]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measureIn(task: ReadsTask, what: string): Promise<ReadsMeasured> {
  progress(`reads: ${what}`)
  const program = fileURLToPath(new URL('./reads-program.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(task)])
  return JSON.parse(stdout)
}

function resultsOf(measured: ReadsMeasured, size: number, where: string): readonly Result[] {
  const { coldMs, eventualMs, linearizableMs, foldedPerSecond, peakMb, takeoverMs, restartMs } = measured
  const cold = (size * 1000) / coldMs
  const log = `${size} events, replica ${where}`
  const session = `a session of ${SESSION_EVENTS} among ${log}`
  const least = (name: string, value: number, unit: string, goal: number): Result => {
    return { name, value: round(value), unit, goal: `>= ${goal}`, met: value >= goal, against: 'nothing' }
  }
  const below = (name: string, value: number, unit: string, goal: number): Result => {
    return { name, value: round(value), unit, goal: `< ${goal}`, met: value < goal, against: 'nothing' }
  }
  const shown = (name: string, value: number, unit: string): Result => {
    return { name, value: round(value), unit, against: 'nothing' }
  }
  return [
    least(`cold index of ${log}`, cold, 'records/s', 100_000),
    shown(`${session}, eventual: p50`, eventualMs[0], 'ms'),
    below(`${session}, eventual: p99`, eventualMs[1], 'ms', 5),
    shown(`${session}, linearizable: p50`, linearizableMs[0], 'ms'),
    below(`${session}, linearizable: p99`, linearizableMs[1], 'ms', 15),
    least(`fold, ${log}`, foldedPerSecond, 'events/s', 300_000),
    where === 'in a file' ? below(`memory, ${log}`, peakMb, 'MB', 300) : shown(`memory, ${log}`, peakMb, 'MB'),
    shown(`first append of a process that has read, ${log}`, takeoverMs, 'ms'),
    shown(`opened again and one session read, ${log}`, restartMs, 'ms'),
  ]
}

/** Written as our writers write, in large transactions. */
async function writeLog(brokers: readonly string[], size: number): Promise<string> {
  progress(`reads: writing ${size} events`)
  const prefix = `bench-${randomUUID()}.`
  await (await openWith(brokers, 1, { prefix })).close()
  const driver = await connectKafkajs({ brokers, clientId: 'bench', logger: silentLogger, connectTimeoutMs: 10_000 })
  const transactionalId = `duolog.writer.${prefix}session.events.0`
  const writer = driver.openWriter({ transactionalId, transactionTimeoutMs: 60_000 })
  await writer.init()
  let records: DriverRecord[] = []
  const flush = async () => {
    const { kind } = await writer.transact({ records, offsets: [] })
    if (kind !== 'committed') throw new Error(`A transaction of the bench ended ${kind}`)
    records = []
  }
  for (const [stream, sequence] of eventsOf(size)) {
    records.push(recordOf(`${prefix}session.events`, stream, sequence))
    if (records.length === BATCH) await flush()
  }
  await flush()
  await writer.close()
  await driver.close()
  return prefix
}

function* eventsOf(size: number): Generator<readonly [stream: string, sequence: number]> {
  const sessions = Math.round(size * 0.0025)
  const others = Math.round(size * 0.0975)
  const perRound = SESSION_EVENTS / ROUNDS
  for (let turn = 0; turn < ROUNDS; turn++) {
    for (let n = 0; n < others; n++) {
      if (turn < ROUNDS - 1) yield [`other-${n}`, turn + 1]
      if (n % 39 !== 0) continue
      for (let k = 1; k <= perRound && n / 39 < sessions; k++) yield [`session-${n / 39}`, turn * perRound + k]
    }
  }
}

function recordOf(topic: string, stream: string, sequence: number): DriverRecord {
  const data = { taskId: `t-${sequence}`, worker: 'worker-1', summary: 'x'.repeat(220), cost: { usd: 0.0123 } }
  const envelope = { topic, key: stream, eventId: uuidV7(Date.now(), systemRandom), type: 'Measured', version: 1 }
  const rest = { timestamp: new Date().toISOString(), correlationId: stream, headers: {} }
  const idempotencyKey = sequence % 2 === 0 ? undefined : `k-${stream}-${sequence}`
  const record = { ...envelope, ...rest, dataJson: JSON.stringify(data) }
  return encodeRecord(record, { topic, partition: 0, sequence, idempotencyKey })
}
