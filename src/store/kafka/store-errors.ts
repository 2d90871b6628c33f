import { DuologError } from '../../core/errors.ts'
import { KafkaError, type TopicPartition } from '../../kafka/driver.ts'

/** What a driver threw, as the port's documented errors. Others pass as they are. */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof KafkaError)) return error
  switch (error.code) {
    case 'UNAVAILABLE':
      return new DuologError(
        'BROKER_UNREACHABLE',
        `No working Kafka broker right now: ${error.message}. Try again later.`,
        {
          cause: error,
          retry: { afterMs: 1000 },
        },
      )
    case 'OFFSET_OUT_OF_RANGE':
      return new DuologError(
        'LOG_CORRUPT',
        `The event topic lost records this process had read or still needed (${error.message}). Check retention.ms=-1, and whether the topic was made anew.`,
        { cause: error },
      )
    default:
      return new DuologError('BROKER_REFUSED', `The Kafka broker refused: ${error.message}.`, { cause: error })
  }
}

interface Unshown extends TopicPartition {
  /** Up to here it is shown. */
  readonly shownTo: number
  readonly end: number
  readonly forMs: number
}

/** A broker that answers, and does not show what it says there is. */
export function endNotShown({ topic, partition, shownTo, end, forMs }: Unshown): DuologError {
  const message =
    `Partition ${partition} of "${topic}" goes on to offset ${end} and shows nothing behind ${shownTo}, for ` +
    `${Math.round(forMs / 1000)} s now: a transaction of another program is open there (kafka-transactions.sh find-hanging ` +
    'names one that hangs), or its leader lags behind. Nothing is lost; it goes on when that ends.'
  return new DuologError('BROKER_UNREACHABLE', message, { retry: { afterMs: 1000 } })
}

export function storeClosed(): DuologError {
  return new DuologError('STORE_CLOSED', 'This store was closed; open another one.')
}

export function isOutOfRange(error: unknown): boolean {
  return error instanceof KafkaError && error.code === 'OFFSET_OUT_OF_RANGE'
}
