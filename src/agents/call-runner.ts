import { isDuologError } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'
import { reach } from '../core/reach.ts'
import { LruCache } from '../store/lru-cache.ts'
import { steadyMs } from '../store/wake-ups.ts'
import { CallMaker, type CallMakerOptions, type Outcome } from './call-maker.ts'
import { insist, passes } from './insist.ts'
import type { ClaimFor, SessionCommand } from './session/commands.ts'
import { type CallRole, type CallState, isClaimed, isEnded, type SessionState } from './session/state.ts'
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
/** A reason of our own: the platform's is an exception with a stack, made at every call. */
const MADE = 'made'
/** Why this process itself stops a call. */
class Stopped extends Error {}

/** A session as whoever begins a call has it. */
interface Seen {
  readonly state: SessionState
  readonly version: number
}

interface Running {
  readonly abort: AbortController
  readonly done: Promise<void>
}

export class CallRunner {
  readonly #options: CallRunnerOptions
  readonly #running = new Map<string, Running>()
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
    const done = call === undefined ? undefined : this.begin(sessionId, seen, call)
    return done === undefined ? undefined : { done }
  }

  /**
   * Starts a call that this process holds the claim of. Nothing when it does not, or has begun it before: one claim is
   * one execution, whatever became of its report.
   */
  begin(sessionId: string, seen: Seen, call: CallState): Promise<void> | undefined {
    const claim = `${keyOf(sessionId, call.callId)}\n${call.epoch}`
    if (!isClaimed(call) || call.owner !== this.owner || this.#begun.get(claim)) return undefined
    this.#begun.set(claim, true)
    reach('call.claimed')
    return this.#run(sessionId, seen, call)
  }

  /** Aborts what runs (all, or one session's calls), reports it as cancelled, and waits for the last report. */
  async stop(reason: string, sessionId?: string): Promise<void> {
    const prefix = sessionId === undefined ? '' : keyOf(sessionId, '')
    const stopping = [...this.#running].filter(([key]) => key.startsWith(prefix)).map(([, running]) => running)
    for (const { abort } of stopping) abort.abort(new Stopped(reason))
    await Promise.allSettled(stopping.map(({ done }) => done))
  }

  /** Resolves when what follows the reports this process made of the session's calls is done, too: its pool is settled. */
  async settled(sessionId: string, { calls, settings }: SessionState): Promise<void> {
    if (settings.budget?.pool === undefined) return
    const isReported = ({ status }: CallState) => status === 'completed' || status === 'failed'
    const reported = this.#running.size === 0 ? [] : [...calls.values()].filter(isReported)
    await Promise.allSettled(reported.map(({ callId }) => this.#running.get(keyOf(sessionId, callId))?.done))
  }

  #run(sessionId: string, seen: Seen, call: CallState): Promise<void> {
    const key = keyOf(sessionId, call.callId)
    const abort = new AbortController()
    const done = this.#make(sessionId, seen, call, abort).finally(() => this.#running.delete(key))
    this.#running.set(key, { abort, done })
    done.catch((error: unknown) =>
      this.#options.logger.error({ error, sessionId, callId: call.callId }, 'A call could not be reported'),
    )
    return done
  }

  async #make(sessionId: string, { state, version }: Seen, call: CallState, abort: AbortController): Promise<void> {
    const { clock } = this.#options
    const startedMs = steadyMs(clock)
    const watching = new AbortController()
    const why = whyStop(state, call)
    if (why !== undefined) abort.abort(new Stopped(why))
    // Never rejects, and is not waited for: its last look at the session may take a round trip.
    void this.#abortWhenLost({ sessionId, version, call }, abort, watching.signal)
    const report = await this.#maker.make(sessionId, state, call, abort.signal)
    watching.abort(MADE)
    reach('call.executed')
    const durationMs = Math.max(0, Math.round(steadyMs(clock) - startedMs))
    await this.#reportOrDoubt(sessionId, call, { ...report, durationMs })
    reach('call.reported')
    await this.#maker.settle(sessionId, state, call)
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

  /** Lost claim or ended session: the executor is stopped at once, it works for nobody. `version`: up to there it was seen. */
  async #abortWhenLost(
    { sessionId, version: begun, call }: { sessionId: string; version: number; call: CallState },
    abort: AbortController,
    signal: AbortSignal,
  ): Promise<void> {
    const { logger } = this.#options
    const { callId } = call
    const onRetry = (error: unknown) =>
      logger.warn({ error, sessionId, callId }, 'Lost sight of the session for a while')
    try {
      for (let known = begun; !signal.aborted; ) {
        const { state, version } = await insist(() => this.#after(sessionId, known, signal), { signal, onRetry })
        const why = whyStop(state, call)
        if (signal.aborted) return
        if (why !== undefined) return abort.abort(new Stopped(why))
        known = version
      }
    } catch (error) {
      if (!signal.aborted) logger.warn({ error, sessionId, callId }, 'Lost sight of the session')
    }
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

function keyOf(sessionId: string, callId: string): string {
  return `${sessionId}\n${callId}`
}
