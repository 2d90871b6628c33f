import { DuologError } from '../../core/errors.ts'
import type { Appended } from '../event-store.ts'
import type { PreparedAppend } from '../prepare-append.ts'

/** An append whose caller waits for its answer. */
export interface Waiting {
  readonly append: PreparedAppend
  /** When, by `performance.now()`, it has waited too long to be begun. */
  readonly deadlineMs: number
  readonly bytes: number
  resolve(appended: Appended): void
  reject(error: unknown): void
}

const MAX_BATCH_APPENDS = 1000
const MAX_BATCH_BYTES = 4 * 1024 * 1024
const HEADER_BYTES = 500

/** The appends of one partition that wait for the next transaction, in the order of their calls. */
export class AppendQueue {
  #waiting: Waiting[] = []

  get length(): number {
    return this.#waiting.length
  }

  add(append: PreparedAppend, timeoutMs: number): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + timeoutMs
      this.#waiting.push({ append, deadlineMs, bytes: sizeOf(append), resolve, reject })
    })
  }

  /** As many as fit into one transaction, at least one. */
  take(maxAppends: number): readonly Waiting[] {
    const limit = Math.min(maxAppends, MAX_BATCH_APPENDS)
    let count = 0
    let bytes = 0
    for (const { bytes: more } of this.#waiting) {
      bytes += more
      if (count > 0 && (count >= limit || bytes > MAX_BATCH_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Back to the front, in their order: they were first. */
  putBack(batch: readonly Waiting[]): void {
    this.#waiting = [...batch, ...this.#waiting]
  }

  /** Takes out those that `settle` answers; asks about the first of each stream that is left, for order's sake. */
  settle(answer: (waiting: Waiting) => boolean): void {
    const held = new Set<string>()
    this.#waiting = this.#waiting.filter((waiting) => {
      const { stream } = waiting.append
      const settled = !held.has(stream) && answer(waiting)
      if (!settled) held.add(stream)
      return !settled
    })
  }

  /** Refuses those that waited too long. They were never sent, so this answer is certain (P4). */
  expire(cause: unknown): void {
    const now = performance.now()
    const late = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= now)
    this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > now)
    for (const { append, reject } of late) reject(timedOut(append.stream, cause))
  }
}

function sizeOf({ events, outgoing }: PreparedAppend): number {
  const records = [...events, ...outgoing]
  return records.reduce((sum, { dataJson, key }) => sum + dataJson.length + key.length + HEADER_BYTES, 0)
}

function timedOut(stream: string, cause: unknown): DuologError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  return new DuologError(
    'APPEND_TIMEOUT',
    `The append to stream "${stream}" found no working broker in time${reason}. Nothing was written; try again later.`,
    { cause, retry: { afterMs: 1000 } },
  )
}
