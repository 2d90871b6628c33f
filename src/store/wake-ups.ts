import type { Clock } from '../core/clock.ts'
import { DuologError } from '../core/errors.ts'

/*
 * Waiting without polling, for what happens in this process. A wake-up between a look and the wait that follows it is
 * never lost: the look takes the generation first, the wait returns at once when that is over.
 */

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** One thing that changes now and then, and whoever waits for its next change. */
export class WakeUps {
  #generation = 0
  readonly #waiting = new Set<() => void>()

  /** Take this before you look; pass it to `after` when there was nothing. */
  get generation(): number {
    return this.#generation
  }

  wakeAll(): void {
    this.#generation++
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resume of waiting) resume()
  }

  /** Resolves when something changed since `generation`, the signal fires or the time is over, whichever comes first. */
  after(generation: number, { signal, timeoutMs }: WaitOptions = {}): Promise<void> {
    if (generation !== this.#generation || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const resume = () => {
        this.#waiting.delete(resume)
        clearTimeout(timer)
        signal?.removeEventListener('abort', resume)
        resolve()
      }
      this.#waiting.add(resume)
      signal?.addEventListener('abort', resume)
      if (timeoutMs !== undefined) timer = setTimeout(resume, timeoutMs)
    })
  }
}

/** Resolves after `ms` milliseconds or as soon as the signal fires; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const never = new WakeUps()
  return never.after(never.generation, { signal, timeoutMs: ms })
}

const LONG_MS = 2 ** 30

/** The process lives on while it runs: the timer of `AbortSignal.timeout` alone lets it end, without a word. */
export async function keptAlive<T>(run: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, LONG_MS)
  try {
    return await run()
  } finally {
    clearInterval(timer)
  }
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** Milliseconds to wait after so many failures in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

/** Resolves when the clock has gone on by `ms`, or the signal fires; never rejects. A test's clock need not really wait. */
export function pauseBy(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return clock.after === undefined ? pause(ms, signal) : clock.after(ms, signal)
}

/**
 * For how long something takes: goes on as time does, whatever the wall clock is set to meanwhile. A test's clock, which
 * need not really wait, is its own measure.
 */
export function steadyMs(clock: Clock): number {
  return clock.after === undefined ? performance.now() : clock.now()
}

/** Resolves when `done` settles or after `ms` milliseconds, whichever comes first; leaves no timer behind. */
export async function settledWithin(ms: number, done: Promise<void> | undefined): Promise<void> {
  const over = new AbortController()
  await Promise.race([done, pause(ms, over.signal)]).finally(() => over.abort())
}

interface VersionWaiter {
  readonly version: number
  settle(outcome: { readonly version: number } | { readonly error: DuologError }): void
}

/** Whoever waits for a stream to reach a version (`waitForVersion` of the port). */
export class VersionWaiters {
  readonly #byStream = new Map<string, Set<VersionWaiter>>()

  /** The streams somebody waits for: what a backing has to look at when others may have appended. */
  streams(): readonly string[] {
    return [...this.#byStream.keys()]
  }

  wait(stream: string, version: number, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return Promise.reject(aborted(stream, version))
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.settle({ error: aborted(stream, version) })
      const waiter: VersionWaiter = {
        version,
        settle: (outcome) => {
          signal?.removeEventListener('abort', onAbort)
          this.#remove(stream, waiter)
          if ('error' in outcome) reject(outcome.error)
          else resolve(outcome.version)
        },
      }
      signal?.addEventListener('abort', onAbort)
      this.#add(stream, waiter)
    })
  }

  /** Tells that the stream is at `version` now. */
  reached(stream: string, version: number): void {
    for (const waiter of [...(this.#byStream.get(stream) ?? [])]) {
      if (waiter.version <= version) waiter.settle({ version })
    }
  }

  rejectAll(error: DuologError): void {
    for (const waiter of [...this.#byStream.values()].flatMap((waiters) => [...waiters])) waiter.settle({ error })
  }

  #add(stream: string, waiter: VersionWaiter): void {
    const waiters = this.#byStream.get(stream) ?? new Set()
    this.#byStream.set(stream, waiters.add(waiter))
  }

  #remove(stream: string, waiter: VersionWaiter): void {
    const waiters = this.#byStream.get(stream)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#byStream.delete(stream)
  }
}

/** Who gave up waiting knows where: a stack, which costs more than all the rest of the waiting, would tell nothing. */
function aborted(stream: string, version: number): DuologError {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return givenUp(stream, version)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function givenUp(stream: string, version: number): DuologError {
  return new DuologError('ABORTED', `Waiting for version ${version} of stream "${stream}" was given up by its signal.`)
}
