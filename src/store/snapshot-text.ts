import { sha256 } from './sha256.ts'
import type { StoredSnapshot } from './snapshot-store.ts'

/*
 * A snapshot as it is kept: JSON with a checksum over its state, so that half of one is told from a whole one. The state
 * is next to last and its checksum last: a state of megabytes is made text once, and its text is summed as it stands.
 */

const STATE = ',"state":'
const SUM = ',"sha256":"'
const SUM_CHARS = 64

export function toText({ state, ...place }: StoredSnapshot): string {
  const stateText = JSON.stringify(state)
  return `${JSON.stringify(place).slice(0, -1)}${STATE}${stateText}${SUM}${sha256(stateText)}"}`
}

/** The snapshot, or what is wrong with it. */
export function toSnapshot(text: string): StoredSnapshot | string {
  // No text of the fields before it can hold this: a quotation mark in it stands behind a backslash.
  const stateAt = text.indexOf(STATE) + STATE.length
  const sumAt = text.length - SUM.length - SUM_CHARS - 2
  if (stateAt < STATE.length || sumAt < stateAt || !text.startsWith(SUM, sumAt)) return NOT_ONE
  const stateText = text.slice(stateAt, sumAt)
  if (sha256(stateText) !== text.slice(sumAt + SUM.length, -2)) return 'it is damaged (its checksum does not fit)'
  const snapshot = { ...Object(parse(`${text.slice(0, stateAt - STATE.length)}}`)), state: parse(stateText) }
  return isSnapshot(snapshot) ? snapshot : NOT_ONE
}

const NOT_ONE = 'it is damaged (not a snapshot)'

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isSnapshot(value: object): value is StoredSnapshot {
  const { version, streamPosition, eventId, writtenAtMs, state } = value as Partial<StoredSnapshot>
  const numbers = [version, streamPosition, writtenAtMs].every(Number.isSafeInteger)
  return numbers && Number(streamPosition) >= 1 && typeof eventId === 'string' && state !== undefined
}
