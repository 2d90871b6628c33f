import { invalidArgument } from '../check-arguments.ts'
import { DEFAULT_ROW_LIMIT, type InlineView, type InlineViews, type KeptView, type RowRange } from '../inline-views.ts'
import { type StoredRecord, toReader } from './memory-partition.ts'

/*
 * I1 I2 New rows are computed before anything is written, and put in place with what is written, without a pause between.
 */

interface Kept {
  view: InlineView
  readonly rows: Map<string, string>
  /** The global position it is true at. */
  position: number
  users: number
}

type Changes = ReadonlyMap<string, string | undefined>

/** What comes after a place in the log, in the log's order. */
export type RecordsAfter = (topics: readonly string[], globalPosition: number) => readonly StoredRecord[]

export class MemoryInlineViews implements InlineViews {
  readonly #views = new Map<string, Kept>()
  readonly #recordsAfter: RecordsAfter

  constructor(recordsAfter: RecordsAfter) {
    this.#recordsAfter = recordsAfter
  }

  async keep(view: InlineView): Promise<KeptView> {
    const known = this.#views.get(view.name)
    if (known !== undefined && known.view.version > view.version) throw newerView(view, known.view.version)
    const same = known?.view.version === view.version
    const kept = same ? known : { view, rows: new Map<string, string>(), position: 0, users: 0 }
    if (kept.users === 0) {
      kept.view = view
      this.#catchUp(kept)
    }
    kept.users++
    this.#views.set(view.name, kept)
    return this.#handle(kept)
  }

  /** What these records, about to be written, change; called before they are. Run the answer when they are. */
  prepare(records: readonly StoredRecord[]): () => void {
    const steps = [...this.#views.values()].flatMap((kept) => (kept.users > 0 ? [step(kept, records)] : []))
    return () => {
      for (const apply of steps) apply()
    }
  }

  #catchUp(kept: Kept): void {
    step(kept, this.#recordsAfter(kept.view.topics, kept.position))()
  }

  #handle(kept: Kept): KeptView {
    let released = false
    const current = () => {
      const { version = 0 } = this.#views.get(kept.view.name)?.view ?? {}
      if (version > kept.view.version) throw newerView(kept.view, version)
      if (kept.users === 0) this.#catchUp(kept)
      return kept.rows
    }
    return {
      get: async (key) => current().get(key),
      list: async (range) => listed(current(), range),
      release: () => {
        if (!released) kept.users--
        released = true
      },
    }
  }
}

function step(kept: Kept, records: readonly StoredRecord[]): () => void {
  const { topics, rows: rowsAfter } = kept.view
  const wanted = records.filter(({ record }) => topics.includes(record.topic)).map((record) => toReader(record))
  const changes: Changes = wanted.length === 0 ? new Map() : rowsAfter(wanted, (key) => kept.rows.get(key))
  return () => {
    for (const [key, text] of changes) {
      if (text === undefined) kept.rows.delete(key)
      else kept.rows.set(key, text)
    }
    kept.position = records[records.length - 1]?.globalPosition ?? kept.position
  }
}

function listed(rows: ReadonlyMap<string, string>, range: RowRange = {}): [string, string][] {
  const { prefix = '', after, limit = DEFAULT_ROW_LIMIT } = range
  return [...rows]
    .filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, limit)
}

function newerView({ name, version }: InlineView, newer: number): Error {
  return invalidArgument(
    `The inline view "${name}" is at version ${newer} in this log, this program computes version ${version}: run a newer program.`,
  )
}
