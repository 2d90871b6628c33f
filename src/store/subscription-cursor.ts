import { DuologError } from '../core/errors.ts'
import { checkInteger, describe, invalidArgument } from './check-arguments.ts'

/*
 * Where a subscription is, as text that fits anywhere: one line of visible characters.
 * Over partitions `p:session.events:0.12,1.0,5.3` (partition.next offset), of one stream `s:17` (its last position).
 */

export type Cursor =
  | { readonly kind: 'partitions'; readonly topic: string; readonly offsets: ReadonlyMap<number, number> }
  | { readonly kind: 'stream'; readonly streamPosition: number }

const PARTITIONS = /^p:([a-zA-Z0-9._-]{1,249}):((?:\d{1,6}\.\d{1,16})(?:,\d{1,6}\.\d{1,16})*)$/
const STREAM = /^s:(\d{1,16})$/

export function formatCursor(cursor: Cursor): string {
  if (cursor.kind === 'stream') return `s:${cursor.streamPosition}`
  const places = [...cursor.offsets].map(([partition, offset]) => `${partition}.${offset}`)
  return `p:${cursor.topic}:${places.join(',')}`
}

/** @throws INVALID_ARGUMENT */
export function parseCursor(text: string): Cursor {
  const [, position] = STREAM.exec(text) ?? []
  if (position !== undefined) {
    checkInteger('The position in the cursor', Number(position), 0)
    return { kind: 'stream', streamPosition: Number(position) }
  }
  const [, topic, places] = PARTITIONS.exec(text) ?? []
  if (topic === undefined || places === undefined) {
    throw invalidArgument(
      `${describe(text)} is not a subscription's cursor; pass one as it was given, or leave it out.`,
    )
  }
  return { kind: 'partitions', topic, offsets: new Map(places.split(',').map(toPlace)) }
}

function toPlace(place: string): [number, number] {
  const [partition, offset] = place.split('.').map(Number)
  checkInteger('An offset in the cursor', offset, 0)
  return [partition ?? 0, offset ?? 0]
}

export function cursorAhead(what: string): DuologError {
  return new DuologError(
    'CHECKPOINT_AHEAD',
    `The cursor is beyond the end of ${what}: it belongs to another log, or the log was made anew. Begin without it.`,
  )
}
