import type { AnyEvent, RecordedEvent } from '../core/event.ts'
import { checkInteger } from './check-arguments.ts'
import type { Aggregated, AggregateOptions, EventStore } from './event-store.ts'
import { foldFromSnapshot } from './fold-from-snapshot.ts'

/** `aggregateStream` for any store that can read: state is a fold over facts, from the last snapshot on where one fits. */
export function aggregate<State, E extends AnyEvent>(
  store: Pick<EventStore, 'readStream' | 'snapshots'>,
  stream: string,
  options: AggregateOptions<State, E>,
): Promise<Aggregated<State>> {
  return foldFromSnapshot(store.snapshots, stream, options, (rest) => fold(store, stream, rest))
}

async function fold<State, E extends AnyEvent>(
  store: Pick<EventStore, 'readStream'>,
  stream: string,
  { evolve, initialState, from, stateBefore, consistency = 'linearizable' }: AggregateOptions<State, E>,
): Promise<Aggregated<State>> {
  if (from !== undefined) checkInteger('from.version', from.version, 0)
  let state = from === undefined ? initialState() : from.state
  let version = from?.version ?? 0
  for await (const event of store.readStream(stream, { from: version + 1, consistency })) {
    if (event.streamPosition === 1 && stateBefore !== undefined) {
      state = await stateBefore(event as unknown as RecordedEvent<E>)
    }
    state = evolve(state, event as unknown as E)
    version = event.streamPosition
  }
  return { state, currentStreamVersion: version, streamExists: version > 0 }
}
