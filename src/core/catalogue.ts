import { didYouMean } from './did-you-mean.ts'
import { DuologError } from './errors.ts'
import type { AnyEvent, EnvelopeOptions, Event } from './event.ts'
import { decodeData, encodeData, jsonSchemaOf } from './event-data.ts'
import { checkNames, type Names } from './known-names.ts'
import type { OutputOf, StandardSchema } from './standard-schema.ts'

/*
 * The event catalogue: which events there are, what their data is, and how data written by older versions is read
 * today. An event in the log is never changed; it is brought up to date while it is read.
 */

type OldData = Readonly<Record<string, unknown>>
/** From one version's stored data to the next one's. Write the old shape as the parameter's type where you know it. */
export type Upcaster = { upcast(old: OldData): unknown }['upcast']

/** What {@link defineEvent} takes. */
export interface EventSpec<Name extends string, Schema extends StandardSchema> {
  /** Past tense. */
  readonly name: Name
  /** From 1; raise it when the data changes its shape. Default 1. */
  readonly version?: number
  /** A zod schema, or any other Standard Schema that validates synchronously. */
  readonly data: Schema
  /** By the version it starts from: one for each version before the current one. */
  readonly upcast?: Readonly<Record<number, Upcaster>>
}

/** One event of a catalogue; see {@link defineEvent}. */
export interface EventDefinition<Name extends string = string, Data = unknown> {
  /** Its type in the log. */
  readonly name: Name
  /** Of the data's schema now; older data is brought up to it when it is read. */
  readonly version: number
  /** What its data is checked by. */
  readonly schema: StandardSchema
  /** By the version each starts from. */
  readonly upcasters: ReadonlyMap<number, Upcaster>
  /** An event ready to be appended. Its data is validated by the append. */
  create(data: Data, envelope?: EnvelopeOptions): Event<Name, Data> & EnvelopeOptions
}

/** What `create` takes is not looked at, so that definitions of any data fit in one list. */
type AnyDefinition = Omit<EventDefinition, 'create'> & { create(data: never, envelope?: EnvelopeOptions): AnyEvent }

/** An event as it is stored or read: what the catalogue changes is `version` and `data`. */
export interface VersionedEvent extends AnyEvent {
  /** Of the data's schema, from 1. Default: the current one when it is appended, 1 when it is read. */
  readonly version?: number
}

/** The events a log may hold; see {@link defineCatalogue}. */
export interface Catalogue<E extends AnyEvent = AnyEvent> {
  /** By the event's name. */
  readonly definitions: ReadonlyMap<string, AnyDefinition>
  /**
   * Validates an event on its way into the log; its data becomes JSON, its version the current one. `where` names it in messages.
   * @throws UNKNOWN_EVENT_TYPE, INVALID_EVENT
   */
  toStored<T extends VersionedEvent>(event: T, where: string): T
  /**
   * Brings an event from the log up to date and decodes it. `where` names it in messages.
   * @throws UNKNOWN_EVENT_TYPE, EVENT_VERSION_NEWER, INVALID_EVENT
   */
  fromStored<T extends VersionedEvent>(event: T, where: string): T & E
  /** One JSON Schema per event (of the JSON in the log), by name. */
  jsonSchemas(target?: 'draft-2020-12' | 'draft-7'): Readonly<Record<string, unknown>>
}

/** Options of {@link defineCatalogue}. */
export interface CatalogueOptions {
  /**
   * What to do with an event whose name is not here. `refuse` (default): an error. `pass`: it goes through unvalidated,
   * for logs shared with other programs.
   */
  readonly unknownEvents?: 'refuse' | 'pass'
}

/** `EventOf<typeof catalogue>`: the union of its events; `EventOf<typeof definition>`: that one's event. */
export type EventOf<T> =
  T extends Catalogue<infer E>
    ? E
    : T extends {
          readonly name: infer Name extends string
          create(data: infer Data, envelope?: EnvelopeOptions): unknown
        }
      ? Event<Name, Data>
      : never

const EVENT_SPEC: Names<EventSpec<string, StandardSchema>> = { name: true, version: true, data: true, upcast: true }

/** @throws INVALID_ARGUMENT naming the field; also when a version before the current one has no upcaster. */
export function defineEvent<const Name extends string, Schema extends StandardSchema>(
  spec: EventSpec<Name, Schema>,
): EventDefinition<Name, OutputOf<Schema>> {
  const { name, version = 1, data: schema } = spec ?? {}
  checkSpec(spec)
  const upcasters = new Map(Object.entries(spec.upcast ?? {}).map(([from, upcast]) => [Number(from), upcast]))
  checkVersions(name, version, upcasters)
  return { name, version, schema, upcasters, create: (data, envelope) => ({ ...envelope, type: name, version, data }) }
}

/** @throws INVALID_ARGUMENT when two definitions have one name, or one is no definition. */
export function defineCatalogue<const Definitions extends readonly AnyDefinition[]>(
  list: Definitions,
  { unknownEvents = 'refuse' }: CatalogueOptions = {},
): Catalogue<EventOf<Definitions[number]>> {
  checkDefinitions(list, unknownEvents)
  const definitions = new Map(list.map((definition) => [definition.name, definition as AnyDefinition]))
  const repeated = list.find((definition) => definitions.get(definition.name) !== definition)
  if (repeated !== undefined) throw invalidArgument(`The catalogue defines "${repeated.name}" twice.`)

  function find(type: string, where: string): AnyDefinition | undefined {
    const definition = definitions.get(type)
    if (definition === undefined && unknownEvents === 'refuse') throw unknownType(type, where, definitions.keys())
    return definition
  }

  return {
    definitions,
    toStored: (event, where) => {
      const definition = find(event.type, where)
      return definition === undefined ? event : store(definition, event, where)
    },
    fromStored: (event, where) => {
      const definition = find(event.type, where)
      return (definition === undefined ? event : load(definition, event, where)) as typeof event &
        EventOf<Definitions[number]>
    },
    jsonSchemas: (target = 'draft-2020-12') =>
      Object.fromEntries(list.map(({ name, schema }) => [name, jsonSchemaOf(schema, target)])),
  }
}

function store<T extends VersionedEvent>({ version, schema }: AnyDefinition, event: T, where: string): T {
  if (event.version !== undefined && event.version !== version) {
    throw invalidEvent(event, where, `has version ${event.version}, its definition ${version}; leave the version out.`)
  }
  const encoded = encodeData(schema, event.data)
  if (!encoded.ok)
    throw invalidEvent(event, where, `has data that is not as defined:\n${encoded.issues}`, encoded.cause)
  return { ...event, version, data: encoded.data }
}

function load<T extends VersionedEvent>(definition: AnyDefinition, event: T, where: string): T {
  const { version, schema } = definition
  if ((event.version ?? 1) > version) throw versionNewer(event, version, where)
  const decoded = decodeData(schema, upcast(definition, event, where))
  if (!decoded.ok)
    throw invalidEvent(
      event,
      where,
      `does not fit its definition (version ${version}):\n${decoded.issues}`,
      decoded.cause,
    )
  return { ...event, version, data: decoded.data }
}

/** Step by step from the version it was written with to the current one. */
function upcast({ version, upcasters }: AnyDefinition, event: VersionedEvent, where: string): unknown {
  let data = event.data
  for (let from = event.version ?? 1; from < version; from++) {
    try {
      data = upcasters.get(from)?.(data as OldData)
    } catch (cause) {
      throw invalidEvent(event, where, `could not be brought from version ${from} to ${from + 1}: ${cause}`, cause)
    }
  }
  return data
}

function checkSpec(spec: EventSpec<string, StandardSchema>): void {
  checkNames('What defineEvent takes', spec, EVENT_SPEC)
  if (typeof spec?.data?.['~standard']?.validate === 'function') return
  throw invalidArgument(
    `data of event "${spec?.name}" must be a schema: z.object({ … }) of zod, or one of another library that follows Standard Schema.`,
  )
}

function checkDefinitions(list: readonly AnyDefinition[], unknownEvents: unknown): void {
  if (!Array.isArray(list)) throw invalidArgument('defineCatalogue takes a list: defineCatalogue([defineEvent(…), …]).')
  const stranger = list.findIndex((definition) => typeof definition?.create !== 'function')
  if (stranger >= 0) throw invalidArgument(`definitions[${stranger}] is none: make it with defineEvent.`)
  if (unknownEvents === 'refuse' || unknownEvents === 'pass') return
  throw invalidArgument(`unknownEvents must be 'refuse' or 'pass', got "${unknownEvents}".`)
}

function checkVersions(name: string, version: number, upcasters: ReadonlyMap<number, Upcaster>): void {
  if (typeof name !== 'string' || name === '') throw invalidArgument('An event needs a name.')
  if (!Number.isSafeInteger(version) || version < 1) {
    throw invalidArgument(`The version of "${name}" must be an integer from 1, got ${version}.`)
  }
  const needed = Array.from({ length: version - 1 }, (_, index) => index + 1)
  const missing = needed.filter((from) => !upcasters.has(from))
  if (missing.length > 0) {
    throw invalidArgument(
      `"${name}" is at version ${version} but cannot be read from ${missing.join(', ')}: add upcasters.`,
    )
  }
  const idle = [...upcasters.keys()].filter((from) => !needed.includes(from))
  if (idle.length > 0) {
    throw invalidArgument(`"${name}" has an upcaster from version ${idle.join(', ')}, but is at ${version} itself.`)
  }
}

function unknownType(type: string, where: string, known: Iterable<string>): DuologError {
  return new DuologError(
    'UNKNOWN_EVENT_TYPE',
    `${where}: "${type}" is not in the event catalogue.${didYouMean(String(type), known)} Define it, or update this program.`,
  )
}

function versionNewer(event: VersionedEvent, known: number, where: string): DuologError {
  return new DuologError(
    'EVENT_VERSION_NEWER',
    `${where}: "${event.type}" has version ${event.version}, this program knows up to ${known}. ` +
      'The log was written by a newer program; update this one. Nothing was changed.',
  )
}

function invalidEvent(event: AnyEvent, where: string, flaw: string, cause?: unknown): DuologError {
  return new DuologError('INVALID_EVENT', `${where}: "${event.type}" ${flaw}`, { cause })
}

function invalidArgument(message: string): DuologError {
  return new DuologError('INVALID_ARGUMENT', message)
}
