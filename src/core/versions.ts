/** The stream must not exist yet. */
export const STREAM_DOES_NOT_EXIST = 'STREAM_DOES_NOT_EXIST'
/** The stream must have at least one event. */
export const STREAM_EXISTS = 'STREAM_EXISTS'
/** Append wherever the stream ends. */
export const NO_CONCURRENCY_CHECK = 'NO_CONCURRENCY_CHECK'

/** A number means: the stream's current version is exactly this; 0 means the same as `STREAM_DOES_NOT_EXIST`. */
export type ExpectedStreamVersion =
  | number
  | typeof STREAM_DOES_NOT_EXIST
  | typeof STREAM_EXISTS
  | typeof NO_CONCURRENCY_CHECK

/** Pure: does a stream at version `current` (0: no such stream) satisfy the expectation? */
export function matchesExpectedVersion(current: number, expected: ExpectedStreamVersion): boolean {
  switch (expected) {
    case NO_CONCURRENCY_CHECK:
      return true
    case STREAM_DOES_NOT_EXIST:
      return current === 0
    case STREAM_EXISTS:
      return current > 0
    default:
      return current === expected
  }
}
