import type { Clock } from '../core/clock.ts'
import { isDuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { messageOf } from '../core/message-of.ts'
import { reach } from '../core/reach.ts'
import type { EventStore } from '../store/event-store.ts'
import { pauseBy, steadyMs } from '../store/wake-ups.ts'
import {
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  type AgentRole,
  becauseOf,
  whatItCost,
} from './executor.ts'
import { keyOf, recordedRequestOf } from './executors/cassette.ts'
import type { GateContext } from './gates/command-gate.ts'
import type { GateRunner } from './gates/gate-runner.ts'
import { PoolDesk } from './pool/pool-desk.ts'
import { packagePrompts, type SessionPrompts } from './prompts/session-prompts.ts'
import type { CallObservation, SessionCommand } from './session/commands.ts'
import { notBeforeOf } from './session/parking.ts'
import { requestFor } from './session/requests.ts'
import type { CallState, SessionState } from './session/state.ts'
import type { SessionLog } from './session-log.ts'
import { watchSilence } from './silence.ts'
import { refuseOutside } from './work-dir.ts'
import { observeWork } from './work-dir-changes.ts'

/*
 * What is done between a call's claim and its report: the means are held in the pool, the executor is asked, what it did
 * to the work directory is looked at. Never rejects: what goes wrong is a report, too.
 */

export interface CallMakerOptions {
  /** Where budget pools are. */
  readonly store: EventStore
  readonly sessions: SessionLog
  readonly executors: Partial<Record<AgentRole, AgentExecutor>>
  readonly runGate?: GateRunner
  readonly prompts?: SessionPrompts
  /** Whether what a Worker's call did to the work directory is looked at and recorded. Default true. */
  readonly workDirChanges?: boolean
  /** Calls whose work directory is not in this folder are refused. Default: anywhere. */
  readonly workRoot?: string
  readonly logger: Logger
  readonly clock: Clock
  readonly onProgress?: (progress: { sessionId: string; callId: string; message: string }) => void
}

/** The clock is looked at again after so long: it may be put right meanwhile. */
const LONGEST_PAUSE_MS = 60_000

type OutcomeKind = 'complete' | 'complete-gate' | 'report-failure' | 'report-cancelled' | 'report-unaffordable'
type WithoutClaim<C> = C extends unknown
  ? Omit<C, 'callId' | 'epoch' | 'owner' | 'durationMs' | 'claimFor' | 'nowMs'>
  : never
/** A report without the claim it belongs to. */
export type Outcome = WithoutClaim<Extract<SessionCommand, { kind: OutcomeKind }>>

interface Execution {
  readonly request: AgentRequest
  readonly role: AgentRole
  readonly signal: AbortSignal
  readonly begin: () => Promise<void>
}

/** What a call is made under. */
export interface Hold {
  readonly signal: AbortSignal
  /** Rejects when the call is no longer this process's; asked right before it is made. */
  readonly confirm: () => Promise<void>
}

export class CallMaker {
  readonly #options: CallMakerOptions
  readonly #pools: PoolDesk

  constructor(options: CallMakerOptions) {
    this.#options = options
    this.#pools = new PoolDesk(options.store, options.sessions, options.clock)
  }

  async make(sessionId: string, state: SessionState, call: CallState, { signal, confirm }: Hold): Promise<Outcome> {
    let asked: CallObservation = {}
    let begun = call.role === 'gate'
    const sinceStop = msSinceAbort(signal, this.#options.clock)
    try {
      await this.#waitForTime(notBeforeOf(state, call), signal)
      await refuseOutside(state.workDir, this.#options.workRoot)
      if (call.role === 'gate') {
        await confirm()
        return { kind: 'complete-gate', gate: await this.#runGate(sessionId, state, call, signal) }
      }
      const request = requestFor(sessionId, state, call, this.#options.prompts)
      asked = { requestDigest: digestOf(request), ...this.#otherWording(call) }
      const exceeded = await this.#pools.reserve(sessionId, state, call)
      if (exceeded !== undefined) return { kind: 'report-unaffordable', exceeded }
      reach('call.affordable')
      const begin = async () => {
        await confirm()
        begun = true
      }
      return { ...(await this.#execute(sessionId, state, call, { request, role: call.role, signal, begin })), ...asked }
    } catch (error) {
      const paidFor = begun ? whatItCost(error) : { costUsd: 0 }
      if (!signal.aborted) return { ...failureOf(error, this.#options.clock), paidFor, ...asked }
      const stop = { reason: messageOf(signal.reason), stopMs: sinceStop(), paidFor, ...asked }
      return { kind: 'report-cancelled', ...stop, ...(!begun && { unbegun: true as const }) }
    }
  }

  /** Which wording this process has, where the session was to be asked in another. */
  #otherWording({ purpose, promptVersion }: CallState): Pick<CallObservation, 'promptVersion'> {
    const { version } = (this.#options.prompts ?? packagePrompts)[purpose]
    return version === promptVersion ? {} : { promptVersion: version }
  }

  /** What was held for the call in its pool is settled; should this fail, whoever next finds the pool empty does it. */
  async settle(sessionId: string, before: SessionState, { callId, epoch }: CallState): Promise<void> {
    if (before.settings.budget?.pool === undefined) return
    try {
      const { state } = await this.#options.sessions.load(sessionId)
      await this.#pools.settle(sessionId, state, state.calls.get(callId)!, epoch)
    } catch (error) {
      this.#options.logger.warn({ error, sessionId, callId }, 'A call could not be settled with its budget pool yet')
    }
  }

  /** A rate limit parks its call and those beside it, in whatever process has claimed them by then. */
  async #waitForTime(notBefore: string | undefined, signal: AbortSignal): Promise<void> {
    if (notBefore === undefined) return
    const { clock } = this.#options
    const notBeforeMs = Date.parse(notBefore)
    // A clock that is put back meanwhile makes nobody wait longer.
    const overMs = steadyMs(clock) + notBeforeMs - clock.now()
    for (;;) {
      const waitMs = Math.min(notBeforeMs - clock.now(), overMs - steadyMs(clock))
      if (waitMs <= 0 || signal.aborted) break
      await pauseBy(clock, Math.min(waitMs, LONGEST_PAUSE_MS), signal)
    }
    signal.throwIfAborted()
  }

  async #execute(
    sessionId: string,
    state: SessionState,
    call: CallState,
    execution: Execution,
  ): Promise<Extract<Outcome, { kind: 'complete' }>> {
    const { logger, workDirChanges = true } = this.#options
    const execute = () => this.#listen(sessionId, state, call, execution)
    if (call.purpose !== 'work' || !workDirChanges) return { kind: 'complete', result: await execute() }
    const base = state.workItems.get(call.workItemId ?? '')?.workBase
    const result = await observeWork(execute, { workDir: state.workDir, ...(base !== undefined && { base }), logger })
    return { kind: 'complete', result }
  }

  /** Executes, and has it recorded when nothing is heard of the agent for too long. */
  async #listen(
    sessionId: string,
    { settings }: SessionState,
    { callId, epoch }: CallState,
    { request, role, signal, begin }: Execution,
  ): Promise<AgentResult> {
    const { sessions, logger, onProgress, executors } = this.#options
    await begin()
    const silence = watchSilence(settings, async (silentMs) => {
      await sessions
        .handle(sessionId, { kind: 'report-stalled', callId, epoch, silentMs })
        .catch((error: unknown) => logger.warn({ error, sessionId, callId }, 'A stalled call could not be recorded'))
    })
    const progress = ({ message }: { message: string }) => {
      silence.heard()
      onProgress?.({ sessionId, callId, message })
    }
    const stop = silence.signal === undefined ? signal : AbortSignal.any([signal, silence.signal])
    try {
      return await executors[role]!.execute(request, { signal: stop, progress })
    } finally {
      await silence.end()
    }
  }

  #runGate(sessionId: string, state: SessionState, call: CallState, signal: AbortSignal) {
    const gate = state.settings.gates.find(({ gateId }) => gateId === call.gateId)
    if (gate === undefined) throw new Error(`The session's settings have no gate "${call.gateId}"`)
    const { workItemId, attempt } = call
    const { workDir } = state
    const context: GateContext = {
      sessionId,
      attempt,
      workDir,
      signal,
      ...(workItemId !== undefined && { workItemId }),
    }
    return this.#options.runGate!(gate, context)
  }
}

/** How long a stop took: asked when the call has settled. */
function msSinceAbort(signal: AbortSignal, clock: Clock): () => number {
  let abortedMs: number | undefined
  signal.addEventListener('abort', () => (abortedMs = steadyMs(clock)), { once: true })
  return () => (abortedMs === undefined ? 0 : Math.max(0, Math.round(steadyMs(clock) - abortedMs)))
}

function digestOf(request: AgentRequest): string {
  return keyOf(recordedRequestOf(request))
}

function failureOf(error: unknown, clock: Clock): Extract<Outcome, { kind: 'report-failure' }> {
  const code = isDuologError(error) ? error.code : 'EXECUTOR_FAILED'
  const because = becauseOf(error)
  const retryable = isDuologError(error) ? error.retry !== 'never' : true
  const afterMs = isDuologError(error) && typeof error.retry === 'object' ? error.retry.afterMs : 0
  return {
    kind: 'report-failure',
    error: { code, message: messageOf(error) },
    retryable,
    ...(afterMs > 0 && { retryAt: new Date(clock.now() + afterMs).toISOString() }),
    ...(because === 'budget' && { because }),
    ...(because === 'rate-limit' && afterMs > 0 && { because }),
  }
}
