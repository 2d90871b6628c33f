import { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { Checkpoint, EventStore } from '../store/event-store.ts'
import type { Effect } from './dead-letter.ts'
import { orAborted } from './or-aborted.ts'
import type { ProcessorContext } from './processor-options.ts'
import { shortKey } from './short-key.ts'
import type { Work } from './work.ts'

export interface ContextOptions<E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly group: string
  readonly work: Work<E>
  readonly attempt: number
  readonly signal: AbortSignal
}

/**
 * What a handler gets beside its message. The checkpoint travels with an append only when it is past this very work
 * (P6); else the idempotency key alone makes it one fact (P5).
 */
export function processorContext<E extends AnyEvent>(options: ContextOptions<E>): ProcessorContext<E> {
  const { store, group, work, attempt, signal } = options
  let appended = false
  /** The first append of this work that is in the log answers all that follow (P5), also where they would go elsewhere. */
  const appendOnce: EventStore<E>['appendToStream'] = async (stream, events, append) => {
    if (events.length === 0) return store.appendToStream(stream, events, append)
    const effect = (await knownEffect(work, signal)) ?? {
      stream,
      idempotencyKey: append?.idempotencyKey ?? effectKey(group, work),
    }
    const { idempotencyKey } = effect
    const answer = store.appendToStream(effect.stream, events, { ...append, idempotencyKey })
    work.effect.known = answer.then(
      () => effect,
      () => undefined,
    )
    return answer
  }
  return {
    get checkpoint(): Checkpoint {
      return work.checkpoint()
    },
    signal,
    attempt,
    redrives: work.redrives,
    async append(stream, events, given = {}) {
      if (signal.aborted) throw attemptIsOver(signal.reason)
      if (appended) throw invalidArgument(ONE_APPEND)
      const checkpoint = work.ownCheckpoint()
      if (checkpoint === undefined && events.length === 0) throw invalidArgument(NO_EVENT)
      const result = await appendOnce(stream, events, { ...given, ...(checkpoint && { checkpoint }) })
      appended = true
      return result
    },
  }
}

async function knownEffect<E extends AnyEvent>({ effect }: Work<E>, signal: AbortSignal): Promise<Effect | undefined> {
  return effect.known && orAborted(effect.known, signal)
}

const ONE_APPEND =
  'A handler appends once per message through its context, since that append carries the checkpoint: put what belongs ' +
  'together into one append, or append the rest before it with store.appendToStream and an idempotencyKey of its own.'

const NO_EVENT =
  'append without events cannot be made exactly once here, since other keys of the partition are not done: append an event ' +
  "with it, or use order: 'partition'."

/** The same for the same messages, also when they were redriven or sent twice under one id. */
function effectKey<E extends AnyEvent>(group: string, { messages }: Work<E>): string {
  const ids = messages.map(({ topic, eventId }) => `${topic}/${eventId}`)
  return shortKey(`${group}/${ids.join(' ')}`)
}

function attemptIsOver(reason: unknown): DuologError {
  return new DuologError('ABORTED', 'This attempt is over: its time ran out or its partition was taken away.', {
    cause: reason,
  })
}
