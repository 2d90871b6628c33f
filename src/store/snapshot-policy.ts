import { LruCache } from './lru-cache.ts'
import type { SnapshotOptions } from './snapshot-store.ts'
import { systemClock } from './system.ts'

/*
 * When a snapshot is due: after so many events, or after so long with events since.
 */

const DEFAULT_EVERY = 100
const REMEMBERED_STREAMS = 10_000

type Policy = Pick<SnapshotOptions<unknown>, 'every' | 'everyMs' | 'clock'>

export function everyOf({ every, everyMs }: Policy): number {
  return every ?? (everyMs === undefined ? DEFAULT_EVERY : Number.POSITIVE_INFINITY)
}

/** What is known of a stream's last snapshot; nothing: there is none. */
export interface SnapshotPlace {
  readonly streamPosition: number
  readonly writtenAtMs: number
}

/** Of a stream that was read from its last snapshot (or its beginning) to `version`. */
export function isDue(policy: Policy, last: SnapshotPlace | undefined, version: number): boolean {
  const { everyMs, clock = systemClock } = policy
  if (version - (last?.streamPosition ?? 0) >= everyOf(policy)) return true
  return everyMs !== undefined && clock.now() - (last?.writtenAtMs ?? 0) >= everyMs
}

/** For whoever appends and reads nothing: whether to look if one is due, by the versions before and after. */
export function appendTrigger(policy: Policy): (stream: string, before: number, after: number) => boolean {
  const every = everyOf(policy)
  const { everyMs, clock = systemClock } = policy
  const looked = new LruCache<string, number>(REMEMBERED_STREAMS)
  return (stream, before, after) => {
    const now = clock.now()
    const since = looked.get(stream)
    if (since === undefined) looked.set(stream, now)
    const late = everyMs !== undefined && since !== undefined && now - since >= everyMs
    if (!late && Math.floor(before / every) === Math.floor(after / every)) return false
    looked.set(stream, now)
    return true
  }
}
