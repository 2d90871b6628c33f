import type { Clock } from '../../core/clock.ts'
import { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Announcement, EventStore } from '../../store/event-store.ts'
import { systemClock } from '../../store/system.ts'
import { loggerOf } from '../../store/warning-logger.ts'
import { AgentService } from '../agent-service.ts'
import { CallRunner } from '../call-runner.ts'
import {
  aBoolean,
  aClock,
  aFunction,
  aLogger,
  aName,
  aNumber,
  anything,
  aSignal,
  aStore,
  aText,
  checkOptions,
  eachOf,
  integerFrom,
  optional,
  type Shape,
} from '../check-options.ts'
import { newOwner } from '../names.ts'
import { sessionNotFound } from '../read-sessions.ts'
import type { GateReport } from '../session/commands.ts'
import { gateRoundOf } from '../session/gate-rounds.ts'
import { sessionStore } from '../session/session-events.ts'
import { type CallState, type GateOutcome, isEnded, type SessionState } from '../session/state.ts'
import { SessionLog } from '../session-log.ts'
import { type GateFunction, type GateRunner, gateRunner } from './gate-runner.ts'

/** What {@link QualityGateProcessor} and {@link EventDrivenQualityGates} take. */
export interface QualityGateOptions {
  /** Any backing; it is not closed. */
  readonly store: EventStore
  /** Gates of your own, by the name a gate's `function` calls them. */
  readonly functions?: Readonly<Record<string, GateFunction>>
  /** How gates are run. Default: commands in the work directory, and `functions`. */
  readonly gates?: GateRunner
  /** Gates of sessions whose work directory is not in this folder are not run. Default: anywhere. */
  readonly workRoot?: string
  /** Gates at one time. Default 2. */
  readonly concurrency?: number
  /** Services of one group share the checks. Default `duolog.gate`. */
  readonly group?: string
  /** Name in claims; must be new at every start of a process. Default: generated. */
  readonly owner?: string
  /** Default: the store's own, which says warnings and errors on stderr. */
  readonly logger?: Logger
  readonly clock?: Clock
}

/** Which gate, of which work item; without one, a gate of the session's result. */
export interface QualityCheck {
  readonly sessionId: string
  readonly gateId: string
  readonly workItemId?: string
}

const OPTIONS: Shape<QualityGateOptions> = {
  store: aStore,
  functions: optional(eachOf(aFunction)),
  gates: optional(aFunction),
  workRoot: optional(aText),
  concurrency: optional(integerFrom(1)),
  group: optional(aName),
  owner: optional(aName),
  logger: optional(aLogger),
  clock: optional(aClock),
}

const REPORT: Shape<GateReport> = {
  passed: aBoolean,
  score: aNumber,
  label: optional(aText),
  explanation: aText,
  evidence: optional(anything),
}

const CHECK: Shape<QualityCheck> = { sessionId: aName, gateId: aText, workItemId: optional(aText) }

/**
 * Evaluates quality gates: commands, and functions of yours. `start()` serves the topic `quality.gates` for all sessions
 * whose tasks travel on topics, in any number of processes; `processQualityCheck` evaluates one gate now. A check is
 * claimed before it runs and its result is an event of the session, so each is evaluated once.
 */
export class QualityGateProcessor {
  readonly owner: string
  readonly #store: EventStore
  readonly #sessions: SessionLog
  readonly #runner: CallRunner
  readonly #service: AgentService
  #announcement: Promise<Announcement> | undefined

  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: QualityGateOptions) {
    checkOptions(`options of ${new.target.name}`, options, OPTIONS)
    const { store, functions = {}, clock = systemClock, concurrency = 2, group } = options
    const logger = loggerOf(options)
    this.owner = options.owner ?? newOwner('gate')
    this.#store = store
    this.#sessions = new SessionLog(sessionStore(store), clock)
    const runGate = options.gates ?? gateRunner({ functions })
    const runner = { store, sessions: this.#sessions, owner: this.owner, executors: {}, runGate, logger, clock }
    const { workRoot } = options
    this.#runner = new CallRunner({ ...runner, ...(workRoot !== undefined && { workRoot }) })
    const named = group === undefined ? {} : { group }
    this.#service = new AgentService({ role: 'gate', store, runner: this.#runner, logger, concurrency, ...named })
  }

  /** Resolves when it takes no more checks: with the reason, where it was not stopped (CHECKPOINT_AHEAD). Never rejects. */
  get ended(): Promise<DuologError | undefined> {
    return this.#service.ended
  }

  /** Resolves when it reads its topic. */
  async start(): Promise<void> {
    await this.#announce()
    await this.#service.start()
  }

  /** Takes no more checks; what runs is stopped and recorded as cancelled, so that another process goes on. */
  async stop(): Promise<void> {
    await this.#service.stop()
    await this.#runner.stop('the gate service is shutting down')
    await (await this.#announcement)?.withdraw()
  }

  /**
   * Evaluates a gate the session waits for, and answers as it was recorded; one that has its result is not evaluated
   * again, one that another process evaluates is waited for.
   * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND when the session does not wait for this gate
   */
  async processQualityCheck(
    check: QualityCheck,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<GateOutcome> {
    checkOptions('check', check, CHECK)
    checkOptions('options of processQualityCheck', options, { signal: optional(aSignal) })
    await this.#announce()
    for (;;) {
      const { state, version } = await this.#load(check)
      const outcome = outcomeOf(state, check)
      if (outcome !== undefined) return outcome
      const call = openCallOf(state, check)
      const started = await this.#runner.start(check.sessionId, call.callId)
      if (started !== undefined) await started.done
      else if (call.status !== 'reserved') await this.#store.waitForVersion(check.sessionId, version + 1, options)
    }
  }

  /**
   * Records what something outside this package found. It counts exactly as given; recorded twice, the first counts.
   * The result also goes out on the topic `quality.gates`, like every gate's.
   * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND · INVALID_ARGUMENT when the score is none
   */
  protected async record(check: QualityCheck, gate: GateReport): Promise<GateOutcome> {
    checkOptions('check', check, CHECK)
    checkOptions('result', gate, REPORT)
    if (gate.score > 1) throw new DuologError('INVALID_ARGUMENT', `score: ${gate.score} must be from 0 to 1`)
    const { state } = await this.#load(check)
    const known = outcomeOf(state, check)
    if (known !== undefined) return known
    const { sessionId } = check
    const { callId } = openCallOf(state, check)
    const { owner } = this
    const claimed = await this.#sessions.handle(sessionId, { kind: 'claim', callId, owner })
    const { epoch } = claimed.state.calls.get(callId)!
    await this.#sessions.handle(sessionId, { kind: 'complete-gate', callId, epoch, owner, gate, durationMs: 0 })
    return this.processQualityCheck(check)
  }

  async #load({ sessionId }: QualityCheck): Promise<{ state: SessionState; version: number }> {
    const loaded = await this.#sessions.load(sessionId)
    if (loaded.version === 0) throw sessionNotFound(sessionId)
    return loaded
  }

  #announce(): Promise<Announcement> {
    this.#announcement ??= this.#store.presence.announce(this.owner)
    return this.#announcement
  }
}

/** {@link QualityGateProcessor}, also for gates that are evaluated elsewhere (a build server, say) and published here. */
export class EventDrivenQualityGates extends QualityGateProcessor {
  /**
   * Records a result that was found elsewhere. It counts exactly as given; of two, the first.
   * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND when the session does not wait for this gate · INVALID_ARGUMENT
   */
  publishQualityGateResult(result: QualityCheck & GateReport): Promise<GateOutcome> {
    const { sessionId, gateId, workItemId, ...gate } = result
    return this.record({ sessionId, gateId, ...(workItemId !== undefined && { workItemId }) }, gate)
  }
}

function outcomeOf(state: SessionState, { gateId, workItemId }: QualityCheck): GateOutcome | undefined {
  if (workItemId !== undefined && !state.workItems.has(workItemId)) return undefined
  return gateRoundOf(state, workItemId).gates.get(gateId)
}

function openCallOf(state: SessionState, check: QualityCheck): CallState {
  const { sessionId, gateId, workItemId } = check
  const known = workItemId === undefined || state.workItems.has(workItemId)
  const callId = known ? gateRoundOf(state, workItemId).gateCallIds.get(gateId) : undefined
  const call = callId === undefined ? undefined : state.calls.get(callId)
  if (call?.role === 'gate' && !isEnded(state)) return call
  const of = workItemId === undefined ? 'its result' : `work item "${workItemId}"`
  throw new DuologError(
    'CALL_NOT_FOUND',
    `Session "${sessionId}" does not wait for a gate "${gateId}" of ${of}. See: duolog show ${sessionId}`,
  )
}
