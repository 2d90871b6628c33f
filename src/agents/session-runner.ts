import type { Clock } from '../core/clock.ts'
import { isDuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { reach } from '../core/reach.ts'
import { pause, pauseBy } from '../store/wake-ups.ts'
import type { CallRunner, Seen } from './call-runner.ts'
import { insist } from './insist.ts'
import type { Reaper } from './reaper.ts'
import {
  isClaimed,
  isEnded,
  isReserved,
  isTakenFrom,
  isWaiting,
  openCalls,
  type SessionState,
} from './session/state.ts'
import { nextTimerMs } from './session/timers.ts'
import type { SessionLog } from './session-log.ts'

/*
 * Runs one session to its end from this process: makes the reserved calls of 'local' sessions itself, watches the
 * services make those of 'topics' sessions, and has dead owners' calls put in doubt.
 */

export interface SessionRunnerOptions {
  readonly sessions: SessionLog
  readonly runner: CallRunner
  readonly reaper: Reaper
  /** How often owners of running calls are looked after, milliseconds. */
  readonly reapEveryMs: number
  readonly clock: Clock
  readonly logger: Logger
}

const LONGEST_WAIT_MS = 60_000
/** A reason of our own: the platform's is an exception with a stack, made at every step. */
const LOOKED = 'looked'

export class SessionRunner {
  readonly #options: SessionRunnerOptions

  constructor(options: SessionRunnerOptions) {
    this.#options = options
  }

  /**
   * Resolves when the session has ended, waits for a person, is paused or another process's (and what runs here is done),
   * or the signal fired; bears a log that is away for a while.
   */
  async run(sessionId: string, signal: AbortSignal): Promise<Seen> {
    const onRetry = (error: unknown, waitMs: number) =>
      this.#options.logger.warn({ error, sessionId, waitMs }, 'The session cannot be seen; trying again')
    for (;;) {
      const settled = await insist(() => this.#step(sessionId, signal), { onRetry, signal })
      if (settled === undefined) continue
      const { state } = settled
      const isTaken = isTakenFrom(this.#options.runner.owner, state)
      if (isTaken) this.#tellTaken(sessionId, state)
      if (!isTaken && state.status !== 'paused') return settled
      return insist(() => this.#finish(sessionId, signal), { onRetry, signal })
    }
  }

  #tellTaken(sessionId: string, { owner: takenBy }: SessionState): void {
    this.#options.logger.warn(
      { sessionId, takenBy },
      'Another process runs this session now: this one begins nothing more of it',
    )
  }

  /** The session is paused, or somebody else has gone on with it: what this process has claimed is finished, nothing else begins. */
  async #finish(sessionId: string, signal: AbortSignal): Promise<Seen> {
    const { runner } = this.#options
    for (;;) {
      const seen = await this.#look(sessionId)
      const { state, version } = seen
      if (!signal.aborted && (await fireDue(this.#options, sessionId, state))) continue
      const own = openCalls(state, (call) => isClaimed(call) && call.owner === runner.owner)
      if (signal.aborted || isEnded(state) || own.length === 0) return seen
      for (const call of own) runner.begin(sessionId, seen, call)
      await this.#nextChange(sessionId, version + 1, state, signal)
    }
  }

  /** The state in which there is nothing more to do, or nothing when the next step may follow. */
  async #step(sessionId: string, signal: AbortSignal): Promise<Seen | undefined> {
    const { reaper, runner } = this.#options
    const seen = await this.#look(sessionId)
    const { state, version } = seen
    if (isTakenFrom(runner.owner, state)) return seen
    if (!signal.aborted && (await fireDue(this.#options, sessionId, state))) return undefined
    if (isEnded(state) || state.status === 'paused' || isWaiting(state) || signal.aborted) return seen
    if ((await reaper.reap(sessionId, state)) > 0) return undefined
    if (state.settings.dispatch === 'local') await this.#startReserved(sessionId, seen)
    await this.#nextChange(sessionId, version + 1, state, signal)
    return undefined
  }

  /** The session as it is now; its calls that run here hear of it. */
  async #look(sessionId: string): Promise<Seen> {
    const seen = await this.#options.sessions.load(sessionId)
    this.#options.runner.see(sessionId, seen)
    return seen
  }

  async #startReserved(sessionId: string, seen: Seen): Promise<void> {
    const { runner } = this.#options
    const { state } = seen
    for (const call of openCalls(state, isClaimed)) runner.begin(sessionId, seen, call)
    const reserved = openCalls(state, (call) => isReserved(call) && runner.serves(call.role))
    await Promise.all(reserved.map(({ callId }) => runner.start(sessionId, callId)))
  }

  /** The next event, the next time limit, or the time to look after foreign owners, whichever is first. */
  async #nextChange(sessionId: string, version: number, state: SessionState, signal: AbortSignal): Promise<void> {
    const foreign = openCalls(state, (call) => isClaimed(call) && call.owner !== this.#options.runner.owner).length > 0
    const dueMs = nextTimerMs(state)
    if (dueMs === undefined && !foreign) return this.#nextEvent(sessionId, version, signal)
    const look = new AbortController()
    const end = () => look.abort(LOOKED)
    const { clock, reapEveryMs } = this.#options
    if (dueMs !== undefined) void pauseBy(clock, Math.min(dueMs - clock.now(), LONGEST_WAIT_MS), look.signal).then(end)
    if (foreign) void pause(reapEveryMs, look.signal).then(end)
    await this.#nextEvent(sessionId, version, AbortSignal.any([signal, look.signal])).finally(end)
  }

  async #nextEvent(sessionId: string, version: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.sessions.store.waitForVersion(sessionId, version, { signal })
    } catch (error) {
      if (!isDuologError(error, 'ABORTED')) throw error
    }
  }
}

/** Has every time limit that has passed take effect, once; says whether there was one. */
export async function fireDue(
  { sessions, clock }: Pick<SessionRunnerOptions, 'sessions' | 'clock'>,
  sessionId: string,
  state: SessionState,
): Promise<boolean> {
  const nowMs = clock.now()
  const due = nextTimerMs(state)
  if (due === undefined || due > nowMs) return false
  await sessions.handle(sessionId, { kind: 'fire-timers', nowMs })
  reach('session.timer.fired')
  return true
}
