import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'
import type { PreparedRecord } from './prepare-append.ts'

/*
 * From a stored record to what a reader sees.
 */

export interface RecordPlace {
  readonly partition: number
  readonly offset: number
}

export interface EventPlace extends RecordPlace {
  readonly streamPosition: number
  readonly globalPosition: number
}

export function toRecordedMessage<E extends AnyEvent>(record: PreparedRecord, place: RecordPlace): RecordedMessage<E> {
  const { dataJson, ...envelope } = record
  const message: RecordedMessage = {
    ...envelope,
    data: JSON.parse(dataJson),
    partition: place.partition,
    offset: place.offset,
  }
  return message as RecordedMessage<E>
}

export function toRecordedEvent<E extends AnyEvent>(record: PreparedRecord, place: EventPlace): RecordedEvent<E> {
  const event: RecordedEvent = {
    ...toRecordedMessage(record, place),
    stream: record.key,
    streamPosition: place.streamPosition,
    globalPosition: place.globalPosition,
  }
  return event as RecordedEvent<E>
}
