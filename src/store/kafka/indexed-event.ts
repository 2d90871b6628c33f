import { partitionOf } from '../../core/murmur2.ts'
import type { FetchedPartition, FetchedRecord } from '../../kafka/driver.ts'
import type { EventMark, IndexedEvent } from './partition-replica.ts'
import { headerText, type RecordFields, readFields } from './record-codec.ts'

/** A record of the event topic as a replica keeps it, or why it is no event (C3). */
export function toIndexedEvent(
  record: FetchedRecord,
  place: { readonly partition: number; readonly partitionCount: number },
): IndexedEvent | string {
  const decoded = readFields(record)
  if ('stranger' in decoded) return decoded.stranger
  const { key } = record
  const belongsHere = key !== null && partitionOf(key, place.partitionCount) === place.partition
  if (!belongsHere) return 'its key belongs to another partition'
  const { sequence } = decoded.record
  if (sequence === undefined) return 'it has no header ce_sequence with a stream position'
  return indexed(decoded.record, record.offset, sequence)
}

function indexed(fields: RecordFields, offset: number, sequence: number): IndexedEvent {
  const { key, correlationId, causationId, headers } = fields
  return {
    stream: key,
    row: [
      offset,
      fields.eventId,
      fields.type,
      fields.version,
      fields.timestamp,
      correlationId ?? null,
      causationId ?? null,
      headers === undefined ? null : JSON.stringify(headers),
      fields.dataJson,
      sequence,
      offset,
    ],
    idempotencyKey: fields.idempotencyKey,
  }
}

/** The event lies where the answer begins. */
export function hasEvent({ records: [record] }: FetchedPartition, { offset, eventId }: EventMark): boolean {
  return record?.offset === offset && headerText(record, 'ce_id') === eventId
}
