import { DuologError } from '../../core/errors.ts'
import type { Appended } from '../event-store.ts'
import { appendAborted, appendTimedOut, because } from '../given-up.ts'
import type { PreparedAppend, PreparedRecord } from '../prepare-append.ts'

/*
 * The appends of one partition that were not sent, in the order of their calls.
 *
 * Q1 Whoever leaves by its time or its signal was not sent, or what was sent is aborted for certain: nothing of it is in
 *    the log, now or later (P4). What is in a transaction is not here, so neither can touch it.
 * Q2 The writer works on at most `maxAppends` of `maxBytes` at a time. Others stand in line for room, in order: a caller
 *    who awaits its append is slowed down, and what it waits with is all it holds.
 */

/** An append whose caller waits for its answer. */
export interface Waiting {
  readonly append: PreparedAppend
  /** When, by `performance.now()`, it has waited too long to be begun. */
  readonly deadlineMs: number
  readonly bytes: number
  /** Counts the appends of this queue. */
  readonly order: number
  resolve(appended: Appended): void
  reject(error: unknown): void
}

export interface QueueLimits {
  readonly maxAppends: number
  readonly maxBytes: number
}

const APPEND_TIMEOUT_MS = 60_000
const MAX_BATCH_APPENDS = 1000
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Of the headers every record has, without what is told below. */
const HEADER_BYTES = 300
/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class AppendQueue {
  readonly #limits: QueueLimits
  #waiting: Waiting[] = []
  #line: Waiting[] = []
  #bytes = 0
  #order = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #trouble: unknown

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#waiting.length
  }

  /** The order of the latest append. */
  get latest(): number {
    return this.#order
  }

  add(append: PreparedAppend): Promise<Appended> {
    const { timeoutMs = APPEND_TIMEOUT_MS, signal } = append.patience
    if (signal?.aborted) return Promise.reject(appendAborted(append.stream))
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        append,
        deadlineMs: performance.now() + timeoutMs,
        bytes: sizeOf(append),
        order: ++this.#order,
        resolve: (appended) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(appended)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      const onAbort = () => this.#abort(waiting)
      signal?.addEventListener('abort', onAbort)
      this.#line.push(waiting)
      this.#admit()
      this.#wakeAt(waiting.deadlineMs)
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
    const taken = this.#waiting.splice(0, count)
    this.#left(taken)
    return taken
  }

  /** All that was not sent, those in line too. */
  takeAll(): readonly Waiting[] {
    const all = [...this.#waiting, ...this.#line]
    this.#waiting = []
    this.#line = []
    this.#bytes = 0
    return all
  }

  /** Back to the front, in their order: they were first. Whose signal fired meanwhile need not be begun again. */
  putBack(batch: readonly Waiting[]): void {
    const wanted = batch.filter((waiting) => !isGivenUp(waiting))
    this.#waiting = [...wanted, ...this.#waiting]
    for (const { bytes, deadlineMs } of wanted) {
      this.#bytes += bytes
      this.#wakeAt(deadlineMs)
    }
    for (const { append, reject } of batch.filter(isGivenUp)) reject(appendAborted(append.stream))
  }

  /** Takes out those that `settle` answers; asks about the first of each stream that is left, for order's sake. */
  settle(answer: (waiting: Waiting) => boolean): void {
    const held = new Set<string>()
    this.#remove((waiting) => {
      const { stream } = waiting.append
      const settled = !held.has(stream) && answer(waiting)
      if (!settled) held.add(stream)
      return settled
    })
  }

  /** What keeps the writer from its work at the moment, for those whose time ends meanwhile. */
  blame(trouble: unknown): void {
    this.#trouble = trouble
  }

  #admit(): void {
    const { maxAppends, maxBytes } = this.#limits
    while (this.#waiting.length < maxAppends && (this.#bytes < maxBytes || this.#waiting.length === 0)) {
      const next = this.#line.shift()
      if (next === undefined) return
      this.#waiting.push(next)
      this.#bytes += next.bytes
    }
  }

  #left(gone: readonly Waiting[]): void {
    for (const { bytes } of gone) this.#bytes -= bytes
    this.#admit()
  }

  #remove(leaves: (waiting: Waiting) => boolean): void {
    const gone: Waiting[] = []
    this.#waiting = this.#waiting.filter((waiting) => {
      const leaving = leaves(waiting)
      if (leaving) gone.push(waiting)
      return !leaving
    })
    this.#left(gone)
  }

  #abort(waiting: Waiting): void {
    if (!this.#line.includes(waiting) && !this.#waiting.includes(waiting)) return
    this.#line = this.#line.filter((one) => one !== waiting)
    this.#remove((one) => one === waiting)
    waiting.reject(appendAborted(waiting.append.stream))
  }

  #wakeAt(deadlineMs: number): void {
    if (deadlineMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = deadlineMs
    const waitMs = Math.max(0, Math.ceil(deadlineMs - performance.now()))
    this.#timer = setTimeout(() => this.#expire(), Math.min(waitMs, LONGEST_TIMER_MS))
    this.#timer.unref()
  }

  #expire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const now = performance.now()
    this.#line = this.#line.filter(({ deadlineMs, append, reject }) => {
      if (deadlineMs <= now) reject(queueFull(append.stream, this.#limits, this.#trouble))
      return deadlineMs > now
    })
    this.#remove(({ deadlineMs, append, reject }) => {
      if (deadlineMs <= now) reject(appendTimedOut(append.stream, this.#trouble))
      return deadlineMs <= now
    })
    const left = [...this.#waiting, ...this.#line]
    if (left.length > 0) this.#wakeAt(left.reduce((first, { deadlineMs }) => Math.min(first, deadlineMs), Infinity))
  }
}

function isGivenUp({ append }: Waiting): boolean {
  return append.patience.signal?.aborted === true
}

function sizeOf({ events, outgoing }: PreparedAppend): number {
  const records = [...events, ...outgoing]
  return records.reduce((sum, record) => sum + sizeOfRecord(record), 0)
}

/** As it is on the wire, where the key, its type and what it correlates with stand more than once (record-codec.ts). */
function sizeOfRecord({ dataJson, key, type, correlationId, causationId = '', headers }: PreparedRecord): number {
  let own = 0
  for (const name of Object.keys(headers)) own += name.length + (headers[name]?.length ?? 0)
  return (
    dataJson.length +
    3 * key.length +
    3 * type.length +
    2 * correlationId.length +
    causationId.length +
    own +
    HEADER_BYTES
  )
}

function queueFull(stream: string, { maxAppends, maxBytes }: QueueLimits, cause: unknown): DuologError {
  return new DuologError(
    'APPEND_QUEUE_FULL',
    `The append to stream "${stream}" found no room in the queue of its partition in time (${maxAppends} appends, ` +
      `${maxBytes} bytes)${because(cause)}. Nothing was written; append more slowly, or raise maxQueuedAppends and maxQueuedBytes.`,
    { cause, retry: { afterMs: 1000 } },
  )
}
