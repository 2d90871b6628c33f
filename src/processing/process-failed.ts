import { DuologError, isDuologError } from '../core/errors.ts'
import type { Projected } from './projection.ts'

/** What the definition alone leads to, however often it is tried: its functions, or what it wants appended. */
const FAULTS = ['PROCESS_INVALID', 'INVALID_EVENT', 'INVALID_ARGUMENT', 'EVENT_ID_REUSED'] as const

/** A process manager cannot take the message in; nothing where something else is wrong. */
export function processFailed(manager: string, message: Projected, cause: unknown): DuologError | undefined {
  if (!FAULTS.some((code) => isDuologError(cause, code))) return undefined
  const { type, topic, partition, offset, key } = message
  return new DuologError(
    'PROCESS_FAILED',
    `Process manager "${manager}" cannot take in ${type} of "${key}" (offset ${offset} of partition ${partition} of ` +
      `"${topic}"): ${(cause as Error).message.replace(/\.$/, '')}. Mend it and start it again, or say what becomes of such messages: ` +
      "poison: 'skip' | 'deadLetter' | 'stop'.",
    { cause },
  )
}
