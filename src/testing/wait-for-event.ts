import { DuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { followStream } from '../store/follow-stream.ts'

/** The event of this type; without a catalogue, any event. */
export type OfType<E extends AnyEvent, Type extends E['type']> = [Extract<E, { type: Type }>] extends [never]
  ? E
  : Extract<E, { type: Type }>

/** Options of {@link waitForEvent}. */
export interface WaitForEventOptions<E extends AnyEvent, Type extends E['type']> {
  readonly stream: string
  readonly type: Type
  /** Which of them. Default: the first. */
  readonly where?: (event: RecordedEvent<OfType<E, Type>>) => boolean
  /** First stream position to look at. Default 1: an event that is there already counts. */
  readonly from?: number
  /** Default 5,000. */
  readonly timeoutMs?: number
}

/**
 * Resolves with the first matching event of a stream, as soon as it is there.
 * @throws TIMEOUT, with a list of what did arrive.
 */
export async function waitForEvent<E extends AnyEvent, Type extends E['type']>(
  store: EventStore<E>,
  { stream, type, where = () => true, from = 1, timeoutMs = 5000 }: WaitForEventOptions<E, Type>,
): Promise<RecordedEvent<OfType<E, Type>>> {
  const arrived: RecordedEvent<E>[] = []
  const signal = AbortSignal.timeout(timeoutMs)
  for await (const event of followStream(store, stream, { from, signal })) {
    arrived.push(event)
    const candidate = event as unknown as RecordedEvent<OfType<E, Type>>
    if (event.type === type && where(candidate)) return candidate
  }
  throw new DuologError(
    'TIMEOUT',
    `No matching "${type}" came to stream "${stream}" in ${timeoutMs} ms. ${listed(arrived)}`,
  )
}

const SHOWN = 20

function listed(events: readonly RecordedEvent[]): string {
  if (events.length === 0) return 'Nothing arrived at all.'
  const lines = events.slice(-SHOWN).map(({ streamPosition, type, data }) => {
    const json = JSON.stringify(data)
    return `  ${streamPosition} ${type} ${json.length > 200 ? `${json.slice(0, 200)}…` : json}`
  })
  const omitted = events.length > SHOWN ? `, the last ${SHOWN} of ${events.length}` : ''
  return [`What arrived${omitted}:`, ...lines].join('\n')
}
