import type { StoredSnapshot } from './event-store.ts'
import { sha256 } from './sha256.ts'

/*
 * A snapshot as it is kept: JSON with a checksum over its state, so that half of one is told from a whole one.
 */

export function toText(snapshot: StoredSnapshot): string {
  return JSON.stringify({ ...snapshot, sha256: sha256(JSON.stringify(snapshot.state)) })
}

/** The snapshot, or what is wrong with it. */
export function toSnapshot(text: string): StoredSnapshot | string {
  const parsed = parse(text)
  if (parsed === undefined || !isSnapshot(parsed)) return 'it is damaged (not a snapshot)'
  const { sha256: sum, ...snapshot } = parsed
  return sum === sha256(JSON.stringify(snapshot.state)) ? snapshot : 'it is damaged (its checksum does not fit)'
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

function isSnapshot(value: object): value is StoredSnapshot & { readonly sha256: string } {
  const { version, streamPosition, eventId, writtenAtMs, state } = value as Partial<StoredSnapshot>
  const numbers = [version, streamPosition, writtenAtMs].every(Number.isSafeInteger)
  return numbers && Number(streamPosition) >= 1 && typeof eventId === 'string' && state !== undefined
}
