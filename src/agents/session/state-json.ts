import type { SnapshotOptions } from '../../store/event-store.ts'
import { VERSION } from '../version.ts'
import type { SessionState } from './state.ts'
import { StateMap } from './state-map.ts'

/*
 * A session's state as JSON, for snapshots: maps and sets are written as tagged lists, in their order.
 */

type Entries = readonly (readonly [string, unknown])[]

/** At most one of the tags is there. */
interface Tagged {
  readonly $stateMap?: Entries
  readonly $map?: Entries
  readonly $set?: readonly unknown[]
}

/**
 * How a session is snapshotted. The release stands in the name: what another one folded is not believed. Writing the state of
 * a long session costs about as much as reading 2,000 events, so it is written no oftener.
 */
export const sessionSnapshot: SnapshotOptions<SessionState> = {
  name: `session@${VERSION}`,
  version: 2,
  every: 2_500,
  toJson: toJson,
  fromJson: (json) => fromJson(json) as SessionState,
}

function toJson(value: unknown): unknown {
  if (value instanceof StateMap) return { $stateMap: entriesOf(value) }
  if (value instanceof Map) return { $map: entriesOf(value) }
  if (value instanceof Set) return { $set: [...value].map(toJson) }
  if (Array.isArray(value)) return value.map(toJson)
  return isObject(value) ? mapValues(value, toJson) : value
}

function entriesOf(map: Iterable<readonly [unknown, unknown]>): (readonly [string, unknown])[] {
  return [...map].map(([key, value]) => [String(key), toJson(value)] as const)
}

function fromJson(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(fromJson)
  if (!isObject(json)) return json
  const { $stateMap, $map, $set } = json as Tagged
  if ($stateMap !== undefined) return new StateMap(new Map(readEntries($stateMap)))
  if ($map !== undefined) return new Map(readEntries($map))
  if ($set !== undefined) return new Set($set.map(fromJson))
  return mapValues(json, fromJson)
}

function readEntries(entries: Entries): [string, unknown][] {
  return entries.map(([key, value]) => [key, fromJson(value)])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** What is undefined is left out, as JSON does. */
function mapValues(object: Record<string, unknown>, change: (value: unknown) => unknown): Record<string, unknown> {
  const kept = Object.entries(object).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept.map(([key, value]) => [key, change(value)]))
}
