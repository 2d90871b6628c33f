import { DatabaseSync } from 'node:sqlite'
import type { CheckpointPlace } from '../../src/testing/checkpoint-contract.ts'

/** Checkpoints beside effects in SQLite, as somebody would write them. */
export function sqlitePlace(path: string): CheckpointPlace {
  const db = new DatabaseSync(path, { timeout: 5_000 })
  db.exec('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL)')
  db.exec('CREATE TABLE IF NOT EXISTS places (topic TEXT, part INTEGER, next INTEGER, PRIMARY KEY (topic, part))')
  const stored = (topic: string, partition: number) => {
    const row = db.prepare('SELECT next FROM places WHERE topic = ? AND part = ?').get(topic, partition)
    return row === undefined ? undefined : Number(row.next)
  }
  return {
    load: async (topic, partition) => stored(topic, partition),
    async apply({ topic, partition, from, to, note, failing }) {
      db.exec('BEGIN IMMEDIATE')
      try {
        if (stored(topic, partition) !== from) throw new Error('another owner')
        db.prepare('INSERT INTO notes (note) VALUES (?)').run(note)
        db.prepare('INSERT OR REPLACE INTO places VALUES (?, ?, ?)').run(topic, partition, to)
        if (failing) throw new Error('it fails')
        db.exec('COMMIT')
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },
    notes: async () =>
      db
        .prepare('SELECT note FROM notes ORDER BY id')
        .all()
        .map(({ note }) => String(note)),
    close: async () => db.close(),
  }
}
