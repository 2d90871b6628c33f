import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type DuologError, isDuologError } from '../../core/errors.ts'
import { reach } from '../../core/reach.ts'
import { appendAborted, appendTimedOut } from '../given-up.ts'
import { busyPauseMs, spinWhileBusy } from './busy.ts'
import { isBusy, logBusy, toLogError } from './sqlite-errors.ts'

/*
 * Everything that writes goes through here: whatever waits is done in one transaction, so that many callers share the
 * price of one durable commit.
 *
 * P2 One transaction: a batch is in the file or it is not.
 * P4 Nobody hears of success before COMMIT returned (synchronous FULL: it is on the disk), and a refusal is its caller's
 *    alone: work that fails for a reason of its own is done again without its neighbours, and they without it.
 */

/**
 * Work inside the transaction. Refuses by throwing a DuologError before it wrote anything; must be repeatable, since a
 * batch may be rolled back and done again.
 */
export type Work<T> = () => T

export interface GroupCommitOptions {
  readonly db: DatabaseSync
  readonly path: string
  readonly busyTimeoutMs: number
  /** In the transaction, before the first work: the file may have changed since the last one. */
  readonly onBegin: () => void
  /** What was written is gone. */
  readonly onRollback: () => void
  /** What was written is durable, and nobody was answered yet. */
  readonly onCommit: () => void
}

/** Until its transaction begins an append can be given up. */
export interface Patience {
  /** How many records it writes, about. */
  readonly size: number
  readonly stream: string
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Waiting {
  readonly work: Work<unknown>
  readonly size: number
  readonly patience: Patience | undefined
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
  readonly sinceMs: number
  /** Its batch failed: to be done by itself. */
  alone: boolean
}

type Outcome = { readonly value: unknown } | { readonly refusal: DuologError }

/** Records per transaction: keeps a commit in the low milliseconds, and the program's other work alive. */
export const MAX_BATCH_RECORDS = 1000

/** How long one caller after the other may keep the event loop from turning. */
const MAX_TURN_MS = 5

export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  #queue: Waiting[] = []
  #scheduled = false
  /** Somebody in the queue may give up. */
  #impatient = false
  #attempts = 0
  #lastBatch = 0
  #turnEndsMs = 0
  #idle: (() => void)[] = []

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#begin = options.db.prepare('BEGIN IMMEDIATE')
    this.#commit = options.db.prepare('COMMIT')
  }

  /**
   * Resolves when the work is durable.
   *
   * @throws APPEND_TIMEOUT or ABORTED by its patience, LOG_FULL, LOG_CORRUPT, LOG_BUSY, LOG_UNAVAILABLE, or what the
   *   work refused with; nothing is written then.
   */
  run<T>(work: Work<T>, patience?: Patience): Promise<T> {
    const sinceMs = performance.now()
    if (patience?.signal !== undefined || patience?.timeoutMs !== undefined) this.#impatient = true
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, size: patience?.size ?? 1, patience, resolve, reject, sinceMs, alone: false })
      this.#schedule()
    })
  }

  /** Resolves when nothing waits any more. */
  idle(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /**
   * Who came alone last time is served as soon as the running code pauses; where several come, the turn of the event
   * loop is let finish, so that all callers of that turn share. Timers and input get their turn every few milliseconds
   * either way.
   */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#lastBatch > 1 || performance.now() > this.#turnEndsMs) setImmediate(this.#flushInNewTurn)
    else queueMicrotask(this.#flush)
  }

  readonly #flushInNewTurn = (): void => {
    this.#turnEndsMs = performance.now() + MAX_TURN_MS
    this.#flush()
  }

  readonly #flush = (): void => {
    this.#refuseGivenUp()
    if (this.#queue.length > 0) this.#flushBatch()
    else this.#next()
  }

  #flushBatch(): void {
    const batch = this.#takeBatch()
    this.#lastBatch = batch.length
    const outcomes = this.#tryTransact(batch)
    if (outcomes === undefined) return
    this.#attempts = 0
    reach('file.commit.done')
    this.#options.onCommit()
    answer(batch, outcomes)
    reach('file.commit.answered')
    this.#next()
  }

  #tryTransact(batch: Waiting[]): Outcome[] | undefined {
    try {
      return this.#transact(batch)
    } catch (error) {
      this.#undo()
      this.#fail(batch, error)
      return undefined
    }
  }

  /** Looked at when a transaction is to begin, which is soon: at once, or when the lock is asked for again. */
  #refuseGivenUp(): void {
    if (!this.#impatient) return
    const now = performance.now()
    this.#queue = this.#queue.filter((waiting) => {
      const flaw = flawOfPatience(waiting, now)
      if (flaw !== undefined) waiting.reject(flaw)
      return flaw === undefined
    })
    this.#impatient = this.#queue.length > 0
  }

  #takeBatch(): Waiting[] {
    const queue = this.#queue
    let size = queue[0]?.size ?? 0
    let count = 1
    if (queue[0]?.alone !== true) {
      while (count < queue.length && !queue[count]?.alone && size < MAX_BATCH_RECORDS) size += queue[count++]?.size ?? 0
    }
    return queue.splice(0, count)
  }

  #transact(batch: readonly Waiting[]): Outcome[] {
    spinWhileBusy(() => this.#begin.run())
    reach('file.commit.begun')
    this.#options.onBegin()
    const outcomes = batch.map(({ work }) => attempt(work))
    reach('file.commit.written')
    this.#commit.run()
    return outcomes
  }

  #undo(): void {
    try {
      this.#options.db.exec('ROLLBACK')
    } catch {
      // SQLite had rolled back by itself, or the transaction never began.
    }
    this.#options.onRollback()
  }

  #fail(batch: Waiting[], error: unknown): void {
    if (isBusy(error)) {
      this.#waitForLock(batch, error)
      return
    }
    if (batch.length === 1) batch[0]?.reject(toLogError(error, this.#options.path))
    else this.#tryAlone(batch)
    this.#next()
  }

  #tryAlone(batch: Waiting[]): void {
    for (const waiting of batch) waiting.alone = true
    this.#queue.unshift(...batch)
  }

  #waitForLock(batch: readonly Waiting[], error: unknown): void {
    const { busyTimeoutMs, path } = this.#options
    const giveUpMs = performance.now() - busyTimeoutMs
    const patient = batch.filter(({ sinceMs }) => sinceMs > giveUpMs)
    for (const waiting of batch) if (waiting.sinceMs <= giveUpMs) waiting.reject(logBusy(path, error))
    this.#queue.unshift(...patient)
    if (this.#queue.length > 0) setTimeout(this.#flush, busyPauseMs(++this.#attempts))
    else this.#next()
  }

  #next(): void {
    this.#scheduled = false
    if (this.#queue.length > 0) this.#schedule()
    else for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function flawOfPatience({ patience, sinceMs }: Waiting, now: number): DuologError | undefined {
  if (patience === undefined) return undefined
  const { stream, signal, timeoutMs = Number.POSITIVE_INFINITY } = patience
  if (signal?.aborted) return appendAborted(stream)
  return now - sinceMs > timeoutMs ? appendTimedOut(stream, undefined) : undefined
}

/** A refusal is a value here: it ends one work, not the batch. */
function attempt(work: Work<unknown>): Outcome {
  try {
    return { value: work() }
  } catch (error) {
    if (isDuologError(error)) return { refusal: error }
    throw error
  }
}

function answer(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
  for (let index = 0; index < batch.length; index++) {
    const outcome = outcomes[index]
    if (outcome === undefined) continue
    if ('value' in outcome) batch[index]?.resolve(outcome.value as never)
    else batch[index]?.reject(outcome.refusal)
  }
}
