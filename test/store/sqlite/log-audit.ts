import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'

interface Acknowledged {
  readonly id: string
  readonly stream: string
  readonly first: number
}

interface AuditOptions {
  readonly path: string
  /** What the processes said. */
  readonly lines: readonly string[]
  readonly eventsPerAppend: number
}

/** Everything acknowledged is there, everything refused is not, nothing is there by half, versions have no gaps. */
export async function audit({ path, lines, eventsPerAppend }: AuditOptions): Promise<{ readonly appends: number }> {
  const { parts, places } = await readAll(path)
  for (const [id, seen] of parts) {
    expect(seen.events, `events of ${id}`).toBe(eventsPerAppend)
    expect(seen.tasks, `tasks of ${id}`).toBe(1)
  }
  for (const { id, stream, first } of lines.filter((line) => line.startsWith('acknowledged ')).map(parse)) {
    expect(places.get(id), `acknowledged ${id}`).toBe(`${stream}@${first}`)
  }
  for (const line of lines.filter((one) => one.startsWith('refused '))) {
    expect(parts.has(line.slice('refused '.length)), line).toBe(false)
  }
  expect(integrity(path)).toBe('ok')
  return { appends: parts.size }
}

async function readAll(path: string) {
  const parts = new Map<string, { events: number; tasks: number }>()
  const places = new Map<string, string>()
  const count = (id: string, what: 'events' | 'tasks') => {
    const seen = parts.get(id) ?? { events: 0, tasks: 0 }
    seen[what]++
    parts.set(id, seen)
  }
  const store = await openSqliteStore({ path })
  for await (const { stream, currentStreamVersion } of store.listStreams()) {
    let version = 0
    for await (const event of store.readStream(stream)) {
      expect(event.streamPosition, `P3 in ${stream}`).toBe(++version)
      const { id, part } = event.data as { id: string; part: number }
      count(id, 'events')
      if (part === 0) places.set(id, `${stream}@${version}`)
    }
    expect(currentStreamVersion).toBe(version)
  }
  await store.close()
  for (const id of taskIds(path)) count(id, 'tasks')
  return { parts, places }
}

function taskIds(path: string): string[] {
  const db = new DatabaseSync(path)
  try {
    const rows = db.prepare("SELECT data ->> '$.id' AS id FROM records WHERE stream IS NULL").all()
    return rows.map((row) => String(row.id))
  } finally {
    db.close()
  }
}

function integrity(path: string): unknown {
  const db = new DatabaseSync(path)
  try {
    return db.prepare('PRAGMA integrity_check').get()?.integrity_check
  } finally {
    db.close()
  }
}

function parse(line: string): Acknowledged {
  const [, id = '', stream = '', first] = line.split(' ')
  return { id, stream, first: Number(first) }
}
