import type { AnyEvent, NewEvent } from '../core/event.ts'
import type { Appended, AppendOptions, EventStore } from './event-store.ts'

/** A store that takes these events: its catalogue may have others, too. */
export type StoreTaking<E extends AnyEvent> = EventStore & {
  readonly appendToStream: (
    stream: string,
    events: readonly NewEvent<E>[],
    options?: AppendOptions,
  ) => Promise<Appended>
}
