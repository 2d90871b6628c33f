import type { Catalogue } from '../core/catalogue.ts'
import { DuologError } from '../core/errors.ts'
import type { AnyEvent, Event, RecordedEvent, RecordedMessage } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { messageOf } from '../core/message-of.ts'
import {
  checkFunction,
  checkHandlers,
  checkInteger,
  checkName,
  checkTopics,
  invalidArgument,
} from '../store/check-arguments.ts'
import type { EventStore, PartitionPosition } from '../store/event-store.ts'
import { findJsonFlaw } from '../store/json-flaw.ts'

/*
 * A projection as data: from messages to rows, each row a fold over the messages with its key.
 *
 * P1 `key`, `evolve` and the handlers are pure: a row is the same however often it is computed again.
 */

/** What a projection reads: an event of a stream, or a message of another topic. */
export type Projected<E extends AnyEvent = AnyEvent> = RecordedEvent<E> | RecordedMessage<E>

/** What happens to a row at one type of event; nothing returned: the row is deleted. */
export type RowHandlers<Row, E extends AnyEvent> = {
  readonly [Type in E['type']]?: (row: Row, event: Projected<Named<E, Type>>) => Row | undefined
}

/** What may have this type: one event, or one of several types and the same data. */
type Named<E extends AnyEvent, Type> = E extends AnyEvent ? (Type extends E['type'] ? E : never) : never

interface ProjectionSpec<Row, E extends AnyEvent> {
  /** Names its rows in a view store and its consumer group. */
  readonly name: string
  /** From 1; raise it when rows are computed differently: they are rebuilt beside the old ones. Default 1. */
  readonly version?: number
  /** Default: the store's event topic. */
  readonly topics?: readonly string[]
  /** The row a message belongs to; nothing: it does not concern this view. Default: the message's key (the stream). */
  readonly key?: (event: Projected<E>) => string | undefined
  readonly initialState: () => Row
  /** Only for types: the events of this catalogue are what it reads. */
  readonly events?: Catalogue<E>
}

interface EvolveOptions<Row, E extends AnyEvent> extends ProjectionSpec<Row, E> {
  readonly evolve: (row: Row, event: Projected<E>) => Row | undefined
  readonly handlers?: never
}

interface HandlersOptions<Row, E extends AnyEvent, Handlers = RowHandlers<Row, E>> extends ProjectionSpec<Row, E> {
  readonly handlers: Handlers
  readonly evolve?: never
}

/** What {@link defineProjection} takes: one `evolve` for every message, or handlers by type (others are passed over). */
export type ProjectionOptions<Row, E extends AnyEvent> = EvolveOptions<Row, E> | HandlersOptions<Row, E>

/** A view's definition; see {@link defineProjection}. Run it with `startProjection`. */
export interface Projection<Row, E extends AnyEvent = AnyEvent> {
  /** Names its rows in a view store and its consumer group. */
  readonly name: string
  /** From 1. */
  readonly version: number
  /** Default: the store's event topic. */
  readonly topics?: readonly string[]
  /** The row a message belongs to; nothing: none. */
  readonly key: (event: Projected<E>) => string | undefined
  /** A row before its first message. */
  readonly initialState: () => Row
  /** The row after the event; nothing: there is none any more. Must not change the row it was given. */
  readonly evolve: (row: Row, event: Projected<E>) => Row | undefined
}

/** A projection with handlers by type: it passes over all other events, so it may read any store. */
export type HandlersProjection<Row, E extends AnyEvent> = Projection<Row> & Projection<Row, E>

/** Each says by its parameter what it takes. */
type TypedHandlers<Row> = Readonly<Record<string, (row: Row, event: never) => Row | undefined>>

/** The events that handlers take, each under its name. */
type EventsOf<Handlers> = {
  [Type in keyof Handlers & string]: Handlers[Type] extends (row: never, event: infer Given) => unknown
    ? Event<Type, DataOf<Given, Type>>
    : never
}[keyof Handlers & string]

type DataOf<Given, Type> = [Extract<Given, { readonly type: Type }>] extends [never]
  ? Given extends { readonly data: infer Data }
    ? Data
    : unknown
  : Extract<Given, { readonly type: Type; readonly data: unknown }>['data']

/**
 * Defines a view: rows of JSON, each a pure fold over the messages with its key (P1). What it reads is told by the type of
 * `evolve`'s event, by those of the handlers, or by `events`, a catalogue.
 *
 * @throws INVALID_ARGUMENT naming the field.
 */
export function defineProjection<Row, E extends AnyEvent = AnyEvent>(options: EvolveOptions<Row, E>): Projection<Row, E>
export function defineProjection<Row, E extends AnyEvent = AnyEvent>(
  options: HandlersOptions<Row, E>,
): HandlersProjection<Row, E>
export function defineProjection<Row, Handlers extends TypedHandlers<Row>>(
  options: HandlersOptions<Row, NoInfer<EventsOf<Handlers>>, Handlers> & { readonly events?: never },
): HandlersProjection<Row, EventsOf<Handlers>>
export function defineProjection<Row, E extends AnyEvent>(options: ProjectionOptions<Row, E>): Projection<Row, E>
export function defineProjection<Row, E extends AnyEvent>(options: ProjectionOptions<Row, E>): Projection<Row, E> {
  checkDefinition(options)
  const { name, version = 1, topics, initialState } = options
  const { key = (event: Projected<E>) => event.key } = options
  const common = { name, version, ...(topics && { topics }), initialState }
  if (options.evolve !== undefined) return { ...common, key, evolve: options.evolve }
  const handlers: Readonly<Record<string, unknown>> = options.handlers
  const handled = (event: Projected<E>) => (Object.hasOwn(handlers, event.type) ? key(event) : undefined)
  const evolve = (row: Row, event: Projected<E>) => (handlers[event.type] as Projection<Row, E>['evolve'])(row, event)
  return { ...common, key: handled, evolve }
}

const NAMES: Names<ProjectionOptions<never, never>> = {
  name: true,
  version: true,
  topics: true,
  key: true,
  initialState: true,
  events: true,
  evolve: true,
  handlers: true,
}

function checkDefinition<Row, E extends AnyEvent>(options: ProjectionOptions<Row, E>): void {
  checkNames('options of defineProjection', options, NAMES)
  checkName('The name of a projection', options?.name)
  const { name, version = 1, topics, key, initialState, evolve, handlers } = options
  const of = `of projection "${name}"`
  checkInteger(`The version ${of}`, version, 1)
  if (topics !== undefined) checkTopics(`topics ${of}`, topics)
  checkFunction(`initialState ${of}`, initialState)
  if (key !== undefined) checkFunction(`key ${of}`, key)
  if ((evolve === undefined) === (handlers === undefined)) {
    throw invalidArgument(`Either evolve or handlers ${of} must be given: a function, or functions by type of event.`)
  }
  if (evolve !== undefined) checkFunction(`evolve ${of}`, evolve)
  else checkHandlers(`handlers ${of}`, handlers)
}

/** What a projection reads of this store. */
export function topicsOf(
  { topics }: Pick<Projection<never, never>, 'topics'>,
  { eventTopic }: Pick<EventStore<never>, 'eventTopic'>,
): readonly string[] {
  return topics ?? [eventTopic]
}

/** A message on its way into a view; without `event` it only moves the checkpoint. */
export interface PendingMessage<E extends AnyEvent> {
  readonly offset: number
  readonly event?: Projected<E>
}

/** Which rows change, and to what; nothing: the row is deleted. */
export type RowChanges = ReadonlyMap<string, unknown>

/**
 * The rows after some messages. `read` gives a row as stored.
 *
 * @throws PROJECTION_FAILED with the offset it failed at: a function threw, or the row is nothing that JSON can carry.
 */
export function project<Row, E extends AnyEvent>(
  projection: Projection<Row, E>,
  pending: readonly PendingMessage<E>[],
  read: (key: string) => unknown,
): RowChanges {
  const changes = new Map<string, unknown>()
  const rowOf = (key: string) => (changes.has(key) ? changes.get(key) : read(key))
  for (const { event } of pending) {
    if (event === undefined) continue
    try {
      const key = projection.key(event)
      if (key === undefined) continue
      const before = (rowOf(key) ?? projection.initialState()) as Row
      const after = projection.evolve(before, event)
      changes.set(key, checked(after))
    } catch (error) {
      throw new ProjectionFailedError(projection.name, event, error)
    }
  }
  return changes
}

/** After each message: what the next one made of a row that cannot be kept might look like one that can. */
function checked(row: unknown): unknown {
  if (row === undefined) return undefined
  const flaw = findJsonFlaw(row)
  if (flaw === undefined) return row
  const isPromise = row instanceof Promise
  // Whatever becomes of it, nobody waits for it.
  if (isPromise) row.catch(() => {})
  const advice = isPromise ? ': evolve must not be async' : ''
  throw new TypeError(`row${flaw.path} is ${flaw.what}, which JSON cannot carry${advice}`)
}

/** A projection's function threw; the partition waits, or the message is passed over (`poison`). */
export class ProjectionFailedError extends DuologError {
  override readonly name = 'ProjectionFailedError'
  readonly at: PartitionPosition

  constructor(projection: string, message: Projected, cause: unknown) {
    const { type, topic, partition, offset, key } = message
    super(
      'PROJECTION_FAILED',
      `Projection "${projection}" failed at ${type} of "${key}" (offset ${offset} of partition ${partition} of "${topic}"): ` +
        `${messageOf(cause)}. Mend the projection and start it again, or say ` +
        "what becomes of such messages: poison: 'skip' | 'deadLetter' | 'stop'.",
      { cause },
    )
    this.at = { topic, partition, offset }
  }
}
