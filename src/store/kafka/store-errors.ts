import { DuologError } from '../../core/errors.ts'
import { KafkaError } from '../../kafka/driver.ts'

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

export function storeClosed(): DuologError {
  return new DuologError('STORE_CLOSED', 'This store was closed; open another one.')
}
