/** Time comes in through this door so that a test can hold it. Wall-clock milliseconds since the Unix epoch. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
}
