import { DuologError } from '../core/errors.ts'
import { partitionOf } from '../core/murmur2.ts'

/** Tells which partition a session's records go to: the same as every Kafka client's default partitioner for its key. */
export class EventPartitioner {
  /** Of the topic. */
  readonly partitionCount: number

  /** @throws INVALID_ARGUMENT unless `partitionCount` is an integer from 1. */
  constructor({ partitionCount }: { readonly partitionCount: number }) {
    if (!Number.isSafeInteger(partitionCount) || partitionCount < 1) {
      throw new DuologError(
        'INVALID_ARGUMENT',
        `partitionCount must be an integer from 1, got ${String(partitionCount)}.`,
      )
    }
    this.partitionCount = partitionCount
  }

  /** From 0 to `partitionCount - 1`. A text counts as its UTF-8 bytes. */
  getPartition({ sessionId }: { readonly sessionId: string | Uint8Array }): number {
    const key = typeof sessionId === 'string' ? new TextEncoder().encode(sessionId) : sessionId
    return partitionOf(key, this.partitionCount)
  }
}
