import { isDuologError } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'
import { reach } from '../core/reach.ts'
import { LruCache } from '../store/lru-cache.ts'
import { steadyMs } from '../store/wake-ups.ts'
import { type AsOf, ageMs } from './as-of.ts'
import { CallMaker, type CallMakerOptions, type Outcome } from './call-maker.ts'
import { insist, passes } from './insist.ts'
import type { ClaimFor, SessionCommand } from './session/commands.ts'
import { type CallRole, type CallState, isClaimed, isEnded, type SessionState } from './session/state.ts'
import { whyOutOfTime } from './session/timers.ts'
import type { HandleOptions } from './session-log.ts'

/*
 * Makes one call: claim → execute with an abort signal → report. The claim is in the log before the executor starts and
 * the report is one append after it ended (P7); between the two only the log knows, so a death in between is a doubt.
 * P8: the report carries the claim's epoch; whoever lost it is refused. P9: nothing here runs inside a poll loop.
 */

export interface CallRunnerOptions extends CallMakerOptions {
  /** Who claims: unique to this process and this start of it. */
  readonly owner: string
}

const MAX_BEGUN = 10_000
/** What is known of a claim counts for so long: less than it takes others to find its owner dead, by its lease. */
const FRESH_MS = 2_000
/** A reason of our own: the platform's is an exception with a stack, made at every call. */
const MADE = 'made'
/** Why this process itself stops a call. */
class Stopped extends Error {}

/** A session as somebody has seen it. */
export interface Seen {
  readonly state: SessionState
  readonly version: number
  readonly asOf: AsOf
}

interface Running {
  readonly call: CallState
  /** When what it began with was known. */
  readonly asOf: AsOf
  /** Up to there the session had been seen when it began. */
  readonly version: number
  readonly abort: AbortController
  /** Its executor is asked. */
  begun: boolean
  /** Its executor has ended: there is nothing left to stop. */
  made: boolean
  /** Hears of that. */
  onMade?: () => void
  done: Promise<void>
}

export class CallRunner {
  readonly #options: CallRunnerOptions
  /** By session, then by call. */
  readonly #running = new Map<string, Map<string, Running>>()
  /** Claims this process has begun; bounded, since what matters is that no stale state begins one again. */
  readonly #maker: CallMaker
  readonly #begun = new LruCache<string, true>(MAX_BEGUN)

  constructor(options: CallRunnerOptions) {
    this.#options = options
    this.#maker = new CallMaker(options)
  }

  get owner(): string {
    return this.#options.owner
  }

  /** Of what this process does it may claim the follow-ups, too. */
  get claimFor(): ClaimFor {
    return { owner: this.owner, roles: (['manager', 'worker', 'gate'] as const).filter((role) => this.serves(role)) }
  }

  serves(role: CallRole): boolean {
    return role === 'gate' ? this.#options.runGate !== undefined : this.#options.executors[role] !== undefined
  }

  /**
   * Claims the call and, when it got it, starts it in the background. Resolves once the claim is durable, with a promise
   * of the end, or with nothing when the call is not to be had (somebody else's, done, withdrawn).
   */
  async start(
    sessionId: string,
    callId: string,
    options: HandleOptions = {},
  ): Promise<{ done: Promise<void> } | undefined> {
    const { sessions, owner } = this.#options
    const seen = await sessions.handle(sessionId, { kind: 'claim', callId, owner, ranBy: owner }, options)
    const call = seen.state.calls.get(callId)
    const running = call === undefined ? undefined : this.#begin(sessionId, seen, call)
    if (running === undefined) return undefined
    this.#watch(sessionId, running)
    return { done: running.done }
  }

  /**
   * Starts a call that this process holds the claim of. Nothing when it does not, or has begun it before: one claim is
   * one execution, whatever became of its report. Whoever begins it follows the session, and says what it sees (`see`).
   */
  begin(sessionId: string, seen: Seen, call: CallState): void {
    this.#begin(sessionId, seen, call)
  }

  /** Lost claim or ended session: the executor is stopped at once, it works for nobody. */
  see(sessionId: string, { state, version }: Seen): void {
    for (const running of this.#running.get(sessionId)?.values() ?? []) {
      const why = running.made || running.version > version ? undefined : this.#whyStop(state, running)
      if (why !== undefined) running.abort.abort(new Stopped(why))
    }
  }

  #begin(sessionId: string, seen: Seen, call: CallState): Running | undefined {
    const claim = `${sessionId}\n${call.callId}\n${call.epoch}`
    if (!isClaimed(call) || call.owner !== this.owner || this.#begun.get(claim)) return undefined
    this.#begun.set(claim, true)
    reach('call.claimed')
    return this.#run(sessionId, seen, call)
  }

  /** Aborts what runs (all, or one session's calls), reports it as cancelled, and waits for the last report. */
  async stop(reason: string, sessionId?: string): Promise<void> {
    const sessions = sessionId === undefined ? [...this.#running.values()] : [this.#running.get(sessionId)]
    const stopping = sessions.flatMap((calls) => [...(calls?.values() ?? [])])
    for (const { abort } of stopping) abort.abort(new Stopped(reason))
    await Promise.allSettled(stopping.map(({ done }) => done))
  }

  /** Resolves when what follows the reports this process made of the session's calls is done, too: its pool is settled. */
  async settled(sessionId: string, { calls, settings }: SessionState): Promise<void> {
    if (settings.budget?.pool === undefined) return
    const running = [...(this.#running.get(sessionId)?.values() ?? [])]
    const isReported = (status: CallState['status'] | undefined) => status === 'completed' || status === 'failed'
    const reported = running.filter(({ call }) => isReported(calls.get(call.callId)?.status))
    await Promise.allSettled(reported.map(({ done }) => done))
  }

  #run(sessionId: string, seen: Seen, call: CallState): Running {
    const abort = new AbortController()
    const { version, asOf } = seen
    const running: Running = { call, version, asOf, abort, begun: false, made: false, done: Promise.resolve() }
    const calls = this.#running.get(sessionId) ?? new Map<string, Running>()
    this.#running.set(sessionId, calls.set(call.callId, running))
    running.done = this.#make(sessionId, seen.state, running).finally(() => this.#forget(sessionId, running))
    running.done.catch((error: unknown) =>
      this.#options.logger.error({ error, sessionId, callId: call.callId }, 'A call could not be reported'),
    )
    return running
  }

  /** A claim of a later epoch may have taken its place. */
  #forget(sessionId: string, running: Running): void {
    const { callId } = running.call
    const calls = this.#running.get(sessionId)
    if (calls?.get(callId) === running) calls.delete(callId)
    if (calls?.size === 0) this.#running.delete(sessionId)
  }

  async #make(sessionId: string, state: SessionState, running: Running): Promise<void> {
    const { clock } = this.#options
    const { call, abort } = running
    const startedMs = steadyMs(clock)
    const why = this.#whyStop(state, running)
    if (why !== undefined) abort.abort(new Stopped(why))
    const confirm = () => this.#confirm(sessionId, state, running)
    const report = await this.#maker.make(sessionId, state, call, { signal: abort.signal, confirm })
    running.made = true
    running.onMade?.()
    reach('call.executed')
    const durationMs = Math.max(0, Math.round(steadyMs(clock) - startedMs))
    await this.#reportOrDoubt(sessionId, call, { ...report, durationMs })
    reach('call.reported')
    await this.#maker.settle(sessionId, state, call)
  }

  /**
   * P8: right before the call is made. A process that was frozen, or a call that was parked, may have lost its claim to
   * somebody who makes the call now: where what is known is old, the log is asked. Rejects when it is no longer its own.
   */
  async #confirm(sessionId: string, begunWith: SessionState, running: Running): Promise<void> {
    const { sessions, clock } = this.#options
    const { call, abort } = running
    const { signal } = abort
    const options = { signal, onRetry: this.#lostSight(sessionId, call) }
    for (let [state, asOf] = [begunWith, running.asOf]; ; ) {
      const why = this.#whyStop(state, running)
      if (why !== undefined) abort.abort(new Stopped(why))
      signal.throwIfAborted()
      if (ageMs(asOf, clock) <= FRESH_MS) break
      ;({ state, asOf } = await insist(() => sessions.load(sessionId), options))
    }
    running.begun = true
  }

  #whyStop(state: SessionState, { call, begun }: Running): string | undefined {
    const late = begun ? undefined : whyOutOfTime(state, call, this.#options.clock.now())
    return late ?? whyStop(state, call)
  }

  /** What cannot be recorded (a result no event can hold) is in doubt: visible, and never made again in silence (P7). */
  async #reportOrDoubt(sessionId: string, call: CallState, report: Outcome & { durationMs: number }): Promise<void> {
    const { callId, epoch } = call
    const { owner, claimFor } = this
    try {
      await this.#persist(sessionId, { ...report, callId, epoch, owner, claimFor })
    } catch (error) {
      if (isDuologError(error, 'STORE_CLOSED')) throw error
      const reason = `its report could not be recorded: ${messageOf(error)}`
      await this.#persist(sessionId, { kind: 'doubt', callId, epoch, reason })
      throw error
    }
  }

  /** Follows the session of a call that nobody else follows it for. Never waited for: its last look may take a round trip. */
  #watch(sessionId: string, running: Running): void {
    const over = new AbortController()
    running.onMade = () => over.abort(MADE)
    void this.#follow(sessionId, running, over.signal)
  }

  async #follow(sessionId: string, running: Running, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    const { callId } = running.call
    const onRetry = this.#lostSight(sessionId, running.call)
    try {
      for (let known = running.version; !signal.aborted && !running.abort.signal.aborted; ) {
        const seen = await insist(() => this.#after(sessionId, known, signal), { signal, onRetry })
        this.see(sessionId, seen)
        known = seen.version
      }
    } catch (error) {
      if (!signal.aborted) logger.warn({ error, sessionId, callId }, 'Lost sight of the session')
    }
  }

  #lostSight(sessionId: string, { callId }: CallState) {
    return (error: unknown) =>
      this.#options.logger.warn({ error, sessionId, callId }, 'Lost sight of the session for a while')
  }

  /** The session as it is once it has gone on from `version`. */
  async #after(sessionId: string, version: number, signal: AbortSignal) {
    const { sessions } = this.#options
    await sessions.store.waitForVersion(sessionId, version + 1, { signal })
    return sessions.load(sessionId)
  }

  /** A paid result is not given up because a broker is away for a minute: tries until it is in, or refused for good. */
  async #persist(sessionId: string, command: SessionCommand): Promise<void> {
    const { sessions, logger } = this.#options
    await insist(() => sessions.handle(sessionId, command), {
      mayPass: (error) => passes(error) || !isDuologError(error),
      onRetry: (error, waitMs) => logger.warn({ error, sessionId, waitMs }, 'Reporting a call failed; trying again'),
    })
  }
}

function whyStop(state: SessionState, call: CallState): string | undefined {
  if (isEnded(state) || state.stopsCalls) return `the session is ${state.status}`
  const now = state.calls.get(call.callId)
  return now?.status === 'claimed' && now.epoch === call.epoch ? undefined : 'the claim was lost'
}
