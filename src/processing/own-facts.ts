import type { AnyEvent, NewEvent } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { type DeadLetterEvent, deadLetterEventNames, topicOfDeadLetterStream } from './dead-letter.ts'
import { type ProcessEvent, processEventNames } from './process-events.ts'
import type { Projected } from './projection.ts'

/*
 * Which events processing wrote about itself. Users' events may have the same names: what tells is where an event lies, and
 * a header that only process managers write.
 */

const WRITTEN_BY = 'process-manager'

/** A store for handlers of these events: its catalogue may have, besides, only what handlers do not hear of. */
export type StoreOfHandled<E extends AnyEvent> = EventStore<E | ProcessEvent | DeadLetterEvent>

/** As a process manager of that name writes it. */
export function writtenBy<E extends AnyEvent>(manager: string, event: NewEvent<E>): NewEvent<E> {
  return { ...event, headers: { ...event.headers, [WRITTEN_BY]: manager } }
}

/** Handlers do not hear of it: a letter about a letter, or a process about a process, would have no end. */
export function isOwnFact(message: Projected): boolean {
  return isDeadLetterFact(message) || (processEventNames.has(message.type) && message.headers[WRITTEN_BY] !== undefined)
}

/** An event in a stream of dead letters. */
export function isDeadLetterFact(message: Projected): boolean {
  if (!deadLetterEventNames.has(message.type) || !isRecordedEvent(message)) return false
  return topicOfDeadLetterStream(message.stream) !== undefined
}
