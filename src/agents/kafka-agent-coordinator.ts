import type { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Announcement } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { loggerOf } from '../store/warning-logger.ts'
import { AgentService } from './agent-service.ts'
import { CallRunner } from './call-runner.ts'
import * as check from './coordinator-checks.ts'
import type {
  AgentResponse,
  ForkOptions,
  KafkaAgentCoordinatorOptions,
  PauseOptions,
  ResumeOptions,
  RunOptions,
  SentTask,
} from './coordinator-options.ts'
import {
  asWorkItem,
  guardedExecutors,
  ownPromptVersions,
  refuseUnserved,
  reportOf,
  runningElsewhere,
  settingsOf,
  takenOver,
  waitUntilFree,
} from './coordinator-parts.ts'
import { eitherSignal } from './either-signal.ts'
import { type Forked, forkSession } from './fork-session.ts'
import { gateRunner } from './gates/gate-runner.ts'
import { newOwner, newSessionId } from './names.ts'
import { OutsideClaims } from './outside-claims.ts'
import { BudgetPool } from './pool/budget-pool.ts'
import { ownVersions, promptsWith, type SessionPrompts } from './prompts/session-prompts.ts'
import { newestUnended, sessionNotFound } from './read-sessions.ts'
import { Reaper } from './reaper.ts'
import type { ClaimFor, SessionCommand } from './session/commands.ts'
import type { SessionEventData } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'
import type { SessionSettings } from './session/settings.ts'
import { isEnded, isTakenFrom, type SessionState } from './session/state.ts'
import { type SessionView, sessionView } from './session/view.ts'
import { SessionLog } from './session-log.ts'
import { SessionRunner } from './session-runner.ts'
import { Supervisor } from './supervisor.ts'
import { CREATED_BY } from './version.ts'
import { checkWorkDir, refuseOutside } from './work-dir.ts'

/**
 * Coordinates a Manager and a Worker over an event store: every step of a session is an event, every call is reserved,
 * claimed and reported, so any process that has the log can go on where another died. In spite of its name it runs on
 * any backing.
 *
 * Sessions with `dispatch: 'local'` (the default) are executed by the process that runs them; with `'topics'` by
 * services: `start()` serves the roles this coordinator has executors for, here or in as many processes as you like.
 */
export class KafkaAgentCoordinator {
  readonly owner: string
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  /**
   * Resolves when it no longer serves: with the reason, where one of its services cannot go on (CHECKPOINT_AHEAD; close it
   * then), or with nothing once it is closed. Never rejects.
   */
  readonly ended = this.#ended.promise
  readonly #options: KafkaAgentCoordinatorOptions
  readonly #sessions: SessionLog
  readonly #prompts: SessionPrompts
  readonly #runner: CallRunner
  readonly #outside: OutsideClaims
  readonly #reaper: Reaper
  readonly #reapEveryMs: number
  readonly #logger: Logger
  readonly #services: AgentService[] = []
  readonly #closing = new AbortController()
  readonly #runs = new Set<Promise<unknown>>()
  #supervisor: Supervisor | undefined
  #announcement: Promise<Announcement> | undefined

  /** @throws INVALID_ARGUMENT naming the field, of `settings`, too */
  constructor(options: KafkaAgentCoordinatorOptions) {
    check.coordinator(options)
    this.#options = options
    this.owner = options.owner ?? newOwner('coordinator')
    this.#logger = loggerOf(options)
    this.#reapEveryMs = options.reapEveryMs ?? 500
    const { clock = systemClock } = options
    this.#prompts = promptsWith(options.prompts)
    this.#sessions = new SessionLog(sessionStore(options.store), clock)
    this.#reaper = new Reaper(this.#sessions, options.store.presence, this.owner)
    this.#outside = new OutsideClaims({ sessions: this.#sessions, presence: options.store.presence, clock })
    this.#runner = new CallRunner({
      store: options.store,
      sessions: this.#sessions,
      owner: this.owner,
      executors: guardedExecutors(options),
      ...(options.gates !== false && {
        runGate: options.gates ?? gateRunner({ functions: options.gateFunctions ?? {} }),
      }),
      prompts: this.#prompts,
      workDirChanges: options.workDirChanges ?? true,
      ...(options.workRoot !== undefined && { workRoot: options.workRoot }),
      logger: this.#logger,
      clock,
      ...(options.onProgress && { onProgress: options.onProgress }),
    })
  }

  /** Serves the task topics of the roles it has executors for, and looks after all sessions under way. Idempotent. */
  async start(): Promise<void> {
    await this.#announce()
    if (this.#supervisor !== undefined) return
    const { store, concurrency = 2 } = this.#options
    const roles = (['manager', 'worker', 'gate'] as const).filter((role) => this.#runner.serves(role))
    for (const role of roles) {
      this.#services.push(new AgentService({ role, store, runner: this.#runner, concurrency, logger: this.#logger }))
    }
    this.#supervisor = new Supervisor({
      sessions: this.#sessions,
      store,
      reaper: this.#reaper,
      reapEveryMs: this.#reapEveryMs,
      owner: this.owner,
      clock: this.#options.clock ?? systemClock,
      logger: this.#logger,
    })
    const parts = [...this.#services, this.#supervisor]
    for (const { ended } of parts) void ended.then((failure) => failure && this.#ended.resolve(failure))
    await Promise.all(parts.map((part) => part.start()))
  }

  /**
   * Starts a session and runs it to its end, or until it waits for a person or the signal pauses it.
   * @throws SESSION_EXISTS · INVALID_ARGUMENT · WORKDIR_INVALID when the folder is missing or outside `workRoot` · CLAIM_LOST
   * when another process has gone on with it, because this one was taken for dead
   */
  async run(task: string, options: RunOptions = {}): Promise<SessionView> {
    check.run(task, options)
    const sessionId = await this.#create(task, options, this.#runner.claimFor)
    return this.#runToEnd(sessionId, options.signal)
  }

  /** Records a new session without running it; returns its id. */
  async create(task: string, options: RunOptions & { workItems?: readonly SentTask[] } = {}): Promise<string> {
    check.create(task, options)
    return this.#create(task, options)
  }

  /** With `claimFor` this process runs it: a local session's first calls are claimed in the same append. */
  async #create(
    task: string,
    options: RunOptions & { workItems?: readonly SentTask[] },
    claimFor?: ClaimFor,
  ): Promise<string> {
    const { sessionId = newSessionId(), workDir = process.cwd(), workItems } = options
    const settings = settingsOf({ ...ownPromptVersions(this.#prompts), ...this.#options.settings, ...options.settings })
    refuseUnserved(settings, this.#runner)
    await this.#refuseImpossible(settings, workDir)
    await this.#announce()
    const command = {
      kind: 'create',
      task,
      workDir,
      settings,
      owner: this.owner,
      createdBy: CREATED_BY,
      ...(claimFor && { claimFor }),
      ...(workItems && { workItems: workItems.map(asWorkItem) }),
    } as const
    await this.#sessions.handle(sessionId, command, { isFirst: workItems === undefined })
    return sessionId
  }

  /**
   * Goes on with a session: one that was paused, whose process died, or that waits in doubt. Without an id: the newest
   * that has not ended. A session that has ended is returned as it is, as is one whose owner may be alive when the signal fires.
   * @throws SESSION_NOT_FOUND · SESSION_RUNNING_ELSEWHERE while the process that runs it is alive · WORKDIR_INVALID when its
   * folder is outside `workRoot` · CLAIM_LOST as `run` does
   */
  async resume(sessionId?: string, options: ResumeOptions = {}): Promise<SessionView> {
    check.resume(options)
    const id = sessionId ?? (await newestUnended(this.#options.store))
    const { state, version } = await this.#existing(id)
    if (isEnded(state)) return sessionView(id, state, version)
    const { owner } = this
    const { workRoot, store } = this.#options
    await refuseOutside(state.workDir, workRoot)
    refuseUnserved(state.settings, this.#runner)
    await this.#announce()
    const waiting = { ...options, owner, store, closing: this.#closing.signal }
    const isFree = state.settings.dispatch !== 'local' || (await waitUntilFree(id, state, waiting))
    if (!isFree) return sessionView(id, state, version)
    const waitsForPool = state.budgetExceeded?.scope === 'pool'
    if (state.settings.dispatch === 'local' || state.status === 'paused' || waitsForPool) {
      await this.#takeOver(id, state.owner)
    }
    return this.#runToEnd(id, options.signal)
  }

  /**
   * Begins a new session that goes on from another one's event; that one is left as it is. `resume` runs it. What was paid
   * for before is not paid again, here or there. Files are not rewound: give the fork a folder of its own where that matters.
   * @throws SESSION_NOT_FOUND · SESSION_EXISTS · INVALID_ARGUMENT · WORKDIR_INVALID when its folder is outside `workRoot`
   */
  async fork(from: string, options: ForkOptions = {}): Promise<Forked> {
    check.fork(options)
    await this.#announce()
    const { sessionId = newSessionId(), ...changes } = options
    const { clock, workRoot } = this.#options
    await refuseOutside(options.workDir ?? (await this.#existing(from)).state.workDir, workRoot)
    return forkSession({
      ...changes,
      promptVersions: ownVersions(this.#prompts),
      store: this.#options.store,
      from,
      sessionId,
      owner: this.owner,
      nowMs: (clock ?? systemClock).now(),
    })
  }

  /** Ends a session; a running executor is stopped, with its process tree, by whoever runs it. */
  async cancel(sessionId: string, reason = 'cancelled by a person'): Promise<SessionView> {
    check.reason(reason)
    return this.#command(sessionId, { kind: 'cancel', reason })
  }

  /**
   * Holds a session: running calls finish, no new one begins. With `stopCalls` they are stopped, too, with their process
   * trees, by whoever runs them, and recorded as cancelled. `resume` goes on.
   */
  async pause(sessionId: string, reason = 'paused by a person', options: PauseOptions = {}): Promise<SessionView> {
    check.pause(reason, options)
    return this.#command(sessionId, { kind: 'pause', reason, ...(options.stopCalls && { stopsCalls: true }) })
  }

  /** A person's answer to a call in doubt (`inDoubt: 'ask'`). */
  async resolve(sessionId: string, callId: string, resolution: 'retry' | 'resume' | 'fail'): Promise<SessionView> {
    check.resolution(callId, resolution)
    return this.#command(sessionId, { kind: 'resolve', callId, resolution })
  }

  /**
   * A person's answer to what a session asked for; the same answer twice is one. `resume` goes on. `revise` answers a
   * rejection: neither accepted nor refused, but sent back once more with the reason as feedback.
   */
  async answerApproval(
    sessionId: string,
    approvalId: string,
    answer: { readonly approved: boolean; readonly revise?: boolean; readonly reason?: string },
  ): Promise<SessionView> {
    check.answer(approvalId, answer)
    return this.#command(sessionId, { kind: 'answer-approval', approvalId, ...answer })
  }

  /** Gives a session that waits for money new limits; `resume` goes on. A limit may also be set on one that had none. */
  async raiseBudget(sessionId: string, limits: SessionEventData['BudgetRaised']): Promise<SessionView> {
    return this.#command(sessionId, { kind: 'raise-budget', limits: check.raisedLimits(limits) })
  }

  /**
   * A session as it is now.
   * @throws SESSION_NOT_FOUND
   */
  async show(sessionId: string): Promise<SessionView> {
    const { state, version } = await this.#existing(sessionId)
    return sessionView(sessionId, state, version)
  }

  /**
   * Gives the Worker a work item of the caller's own. The session is created when it does not exist (its tasks then
   * travel on topics); sending the same work item twice is one.
   */
  async sendTaskToAgent(role: 'worker', task: SentTask): Promise<SessionView> {
    check.sentTask(role, task)
    const { state } = await this.#sessions.load(task.sessionId)
    if (state.status === 'unborn') {
      const { sessionId, workDir } = task
      await this.create(task.title, {
        sessionId,
        settings: { dispatch: 'topics' },
        workItems: [task],
        ...(workDir && { workDir }),
      })
      return this.show(sessionId)
    }
    return this.#command(task.sessionId, { kind: 'add-work-item', workItem: asWorkItem(task) })
  }

  /**
   * Records what an agent outside this package answered to a call it had claimed. Refused, and shown as refused, when the
   * claim is no longer its own.
   */
  async handleAgentResponse(response: AgentResponse): Promise<SessionView> {
    check.response(response)
    const { sessionId, callId, epoch } = response
    const { state } = await this.#existing(sessionId)
    const view = await this.#command(sessionId, await reportOf(response, state, this.#options))
    await this.#outside.release(sessionId, callId, epoch)
    return view
  }

  /**
   * Claims a reserved call for an agent outside this package; the epoch belongs into its response. The claim holds until the
   * call's time limit, or until this coordinator closes; a call without a response by then is in doubt.
   */
  async claimCall(sessionId: string, callId: string, owner: string): Promise<{ epoch: number } | undefined> {
    check.claim(callId, owner)
    return this.#outside.claim(sessionId, callId, owner)
  }

  /** Says which phase the work is in; phases follow by themselves, this is for what only the host knows. */
  async updateWorkflowState(
    sessionId: string,
    update: { readonly phase: SessionEventData['WorkflowStateUpdated']['phase']; readonly note?: string },
  ): Promise<SessionView> {
    return this.#command(sessionId, { kind: 'update-workflow', ...check.workflowUpdate(update) })
  }

  /** Pauses the local sessions it runs, stops the services and what runs (recorded as cancelled). The store stays open. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#runs)
    await Promise.all([this.#supervisor?.stop(), ...this.#services.map((service) => service.stop())])
    await this.#runner.stop('the coordinator is closing')
    await this.#outside.close()
    const announcement = await this.#announcement
    await announcement?.withdraw()
    this.#ended.resolve(undefined)
  }

  #runToEnd(sessionId: string, signal?: AbortSignal): Promise<SessionView> {
    const stop = eitherSignal(this.#closing.signal, signal)
    const run = this.#runUntil(sessionId, stop.signal)
      .finally(stop.release)
      .finally(() => this.#runs.delete(run))
    this.#runs.add(run)
    return run
  }

  async #runUntil(sessionId: string, signal: AbortSignal): Promise<SessionView> {
    const runner = new SessionRunner({
      sessions: this.#sessions,
      runner: this.#runner,
      reaper: this.#reaper,
      reapEveryMs: this.#reapEveryMs,
      clock: this.#options.clock ?? systemClock,
      logger: this.#logger,
    })
    const { state, version } = await runner.run(sessionId, signal)
    const isTaken = isTakenFrom(this.owner, state)
    const isStopped = isTaken || (signal.aborted && !isEnded(state))
    if (isTaken) await this.#runner.stop('another process runs the session', sessionId)
    else if (isStopped) await this.#interrupt(sessionId, state)
    await this.#runner.settled(sessionId, state)
    if (isTaken && !isEnded(state)) throw takenOver(sessionId, state.owner)
    if (isStopped) return this.show(sessionId)
    if (isEnded(state)) this.#sessions.forget(sessionId)
    return sessionView(sessionId, state, version)
  }

  /** Paused first, so that what is stopped then is not reserved anew; services of other processes just go on. */
  async #interrupt(sessionId: string, state: SessionState): Promise<void> {
    if (state.settings.dispatch === 'topics') return
    await this.#sessions.handle(sessionId, { kind: 'pause', reason: 'interrupted', ranBy: this.owner })
    await this.#runner.stop('interrupted', sessionId)
  }

  async #command(sessionId: string, command: SessionCommand): Promise<SessionView> {
    await this.#existing(sessionId)
    const { state, version } = await this.#sessions.handle(sessionId, command)
    return sessionView(sessionId, state, version)
  }

  async #existing(sessionId: string) {
    check.sessionId(sessionId)
    const loaded = await this.#sessions.load(sessionId)
    if (loaded.version > 0) return loaded
    throw sessionNotFound(sessionId)
  }

  async #takeOver(sessionId: string, previousOwner: string): Promise<void> {
    const { state } = await this.#sessions.handle(sessionId, { kind: 'resume', owner: this.owner, previousOwner })
    if (state.owner !== this.owner) throw runningElsewhere(sessionId, state.owner)
  }

  #announce(): Promise<Announcement> {
    this.#announcement ??= this.#options.store.presence.announce(this.owner)
    return this.#announcement
  }

  async #refuseImpossible(settings: SessionSettings, workDir: string): Promise<void> {
    const { store, workRoot } = this.#options
    if (settings.budget?.pool !== undefined) await new BudgetPool(store, settings.budget.pool).show()
    if (settings.dispatch === 'local') await checkWorkDir(workDir, { workRoot, logger: this.#logger })
    else await refuseOutside(workDir, workRoot)
  }
}
