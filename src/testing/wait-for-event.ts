import { DuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { followStream } from '../store/follow-stream.ts'
import { subscribe } from '../store/subscribe.ts'
import { keptAlive } from '../store/wake-ups.ts'

/** The event of this type; without a catalogue, any event. */
export type OfType<E extends AnyEvent, Type extends E['type']> = [Extract<E, { type: Type }>] extends [never]
  ? E
  : Extract<E, { type: Type }>

/** Options of {@link waitForEvent}. */
export interface WaitForEventOptions<E extends AnyEvent, Type extends E['type']> {
  /** Default: of any stream. */
  readonly stream?: string
  /** Of streams whose name begins with this and a "-" (or is this); without `stream`. */
  readonly category?: string
  /** What is waited for. */
  readonly type: Type
  /** Which of them. Default: the first. */
  readonly where?: (event: RecordedEvent<OfType<E, Type>>) => boolean
  /** First position to look at, with `stream`. Default 1: an event that is there already counts. */
  readonly from?: number
  /** Default 5,000. */
  readonly timeoutMs?: number
}

/**
 * Resolves with the first matching event of a stream, a category or the whole log, as soon as it is there.
 * @throws TIMEOUT, with a list of what did arrive.
 */
export function waitForEvent<E extends AnyEvent, Type extends E['type']>(
  store: EventStore<E>,
  options: WaitForEventOptions<E, Type>,
): Promise<RecordedEvent<OfType<E, Type>>> {
  return keptAlive(() => waitFor(store, options))
}

async function waitFor<E extends AnyEvent, Type extends E['type']>(
  store: EventStore<E>,
  options: WaitForEventOptions<E, Type>,
): Promise<RecordedEvent<OfType<E, Type>>> {
  const { type, where = () => true, timeoutMs = 5000 } = options
  const arrived = new Arrived()
  const signal = AbortSignal.timeout(timeoutMs)
  for await (const event of comingTo(store, options, signal)) {
    arrived.add(event)
    const candidate = event as unknown as RecordedEvent<OfType<E, Type>>
    if (event.type === type && where(candidate)) return candidate
  }
  throw new DuologError(
    'TIMEOUT',
    `No matching "${type}" came to ${placeOf(options)} in ${timeoutMs} ms. ${arrived.listed(options.stream === undefined)}`,
  )
}

type Place = Pick<WaitForEventOptions<AnyEvent, string>, 'stream' | 'category' | 'from'>

function comingTo<E extends AnyEvent>(
  store: EventStore<E>,
  { stream, category, from }: Place,
  signal: AbortSignal,
): AsyncIterable<RecordedEvent<E>> {
  if (stream !== undefined) return followStream(store, stream, { from: from ?? 1, signal })
  return subscribe(store, { signal, ...(category !== undefined && { category }), unreadable: () => {} })
}

function placeOf({ stream, category }: Place): string {
  if (stream !== undefined) return `stream "${stream}"`
  return category === undefined ? 'any stream' : `a stream of "${category}"`
}

const SHOWN = 20

/** The last that arrived, and how many did: a whole log may come by. */
class Arrived {
  #count = 0
  readonly #last: RecordedEvent[] = []

  add(event: RecordedEvent): void {
    this.#count++
    this.#last.push(event)
    if (this.#last.length > SHOWN) this.#last.shift()
  }

  listed(withStream: boolean): string {
    if (this.#count === 0) return 'Nothing arrived at all.'
    const lines = this.#last.map(({ stream, streamPosition, type, data }) => {
      const json = JSON.stringify(data)
      const place = withStream ? `${stream}/${streamPosition}` : streamPosition
      return `  ${place} ${type} ${json.length > 200 ? `${json.slice(0, 200)}…` : json}`
    })
    const omitted = this.#count > SHOWN ? `, the last ${SHOWN} of ${this.#count}` : ''
    return [`What arrived${omitted}:`, ...lines].join('\n')
  }
}
