import type { AnyEvent, RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { PartitionPosition } from '../event-store.ts'
import type { FollowSource } from '../follow-partitions.ts'
import type { PreparedRecord } from '../prepare-append.ts'
import { toRecordedEvent, toRecordedMessage } from '../recorded.ts'
import { WakeUps } from '../wake-ups.ts'

const BATCH = 100

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

  storedAfter(globalPosition: number): readonly StoredRecord[] {
    return this.#records.filter((stored) => stored.globalPosition > globalPosition)
  }

  /** From a place on, without a group. */
  source(from: PartitionPosition): FollowSource {
    let next = from.offset
    let seen = 0
    return {
      nextBatch: async () => {
        seen = this.wakeUps.generation
        const batch = this.read(next, BATCH)
        next += batch.length
        return batch
      },
      position: () => ({ ...from, offset: next }),
      end: async () => this.end,
      waitForMore: (signal) => this.wakeUps.after(seen, { signal }),
    }
  }

  read(offset: number, maxCount: number): readonly (RecordedMessage | RecordedEvent)[] {
    return this.#records.slice(offset, offset + maxCount).map(toReader)
  }
}

export function toReader<E extends AnyEvent>(stored: StoredRecord): RecordedMessage<E> | RecordedEvent<E> {
  return stored.streamPosition === 0 ? toRecordedMessage(stored.record, stored) : toRecordedEvent(stored.record, stored)
}
