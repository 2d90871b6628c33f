/** Time comes in through this door so that a test can hold it. Wall-clock milliseconds since the Unix epoch. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /**
   * Resolves when this clock has gone on by `ms`, or the signal fires; never rejects. Absent: it goes as real time does,
   * and whoever waits uses the system's timers.
   */
  after?(ms: number, signal?: AbortSignal): Promise<void>
}
