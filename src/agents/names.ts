import { uuidV7 } from '../core/ids.ts'
import { systemClock, systemRandom } from '../store/system.ts'

/** A new session's id. */
export function newSessionId(): string {
  return uuidV7(systemClock.now(), systemRandom)
}

/** A name no other start of a process has: what it is, its pid for people, and randomness. */
export function newOwner(kind: string): string {
  return `${kind}-${process.pid}-${newSessionId().slice(-8)}`
}
