import { isDuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent } from '../core/event.ts'
import type { EventStore } from './event-store.ts'

/** Where following begins and what ends it. */
export interface FollowOptions {
  /** First stream position to yield, from 1. Default 1. */
  readonly from?: number
  /** Ends the iteration (without an error). */
  readonly signal?: AbortSignal
}

/** A stream's history and then its future, in order, without a gap or a repeat, until the signal fires. */
export async function* followStream<E extends AnyEvent>(
  store: EventStore<E>,
  stream: string,
  options: FollowOptions = {},
): AsyncGenerator<RecordedEvent<E>, void, undefined> {
  let next = options.from ?? 1
  while (!options.signal?.aborted) {
    for await (const event of store.readStream(stream, { from: next })) {
      yield event
      next = event.streamPosition + 1
      if (options.signal?.aborted) return
    }
    if (!(await advanced(store, stream, next, options.signal))) return
  }
}

async function advanced<E extends AnyEvent>(
  store: EventStore<E>,
  stream: string,
  version: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await store.waitForVersion(stream, version, signal === undefined ? {} : { signal })
    return true
  } catch (error) {
    if (isDuologError(error, 'ABORTED') && signal?.aborted) return false
    throw error
  }
}
