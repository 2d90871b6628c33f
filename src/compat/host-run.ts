import { randomUUID } from 'node:crypto'
import type { AgentExecutor } from '../agents/executor.ts'
import { KafkaAgentCoordinator } from '../agents/kafka-agent-coordinator.ts'
import type { SessionView } from '../agents/session/view.ts'
import { DuologError, isDuologError } from '../core/errors.ts'
import { DEFAULT_LOG } from '../store/default-log.ts'
import type { EventStore } from '../store/event-store.ts'
import { openEventStore } from '../store/open-event-store.ts'
import type { CoordinatorExtras } from './coordinator-extras.ts'
import { executorFor } from './host-executor-for.ts'
import type { HostPicture } from './host-picture.ts'
import type { Told } from './host-scene.ts'
import { settingsFor, workerCallsAllowed } from './host-settings.ts'
import type { AgentCoordinatorConfig, SDKDualAgentOptions } from './host-types.ts'
import { SessionListener } from './session-listener.ts'
import { witnessesOf } from './witnesses.ts'

export interface HostRunOptions {
  readonly config: Partial<AgentCoordinatorConfig>
  readonly extras: CoordinatorExtras
  readonly userRequest: string
  readonly options: SDKDualAgentOptions
  readonly onPicture: (picture: HostPicture) => void
  readonly tell: (told: Told) => void
  readonly warn: (error: unknown, message: string) => void
}

/** One start of a session: opens what it needs, has it run to its end, tells what happens, closes everything. */
export class HostRun {
  readonly #asked: HostRunOptions
  readonly #stop = new AbortController()

  constructor(asked: HostRunOptions) {
    this.#asked = asked
  }

  /** Pauses the session: what runs is stopped and recorded. */
  stop(): void {
    this.#stop.abort()
  }

  async run(): Promise<SessionView> {
    const { extras, options } = this.#asked
    const isElsewhere = extras.settings?.dispatch === 'topics' && extras.executor === undefined
    const executor = isElsewhere ? undefined : await executorFor(extras.executor, options)
    const store = extras.store ?? (await openLog(extras))
    try {
      return await this.#runOn(store, executor)
    } finally {
      if (extras.store === undefined) await store.close()
      if (extras.executor === undefined) await executor?.close?.()
    }
  }

  async #runOn(store: EventStore, executor: AgentExecutor | undefined): Promise<SessionView> {
    const passedOn = passedOnOf(this.#asked.extras)
    const settings = settingsFor({ ...this.#asked, settings: passedOn.settings })
    const coordinator = new KafkaAgentCoordinator({ ...passedOn, store, settings, ...(executor && { executor }) })
    try {
      return await this.#runWith(store, coordinator)
    } finally {
      await coordinator.close()
    }
  }

  async #runWith(store: EventStore, coordinator: KafkaAgentCoordinator): Promise<SessionView> {
    const { extras } = this.#asked
    const sessionId = extras.resume ?? extras.sessionId ?? randomUUID()
    const known = await this.#known(coordinator, sessionId)
    const witnesses = witnessesOf(sessionId, extras, this.#asked.warn)
    const listener = new SessionListener({
      store,
      sessionId,
      knownVersion: known?.version ?? 0,
      onEvent: (picture, event) => {
        this.#asked.onPicture(picture)
        for (const witness of witnesses) witness.see?.(picture, event)
      },
      tell: (told, picture) => {
        this.#asked.tell(told)
        for (const witness of witnesses) witness.hear?.(told, picture)
      },
    })
    try {
      const view = await this.#toItsEnd(coordinator, sessionId, known)
      await listener.finish(view.version)
      return view
    } finally {
      await listener.stop()
      await Promise.all(witnesses.map((witness) => witness.close()))
    }
  }

  /** @throws SESSION_NOT_FOUND · INVALID_ARGUMENT when `sessionId` is that of another request */
  async #known(coordinator: KafkaAgentCoordinator, sessionId: string): Promise<SessionView | undefined> {
    const { extras, userRequest } = this.#asked
    if (extras.resume !== undefined) return coordinator.show(sessionId)
    if (extras.sessionId === undefined) return undefined
    const view = await coordinator.show(sessionId).catch(nothingThere)
    if (view === undefined || view.task === userRequest) return view
    throw new DuologError(
      'INVALID_ARGUMENT',
      `sessionId: "${sessionId}" is the session of another request (${JSON.stringify(view.task.slice(0, 80))}). Give this one an id of its own, or go on with that one by \`resume\`.`,
    )
  }

  async #toItsEnd(
    coordinator: KafkaAgentCoordinator,
    sessionId: string,
    known: SessionView | undefined,
  ): Promise<SessionView> {
    const { userRequest, options, extras } = this.#asked
    const { signal } = this.#stop
    if (known === undefined) {
      return coordinator.run(userRequest, { sessionId, workDir: options.workDir || process.cwd(), signal })
    }
    const { limit, scope, spent = 0 } = known.budget?.exceeded ?? {}
    if (limit === 'calls' && scope === 'worker') {
      const maxCalls = spent + workerCallsAllowed(this.#asked)
      await coordinator.raiseBudget(sessionId, { role: 'worker', maxCalls })
    }
    const onWait = (reason: string) => extras.logger?.info({ sessionId }, reason)
    return coordinator.resume(sessionId, { signal, onWait })
  }
}

/** What the coordinator itself takes. */
function passedOnOf(extras: CoordinatorExtras) {
  const {
    store: _,
    log: __,
    executor: ___,
    resume: _r,
    sessionId: _i,
    sessionFiles: _f,
    monitoring: _m,
    ...rest
  } = extras
  return rest
}

function openLog({ log, logger }: CoordinatorExtras): Promise<EventStore> {
  return openEventStore(log ?? (process.env.DUOLOG_LOG || DEFAULT_LOG), logger === undefined ? {} : { logger })
}

function nothingThere(error: unknown): undefined {
  if (isDuologError(error, 'SESSION_NOT_FOUND')) return undefined
  throw error
}
