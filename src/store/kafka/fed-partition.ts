import type { RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import type { FetchedRecord } from '../../kafka/driver.ts'
import type { FollowSource } from '../follow-partitions.ts'
import type { Names } from './names.ts'
import type { FeedPartition } from './partition-feed.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeRecord, strangerMessage } from './record-codec.ts'

/*
 * A fed partition as messages. Of the event topic only what every reader counts as a fact: the replica knows, and has it
 * ready. Of other topics all that can be read; the rest is reported and passed over.
 */

export interface FedPartitionTools {
  readonly names: Names
  readonly logger: Logger
  /** The replica's view of a partition of the event topic. */
  readonly eventLog: (partition: number) => PartitionLog
  /** Wants to hear of a record that is no message, and gets what can be made of it, in its place. Default: it is reported. */
  readonly onStranger?: ((message: RecordedMessage, reason: string) => void) | undefined
}

type Message = RecordedMessage | RecordedEvent

export function fedPartition(fed: FeedPartition, tools: FedPartitionTools): FollowSource {
  const { partition } = fed.place
  const topic = tools.names.logical(fed.place.topic)
  let seen = 0
  let taken: readonly FetchedRecord[] = []
  let takenTo = fed.nextOffset
  return {
    nextBatch: async () => {
      seen = fed.wakeUps.generation
      if (taken.length === 0) {
        taken = fed.take()
        takenTo = fed.nextOffset
      }
      const batch = await decode(fed, taken, tools)
      taken = [] // only now: what could not be decoded, because the broker was away, comes again (P6)
      return batch
    },
    position: () => ({ topic, partition, offset: takenTo }),
    waitForMore: (signal) => fed.wakeUps.after(seen, { signal }),
  }
}

async function decode(
  { place }: FeedPartition,
  records: readonly FetchedRecord[],
  { names, logger, eventLog, onStranger }: FedPartitionTools,
): Promise<readonly Message[]> {
  const at = { topic: names.logical(place.topic), partition: place.partition }
  const messages = records.flatMap((record): Read[] => {
    const decoded = decodeRecord(record, at)
    if ('record' in decoded) return [decoded.record]
    const { stranger: reason } = decoded
    if (onStranger !== undefined) {
      const message = strangerMessage(record, at)
      onStranger(message, reason)
      return [{ message, isStranger: true }]
    }
    logger.warn({ ...place, offset: record.offset, reason }, `Skipped a record that is no message: ${reason}`)
    return []
  })
  const last = messages[messages.length - 1]
  if (place.topic !== names.eventTopic || last === undefined) return messages.map(({ message }) => message)
  const log = eventLog(place.partition)
  await log.catchUpPast(last.message.offset)
  return messages.flatMap(({ message, sequence, isStranger }) => {
    if (isStranger) return [message]
    return log.isFact(message.key, sequence, message.offset) ? (log.eventAt(message.key, sequence ?? 0) ?? []) : []
  })
}

interface Read {
  readonly message: RecordedMessage
  readonly sequence?: number | undefined
  readonly isStranger?: true
}
