import type { Clock } from '../core/clock.ts'
import { isDuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { reach } from '../core/reach.ts'
import { LruCache } from '../store/lru-cache.ts'
import { pause } from '../store/wake-ups.ts'
import { type AgentExecutor, type AgentRole, paidForOf } from './executor.ts'
import type { GateContext } from './gates/command-gate.ts'
import type { ClaimFor, GateReport, SessionCommand } from './session/commands.ts'
import type { QualityGate } from './session/gate-settings.ts'
import { requestFor } from './session/requests.ts'
import { type CallRole, type CallState, isClaimed, isEnded, type SessionState } from './session/state.ts'
import type { HandleOptions, SessionLog } from './session-log.ts'

/*
 * Makes one call: claim → execute with an abort signal → report. The claim is in the log before the executor starts and
 * the report is one append after it ended (P7); between the two only the log knows, so a death in between is a doubt.
 * P8: the report carries the claim's epoch; whoever lost it is refused. P9: nothing here runs inside a poll loop.
 */

/** Runs a gate's command and says what came of it; rejects only when the command could not be run at all. */
export type GateRunner = (gate: QualityGate, context: GateContext) => Promise<GateReport>

export interface CallRunnerOptions {
  readonly sessions: SessionLog
  /** Who claims: unique to this process and this start of it. */
  readonly owner: string
  readonly executors: Partial<Record<AgentRole, AgentExecutor>>
  readonly runGate?: GateRunner
  readonly logger: Logger
  readonly clock: Clock
  readonly onProgress?: (progress: { sessionId: string; callId: string; message: string }) => void
}

const MAX_BEGUN = 10_000
/** The longest a timer can wait; who names a later time is asked again then. */
const MAX_PARKED_MS = 2_147_483_647

/** Why this process itself stops a call. */
class Stopped extends Error {}

interface Running {
  readonly abort: AbortController
  readonly done: Promise<void>
}

export class CallRunner {
  readonly #options: CallRunnerOptions
  readonly #running = new Map<string, Running>()
  /** Claims this process has begun; bounded, since what matters is that no stale state begins one again. */
  readonly #begun = new LruCache<string, true>(MAX_BEGUN)

  constructor(options: CallRunnerOptions) {
    this.#options = options
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
    const { state } = await sessions.handle(sessionId, { kind: 'claim', callId, owner }, options)
    const call = state.calls.get(callId)
    const done = call === undefined ? undefined : this.begin(sessionId, state, call)
    return done === undefined ? undefined : { done }
  }

  /**
   * Starts a call that this process holds the claim of. Nothing when it does not, or has begun it before: one claim is
   * one execution, whatever became of its report.
   */
  begin(sessionId: string, state: SessionState, call: CallState): Promise<void> | undefined {
    const claim = `${keyOf(sessionId, call.callId)}\n${call.epoch}`
    if (!isClaimed(call) || call.owner !== this.owner || this.#begun.get(claim)) return undefined
    this.#begun.set(claim, true)
    reach('call.claimed')
    return this.#run(sessionId, state, call)
  }

  /** Aborts what runs (all, or one session's calls), reports it as cancelled, and waits for the last report. */
  async stop(reason: string, sessionId?: string): Promise<void> {
    const prefix = sessionId === undefined ? '' : keyOf(sessionId, '')
    const stopping = [...this.#running].filter(([key]) => key.startsWith(prefix)).map(([, running]) => running)
    for (const { abort } of stopping) abort.abort(new Stopped(reason))
    await Promise.allSettled(stopping.map(({ done }) => done))
  }

  #run(sessionId: string, state: SessionState, call: CallState): Promise<void> {
    const key = keyOf(sessionId, call.callId)
    const abort = new AbortController()
    const done = this.#make(sessionId, state, call, abort).finally(() => this.#running.delete(key))
    this.#running.set(key, { abort, done })
    done.catch((error: unknown) =>
      this.#options.logger.error({ error, sessionId, callId: call.callId }, 'A call could not be reported'),
    )
    return done
  }

  async #make(sessionId: string, state: SessionState, call: CallState, abort: AbortController): Promise<void> {
    const { clock } = this.#options
    const startedAt = clock.now()
    const watching = new AbortController()
    const watch = this.#abortWhenLost(sessionId, call, abort, watching.signal)
    const report = await this.#attempt(sessionId, state, call, abort.signal)
    watching.abort()
    await watch
    reach('call.executed')
    const durationMs = Math.max(0, clock.now() - startedAt)
    await this.#reportOrDoubt(sessionId, call, { ...report, durationMs })
    reach('call.reported')
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

  async #attempt(sessionId: string, state: SessionState, call: CallState, signal: AbortSignal): Promise<Outcome> {
    try {
      await this.#waitForTime(call, signal)
      return call.role === 'gate'
        ? { kind: 'complete-gate', gate: await this.#runGate(sessionId, state, call, signal) }
        : { kind: 'complete', result: await this.#execute(sessionId, state, call, call.role, signal) }
    } catch (error) {
      if (signal.aborted) return { kind: 'report-cancelled', reason: messageOf(signal.reason) }
      return failureOf(error, this.#options.clock)
    }
  }

  /** A rate limit parks its call, in whatever process has claimed it by then. */
  async #waitForTime({ notBefore }: CallState, signal: AbortSignal): Promise<void> {
    if (notBefore === undefined) return
    const waitMs = Date.parse(notBefore) - this.#options.clock.now()
    if (waitMs > 0) await pause(Math.min(waitMs, MAX_PARKED_MS), signal)
    signal.throwIfAborted()
  }

  async #execute(sessionId: string, state: SessionState, call: CallState, role: AgentRole, signal: AbortSignal) {
    const request = requestFor(sessionId, state, call)
    const progress = ({ message }: { message: string }) =>
      this.#options.onProgress?.({ sessionId, callId: call.callId, message })
    return this.#options.executors[role]!.execute(request, { signal, progress })
  }

  #runGate(sessionId: string, state: SessionState, call: CallState, signal: AbortSignal): Promise<GateReport> {
    const gate = state.settings.gates.find(({ gateId }) => gateId === call.gateId)
    if (gate === undefined) throw new Error(`The session's settings have no gate "${call.gateId}"`)
    const { workItemId = '', attempt } = call
    return this.#options.runGate!(gate, { sessionId, workItemId, attempt, workDir: state.workDir, signal })
  }

  /** Lost claim or ended session: the executor is stopped at once, it works for nobody. */
  async #abortWhenLost(sessionId: string, call: CallState, abort: AbortController, signal: AbortSignal): Promise<void> {
    const { sessions } = this.#options
    try {
      let { state, version } = await sessions.load(sessionId)
      while (!signal.aborted) {
        const why = whyStop(state, call)
        if (why !== undefined) return abort.abort(new Stopped(why))
        await sessions.store.waitForVersion(sessionId, version + 1, { signal })
        ;({ state, version } = await sessions.load(sessionId))
      }
    } catch (error) {
      if (!signal.aborted)
        this.#options.logger.warn({ error, sessionId, callId: call.callId }, 'Lost sight of the session')
    }
  }

  /** A paid result is not given up because a broker is away for a minute: tries until it is in, or refused for good. */
  async #persist(sessionId: string, command: SessionCommand): Promise<void> {
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        await this.#options.sessions.handle(sessionId, command)
        return
      } catch (error) {
        if (isDuologError(error, 'STORE_CLOSED') || (isDuologError(error) && error.retry === 'never')) throw error
        this.#options.logger.warn({ error, sessionId, waitMs }, 'Reporting a call failed; trying again')
        await new Promise((resolve) => setTimeout(resolve, waitMs))
      }
    }
  }
}

type Outcome =
  | Pick<Extract<SessionCommand, { kind: 'complete' }>, 'kind' | 'result'>
  | Pick<Extract<SessionCommand, { kind: 'complete-gate' }>, 'kind' | 'gate'>
  | Pick<Extract<SessionCommand, { kind: 'report-failure' }>, 'kind' | 'error' | 'retryable' | 'retryAt' | 'paidFor'>
  | Pick<Extract<SessionCommand, { kind: 'report-cancelled' }>, 'kind' | 'reason'>

function failureOf(error: unknown, clock: Clock): Outcome {
  const code = isDuologError(error) ? error.code : 'EXECUTOR_FAILED'
  const retryable = isDuologError(error) ? error.retry !== 'never' : true
  const afterMs = isDuologError(error) && typeof error.retry === 'object' ? error.retry.afterMs : 0
  return {
    kind: 'report-failure',
    error: { code, message: messageOf(error) },
    retryable,
    paidFor: paidForOf(error),
    ...(afterMs > 0 && { retryAt: new Date(clock.now() + afterMs).toISOString() }),
  }
}

function whyStop(state: SessionState, call: CallState): string | undefined {
  if (isEnded(state)) return `the session is ${state.status}`
  const now = state.calls.get(call.callId)
  return now?.status === 'claimed' && now.epoch === call.epoch ? undefined : 'the claim was lost'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function keyOf(sessionId: string, callId: string): string {
  return `${sessionId}\n${callId}`
}
