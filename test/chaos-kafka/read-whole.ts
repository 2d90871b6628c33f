import { plainKafka } from '../support/plain-kafka.ts'
import { type JavaReading, type JavaRecord, readWithJava } from './java-reader.ts'

/*
 * Java's reader ends when nothing has come for a while, and on a machine that is busy enough nothing comes for longer
 * than that. So what it read is held against where the partitions end; where something is missing it reads once more,
 * with more patience. After that what is missing is missing.
 */

const PATIENT_QUIET_MS = 45_000
/** The last record and the marker that commits it. */
const TAIL = 2

export async function readWhole(reading: JavaReading): Promise<readonly JavaRecord[]> {
  const ends = await endsOf(reading.address, reading.topic)
  const records = await readWithJava(reading)
  if (reaches(records, ends)) return records
  return readWithJava({ ...reading, quietMs: PATIENT_QUIET_MS })
}

function reaches(records: readonly JavaRecord[], ends: ReadonlyMap<number, number>): boolean {
  const last = new Map(records.map(({ partition, offset }) => [partition, offset]))
  return [...ends].every(([partition, end]) => end === 0 || (last.get(partition) ?? -1) >= end - TAIL)
}

async function endsOf(address: string, topic: string): Promise<ReadonlyMap<number, number>> {
  const kafka = plainKafka(address)
  const admin = kafka.admin()
  await admin.connect()
  try {
    const offsets = await admin.fetchTopicOffsets(topic)
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]))
  } finally {
    await admin.disconnect()
  }
}
