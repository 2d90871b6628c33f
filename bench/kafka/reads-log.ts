import { uuidV7 } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/core/logger.ts'
import type { DriverRecord } from '../../src/kafka/driver.ts'
import { connectKafkajs } from '../../src/kafka/drivers/kafkajs.ts'
import { encodeRecord } from '../../src/store/kafka/record-codec.ts'
import { systemRandom } from '../../src/store/system.ts'
import type { Result } from '../report.ts'
import { openWith } from './open.ts'
import type { PartTask } from './plan.ts'

/*
 * The log that is read. One in forty of its streams is a session of 50 events, the others have 9; all of them grow side by side, as
 * in a busy system.
 */

export const SESSION_EVENTS = 50
const ROUNDS = 10
const BATCH = 2000

export const sessionsOf = (events: number) => Math.round(events * 0.0025)

/** Written as our writers write, in large transactions. */
export async function measure({ brokers, prefix, events: size }: PartTask): Promise<readonly Result[]> {
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
  return []
}

function* eventsOf(size: number): Generator<readonly [stream: string, sequence: number]> {
  const sessions = sessionsOf(size)
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
