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
  aSignal,
  aStore,
  aString,
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
import { type CallState, type GateOutcome, type GateRound, isEnded, type SessionState } from '../session/state.ts'
import { SessionLog } from '../session-log.ts'
import { type GateFunction, type GateRunner, gateRunner, withBoundedTexts } from './gate-runner.ts'

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
  /**
   * Which attempt at the work item, or round of the session's gates, as `quality.gates` names it. Default: the present one;
   * a result that can be late should say it, or it counts for work it has not seen.
   */
  readonly attempt?: number
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
  evidence: optional(aString),
}

const CHECK: Shape<QualityCheck> = {
  sessionId: aName,
  gateId: aText,
  workItemId: optional(aText),
  attempt: optional(integerFrom(1)),
}

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
    return this.#outcomeOf(await this.#asked(check), options)
  }

  /**
   * Records what something outside this package found. It counts exactly as given, but for secrets in its texts and for
   * texts too long for an event; recorded twice, the first counts. The result also goes out on the topic
   * `quality.gates`, like every gate's.
   * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND · INVALID_ARGUMENT when the score is none
   */
  protected async record(check: QualityCheck, result: GateReport): Promise<GateOutcome> {
    checkOptions('check', check, CHECK)
    checkOptions('result', result, REPORT)
    if (result.score > 1) throw new DuologError('INVALID_ARGUMENT', `score: ${result.score} must be from 0 to 1`)
    await this.#announce()
    const asked = await this.#asked(check)
    if (asked.outcome === undefined) await this.#report(asked, withBoundedTexts(result))
    return this.#outcomeOf(asked)
  }

  async #report({ sessionId, callId }: Asked, gate: GateReport): Promise<void> {
    const { owner } = this
    const claimed = await this.#sessions.handle(sessionId, { kind: 'claim', callId, owner })
    const { epoch } = claimed.state.calls.get(callId)!
    await this.#sessions.handle(sessionId, { kind: 'complete-gate', callId, epoch, owner, gate, durationMs: 0 })
  }

  /** Which gate of which attempt is meant, and what it said, where it has. */
  async #asked(check: QualityCheck): Promise<Asked> {
    const { state, version } = await this.#load(check)
    const round = roundOf(state, check)
    if (round === undefined) throw notWaiting(check)
    const { attempt = round.attempt } = check
    const asked = { ...check, attempt, version, callId: '' }
    if (attempt !== round.attempt) return { ...asked, outcome: await this.#recorded({ ...asked, version: 0 }) }
    const outcome = round.gates.get(check.gateId)
    return outcome === undefined ? { ...asked, callId: openCallOf(state, check).callId } : { ...asked, outcome }
  }

  /** Of that attempt: what its result has led to (a revision, say) may have begun another one by now. */
  async #outcomeOf(asked: Asked, options: { readonly signal?: AbortSignal } = {}): Promise<GateOutcome> {
    if (asked.outcome !== undefined) return asked.outcome
    for (;;) {
      const { state, version } = await this.#load(asked)
      const round = roundOf(state, asked)
      if (round?.attempt !== asked.attempt) return this.#recorded(asked)
      const outcome = round.gates.get(asked.gateId)
      if (outcome !== undefined) return outcome
      const { callId, status } = openCallOf(state, asked)
      const started = await this.#runner.start(asked.sessionId, callId)
      if (started !== undefined) await started.done
      else if (status !== 'reserved') await this.#store.waitForVersion(asked.sessionId, version + 1, options)
    }
  }

  /** The state keeps the gates of the present attempt alone; the log has them all. */
  async #recorded(asked: Asked): Promise<GateOutcome> {
    const { sessionId, gateId, workItemId, attempt, version } = asked
    for await (const { type, data } of this.#sessions.store.readStream(sessionId, { from: version + 1 })) {
      if (type !== 'QualityGateResult' || data.gateId !== gateId) continue
      const { attempt: of, workItemId: item, callId: _, ...outcome } = data
      if (of === attempt && item === workItemId) return outcome
    }
    throw notWaiting(asked)
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
   * Records a result that was found elsewhere. It counts exactly as given; of two, the first. One that may be late should
   * name its `attempt`.
   * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND when the session does not wait for this gate · INVALID_ARGUMENT
   */
  publishQualityGateResult(result: QualityCheck & GateReport): Promise<GateOutcome> {
    const { sessionId, gateId, workItemId, attempt, ...gate } = result
    const of = { ...(workItemId !== undefined && { workItemId }), ...(attempt !== undefined && { attempt }) }
    return this.record({ sessionId, gateId, ...of }, gate)
  }
}

/** One gate of one attempt, as it was found when it was asked for. */
interface Asked extends QualityCheck {
  readonly attempt: number
  /** Where it was looked for: its result comes after, where there is none. */
  readonly version: number
  readonly callId: string
  readonly outcome?: GateOutcome
}

/** Undefined of a work item there is not. */
function roundOf(state: SessionState, { workItemId }: QualityCheck): GateRound | undefined {
  return workItemId !== undefined && !state.workItems.has(workItemId) ? undefined : gateRoundOf(state, workItemId)
}

function openCallOf(state: SessionState, check: QualityCheck): CallState {
  const callId = roundOf(state, check)?.gateCallIds.get(check.gateId)
  const call = callId === undefined ? undefined : state.calls.get(callId)
  if (call?.role === 'gate' && !isEnded(state)) return call
  throw notWaiting(check)
}

function notWaiting({ sessionId, gateId, workItemId, attempt }: QualityCheck): DuologError {
  const of = workItemId === undefined ? 'its result' : `work item "${workItemId}"`
  const at = attempt === undefined ? '' : `, attempt ${attempt}`
  return new DuologError(
    'CALL_NOT_FOUND',
    `Session "${sessionId}" does not wait for a gate "${gateId}" of ${of}${at}. See: duolog show ${sessionId}`,
  )
}
