import type { DatabaseSync } from 'node:sqlite'
import { type DuologError, isDuologError } from '../../core/errors.ts'
import { reach } from '../../core/reach.ts'
import { invalidArgument } from '../check-arguments.ts'
import { DEFAULT_ROW_LIMIT, type InlineView, type InlineViews, type KeptView, type RowRange } from '../inline-views.ts'
import type { Work } from './group-commit.ts'
import type { LogPlaces } from './log-places.ts'
import { arrayRows, RECORD_COLUMNS, type RecordRow, toRecord } from './rows.ts'

/*
 * Views in the log's own file, in tables that are made with the first of them: the format of the file does not count them.
 *
 * I1 A view has a place in the log's order. Whoever keeps it goes from there to the end in the transaction of each append,
 *    own events and those of processes that do not know it alike; so nobody can leave it behind.
 * I2 The append and its rows are one savepoint: what the view's function throws takes back both, and no neighbour's.
 */

const TABLES = `
CREATE TABLE IF NOT EXISTS inline_views (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  position INTEGER NOT NULL,
  UNIQUE (name, version)
) STRICT;
CREATE TABLE IF NOT EXISTS inline_rows (
  view INTEGER NOT NULL,
  key TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (view, key)
) STRICT, WITHOUT ROWID;
`

/** Records in one step of catching up. */
const PAGE_RECORDS = 500

export interface InlineTableOptions {
  readonly db: DatabaseSync
  readonly places: LogPlaces
  read<T>(read: () => T): Promise<T>
  transact<T>(work: Work<T>): Promise<T>
}

type PlacedRow = readonly [...RecordRow, topic: number, partition: number]

interface Kept {
  readonly id: number
  readonly view: InlineView
}

export class InlineTable implements InlineViews {
  readonly #options: InlineTableOptions
  readonly #kept = new Map<object, Kept>()
  #prepared: ReturnType<typeof statements> | undefined

  constructor(options: InlineTableOptions) {
    this.#options = options
  }

  /** In the transaction: writes, and brings the views up to it. */
  with<T>(write: () => T): T {
    if (this.#kept.size === 0) return write()
    const { db } = this.#options
    db.exec('SAVEPOINT inline_views')
    try {
      const result = write()
      for (const kept of this.#kept.values()) while (!this.#step(kept));
      reach('inline.rows.written')
      db.exec('RELEASE inline_views')
      return result
    } catch (error) {
      if (isDuologError(error)) this.#takeBack()
      throw error
    }
  }

  #takeBack(): void {
    const { db, places } = this.#options
    db.exec('ROLLBACK TO inline_views; RELEASE inline_views')
    places.reset()
  }

  async keep(view: InlineView): Promise<KeptView> {
    const { db, transact } = this.#options
    const id = await transact(() => {
      db.exec(TABLES)
      return this.#open(view)
    })
    const kept = { id, view }
    while (!(await transact(() => this.#step(kept)))) reach('inline.caught-up.some')
    await transact(() => this.#removeOlder(view))
    const owner = {}
    this.#kept.set(owner, kept)
    return {
      get: (key) => this.#current(kept, () => this.#sql.findRow.get(id, key)?.data as string | undefined),
      list: (range) => this.#current(kept, () => this.#list(id, range)),
      release: () => void this.#kept.delete(owner),
    }
  }

  /** Prepared when the tables are there; a rollback may take them away again, and a statement minds that only when it runs. */
  get #sql() {
    this.#prepared ??= statements(this.#options.db)
    return this.#prepared
  }

  #open({ name, version }: InlineView): number {
    const newest = Number(this.#sql.findNewest.get(name)?.version ?? 0)
    if (newest > version) throw newerView(name, version, newest)
    this.#sql.addView.run(name, version)
    return Number(this.#sql.findView.get(name, version)?.id)
  }

  #removeOlder({ name, version }: InlineView): void {
    this.#sql.removeOlderRows.run(name, version)
    this.#sql.removeOlder.run(name, version)
  }

  /** One page further; true: it is at the log's end, or was replaced by a newer version. */
  #step({ id, view }: Kept): boolean {
    const from = this.#sql.findPosition.get(id)?.position
    if (from === undefined) return true
    const records = this.#sql.readAfter(Number(from), PAGE_RECORDS)
    const last = records[records.length - 1]?.[10]
    if (last === undefined) return true
    this.#change(id, view, records)
    this.#sql.movePosition.run(last, id)
    return records.length < PAGE_RECORDS
  }

  #change(id: number, view: InlineView, records: readonly PlacedRow[]): void {
    const { places } = this.#options
    const messages = records.flatMap((row) => {
      const topic = places.topicName(row[12])
      return view.topics.includes(topic) ? [toRecord(row as unknown as RecordRow, { topic, partition: row[13] })] : []
    })
    if (messages.length === 0) return
    const changes = view.rows(messages, (key) => this.#sql.findRow.get(id, key)?.data as string | undefined)
    for (const [key, text] of changes) {
      if (text === undefined) this.#sql.removeRow.run(id, key)
      else this.#sql.putRow.run(id, key, text)
    }
  }

  /** Reads what is true at the log's end: others may have appended without knowing the view. */
  async #current<T>(kept: Kept, look: () => T): Promise<T> {
    const { read, transact } = this.#options
    while (await read(() => this.#isBehind(kept))) await transact(() => this.#step(kept))
    return read(look)
  }

  #isBehind({ id, view }: Kept): boolean {
    const place = this.#sql.findPosition.get(id)
    if (place === undefined) {
      throw newerView(view.name, view.version, Number(this.#sql.findNewest.get(view.name)?.version))
    }
    return Number(place.position) < Number(this.#sql.findEnd.get()?.position ?? 0)
  }

  #list(id: number, { prefix = '', after = '', limit = DEFAULT_ROW_LIMIT }: RowRange = {}): [string, string][] {
    const rows = this.#sql.listRows.all(id, after, prefix, prefix, prefix, limit)
    return rows.map(({ key, data }) => [String(key), String(data)])
  }
}

function statements(db: DatabaseSync) {
  return {
    findNewest: db.prepare('SELECT max(version) AS version FROM inline_views WHERE name = ?'),
    findView: db.prepare('SELECT id FROM inline_views WHERE name = ? AND version = ?'),
    addView: db.prepare('INSERT OR IGNORE INTO inline_views (name, version, position) VALUES (?, ?, 0)'),
    findPosition: db.prepare('SELECT position FROM inline_views WHERE id = ?'),
    movePosition: db.prepare('UPDATE inline_views SET position = ? WHERE id = ?'),
    removeOlderRows: db.prepare(
      'DELETE FROM inline_rows WHERE view IN (SELECT id FROM inline_views WHERE name = ? AND version < ?)',
    ),
    removeOlder: db.prepare('DELETE FROM inline_views WHERE name = ? AND version < ?'),
    findEnd: db.prepare('SELECT max(position) AS position FROM records'),
    findRow: db.prepare('SELECT data FROM inline_rows WHERE view = ? AND key = ?'),
    putRow: db.prepare('INSERT OR REPLACE INTO inline_rows (view, key, data) VALUES (?, ?, ?)'),
    removeRow: db.prepare('DELETE FROM inline_rows WHERE view = ? AND key = ?'),
    listRows: db.prepare(
      'SELECT key, data FROM inline_rows WHERE view = ? AND key > ? AND key >= ? AND substr(key, 1, length(?)) = ? ' +
        'ORDER BY key LIMIT ?',
    ),
    readAfter: arrayRows<PlacedRow>(
      db.prepare(
        `SELECT ${RECORD_COLUMNS}, records.topic, partition FROM records NOT INDEXED ` +
          'LEFT JOIN streams ON streams.id = records.stream WHERE position > ? ORDER BY position LIMIT ?',
      ),
    ),
  }
}

function newerView(name: string, version: number, newer: number): DuologError {
  return invalidArgument(
    `The inline view "${name}" is at version ${newer} in this log, this program computes version ${version}: run a newer program.`,
  )
}
