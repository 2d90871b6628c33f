import type { Decider } from '../core/decider.ts'
import { isExpectedVersionConflict } from '../core/errors.ts'
import type { AnyEvent, NewEvent, OutgoingMessage } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { checkInteger, checkStore, describe, invalidArgument } from './check-arguments.ts'
import { checkFunctions } from './check-store-options.ts'
import type { AggregateOptions, Appended, AppendOptions, EventStore } from './event-store.ts'
import { keepSnapshot } from './fold-from-snapshot.ts'
import { LruCache } from './lru-cache.ts'
import { appendTrigger } from './snapshot-policy.ts'
import type { StoreTaking } from './store-taking.ts'

/*
 * Load → decide → append; on a conflict load the tail and decide again, at most n times.
 * A folded state is kept per stream, so a command costs one append however long the stream is: the append's version
 * check is what tells that the state was current. "Nothing to do" and a refusal are only believed of a state just read.
 */

/** How commands of one kind of stream are handled. With `snapshot`, a stream is loaded from its last one, and new ones are made after appends. */
export interface CommandHandlerOptions<State, Command, E extends AnyEvent, Store = StoreTaking<E>>
  extends Pick<AggregateOptions<State, E>, 'stateBefore' | 'snapshot'> {
  /** One that takes these events: its catalogue may have others, too. */
  readonly store: Store
  /** What commands mean: `initialState`, `decide`, `evolve`. */
  readonly decider: Decider<State, Command, E>
  /**
   * What a new snapshot after an append is made of. `log` (default): the stream is read, so it is what a reader would fold.
   * `state`: the state at hand, which costs no read; for events whose data is the same before it is stored and after it is
   * read (no defaults, no codecs), and an `evolve` that changes no state.
   */
  readonly snapshotFrom?: 'log' | 'state'
  /** Decisions per command before the conflict reaches the caller. Default 10. */
  readonly maxAttempts?: number
  /** Streams whose folded state is kept in memory. Default 1,000; 0 keeps none. */
  readonly cacheStreams?: number
}

/** What one command may carry into its append. */
export interface HandleCommandOptions<State, E extends AnyEvent>
  extends Pick<AppendOptions, 'idempotencyKey' | 'checkpoint'> {
  /** Of the events it appends. Default: the stream's name. */
  readonly correlationId?: string
  /** Of the events it appends: the command's id. */
  readonly causationId?: string
  /** The stream should be new: the command is decided without looking for it first. Where it is there, that is found out by the append. */
  readonly isFirst?: boolean
  /** Messages that leave in the same append; a pure function of what was decided and the state after it. */
  readonly outgoing?: (events: readonly E[], state: State) => readonly OutgoingMessage[]
}

/** What came of a command. */
export interface CommandHandled<State, E extends AnyEvent> {
  /** With the version what a view is waited for with: `view.get(key, { after: handled })`. */
  readonly stream: string
  /** The state after the command. */
  readonly state: State
  /** What was appended; empty when there was nothing to do. */
  readonly events: readonly E[]
  /** After the command. */
  readonly currentStreamVersion: number
  /** True when an append with this idempotency key had been made before; `events` is then empty. */
  readonly repeated: boolean
}

/** A stream folded to its end. */
export interface LoadedStream<State> {
  /** The fold of all its events. */
  readonly state: State
  /** 0 when the stream does not exist. */
  readonly currentStreamVersion: number
}

/** Handles commands: load, decide, append; after a conflict, again. */
export interface CommandHandler<State, Command, E extends AnyEvent> {
  /** @throws what `decide` throws; ExpectedVersionConflictError after `maxAttempts` lost races. */
  handle(stream: string, command: Command, options?: HandleCommandOptions<State, E>): Promise<CommandHandled<State, E>>
  /** The stream's current state; reads only what came since the last time. */
  load(stream: string): Promise<LoadedStream<State>>
  /** Keeps the stream's state in memory no longer: nothing more is expected of it. */
  forget(stream: string): void
}

const NAMES: Names<CommandHandlerOptions<never, never, never>> = {
  store: true,
  decider: true,
  maxAttempts: true,
  cacheStreams: true,
  stateBefore: true,
  snapshot: true,
  snapshotFrom: true,
}
const HANDLE_NAMES: Names<HandleCommandOptions<never, never>> = {
  idempotencyKey: true,
  checkpoint: true,
  correlationId: true,
  causationId: true,
  isFirst: true,
  outgoing: true,
}

const DEFAULT_ATTEMPTS = 10
const DEFAULT_CACHED_STREAMS = 1_000

/** Makes a {@link CommandHandler} over any backing. Keep one per kind of stream: it remembers folded states. */
export function createCommandHandler<State, Command, E extends AnyEvent>(
  options: CommandHandlerOptions<State, Command, E, EventStore<E> & NoInfer<StoreTaking<E>>>,
): CommandHandler<State, Command, E>
export function createCommandHandler<State, Command, E extends AnyEvent>(
  options: CommandHandlerOptions<State, Command, E, NoInfer<StoreTaking<E>>>,
): CommandHandler<State, Command, E>
export function createCommandHandler<State, Command, E extends AnyEvent>(
  options: CommandHandlerOptions<State, Command, E>,
): CommandHandler<State, Command, E> {
  checkOptions(options)
  const { decider, maxAttempts = DEFAULT_ATTEMPTS, stateBefore, snapshot, snapshotFrom = 'log' } = options
  const store = options.store as EventStore<E>
  const cache = new LruCache<string, LoadedStream<State>>(options.cacheStreams ?? DEFAULT_CACHED_STREAMS)

  const isSnapshotDue = snapshot && appendTrigger(snapshot)
  const whole: AggregateOptions<State, E> = {
    evolve: decider.evolve,
    initialState: decider.initialState,
    ...(stateBefore && { stateBefore }),
    ...(snapshot && { snapshot }),
  }

  async function load(stream: string): Promise<LoadedStream<State>> {
    const known = cache.get(stream)
    const { state, currentStreamVersion } = await store.aggregateStream<State, E>(stream, {
      ...whole,
      // Whoever begins at the beginning may begin at a snapshot.
      ...(known &&
        known.currentStreamVersion > 0 && { from: { state: known.state, version: known.currentStreamVersion } }),
    })
    return remember(stream, { state, currentStreamVersion })
  }

  function unborn(): LoadedStream<State> {
    return { state: decider.initialState(), currentStreamVersion: 0 }
  }

  function remember(stream: string, loaded: LoadedStream<State>): LoadedStream<State> {
    const known = cache.get(stream)
    if (known !== undefined && known.currentStreamVersion > loaded.currentStreamVersion) return known
    cache.set(stream, loaded)
    return loaded
  }

  /** Decides on the state at hand; unless that was just read, only a decision that will be appended is believed. */
  async function decide(stream: string, command: Command, { fresh, isFirst }: { fresh: boolean; isFirst: boolean }) {
    const known = fresh ? undefined : (cache.get(stream) ?? (isFirst ? unborn() : undefined))
    if (known !== undefined) {
      const events = attempt(() => answer(decider.decide(command, known.state)))
      if (events !== undefined && events.length > 0) return { loaded: known, events }
    }
    const loaded = await load(stream)
    return { loaded, events: answer(decider.decide(command, loaded.state)) }
  }

  async function handle(stream: string, command: Command, given: HandleCommandOptions<State, E> = {}) {
    checkNames('options of handle', given, HANDLE_NAMES)
    for (let attempts = 1; ; attempts++) {
      const { loaded, events } = await decide(stream, command, { fresh: attempts > 1, isFirst: given.isFirst === true })
      if (events.length === 0) return { stream, ...loaded, events, repeated: false }
      try {
        return await append(stream, loaded, events, given)
      } catch (error) {
        if (!isExpectedVersionConflict(error) || attempts >= maxAttempts) throw error
      }
    }
  }

  async function append(
    stream: string,
    loaded: LoadedStream<State>,
    events: readonly E[],
    given: HandleCommandOptions<State, E>,
  ): Promise<CommandHandled<State, E>> {
    const { outgoing, idempotencyKey, checkpoint } = given
    const state = events.reduce(decider.evolve, loaded.state)
    const appended = await store.appendToStream(stream, enveloped(events, given), {
      expectedStreamVersion: loaded.currentStreamVersion,
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(checkpoint !== undefined && { checkpoint }),
      ...(outgoing !== undefined && { outgoing: outgoing(events, state) }),
    })
    return appended.repeated ? repeated(stream) : done(stream, appended, state, events)
  }

  function done(stream: string, appended: Appended, state: State, events: readonly E[]): CommandHandled<State, E> {
    const { currentStreamVersion } = appended
    remember(stream, { state, currentStreamVersion })
    if (isSnapshotDue?.(stream, currentStreamVersion - events.length, currentStreamVersion)) {
      void leaveSnapshot(stream, { state, currentStreamVersion }).catch(() => {})
    }
    return { stream, state, events, currentStreamVersion, repeated: false }
  }

  /** Off the hot path: whoever appends does not wait. */
  async function leaveSnapshot(stream: string, made: LoadedStream<State>): Promise<void> {
    if (snapshot === undefined || snapshotFrom === 'log') {
      await store.aggregateStream(stream, whole)
      return
    }
    const { state, currentStreamVersion: from } = made
    for await (const event of store.readStream(stream, { from, maxCount: 1 })) {
      keepSnapshot(store.snapshots, stream, snapshot, { event, state })
    }
  }

  async function repeated(stream: string): Promise<CommandHandled<State, E>> {
    return { stream, ...(await load(stream)), events: [], repeated: true }
  }

  return { handle, load, forget: (stream) => cache.delete(stream) }
}

function enveloped<E extends AnyEvent>(
  events: readonly E[],
  { correlationId, causationId }: HandleCommandOptions<never, E>,
): readonly NewEvent<E>[] {
  if (correlationId === undefined && causationId === undefined) return events
  const envelope = {
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
  }
  return events.map((event) => ({ ...envelope, ...event }))
}

/** A refusal on a state that may be old counts for nothing. */
function attempt<T>(decide: () => T): T | undefined {
  try {
    return decide()
  } catch {
    return undefined
  }
}

function checkOptions<State, Command, E extends AnyEvent>(options: CommandHandlerOptions<State, Command, E>): void {
  checkNames('options of createCommandHandler', options, NAMES)
  checkStore(options?.store)
  checkFunctions('decider', options.decider, ['initialState', 'decide', 'evolve'])
  if (options.maxAttempts !== undefined) checkInteger('maxAttempts', options.maxAttempts, 1)
  if (options.cacheStreams !== undefined) checkInteger('cacheStreams', options.cacheStreams, 0)
  const { snapshotFrom = 'log' } = options
  if (snapshotFrom === 'log' || snapshotFrom === 'state') return
  throw invalidArgument(`snapshotFrom must be "log" or "state", got ${describe(snapshotFrom)}.`)
}

/** An async `decide` is the commonest slip of all. */
function answer<E extends AnyEvent>(events: readonly E[]): readonly E[] {
  if (Array.isArray(events)) return events
  const isPromise = (events as unknown) instanceof Promise
  // Whatever becomes of it, nobody waits for it.
  if (isPromise) (events as unknown as Promise<unknown>).catch(() => {})
  const got = isPromise ? 'a promise: it must not be async' : describe(events)
  throw invalidArgument(`decide must answer a list of events, got ${got}.`)
}
