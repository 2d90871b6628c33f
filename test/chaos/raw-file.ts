import { DatabaseSync } from 'node:sqlite'
import type { RawEvent, RawLog, RawTask } from './evidence.ts'

/** Everything in a log file, read with plain SQL. */
export function readRawFile(path: string): RawLog {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const integrity = db.prepare('PRAGMA integrity_check').get()
    if (integrity?.integrity_check !== 'ok') throw new Error(`${path} is damaged: ${JSON.stringify(integrity)}`)
    return { events: readEvents(db), tasks: readTasks(db) }
  } finally {
    db.close()
  }
}

function readEvents(db: DatabaseSync): RawEvent[] {
  const rows = db
    .prepare(
      `SELECT streams.name AS stream, stream_version, event_id, type, data, timestamp
       FROM records JOIN streams ON streams.id = records.stream ORDER BY position`,
    )
    .all()
  return rows.map((row) => ({
    stream: String(row.stream),
    version: Number(row.stream_version),
    eventId: String(row.event_id),
    type: String(row.type),
    data: JSON.parse(String(row.data)),
    timestamp: String(row.timestamp),
  }))
}

function readTasks(db: DatabaseSync): RawTask[] {
  const rows = db
    .prepare(
      `SELECT topics.name AS topic, data FROM records JOIN topics ON topics.id = records.topic
       WHERE stream IS NULL AND type = 'AgentTask' ORDER BY position`,
    )
    .all()
  return rows.map(({ topic, data }) => {
    const { sessionId, callId } = JSON.parse(String(data))
    return { topic: String(topic), sessionId, callId }
  })
}
