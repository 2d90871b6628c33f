import type { AnyEvent, RecordedEvent } from '../core/event.ts'
import { jsonSchemaOf } from '../core/event-data.ts'
import type { StandardSchema } from '../core/standard-schema.ts'
import { checkInteger, checkName } from './check-arguments.ts'
import type { Aggregated, AggregateOptions } from './event-store.ts'
import { findJsonFlaw } from './json-flaw.ts'
import { sha256 } from './sha256.ts'
import { isDue } from './snapshot-policy.ts'
import type { SnapshotOptions, SnapshotStore, StoredSnapshot } from './snapshot-store.ts'
import { systemClock } from './system.ts'

/*
 * A fold that begins at a snapshot and leaves one behind.
 *
 * N3 A snapshot counts only when the stream has, at its position, the very event it was made after: one that is ahead of
 *    the stream, or of another log, does not. That event is read with the tail: one read, one event more.
 * N4 A snapshot is the state at its position: it becomes text before anybody else gets hold of the state.
 */

type Fold<State, E extends AnyEvent> = (options: AggregateOptions<State, E>) => Promise<Aggregated<State>>

export async function foldFromSnapshot<State, E extends AnyEvent>(
  snapshots: SnapshotStore,
  stream: string,
  options: AggregateOptions<State, E>,
  fold: Fold<State, E>,
): Promise<Aggregated<State>> {
  const { snapshot: kind, ...plain } = options
  if (kind === undefined) return fold(plain)
  checkKind(kind)
  const found = plain.from === undefined ? await usable(snapshots, stream, kind) : undefined
  const last = new LastEvent()
  const folded = (found && (await foldTail(plain, { kind, found, last, fold }))) ?? (await fold(watched(plain, last)))
  if (found !== undefined && last.restarted)
    snapshots.ignored(kind.name, stream, 'it is ahead of the stream, or of another log')
  const base = last.restarted ? undefined : found
  if (last.event !== undefined && plain.from === undefined && isDue(kind, base, folded.currentStreamVersion)) {
    keepSnapshot(snapshots, stream, kind, { event: last.event, state: folded.state })
  }
  return folded
}

/** The newest event that was folded. */
class LastEvent {
  event: RecordedEvent | undefined
  restarted = false
}

interface Tail<State, E extends AnyEvent> {
  readonly kind: SnapshotOptions<State>
  readonly found: StoredSnapshot
  readonly last: LastEvent
  readonly fold: Fold<State, E>
}

/** Nothing when the stream does not have the snapshot's event. */
async function foldTail<State, E extends AnyEvent>(
  { evolve, initialState }: AggregateOptions<State, E>,
  { kind, found, last, fold }: Tail<State, E>,
): Promise<Aggregated<State> | undefined> {
  let exact = false
  const state = (kind.fromJson ?? asItIs<State>)(found.state)
  const folded = await fold({
    initialState,
    from: { state, version: found.streamPosition - 1 },
    evolve: (before, event) => {
      const recorded = event as unknown as RecordedEvent
      if (recorded.streamPosition === found.streamPosition) exact = recorded.eventId === found.eventId
      if (!exact || recorded.streamPosition === found.streamPosition) return before
      last.event = recorded
      return evolve(before, event)
    },
  })
  if (exact) return folded
  last.restarted = true
  return undefined
}

function watched<State, E extends AnyEvent>(options: AggregateOptions<State, E>, last: LastEvent) {
  const evolve: typeof options.evolve = (state, event) => {
    last.event = event as unknown as RecordedEvent
    return options.evolve(state, event)
  }
  return { ...options, evolve }
}

async function usable<State>(
  snapshots: SnapshotStore,
  stream: string,
  kind: SnapshotOptions<State>,
): Promise<StoredSnapshot | undefined> {
  const found = await snapshots.load(kind.name, stream)
  const fits = found?.version === kind.version && found.schemaHash === hashOf(kind.schema)
  return fits ? found : undefined
}

/** Of a stream right after an event. */
export function keepSnapshot<State>(
  snapshots: SnapshotStore,
  stream: string,
  { name, version, schema, toJson, clock = systemClock }: SnapshotOptions<State>,
  made: { readonly event: RecordedEvent; readonly state: State },
): void {
  const state = toJson === undefined ? made.state : toJson(made.state)
  const flaw = findJsonFlaw(state)
  if (flaw !== undefined) {
    snapshots.ignored(
      name,
      '',
      `its state${flaw.path} is ${flaw.what}, which JSON cannot carry: give toJson and fromJson`,
    )
    return
  }
  const schemaHash = hashOf(schema)
  const { streamPosition, eventId } = made.event
  const place = { streamPosition, eventId, writtenAtMs: clock.now() }
  snapshots.save(name, stream, { version, ...(schemaHash && { schemaHash }), ...place, state })
}

const hashes = new WeakMap<StandardSchema, string>()

function hashOf(schema: StandardSchema | undefined): string | undefined {
  if (schema === undefined) return undefined
  const hash = hashes.get(schema) ?? sha256(JSON.stringify(jsonSchemaOf(schema, 'draft-2020-12')))
  hashes.set(schema, hash)
  return hash
}

function asItIs<State>(json: unknown): State {
  return json as State
}

function checkKind<State>({ name, version, every, everyMs }: SnapshotOptions<State>): void {
  checkName('snapshot.name', name)
  checkInteger('snapshot.version', version, 1)
  if (every !== undefined) checkInteger('snapshot.every', every, 1)
  if (everyMs !== undefined) checkInteger('snapshot.everyMs', everyMs, 1)
}
