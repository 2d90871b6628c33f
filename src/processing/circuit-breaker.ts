import { type CircuitBreakerPolicy, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel'
import { checkNames, type Given, type Names } from '../core/known-names.ts'
import { messageOf } from '../core/message-of.ts'
import { checkFunction, checkInteger } from '../store/check-arguments.ts'
import { systemClock } from '../store/system.ts'
import { pause, WakeUps } from '../store/wake-ups.ts'
import { tell } from './tell.ts'

/*
 * Stops calling what fails each time, and asks now and then whether it is back. Whoever calls through it waits while it
 * is open: nothing is refused, nothing is burned. How long it is open is measured here, by a clock that nobody sets.
 */

/** When a circuit breaker opens, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row that open it. Default 10; let it be more than one message is tried. */
  readonly failures?: number
  /** How long it stays open before one call may try, milliseconds. Default 30,000. */
  readonly openMs?: number
  /** Which errors are failures of what is called, not of the message. Default: all that may be tried again. */
  readonly counts?: (error: unknown) => boolean
  /** Hears of every change of its state. */
  readonly onChange?: (status: BreakerStatus) => void
}

/** Where a circuit breaker stands. */
export interface BreakerStatus {
  /** `half-open`: one call is trying whether it works again. */
  readonly state: 'closed' | 'open' | 'half-open'
  /** ISO time at which it opened last, while it is not closed. */
  readonly openedAt?: string
  /** ISO time of the next try, while it is open. */
  readonly probeAt?: string
  /** What the failure that opened it said. */
  readonly lastError?: string
}

/** May be shared by several processors and executors that call the same thing; made by {@link createCircuitBreaker}. */
export interface CircuitBreaker {
  /** Where it stands now. */
  readonly status: BreakerStatus
  /** Calls as soon as it is closed or half open. Rejects with the signal's reason when that fires before. */
  run<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

const NAMES: Names<CircuitBreakerOptions> = { failures: true, openMs: true, counts: true, onChange: true }

/** @throws INVALID_ARGUMENT naming the option. */
export function checkBreakerOptions(given: unknown): void {
  checkNames('options of a circuit breaker', given, NAMES)
  const options = given as Given<CircuitBreakerOptions>
  for (const name of ['failures', 'openMs'] as const) {
    if (options[name] !== undefined) checkInteger(`${name} of a circuit breaker`, options[name], 1)
  }
  for (const name of ['counts', 'onChange'] as const) {
    if (options[name] !== undefined) checkFunction(`${name} of a circuit breaker`, options[name])
  }
}

/**
 * A circuit breaker; give it to a processor or an executor, or to several that call the same thing.
 *
 * @throws INVALID_ARGUMENT naming the option.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  checkBreakerOptions(options)
  return new Breaker(options)
}

const DEFAULT_FAILURES = 10
const DEFAULT_OPEN_MS = 30_000
/** The library measures by the wall clock, which may be put back by more than any pause. */
const WHENEVER_WE_CALL = Number.NEGATIVE_INFINITY

class Breaker implements CircuitBreaker {
  /** In a row, to open it. */
  readonly failures: number
  readonly #policy: CircuitBreakerPolicy
  readonly #openMs: number
  readonly #changed = new WakeUps()
  /** By the wall clock, and by the steady one. */
  #opened = { atMs: 0, steadyMs: 0 }
  #lastError: unknown

  constructor({
    failures = DEFAULT_FAILURES,
    openMs = DEFAULT_OPEN_MS,
    counts = mayPass,
    onChange,
  }: CircuitBreakerOptions) {
    this.#openMs = openMs
    this.failures = failures
    this.#policy = circuitBreaker(
      handleWhen((error) => isCounted(counts, error)),
      {
        halfOpenAfter: WHENEVER_WE_CALL,
        breaker: new ConsecutiveBreaker(failures),
      },
    )
    this.#policy.onBreak((why) => {
      this.#opened = { atMs: systemClock.now(), steadyMs: performance.now() }
      this.#lastError = 'error' in why ? why.error : undefined
    })
    this.#policy.onStateChange(() => {
      this.#changed.wakeAll()
      tell(() => onChange?.(this.status))
    })
  }

  get status(): BreakerStatus {
    const state = STATES[this.#policy.state] ?? 'closed'
    if (state === 'closed') return { state }
    return {
      state,
      openedAt: new Date(this.#opened.atMs).toISOString(),
      ...(state === 'open' && { probeAt: new Date(systemClock.now() + Math.max(0, this.#leftMs)).toISOString() }),
      ...(this.#lastError !== undefined && { lastError: messageOf(this.#lastError) }),
    }
  }

  async run<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      signal?.throwIfAborted()
      const toWaitFor = this.#inTheWay(signal)
      // At once: of those who waited together the first finds it open, the next that somebody is trying.
      if (toWaitFor === undefined) return this.#policy.execute(call)
      await toWaitFor
    }
  }

  /** While it is open, and while one call is trying whether it works again, others wait; their signal ends that. */
  #inTheWay(signal: AbortSignal | undefined): Promise<void> | undefined {
    const { state } = this.#policy
    if (state === CircuitState.HalfOpen) return this.#changed.after(this.#changed.generation, { signal })
    const leftMs = state === CircuitState.Open ? this.#leftMs : 0
    return leftMs <= 0 ? undefined : pause(leftMs, signal)
  }

  get #leftMs(): number {
    return Math.ceil(this.#opened.steadyMs + this.#openMs - performance.now())
  }
}

/** Failures in a row that open it; of a breaker of somebody else's making it is not known. */
export function failuresToOpen(circuit: CircuitBreaker): number {
  return circuit instanceof Breaker ? circuit.failures : 1
}

/** What throws where it is asked must not decide anything: a failure is counted. */
function isCounted(counts: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return counts(error)
  } catch {
    return true
  }
}

const STATES: Readonly<Record<number, BreakerStatus['state']>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
}

function mayPass(error: unknown): boolean {
  return !(error instanceof Error && 'retry' in error && error.retry === 'never')
}
