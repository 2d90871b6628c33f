import type { DatabaseSync } from 'node:sqlite'
import type { SnapshotTable } from '../snapshots.ts'
import type { Work } from './group-commit.ts'

/*
 * Snapshots in the log's file, in a table that is made with the first of them and may be dropped at any time: the format
 * of the file does not count it.
 */

const TABLE = `CREATE TABLE IF NOT EXISTS snapshots (
  name TEXT NOT NULL,
  stream TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (name, stream)
) STRICT`

export interface SnapshotFile {
  readonly db: DatabaseSync
  read<T>(read: () => T): Promise<T>
  transact<T>(work: Work<T>): Promise<T>
}

export function snapshotTable({ db, read, transact }: SnapshotFile): SnapshotTable {
  const exists = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'snapshots'")
  return {
    load: (name, stream) =>
      read(() => {
        if (exists.get() === undefined) return undefined
        const row = db.prepare('SELECT snapshot FROM snapshots WHERE name = ? AND stream = ?').get(name, stream)
        return row === undefined ? undefined : String(row.snapshot)
      }),
    save: (name, stream, text) =>
      transact(() => {
        db.exec(TABLE)
        db.prepare('INSERT OR REPLACE INTO snapshots (name, stream, snapshot) VALUES (?, ?, ?)').run(name, stream, text)
      }),
    clear: () => transact(() => db.exec('DROP TABLE IF EXISTS snapshots')),
  }
}
