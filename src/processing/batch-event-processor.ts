import type { AnyEvent } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { checkHandlers, checkInteger } from '../store/check-arguments.ts'
import { Slots } from './key-lanes.ts'
import type { Projected } from './projection.ts'

/** A handler by type of event; a type without one is passed over. */
export type BatchHandlers<E extends AnyEvent> = {
  readonly [Type in E['type']]?: (events: readonly Projected<Extract<E, { readonly type: Type }>>[]) => Promise<unknown>
}

/** What {@link BatchEventProcessor} takes. */
export interface BatchEventProcessorOptions<E extends AnyEvent> {
  /** By type; each gets events of its type, in order per stream. */
  readonly handlers: BatchHandlers<E>
  /** Handlers at work at once. Default 8. */
  readonly concurrency?: number
}

/** What became of a batch. */
export interface BatchResult<E extends AnyEvent> {
  /** Events whose handler resolved. */
  readonly processed: number
  /** Of types nobody handles. */
  readonly unhandled: number
  /** Groups whose handler rejected. */
  readonly failed: readonly {
    /** Of all events of the group. */
    readonly type: string
    /** What its handler was given. */
    readonly events: readonly Projected<E>[]
    /** What it rejected with. */
    readonly error: unknown
  }[]
  /** What came behind a failed event in its stream: not handled, so that its order is kept. */
  readonly heldBack: readonly Projected<E>[]
}

const NAMES: Names<BatchEventProcessorOptions<never>> = { handlers: true, concurrency: true }

const DEFAULT_CONCURRENCY = 8

/**
 * Handles events in groups of one type, groups side by side, each stream in order: an event waits until all before it in
 * its stream are done.
 *
 * @example
 * const processor = new BatchEventProcessor({ handlers: { TaskCompleted: async (events) => save(events) } })
 * startBatchProcessor({ store, group: 'writer', handleBatch: processor.handleBatch })
 */
export class BatchEventProcessor<E extends AnyEvent> {
  readonly #handlers: Readonly<Record<string, ((events: readonly Projected<E>[]) => Promise<unknown>) | undefined>>
  readonly #slots: Slots

  /** @throws INVALID_ARGUMENT naming the option. */
  constructor(options: BatchEventProcessorOptions<E>) {
    checkNames('options of BatchEventProcessor', options, NAMES)
    checkHandlers('handlers', options?.handlers)
    const { handlers, concurrency = DEFAULT_CONCURRENCY } = options
    checkInteger('concurrency', concurrency, 1)
    this.#handlers = handlers as never
    this.#slots = new Slots(concurrency)
  }

  /** For `startBatchProcessor`; rejects when a group failed, so that the batch is tried again. */
  readonly handleBatch = async (events: readonly Projected<E>[]): Promise<void> => {
    const { failed } = await this.process(events)
    if (failed[0] !== undefined) throw failed[0].error
  }

  /** Never rejects for what a handler does. */
  async process(events: readonly Projected<E>[]): Promise<BatchResult<E>> {
    const handled = events.filter(({ type }) => Object.hasOwn(this.#handlers, type))
    let streams: readonly (readonly Projected<E>[])[] = [...Map.groupBy(handled, ({ key }) => key).values()]
    const results: GroupResult<E>[] = []
    const heldBack: Projected<E>[] = []
    while (streams.length > 0) {
      const heads = streams.map(headOf)
      const groups = Map.groupBy(heads.flat(), ({ type }) => type)
      const ended = await Promise.all([...groups].map(([type, group]) => this.#handle(type, group)))
      results.push(...ended)
      const failedKeys = new Set(ended.filter(hasFailed).flatMap((group) => group.events.map(({ key }) => key)))
      const rest = streams.map((stream, index) => stream.slice(heads[index]?.length)).filter(({ length }) => length > 0)
      heldBack.push(...rest.filter(isOf(failedKeys)).flat())
      streams = rest.filter((stream) => !isOf(failedKeys)(stream))
    }
    const processed = results.filter((result) => !hasFailed(result)).flatMap((result) => result.events).length
    return { processed, unhandled: events.length - handled.length, failed: results.filter(hasFailed), heldBack }
  }

  async #handle(type: string, events: readonly Projected<E>[]): Promise<GroupResult<E>> {
    try {
      await this.#slots.use(async () => this.#handlers[type]?.(events), NEVER)
      return { type, events }
    } catch (error) {
      return { type, events, error }
    }
  }
}

interface GroupResult<E extends AnyEvent> {
  readonly type: string
  readonly events: readonly Projected<E>[]
  readonly error?: unknown
}

const NEVER = new AbortController().signal

function hasFailed<E extends AnyEvent>(result: GroupResult<E>): result is BatchResult<E>['failed'][number] {
  return 'error' in result
}

function isOf<E extends AnyEvent>(keys: ReadonlySet<string>) {
  return ([first]: readonly Projected<E>[]) => first !== undefined && keys.has(first.key)
}

/** What may go together: the first events of a stream, as far as they are of one type. */
function headOf<E extends AnyEvent>(stream: readonly Projected<E>[]): readonly Projected<E>[] {
  const end = stream.findIndex(({ type }) => type !== stream[0]?.type)
  return end === -1 ? stream : stream.slice(0, end)
}
