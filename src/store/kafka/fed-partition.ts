import type { RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import type { FetchedRecord, KafkaDriver, TopicPartition } from '../../kafka/driver.ts'
import { checkpointAhead } from '../checkpoint-ahead.ts'
import type { FollowSource } from '../follow-partitions.ts'
import type { Names } from './names.ts'
import type { FeedPartition, Taken } from './partition-feed.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeRecord, type Origin, strangerMessage } from './record-codec.ts'
import { toStoreError } from './store-errors.ts'

/*
 * A fed partition as messages. Of the event topic only what every reader counts as a fact: the replica knows, and has it
 * ready. Of other topics all that can be read. The rest is handed to whoever asked for strangers, else passed over and
 * reported: once, so of the event topic by the replica.
 */

export interface FedPartitionTools {
  readonly driver: KafkaDriver
  readonly names: Names
  readonly logger: Logger
  /** The replica's view of a partition of the event topic. */
  readonly eventLog: (partition: number) => PartitionLog
  /** Told of the version that a stream had with each message that says so, before the message is handed out. */
  readonly owe: (origin: Origin) => void
  /** Who reads, as errors name it. */
  readonly who: string
  /** Wants to hear of a record that is no message, and gets what can be made of it, in its place. Default: it is reported. */
  readonly onStranger?: ((message: RecordedMessage, reason: string) => void) | undefined
}

const DECODED_TOGETHER = 500

type Message = RecordedMessage | RecordedEvent

export function fedPartition(fed: FeedPartition, tools: FedPartitionTools): FollowSource {
  const { partition } = fed.place
  const topic = tools.names.logical(fed.place.topic)
  let seen = 0
  let taken = nothing(fed.nextOffset)
  let nextOffset = taken.nextOffset
  const position = () => ({ topic, partition, offset: nextOffset })
  return {
    nextBatch: async () => {
      seen = fed.wakeUps.generation
      if (taken.records.length === 0 && fed.endBefore !== undefined) {
        throw checkpointAhead(tools.who, { topic, partition, offset: fed.nextOffset }, fed.endBefore)
      }
      if (taken.records.length === 0) taken = fed.take()
      const [now, later] = inTwo(taken)
      const batch = await decode(fed, now, tools)
      taken = later // only now: what could not be decoded, because the broker was away, comes again (P6)
      nextOffset = now.nextOffset
      return batch
    },
    position,
    end: () => endOf(fed, tools),
    waitForMore: (signal) => fed.wakeUps.after(seen, { signal }),
  }
}

/** Decoded, and no more: what waits for a slow handler waits as bytes. */
function inTwo(taken: Taken): readonly [Taken, Taken] {
  const { records, nextOffset } = taken
  const next = records[DECODED_TOGETHER]
  if (next === undefined) return [taken, nothing(nextOffset)]
  const now = { ...taken, records: records.slice(0, DECODED_TOGETHER), nextOffset: next.offset }
  return [now, { records: records.slice(DECODED_TOGETHER), fromOffset: next.offset, nextOffset }]
}

function nothing(nextOffset: number): Taken {
  return { records: [], fromOffset: nextOffset, nextOffset }
}

async function endOf({ place }: FeedPartition, { driver }: FedPartitionTools): Promise<number> {
  try {
    return await driver.offsetOf(place, 'latest')
  } catch (error) {
    throw toStoreError(error)
  }
}

async function decode({ place }: FeedPartition, taken: Taken, tools: FedPartitionTools): Promise<readonly Message[]> {
  const { records } = taken
  const last = records[records.length - 1]
  if (last === undefined) return []
  const { names, eventLog } = tools
  if (place.topic !== names.eventTopic) return records.flatMap((record) => read(record, place, tools) ?? [])
  const log = eventLog(place.partition)
  log.offer(taken)
  await log.catchUpPast(last.offset)
  // The replica has it decoded and checked.
  return records.flatMap((record) => log.factOf(record) ?? noFact({ record, place, log }, tools) ?? [])
}

interface NoFact {
  readonly record: FetchedRecord
  readonly place: TopicPartition
  readonly log: PartitionLog
}

/** It was reported when the replica took it in, for all who follow. */
function noFact({ record, place, log }: NoFact, tools: FedPartitionTools): Message | undefined {
  return tools.onStranger && asStranger(record, place, { ...tools, reason: log.flawOf(record) })
}

function read(record: FetchedRecord, place: TopicPartition, tools: FedPartitionTools): Message | undefined {
  const { names, logger, onStranger, owe } = tools
  const decoded = decodeRecord(record, { topic: names.logical(place.topic), partition: place.partition })
  if ('record' in decoded) {
    const { message, origin } = decoded.record
    if (origin !== undefined) owe(origin)
    return message
  }
  const { stranger: reason } = decoded
  if (onStranger !== undefined) return asStranger(record, place, { ...tools, reason })
  logger.warn({ ...place, offset: record.offset, reason }, `Skipped a record that is no message: ${reason}`)
  return undefined
}

function asStranger(
  record: FetchedRecord,
  { topic, partition }: TopicPartition,
  { names, onStranger, reason }: FedPartitionTools & { readonly reason: string },
): Message {
  const message = strangerMessage(record, { topic: names.logical(topic), partition })
  onStranger?.(message, reason)
  return message
}
