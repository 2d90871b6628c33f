import { createHash } from 'node:crypto'
import { MAX_NAME_CHARACTERS } from '../store/check-arguments.ts'

/** The text itself, or where it is too long for an id or a key, its hash: never a part of it, which others may share. */
export function shortKey(text: string): string {
  return text.length <= MAX_NAME_CHARACTERS ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`
}
