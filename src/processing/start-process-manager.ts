import type { Clock } from '../core/clock.ts'
import { type DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { checkNames, type Given, type Names } from '../core/known-names.ts'
import type { Logger } from '../core/logger.ts'
import { reach } from '../core/reach.ts'
import { checkFunction, checkInteger, checkMade, checkStore, checkTopic } from '../store/check-arguments.ts'
import { checkClockAndLogger } from '../store/check-store-options.ts'
import { type CommandHandler, createCommandHandler } from '../store/command-handler.ts'
import type { Checkpoint, EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { loggerFor, Repeats } from '../store/warning-logger.ts'
import { guarded } from './guarded-manager.ts'
import { type StoreOfHandled, writtenBy } from './own-facts.ts'
import type { WaitingMessage } from './partition-watch.ts'
import { checkPoisonOptions, POISON_NAMES, type PoisonOptions } from './poison-policy.ts'
import { type MessagesOf, messagesOf, type ProcessCommand, processDecider } from './process-decider.ts'
import type { ProcessEvent } from './process-events.ts'
import { ProcessListener } from './process-listener.ts'
import type { ProcessManager } from './process-manager.ts'
import { isEnded, type ProcessState } from './process-state.ts'
import type { PartitionLag } from './processor-options.ts'
import type { Projected } from './projection.ts'
import { shortKey } from './short-key.ts'
import { tell } from './tell.ts'
import type { PendingTimer } from './timer-index.ts'
import { TimerService } from './timer-service.ts'

/*
 * A process manager at work.
 *
 * P2 What a process heard, what it decided and the messages that follow are one append; so is the consumer's checkpoint
 *    where all before is done.
 * P5 An event's id is the append's idempotency key: a process hears it once, whatever is delivered again, and whoever
 *    believes to own the partition still.
 */

/** What {@link startProcessManager} takes. */
export interface StartProcessManagerOptions<State, E extends AnyEvent> extends PoisonOptions {
  /** One that hands out these events and, besides, only what processing writes. */
  readonly store: NoInfer<StoreOfHandled<E>>
  /** Made by `defineProcessManager`. */
  readonly manager: ProcessManager<State, E>
  /** The topic the store keeps events in. Default: the store's. */
  readonly eventTopic?: string
  /** What timers go by. Default: the system's. */
  readonly clock?: Clock
  /**
   * Messages per partition that may be read and not yet heard: those of different processes are heard side by side, those
   * of one process in order. So many come again after a crash at most; behind so many that wait nothing is read. Default 256.
   */
  readonly maxInFlight?: number
  /**
   * How far a start may have to read back for pending timers: about so many events per partition, or ten times the
   * pending timers where that is more. A timer pending for longer than that is scheduled once more. Default 100,000.
   */
  readonly timerReadBack?: number
  /** When one of its functions keeps the event loop from turning for so long, `onError` hears EVENT_LOOP_BLOCKED. Default 1,000. */
  readonly blockedAfterMs?: number
  /** Hears of each message that was passed over or put aside. */
  readonly onSkipped?: (message: Projected, error: unknown) => void
  /** Hears what it does not get on at, again and again, and of a blocked event loop. Default: the store's logger, the first time, the 10th, the 100th … */
  readonly onError?: (error: unknown) => void
  /** Hears what `onError` and `onSkipped` hear. Default: the store's, of what neither of them hears. */
  readonly logger?: Logger
}

/** A running process manager. */
export interface RunningProcessManager<State> {
  /** Resolves when this instance has its share of the partitions. */
  readonly ready: Promise<void>
  /**
   * Resolves when it has stopped: with nothing by `stop`, or because its store closed; with the reason where it cannot go on
   * (CHECKPOINT_AHEAD: the topic is not the one it had read; `onError` heard of it).
   */
  readonly ended: Promise<DuologError | undefined>
  /** Resolves when it has stopped, with the reason if a policy (`poison`, `unreadable`, `stranger`) asked for it. */
  readonly stopped: Promise<string | undefined>
  /** A process as it is now. */
  load(correlationId: string): Promise<ProcessState<State>>
  /** Timers this instance keeps an eye on. */
  readonly pendingTimers: number
  /** How far this instance's partitions are behind; other instances tell of theirs. */
  lag(): Promise<readonly PartitionLag[]>
  /**
   * What this instance cannot take in yet, with why: the process waits at it, or the whole partition where nobody can tell
   * whose it is; and the partition is read no further than `maxInFlight`.
   */
  waiting(): readonly WaitingMessage[]
  /** Stops listening; timers go on with the other instances, or at the next start. Idempotent. */
  stop(): Promise<void>
}

/**
 * Runs a process manager. Exactly once, also across kill -9 and takeovers: each event is heard once by its process, each
 * message leaves once, each timer fires once; late timers fire at once. Instances share the work.
 *
 * Pending timers are kept in memory, one small record each. A start finds them from a mark on: at most about
 * `timerReadBack` events per partition are read for it. When the store closes, this stops, too.
 *
 * @throws INVALID_ARGUMENT naming the option.
 */
export function startProcessManager<State, E extends AnyEvent>(
  options: StartProcessManagerOptions<State, E>,
): RunningProcessManager<State> {
  checkOptions(options)
  return new Runner(options)
}

const NAMES: Names<StartProcessManagerOptions<never, never>> = {
  store: true,
  manager: true,
  eventTopic: true,
  clock: true,
  maxInFlight: true,
  timerReadBack: true,
  blockedAfterMs: true,
  ...POISON_NAMES,
  onSkipped: true,
  onError: true,
  logger: true,
}

function checkOptions(options: Given<StartProcessManagerOptions<never, never>>): void {
  checkNames('options of startProcessManager', options, NAMES)
  checkStore(options?.store)
  const { manager, eventTopic } = options
  checkMade('manager', manager, 'defineProcessManager({ … })', ['correlate', 'initialState', 'evolve', 'nextActions'])
  if (eventTopic !== undefined) checkTopic(eventTopic)
  for (const name of ['maxInFlight', 'timerReadBack', 'blockedAfterMs'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 1)
  }
  checkPoisonOptions(options)
  for (const name of ['onSkipped', 'onError'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  checkClockAndLogger(options)
}

const DEFAULT_MAX_IN_FLIGHT = 256
/** States in memory: who is heard again, or whose timer fires, is not read again. */
const REMEMBERED_PROCESSES = 10_000
const DEFAULT_READ_BACK = 100_000
const MARK_EVERY = 10_000

class Runner<State, E extends AnyEvent> implements RunningProcessManager<State> {
  readonly ready: Promise<void>
  readonly ended: Promise<DuologError | undefined>
  readonly stopped: Promise<string | undefined>
  readonly #end = Promise.withResolvers<string | undefined>()
  readonly #options: StartProcessManagerOptions<State, E>
  readonly #handler: CommandHandler<ProcessState<State>, ProcessCommand, ProcessEvent>
  readonly #manager: ProcessManager<State, E>
  readonly #messages: MessagesOf<State>
  readonly #clock: Clock
  readonly #repeats = new Repeats()
  readonly #listener: ProcessListener<State, E>
  readonly #timers: TimerService<E>

  constructor(options: StartProcessManagerOptions<State, E>) {
    const { eventTopic = options.store.eventTopic, maxInFlight = DEFAULT_MAX_IN_FLIGHT, blockedAfterMs } = options
    const store = options.store as EventStore<E>
    this.#options = options
    const onBlocked = (error: DuologError) => tell(() => this.#report(error, 'The event loop was blocked'))
    const manager = guarded(options.manager, { blockedAfterMs, onBlocked })
    this.#manager = manager
    this.#messages = messagesOf(manager)
    this.#clock = options.clock ?? systemClock
    this.#handler = createCommandHandler({
      store: options.store as EventStore,
      decider: signed(manager),
      cacheStreams: REMEMBERED_PROCESSES,
    })
    this.stopped = this.#end.promise
    const onError = (error: unknown) => this.#report(error)
    this.#listener = new ProcessListener({
      ...options,
      store,
      manager: this.#manager,
      eventTopic,
      maxInFlight,
      group: this.#group,
      hear: (message, correlationId, checkpoint) => this.#hear(message, correlationId, checkpoint),
      onSkipped: (message, error) => this.#skipped(message, error),
      onStop: (reason) => this.#stopFor(reason),
      onError,
    })
    this.#timers = new TimerService({
      store,
      group: `process.${manager.name}.timers`,
      manager: manager.name,
      eventTopic,
      prefix: `${manager.name}:`,
      markStream: (partition) => `${manager.name}.timers:${partition}`,
      clock: this.#clock,
      fire: (timer) => this.#fireOrStop(timer),
      carry: (timer) => this.#carry(timer),
      onError,
      maxReadBack: options.timerReadBack ?? DEFAULT_READ_BACK,
      markEvery: Math.min(MARK_EVERY, Math.ceil((options.timerReadBack ?? DEFAULT_READ_BACK) / 4)),
    })
    this.ready = Promise.all([this.#listener.ready, this.#timers.ready]).then(() => {})
    const ends = [this.#listener.ended, this.#timers.ended]
    // One without the other would hear and never fire, or the other way round.
    for (const end of ends) void end.then((failure) => failure && this.stop())
    this.ended = Promise.all(ends).then((failures) => failures.find((failure) => failure !== undefined))
    void this.ended.then(() => this.#end.resolve(undefined))
    this.ready.catch(() => {}) // whoever awaits it hears of it
  }

  get pendingTimers(): number {
    return this.#timers.pendingCount
  }

  lag(): Promise<readonly PartitionLag[]> {
    return this.#listener.watch.lag(this.#options.store)
  }

  waiting(): readonly WaitingMessage[] {
    return this.#listener.watch.waiting()
  }

  async load(correlationId: string): Promise<ProcessState<State>> {
    return (await this.#handler.load(this.#streamOf(correlationId))).state
  }

  async stop(): Promise<void> {
    await Promise.all([this.#listener.stop(), this.#timers.stop()])
  }

  async #hear(message: Projected<E>, correlationId: string, checkpoint: Checkpoint | undefined): Promise<void> {
    const { eventId, type, data } = message
    const stream = this.#streamOf(correlationId)
    const command: ProcessCommand = { kind: 'observe', event: { eventId, type, data }, nowMs: this.#clock.now() }
    reach('process.observe.begin')
    await this.#handler.handle(stream, command, {
      idempotencyKey: shortKey(`observe:${eventId}`),
      ...(checkpoint && { checkpoint }),
      correlationId,
      causationId: eventId,
      outgoing: this.#messages({ stream, correlationId }),
    })
    reach('process.observe.done')
  }

  /** A timer is no message that could be put aside: at what it throws, the policies but `stop` let it fire again and again. */
  async #fireOrStop(timer: PendingTimer): Promise<number | undefined> {
    try {
      return await this.#fire(timer)
    } catch (error) {
      const { poison } = this.#options
      if (poison === 'stop' && isDuologError(error, 'PROCESS_INVALID'))
        this.#stopFor(`It cannot fire a timer: ${error.message}`)
      throw error
    }
  }

  /** Answers when the timer is due, if it is pending still. */
  async #fire({ stream, timer }: PendingTimer): Promise<number | undefined> {
    const correlationId = stream.slice(this.#streamOf('').length)
    reach('process.fire.begin')
    const { state } = await this.#handler.handle(
      stream,
      { kind: 'timer', timer, nowMs: this.#clock.now() },
      {
        correlationId,
        outgoing: this.#messages({ stream, correlationId }),
      },
    )
    reach('process.fire.done')
    return isEnded(state) ? undefined : state.pending[timer]
  }

  async #carry({ stream, timer, offset }: PendingTimer): Promise<void> {
    const correlationId = stream.slice(this.#streamOf('').length)
    const command: ProcessCommand = { kind: 'carry', timer, nowMs: this.#clock.now() }
    await this.#handler.handle(stream, command, { correlationId, idempotencyKey: shortKey(`carry:${timer}:${offset}`) })
    reach('process.carry.done')
  }

  get #group(): string {
    return `process.${this.#options.manager.name}`
  }

  #streamOf(correlationId: string): string {
    return `${this.#options.manager.name}:${correlationId}`
  }

  #stopFor(reason: string): void {
    loggerFor(this.#options, undefined).warn({ group: this.#group }, `A process manager stops: ${reason}`)
    this.#end.resolve(reason)
    void this.stop()
  }

  #skipped(message: Projected, error: unknown): void {
    const { manager, onSkipped } = this.#options
    const { topic, partition, offset, type } = message
    const fields = { err: error, process: manager.name, topic, partition, offset, type }
    loggerFor(this.#options, onSkipped).warn(fields, 'A process manager passed over a message')
    onSkipped?.(message, error)
  }

  #report(error: unknown, what = 'A process manager does not get on'): void {
    const { manager, onError } = this.#options
    const fields = { err: error, process: manager.name }
    loggerFor(this.#options, onError, this.#repeats.count(error)).error(fields, what)
    onError?.(error)
  }
}

/** What it writes says so: its names may be those of others' events. */
function signed<State, E extends AnyEvent>(
  manager: ProcessManager<State, E>,
): ReturnType<typeof processDecider<State, E>> {
  const decider = processDecider(manager)
  return {
    ...decider,
    decide: (command, state) => decider.decide(command, state).map((event) => writtenBy(manager.name, event)),
  }
}
