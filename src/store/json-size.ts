import { MAX_JSON_DEPTH } from './json-flaw.ts'

/** What a character takes at most: a backslash, u and four digits. */
const BYTES_PER_CHARACTER = 6
/** More than a number, a boolean, null or a pair of brackets with its comma takes. */
const BYTES_PER_VALUE = 32

/**
 * Whether the value may take more than so many bytes as JSON. A quick look that never says no where the answer is yes:
 * most events are small, and pay no more than this.
 */
export function mayExceed(data: unknown, limitBytes: number): boolean {
  return roomAfter(data, limitBytes, 0) < 0
}

function roomAfter(value: unknown, roomBytes: number, depth: number): number {
  if (typeof value === 'string') return roomBytes - 3 - value.length * BYTES_PER_CHARACTER
  const room = roomBytes - BYTES_PER_VALUE
  if (typeof value !== 'object' || value === null) return room
  // How large that is which an object says it is, only writing it tells.
  if (depth > MAX_JSON_DEPTH || typeof (value as { toJSON?: unknown }).toJSON === 'function') return -1
  return Array.isArray(value) ? roomAfterItems(value, room, depth) : roomAfterProperties(value, room, depth)
}

function roomAfterItems(items: readonly unknown[], roomBytes: number, depth: number): number {
  let room = roomBytes
  for (let index = 0; room >= 0 && index < items.length; index++) room = roomAfter(items[index], room, depth + 1)
  return room
}

function roomAfterProperties(value: object, roomBytes: number, depth: number): number {
  let room = roomBytes
  for (const key of Object.keys(value)) {
    room -= 4 + key.length * BYTES_PER_CHARACTER
    if (room < 0) break
    room = roomAfter((value as Record<string, unknown>)[key], room, depth + 1)
  }
  return room
}
