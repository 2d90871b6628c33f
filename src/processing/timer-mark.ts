import { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { writtenBy } from './own-facts.ts'
import type { ProcessEvent } from './process-events.ts'

/*
 * The mark of a partition's timers: every timer scheduled before this offset has fired or was cancelled. Kept in a small
 * stream of its own. Once true it is true for ever, so whoever wrote it, the highest one counts.
 */

const ofProcess = <E extends AnyEvent>(store: EventStore<E>) => store as unknown as EventStore<ProcessEvent>

export async function readTimerMark<E extends AnyEvent>(store: EventStore<E>, stream: string): Promise<number> {
  const { state } = await ofProcess(store).aggregateStream<number, ProcessEvent>(stream, {
    initialState: () => 0,
    evolve: (mark, event) => (event.type === 'TimerMarkMoved' ? Math.max(mark, event.data.offset) : mark),
  })
  return state
}

export async function writeTimerMark<E extends AnyEvent>(
  store: EventStore<E>,
  { manager, stream }: { readonly manager: string; readonly stream: string },
  offset: number,
): Promise<void> {
  const moved = writtenBy<ProcessEvent>(manager, { type: 'TimerMarkMoved', data: { offset } })
  await ofProcess(store).appendToStream(stream, [moved])
}

export function markAhead(
  topic: string,
  partition: number,
  { mark, end }: { readonly mark: number; readonly end: number },
): DuologError {
  return new DuologError(
    'CHECKPOINT_AHEAD',
    `The timers of partition ${partition} of "${topic}" were read up to ${mark}, but the partition ends at ${end}: the topic ` +
      'lost records or was made again. Nothing is fired from it. Restore the topic, or run the process manager under ' +
      'another name.',
  )
}
