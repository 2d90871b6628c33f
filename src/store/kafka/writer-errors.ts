import { DuologError, isDuologError } from '../../core/errors.ts'
import { KafkaError } from '../../kafka/driver.ts'
import { toStoreError } from './store-errors.ts'

/*
 * What an append that did not become a fact hears. Each says whether something was written, and what to do.
 */

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** The broker refused the transaction of this append alone; it was aborted. */
export function brokerRefused(stream: string, bytes: number, cause: KafkaError): DuologError {
  if (isTopicGone(cause)) {
    const message = `The append to stream "${stream}" sends messages to a topic that is gone; was it deleted? Nothing was written. Open the store again to make it anew.`
    return new DuologError('TOPIC_MISSING', message, { cause })
  }
  const reason = TOO_LARGE.has(cause.type ?? '') ? tooLarge(bytes) : cause.message
  const message = `The broker refused the append to stream "${stream}": ${reason} Nothing was written.`
  return new DuologError('BROKER_REFUSED', message, { cause })
}

function tooLarge(bytes: number): string {
  return (
    `one of its records is larger than its topic's max.message.bytes (1,048,588 unless set otherwise); the append has about ` +
    `${bytes} bytes. Raise that limit, or keep large data outside the log and a reference in the event.`
  )
}

/**
 * For a trouble that waiting does not cure: what the appends that were not sent hear. Nothing: it may pass. A broker that
 * has just started may know no topic for a moment; reading the log was patient with that already.
 */
export function refusalOf(error: unknown, topic: string): unknown {
  if (isDuologError(error, 'REPLICA_UNAVAILABLE')) return error
  if (!(error instanceof KafkaError)) return undefined
  if (isTopicGone(error)) return topicGone(topic, 'Nothing was written.', error)
  return error.code === 'REFUSED' || error.code === 'OFFSET_OUT_OF_RANGE' ? toStoreError(error) : undefined
}

/** What an append hears that was sent and not read back, when the log that could tell its outcome is gone. */
export function lostWithTopic(topic: string, stream: string, cause: KafkaError): DuologError {
  return topicGone(topic, `The append to stream "${stream}" was sent to it.`, cause)
}

const UNKNOWN_TOPIC = 'UNKNOWN_TOPIC_OR_PARTITION'

export function isTopicGone(error: unknown): error is KafkaError & { readonly type: typeof UNKNOWN_TOPIC } {
  return error instanceof KafkaError && error.type === UNKNOWN_TOPIC
}

function topicGone(topic: string, appended: string, cause: KafkaError): DuologError {
  const message = `The event topic "${topic}" is gone; was it deleted? ${appended} Open the store again to make it anew: its history is lost.`
  return new DuologError('TOPIC_MISSING', message, { cause })
}

/** The one case without a true answer: the store is to close and no broker is left to ask. */
export function outcomeUnknown(stream: string, cause: unknown): DuologError {
  return new DuologError(
    'APPEND_TIMEOUT',
    `The store was closed while no broker answered; whether the append to "${stream}" is in the log cannot be told. ` +
      'Repeat it with the same idempotency key when the broker is back.',
    { cause, retry: { afterMs: 1000 } },
  )
}
