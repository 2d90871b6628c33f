import type { Clock } from '../core/clock.ts'
import type { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Announcement, EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { loggerOf } from '../store/warning-logger.ts'
import { AgentService } from './agent-service.ts'
import { CallRunner } from './call-runner.ts'
import {
  aBoolean,
  aClock,
  aLogger,
  aName,
  anExecutor,
  anObject,
  aStore,
  aText,
  checkOptions,
  integerFrom,
  optional,
  type Shape,
} from './check-options.ts'
import type { AgentExecutor, AgentRole } from './executor.ts'
import { guardedExecutor } from './executors/guarded-executor.ts'
import { outputKeeper } from './large-outputs.ts'
import { newOwner } from './names.ts'
import { type OwnPrompts, promptsWith } from './prompts/session-prompts.ts'
import { sessionStore } from './session/session-events.ts'
import { SessionLog } from './session-log.ts'

/** What {@link ManagerAgentService} and {@link WorkerAgentService} take. */
export interface RoleServiceOptions {
  /** Any backing; the service does not close it. */
  readonly store: EventStore
  readonly executor: AgentExecutor
  /** Calls at one time. Default 1. */
  readonly concurrency?: number
  /** Services of one group share the tasks. Default `duolog.manager` or `duolog.worker`. */
  readonly group?: string
  /** Name in claims; must be new at every start of a process. Default: generated. */
  readonly owner?: string
  /** Wordings of your own; give every process the same. */
  readonly prompts?: OwnPrompts
  /** Whether what a Worker's call did to the work directory is looked at and recorded. Default true. */
  readonly workDirChanges?: boolean
  /** Calls of sessions whose work directory is not in this folder fail. Default: anywhere. */
  readonly workRoot?: string
  /** Default: the store's own, which says warnings and errors on stderr. */
  readonly logger?: Logger
  readonly clock?: Clock
}

const OPTIONS: Shape<RoleServiceOptions> = {
  store: aStore,
  executor: anExecutor,
  concurrency: optional(integerFrom(1)),
  group: optional(aName),
  owner: optional(aName),
  prompts: optional(anObject),
  workDirChanges: optional(aBoolean),
  workRoot: optional(aText),
  logger: optional(aLogger),
  clock: optional(aClock),
}

/** One role's service: claims the role's tasks as its topic brings them, runs them outside the poll loop, reports. */
class RoleService {
  readonly owner: string
  readonly #store: EventStore
  readonly #service: AgentService
  #announcement: Announcement | undefined

  constructor(role: AgentRole, options: RoleServiceOptions) {
    checkOptions(`options of ${new.target.name}`, options, OPTIONS)
    const { store, executor, clock = systemClock, concurrency, group } = options
    const { prompts, workDirChanges = true, workRoot } = options
    const logger = loggerOf(options)
    this.owner = options.owner ?? newOwner(role)
    this.#store = store
    const runner = new CallRunner({
      store,
      sessions: new SessionLog(sessionStore(store), clock),
      prompts: promptsWith(prompts),
      workDirChanges,
      ...(workRoot !== undefined && { workRoot }),
      owner: this.owner,
      executors: { [role]: guardedExecutor(executor, { keepOutput: outputKeeper(store, logger) }) },
      logger,
      clock,
    })
    this.#service = new AgentService({
      role,
      store,
      runner,
      logger,
      ...(concurrency !== undefined && { concurrency }),
      ...(group !== undefined && { group }),
    })
  }

  /** Resolves when it takes no more tasks: with the reason, where it was not stopped (CHECKPOINT_AHEAD). Never rejects. */
  get ended(): Promise<DuologError | undefined> {
    return this.#service.ended
  }

  /** Resolves when it reads its topic. */
  async start(): Promise<void> {
    this.#announcement ??= await this.#store.presence.announce(this.owner)
    await this.#service.start()
  }

  /** Takes no more tasks; what runs is stopped and recorded as cancelled, so that another service goes on. */
  async stop(): Promise<void> {
    await this.#service.stop()
    await this.#announcement?.withdraw()
  }
}

/** Plans and reviews, for every session whose tasks travel on `agent.tasks.manager`. In any number of processes. */
export class ManagerAgentService extends RoleService {
  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: RoleServiceOptions) {
    super('manager', options)
  }
}

/** Does the work items of every session whose tasks travel on `agent.tasks.worker`. In any number of processes. */
export class WorkerAgentService extends RoleService {
  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: RoleServiceOptions) {
    super('worker', options)
  }
}
