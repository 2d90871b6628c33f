import type { RawRecord } from '../../core/event.ts'
import type { FetchedRecord, KafkaDriver, TopicPartition } from '../../kafka/driver.ts'
import { isAllSaid } from './record-codec.ts'

const WAIT_MS = 1000

/** One record as bytes; nothing where its message says all of it, or where it is gone. */
export async function readRaw(
  driver: KafkaDriver,
  place: TopicPartition & { readonly offset: number },
): Promise<RawRecord | undefined> {
  const reader = driver.openReader()
  try {
    const [fetched] = await reader.fetch([place], { maxWaitMs: WAIT_MS })
    const record = fetched?.records.find(({ offset }) => offset === place.offset)
    return record === undefined || isAllSaid(record, place) ? undefined : toRaw(record)
  } finally {
    await reader.close()
  }
}

function toRaw({ key, value, headers }: FetchedRecord): RawRecord {
  const list = Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((bytes): [string, Uint8Array] => [name, Buffer.from(bytes as Buffer)]),
  )
  return { key, value, headers: list }
}
