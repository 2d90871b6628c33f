import { DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { Given, Names } from '../core/known-names.ts'
import { checkOneOf } from '../store/check-arguments.ts'
import type { Checkpoint, EventStore } from '../store/event-store.ts'
import { isDeadLetterFact } from './own-facts.ts'
import type { Unreadable } from './processor-options.ts'
import type { Projected } from './projection.ts'
import { putAside, whyOf } from './put-aside.ts'

/*
 * What becomes of a message that a view or a process manager cannot take in.
 *
 * P6 It is put aside before the checkpoint moves past it: killed in between, the same letter is written once (P5).
 */

/** What becomes of messages that cannot be taken in; part of the options of `startProjection` and `startProcessManager`. */
export interface PoisonOptions {
  /**
   * A message at which one of its functions throws or answers nonsense. `wait` (default): its partition waits and `onError`
   * hears of it again and again; `skip`: passed over; `deadLetter`: put aside, the rest goes on without it; `stop`: it stops.
   * Of what is passed over or put aside `onSkipped` hears.
   */
  readonly poison?: Unreadable
  /** A message the store's catalogue cannot read: unknown type, newer version, data it refuses. Default: as `poison`. */
  readonly unreadable?: Unreadable
  /** A record that is no message, as strangers may write it on Kafka. Default: passed over, said to the store's log. */
  readonly stranger?: Unreadable
}

export interface PoisonPolicyOptions<E extends AnyEvent> extends PoisonOptions {
  readonly store: EventStore<E>
  /** Of its letters. */
  readonly group: string
  /** Of a projection: its view. */
  readonly view?: string
  readonly onSkipped: (message: Projected, error: unknown) => void
  readonly onStop: (reason: string) => void
}

/** What such an option may say. */
export const UNREADABLE: readonly Unreadable[] = ['wait', 'skip', 'deadLetter', 'stop']

export const POISON_NAMES: Names<PoisonOptions> = { poison: true, unreadable: true, stranger: true }

/** @throws INVALID_ARGUMENT naming the option. */
export function checkPoisonOptions(options: Given<PoisonOptions>): void {
  for (const name of Object.keys(POISON_NAMES) as (keyof PoisonOptions)[]) {
    if (options[name] !== undefined) checkOneOf(name, options[name], UNREADABLE)
  }
}

export class PoisonPolicy<E extends AnyEvent> {
  readonly #options: PoisonPolicyOptions<E>

  constructor(options: PoisonPolicyOptions<E>) {
    this.#options = options
  }

  get hearsOfStrangers(): boolean {
    return this.#options.stranger !== undefined
  }

  /** Resolves when it may go past the message; rejects with the error while it may not. A letter takes the checkpoint along. */
  async meet(error: unknown, message: Projected, checkpoint?: Checkpoint): Promise<void> {
    const { onSkipped, onStop } = this.#options
    const policy = this.#policyFor(error)
    if (policy === 'stop') onStop(`It came to a message it cannot take in: ${whyOf(error).reason}`)
    if (policy === 'stop' || policy === 'wait') throw error
    // A letter of a letter would be one more such message, without an end.
    if (policy === 'deadLetter' && !isDeadLetterFact(message)) await this.#putAside(error, message, checkpoint)
    onSkipped(message, error)
  }

  #policyFor(error: unknown): Unreadable {
    const { poison = 'wait', unreadable = poison, stranger = 'skip' } = this.#options
    if (isDefinitionsFault(error)) return poison
    return isDuologError(error, 'RECORD_UNREADABLE') ? stranger : unreadable
  }

  async #putAside(error: unknown, message: Projected, checkpoint: Checkpoint | undefined): Promise<void> {
    const { store, group, view } = this.#options
    const why = whyOf(causeOf(error))
    await putAside(store, { message, group, ...(view !== undefined && { view }), attempts: 1, why, checkpoint })
  }
}

function isDefinitionsFault(error: unknown): boolean {
  return isDuologError(error, 'PROJECTION_FAILED') || isDuologError(error, 'PROCESS_FAILED')
}

/** What the projection or the process manager itself said. */
function causeOf(error: unknown): unknown {
  const own = isDefinitionsFault(error) && error instanceof DuologError ? error.cause : undefined
  return own ?? error
}
