import { DatabaseSync } from 'node:sqlite'
import { type Contender, EVENT_TYPE, eventData } from './workload.ts'

/** What the disk and SQLite allow: WAL, FULL, the least a log can be (a position, a unique stream and version). */
export function openFloor(path: string): Contender {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec(
    'CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT, version INTEGER, type TEXT, data TEXT, ' +
      'UNIQUE (stream, version))',
  )
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const insert = db.prepare('INSERT INTO events (stream, version, type, data) VALUES (?, ?, ?, ?)')
  const select = db.prepare('SELECT version, type, data FROM events WHERE stream = ? ORDER BY version')
  const versions = new Map<string, number>()
  return {
    name: 'floor (raw node:sqlite)',
    async append(stream, count) {
      let version = versions.get(stream) ?? 0
      begin.run()
      for (let n = 0; n < count; n++) insert.run(stream, ++version, EVENT_TYPE, JSON.stringify(eventData))
      commit.run()
      versions.set(stream, version)
    },
    async read(stream) {
      const rows = select.all(stream)
      for (const row of rows) row.data = JSON.parse(String(row.data))
      return rows.length
    },
    async close() {
      db.close()
    },
  }
}
