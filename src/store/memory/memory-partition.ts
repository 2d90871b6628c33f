import type { AnyEvent, RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { PreparedRecord } from '../prepare-append.ts'
import { toRecordedEvent, toRecordedMessage } from '../recorded.ts'
import { WakeUps } from '../wake-ups.ts'

export interface StoredRecord {
  readonly record: PreparedRecord
  readonly partition: number
  readonly offset: number
  /** 0 for a message that is no event. */
  readonly streamPosition: number
  readonly globalPosition: number
}

/** One partition of a topic: its records in order, and whoever waits for the next. */
export class MemoryPartition {
  readonly wakeUps = new WakeUps()
  readonly #records: StoredRecord[] = []

  get end(): number {
    return this.#records.length
  }

  add(record: StoredRecord): void {
    this.#records.push(record)
    this.wakeUps.wakeAll()
  }

  read(offset: number, maxCount: number): readonly (RecordedMessage | RecordedEvent)[] {
    return this.#records.slice(offset, offset + maxCount).map(toReader)
  }
}

export function toReader<E extends AnyEvent>(stored: StoredRecord): RecordedMessage<E> | RecordedEvent<E> {
  return stored.streamPosition === 0 ? toRecordedMessage(stored.record, stored) : toRecordedEvent(stored.record, stored)
}
