import type { DatabaseSync } from 'node:sqlite'
import { logCorrupt, logNewer, notALog } from './sqlite-errors.ts'

/*
 * The file's format. Who changes it raises FORMAT_VERSION and writes the step from the one before.
 *
 * P3 rests on `records_of_stream`: a version of a stream exists once. P5 on `ids` and `idempotency_keys`.
 */

/** "duol": in the file's header, so that `file` and we can tell what it is. */
export const APPLICATION_ID = 0x64756f6c
export const FORMAT_VERSION = 1

const TABLES = `
CREATE TABLE topics (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  partitions INTEGER NOT NULL
) STRICT;

CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (topic, name)
) STRICT;

-- Everything that was ever appended, in the log's own order. stream and stream_version: events only. key: messages
-- only, an event's is its stream's name. correlation_id and headers: NULL where they are as by default.
CREATE TABLE records (
  position INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  "offset" INTEGER NOT NULL,
  stream INTEGER,
  stream_version INTEGER,
  key TEXT,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  version INTEGER NOT NULL,
  timestamp TEXT NOT NULL,
  correlation_id TEXT,
  causation_id TEXT,
  headers TEXT,
  data TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_of_stream ON records (stream, stream_version) WHERE stream IS NOT NULL;

-- Two more indexes of records, filled for many records at once (deferred-index.ts): up to the position in indexed.
-- Ask the views below, which add the records after it.
CREATE TABLE partition_index (
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  "offset" INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, "offset")
) STRICT, WITHOUT ROWID;
-- The id first: new ids sort at the end (UUID v7), so events of many streams touch few pages.
CREATE TABLE id_index (
  event_id TEXT NOT NULL,
  stream INTEGER NOT NULL,
  stream_version INTEGER NOT NULL,
  PRIMARY KEY (event_id, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE indexed (position INTEGER NOT NULL) STRICT;
INSERT INTO indexed VALUES (0);

-- NOT INDEXED: by position, not through the whole stream.
CREATE VIEW places AS
  SELECT topic, partition, "offset", position FROM partition_index
  UNION ALL
  SELECT topic, partition, "offset", position FROM records NOT INDEXED
    WHERE position > (SELECT position FROM indexed);
CREATE VIEW ids AS
  SELECT event_id, stream, stream_version FROM id_index
  UNION ALL
  SELECT event_id, stream, stream_version FROM records NOT INDEXED
    WHERE position > (SELECT position FROM indexed) AND stream IS NOT NULL;

CREATE TABLE idempotency_keys (
  stream INTEGER NOT NULL,
  key TEXT NOT NULL,
  first_version INTEGER NOT NULL,
  last_version INTEGER NOT NULL,
  PRIMARY KEY (stream, key)
) STRICT, WITHOUT ROWID;

-- A group's place in a partition (the checkpoint) and who may move it: owner is the fence, epoch grows with each owner.
CREATE TABLE group_partitions (
  group_name TEXT NOT NULL,
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  owner TEXT,
  member TEXT,
  PRIMARY KEY (group_name, topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
  group_name TEXT NOT NULL,
  member TEXT NOT NULL,
  holder TEXT NOT NULL,
  topics TEXT NOT NULL,
  PRIMARY KEY (group_name, member)
) STRICT, WITHOUT ROWID;

-- Which process (holder: its file in the folder beside the log) speaks for an owner.
CREATE TABLE owners (
  owner TEXT NOT NULL,
  holder TEXT NOT NULL,
  PRIMARY KEY (owner, holder)
) STRICT, WITHOUT ROWID;
`

const TABLE_NAMES = [
  'topics',
  'streams',
  'records',
  'partition_index',
  'id_index',
  'indexed',
  'idempotency_keys',
  'group_partitions',
  'group_members',
  'owners',
]

/** 'new': empty, ours to fill. Anything but an empty file or a log of a known format throws; nothing is written. */
export function identify(db: DatabaseSync, path: string): 'new' | 'log' {
  const applicationId = pragma(db, 'application_id')
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  if (applicationId === 0 && tables.length === 0) return 'new'
  if (applicationId !== APPLICATION_ID) throw notALog(path, "another program's SQLite database")
  const format = pragma(db, 'user_version')
  if (format > FORMAT_VERSION) throw logNewer(path, format, FORMAT_VERSION)
  const names = new Set(tables.map((table) => table.name))
  const missing = TABLE_NAMES.find((name) => !names.has(name))
  if (missing !== undefined) throw logCorrupt(path, new Error(`its table "${missing}" is missing`))
  return 'log'
}

/** Inside a transaction: a file is a log with everything in it, or still empty. */
export function createSchema(db: DatabaseSync): void {
  db.exec(TABLES)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  db.exec(`PRAGMA user_version = ${FORMAT_VERSION}`)
}

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}
