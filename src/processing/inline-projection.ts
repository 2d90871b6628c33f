import type { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { checkStore, invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import type { InlineView, KeptView } from '../store/inline-views.ts'
import { loggerOf } from '../store/warning-logger.ts'
import { checkListOptions, checkProjection } from './check-projection.ts'
import { watched } from './long-call.ts'
import { type Projection, project, topicsOf } from './projection.ts'
import { tell } from './tell.ts'
import type { ListRowsOptions, ViewRow } from './view-store.ts'

/*
 * A projection whose rows change in the transaction of the append (I1, I2: ../store/inline-views.ts).
 */

/** What {@link startInlineProjection} takes. */
export interface StartInlineProjectionOptions<Row, E extends AnyEvent> {
  /** The log whose appends change the rows: `memory:` or `file:`. */
  readonly store: EventStore<E>
  /** One that takes all events of the store; one with handlers takes any. */
  readonly projection: Projection<Row, never> & NoInfer<Projection<Row, E>>
}

const NAMES: Names<StartInlineProjectionOptions<never, never>> = { store: true, projection: true }

/** A view that is never behind: every read sees every append acknowledged before it, to anyone. */
export interface InlineProjection<Row> {
  /** The row with this key, as of every append acknowledged so far. */
  get(key: string): Promise<Row | undefined>
  /** Rows in the order of their keys. */
  list(options?: ListRowsOptions): Promise<readonly ViewRow<Row>[]>
  /** This store's appends leave it alone from now on; who keeps it next makes up for them. Idempotent. */
  stop(): Promise<void>
}

/**
 * Keeps a projection's rows in the log itself, changed in the transaction of each append: whoever reads after an append
 * sees it, also after kill -9. Resolves when it has caught up with the log. On `memory:` and `file:`; several processes may
 * keep the same view, and what a process without it appends is made up for.
 *
 * The price: it is computed while the append waits, and where its functions throw, the append is refused with
 * PROJECTION_FAILED and nothing is written. Fold small rows quickly, or use `startProjection`: where it keeps the event loop
 * from turning for a second, the store's logger hears EVENT_LOOP_BLOCKED.
 *
 * @throws INVALID_ARGUMENT on a log whose append has no such transaction (Kafka), and when a newer version of the view is
 *   there; PROJECTION_FAILED when it cannot catch up.
 */
export async function startInlineProjection<Row, E extends AnyEvent>(
  options: StartInlineProjectionOptions<Row, E>,
): Promise<InlineProjection<Row>> {
  checkNames('options of startInlineProjection', options, NAMES)
  checkStore(options?.store)
  checkProjection(options.projection)
  const { store, projection } = options
  if (store.inlineViews === undefined) throw notHere(store.backing, projection.name)
  return new Inline(await store.inlineViews.keep(toInlineView(projection, store)))
}

class Inline<Row> implements InlineProjection<Row> {
  readonly #kept: KeptView

  constructor(kept: KeptView) {
    this.#kept = kept
  }

  async get(key: string): Promise<Row | undefined> {
    return parsed(await this.#kept.get(key)) as Row | undefined
  }

  async list(options?: ListRowsOptions): Promise<readonly ViewRow<Row>[]> {
    checkListOptions(options)
    return (await this.#kept.list(options)).map(([key, text]) => ({ key, row: JSON.parse(text) as Row }))
  }

  async stop(): Promise<void> {
    this.#kept.release()
  }
}

function toInlineView<Row, E extends AnyEvent>(projection: Projection<Row, E>, store: EventStore<E>): InlineView<E> {
  const { name, version } = projection
  // Who appends waits for it, and so does all else here.
  const onBlocked = (err: DuologError) =>
    tell(() => loggerOf({ store }).error({ err, projection: name }, 'The event loop was blocked'))
  return {
    name,
    version,
    topics: topicsOf(projection, store),
    rows: (messages, read) => {
      const pending = messages.map((event) => ({ offset: event.offset, event }))
      const what = () => `Inline projection "${name}", for ${pending.length} messages,`
      const changes = watched(what, () => project(projection, pending, (key) => parsed(read(key))), { onBlocked })
      return new Map([...changes].map(([key, row]) => [key, row === undefined ? undefined : JSON.stringify(row)]))
    },
  }
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}

function notHere(backing: EventStore['backing'], name: string): DuologError {
  return invalidArgument(
    `Projection "${name}" cannot be kept inline: on ${backing} an append is a transaction of the log, in which no rows of ` +
      'a view can change. Use startProjection, and get(key, { after: appended }) or waitFor(appended) to read what was ' +
      'written.',
  )
}
