import { DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import { isDeadLetterFact } from './own-facts.ts'
import type { Unreadable } from './processor-options.ts'
import type { Projected, Projection } from './projection.ts'
import { putAside, whyOf } from './put-aside.ts'

/*
 * What becomes of a message that a view cannot take in.
 *
 * P6 It is put aside before the view's checkpoint moves past it: killed in between, the same letter is written once (P5).
 */

/** What a projection does with what it cannot take in; part of `StartProjectionOptions`. */
export interface PoisonOptions {
  /**
   * A message at which the projection throws. `wait` (default): its partition waits and `onError` hears of it again and again;
   * `skip`: passed over; `deadLetter`: put aside, the view goes on without it; `stop`: the projection stops. Of what is passed
   * over or put aside `onSkipped` hears.
   */
  readonly poison?: Unreadable
  /** A message the store's catalogue cannot read: unknown type, newer version, data it refuses. Default: as `poison`. */
  readonly unreadable?: Unreadable
  /** A record that is no message, as strangers may write it on Kafka. Default: passed over, said to the store's log. */
  readonly stranger?: Unreadable
}

export interface ViewPoisonOptions<E extends AnyEvent> extends PoisonOptions {
  readonly store: EventStore<E>
  readonly projection: Pick<Projection<never, never>, 'name' | 'version'>
  readonly onSkipped: (message: Projected, error: unknown) => void
  readonly onStop: (reason: string) => void
}

const POLICIES: readonly unknown[] = ['wait', 'skip', 'deadLetter', 'stop', undefined]

export class ViewPoison<E extends AnyEvent> {
  readonly #options: ViewPoisonOptions<E>

  /** @throws INVALID_ARGUMENT naming the option. */
  constructor(options: ViewPoisonOptions<E>) {
    this.#options = options
    for (const name of ['poison', 'unreadable', 'stranger'] as const) {
      if (POLICIES.includes(options[name])) continue
      throw invalidArgument(`${name} must be one of ${POLICIES.slice(0, -1).join(', ')}, got "${options[name]}".`)
    }
  }

  get hearsOfStrangers(): boolean {
    return this.#options.stranger !== undefined
  }

  /** Resolves when the view may go past the message; rejects with the error while it may not. */
  async meet(error: unknown, message: Projected): Promise<void> {
    const { onSkipped, onStop } = this.#options
    const policy = this.#policyFor(error)
    if (policy === 'stop') onStop(`It came to a message it cannot take in: ${whyOf(error).reason}`)
    if (policy === 'stop' || policy === 'wait') throw error
    // A letter of a letter would be one more such message, without an end.
    if (policy === 'deadLetter' && !isDeadLetterFact(message)) await this.#putAside(error, message)
    onSkipped(message, error)
  }

  #policyFor(error: unknown): Unreadable {
    const { poison = 'wait', unreadable = poison, stranger = 'skip' } = this.#options
    if (isDuologError(error, 'PROJECTION_FAILED')) return poison
    return isDuologError(error, 'RECORD_UNREADABLE') ? stranger : unreadable
  }

  /** A letter per version of the view: built again it finds its letter, a newer version that fails writes its own. */
  async #putAside(error: unknown, message: Projected): Promise<void> {
    const { store, projection } = this.#options
    const { name, version } = projection
    const group = `projection.${name}.v${version}`
    await putAside(store, {
      message,
      group,
      view: name,
      attempts: 1,
      why: whyOf(causeOf(error)),
      checkpoint: undefined,
    })
  }
}

/** What the projection itself said. */
function causeOf(error: unknown): unknown {
  const own = isDuologError(error, 'PROJECTION_FAILED') && error instanceof DuologError ? error.cause : undefined
  return own ?? error
}
