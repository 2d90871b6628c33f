import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite, { type DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FetchedPartition, type FetchedRecord, type FetchPosition, KafkaError } from '../../../src/kafka/driver.ts'
import { MemoryReplica } from '../../../src/store/kafka/memory-replica.ts'
import { OwedVersions } from '../../../src/store/kafka/owed-versions.ts'
import { PartitionLog } from '../../../src/store/kafka/partition-log.ts'
import type { IndexedEvent, PartitionReplica } from '../../../src/store/kafka/partition-replica.ts'
import { encodeRecord } from '../../../src/store/kafka/record-codec.ts'
import { SqliteReplica } from '../../../src/store/kafka/sqlite-replica.ts'

/* The replica of a partition and the log it is read from, without a broker. */

let directory: string
const opened: SqliteReplica[] = []
const said: string[] = []
const note = (_fields: object, message: string) => void said.push(message)
const logger = { debug() {}, info() {}, warn: note, error: note }

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'duolog-replica-'))
  said.length = 0
})
afterEach(async () => {
  for (const replica of opened.splice(0)) replica.close()
  await rm(directory, { recursive: true, force: true })
})

function open(place: { topic?: string; partition?: number; partitionCount?: number } = {}): SqliteReplica {
  const replica = new SqliteReplica({
    sqlite,
    place: { directory, topic: 'p.events', partition: 0, partitionCount: 1, ...place },
    logger,
  })
  opened.push(replica)
  return replica
}

function close(replica: SqliteReplica): void {
  opened.splice(opened.indexOf(replica), 1)
  replica.close()
}

function eventAt(offset: number, stream: string, version: number, idempotencyKey?: string): IndexedEvent {
  const time = '2026-11-23T12:00:00.000Z'
  const row = [offset, `id-${offset}`, 'T', 1, time, null, null, null, `{"n":${offset}}`, version, offset] as const
  return { stream, row, idempotencyKey }
}

const FIVE = [
  eventAt(0, 'a', 1, 'k1'),
  eventAt(1, 'a', 2, 'k1'),
  eventAt(2, 'b', 1),
  eventAt(3, 'a', 3),
  eventAt(4, 'b', 2, 'k2'),
]

describe.each([
  ['in memory', () => new MemoryReplica()],
  ['in a file', () => open()],
] as const)('a replica %s', (_where, make: () => PartitionReplica) => {
  it('P3 takes in the next event of each stream and refuses what claims another place', () => {
    const replica = make()
    const refused = replica.take([...FIVE, eventAt(5, 'a', 3), eventAt(6, 'c', 2)], 8)
    expect([...refused]).toEqual([
      [5, 'it claims to be event 3 of its stream, where event 4 is due'],
      [6, 'it claims to be event 2 of its stream, where event 1 is due'],
    ])
    expect(replica.position).toBe(8)
    expect(replica.lastEvent()).toEqual({ offset: 4, eventId: 'id-4' })
    expect(replica.rows('a', 2, 9).map((row) => row[0])).toEqual([1, 3])
    expect(replica.rows('c', 1, 9)).toEqual([])
    expect([replica.rows('b', 2, 2).map((row) => row[0]), replica.rows('b', 3, 3)]).toEqual([[4], []])
    const listed = [...replica.streams()].map(({ stream, currentStreamVersion }) => [stream, currentStreamVersion])
    expect(listed).toEqual([
      ['a', 3],
      ['b', 2],
    ])
  })

  it('P5 knows keys and ids, also of what came after they were asked for', () => {
    const replica = make()
    replica.take(FIVE, 5)
    const facts = replica.facts('a')
    expect([facts.positionsOfKey('k1'), facts.positionOfEvent('id-3')]).toEqual([{ first: 1, last: 2 }, 3])
    replica.take([eventAt(5, 'a', 4, 'k3')], 6)
    expect([facts.currentVersion(), facts.positionsOfKey('k3'), facts.positionOfEvent('id-5')]).toEqual([
      4,
      { first: 4, last: 4 },
      4,
    ])
    expect([replica.facts('b').positionsOfKey('k1'), replica.facts('none').currentVersion()]).toEqual([undefined, 0])
  })
})

describe('the file of a replica', () => {
  it('R1 holds events and position over a restart', () => {
    const first = open()
    first.take(FIVE, 7)
    close(first)
    const second = open()
    expect([second.position, second.rows('a', 1, 9).length, second.facts('b').currentVersion()]).toEqual([7, 3, 2])
    expect(said).toEqual([])
  })

  it('R3 is one process at a time: who comes second has a file of its own', async () => {
    const first = open()
    first.take(FIVE, 5)
    const second = open()
    expect(second.position).toBe(0)
    expect((await readdir(directory)).filter((name) => name.endsWith('.replica'))).toHaveLength(2)
  })

  it.each([
    ['another partition count', { partitionCount: 2 }],
    ['another topic', { topic: 'q.events' }],
    ['another partition', { partition: 1 }],
  ])('is not used for %s', (_what, place) => {
    const first = open()
    first.take(FIVE, 5)
    close(first)
    expect(open(place).position).toBe(0)
  })

  it.each([
    ['cut short', (path: string) => truncate(path, 5000)],
    ['overwritten', (path: string) => writeFile(path, 'not a database at all')],
    ['emptied', (path: string) => truncate(path, 0)],
  ])('R2 is made anew when it was %s', async (_how, damage) => {
    const first = open()
    for (let i = 0; i < 400; i++) first.take([eventAt(i, `s${i}`, 1)], i + 1)
    close(first)
    const [name = ''] = (await readdir(directory)).filter((each) => each.endsWith('.replica'))
    await damage(join(directory, name))
    const second = open()
    try {
      for (let i = 0; i < 400; i++) second.rows(`s${i}`, 1, 1)
    } catch {}
    expect(second.position).toBe(0)
    expect(said.join()).toMatch(/made anew/)
    second.take(FIVE, 5)
    expect(second.rows('a', 1, 9)).toHaveLength(3)
  })

  it('R2 is made anew when a stream in it has a gap', async () => {
    const first = open()
    first.take(FIVE, 5)
    close(first)
    const [name = ''] = (await readdir(directory)).filter((each) => each.endsWith('.replica'))
    const db = new sqlite.DatabaseSync(join(directory, name))
    db.exec('DELETE FROM events WHERE position = 1')
    db.close()
    const second = open()
    expect(() => second.rows('a', 1, 3)).toThrow(/was damaged/)
    expect([second.position, second.rows('a', 1, 3)]).toEqual([0, []])
  })

  it('R4 is not trusted when its journal is gone and it was not closed in order', async () => {
    const first = open()
    first.take(FIVE, 5)
    close(first)
    const [name = ''] = (await readdir(directory)).filter((each) => each.endsWith('.replica'))
    const db = new sqlite.DatabaseSync(join(directory, name))
    db.exec('UPDATE state SET whole = 0')
    db.close()
    await rm(join(directory, `${name}-journal`), { force: true })
    expect(open().position).toBe(0)
    expect(said.join()).toContain('its journal is gone')
  })
})

const replicaFiles = async () => (await readdir(directory)).filter((name) => name.endsWith('.replica'))

describe('the folder of replicas', () => {
  it('R3 deleted while a file in it is open: who has it open keeps what it has; the next one begins anew', async () => {
    const first = open()
    first.take(FIVE, 5)
    await Promise.all((await readdir(directory)).map((name) => rm(join(directory, name))))
    first.take([eventAt(5, 'a', 4)], 6)
    expect([first.position, first.rows('a', 1, 9).length]).toEqual([6, 4])
    close(first)
    const second = open()
    expect([second.position, second.rows('a', 1, 9)]).toEqual([0, []])
    expect(said).toEqual([])
  })

  it('deleted between two openings is made anew, without a word', async () => {
    const first = open()
    first.take(FIVE, 5)
    close(first)
    await rm(directory, { recursive: true })
    await mkdir(directory)
    expect(open().position).toBe(0)
    expect(said).toEqual([])
  })

  it.each(['PRAGMA user_version = 99', 'PRAGMA application_id = 7'])(
    'a file of another format is deleted and made anew: %s',
    async (change) => {
      const first = open()
      first.take(FIVE, 5)
      close(first)
      const [name = ''] = await replicaFiles()
      const db = new sqlite.DatabaseSync(join(directory, name))
      db.exec(change)
      db.close()
      const second = open()
      second.take(FIVE, 5)
      expect(said).toEqual([expect.stringContaining('it has another format')])
      expect(await replicaFiles()).toEqual([expect.not.stringMatching(name)])
    },
  )

  it('REPLICA_UNAVAILABLE where there is no folder', async () => {
    await rm(directory, { recursive: true })
    expect(() => open()).toThrow(expect.objectContaining({ code: 'REPLICA_UNAVAILABLE' }))
  })

  it('REPLICA_UNAVAILABLE while the disk is full; with room again it goes on where it was', () => {
    const files: DatabaseSync[] = []
    class SmallDisk extends sqlite.DatabaseSync {
      constructor(...args: ConstructorParameters<typeof DatabaseSync>) {
        super(...args)
        files.push(this)
      }
    }
    const place = { directory, topic: 'p.events', partition: 0, partitionCount: 1 }
    const replica = new SqliteReplica({ sqlite: { ...sqlite, DatabaseSync: SmallDisk }, place, logger })
    opened.push(replica)
    replica.take(FIVE, 5)
    files.at(-1)?.exec('PRAGMA max_page_count = 12')
    const many = Array.from({ length: 3000 }, (_, n) => eventAt(5 + n, `s${n}`, 1))
    expect(() => replica.take(many, 3005)).toThrow(expect.objectContaining({ code: 'REPLICA_UNAVAILABLE' }))
    expect([replica.position, replica.facts('s0').currentVersion()]).toEqual([5, 0])
    files.at(-1)?.exec('PRAGMA max_page_count = 100000')
    replica.take(many, 3005)
    expect([replica.position, replica.facts('s2999').currentVersion()]).toEqual([3005, 1])
  })
})

/** A partition that a test writes by hand. */
class HandLog {
  records: FetchedRecord[] = []
  readonly asked: number[] = []

  append(stream: string, sequence: number, eventId: string): void {
    const envelope = { topic: 'p.events', key: stream, eventId, type: 'T', version: 1, timestamp: 't' }
    const prepared = { ...envelope, correlationId: stream, headers: {}, dataJson: '1' }
    const { key, value, headers } = encodeRecord(prepared, { topic: 'p.events', partition: 0, sequence })
    this.records.push({ offset: this.records.length, timestampMs: 0, key, value, headers })
  }

  async fetch([position]: readonly FetchPosition[]): Promise<readonly FetchedPartition[]> {
    const { topic, partition, offset } = position as FetchPosition
    this.asked.push(offset)
    const end = this.records.length
    if (offset > end) throw new KafkaError('OFFSET_OUT_OF_RANGE', 'beyond the end')
    const records = this.records.slice(offset, offset + 2)
    const ends = { stableOffset: end, highWatermark: end }
    return [{ topic, partition, fromOffset: offset, records, nextOffset: offset + records.length, ...ends }]
  }

  async close(): Promise<void> {}
}

describe('a log and its replica', () => {
  function logOf(reader: HandLog, replica: PartitionReplica) {
    return new PartitionLog({
      topic: 'p.events',
      logicalTopic: 'events',
      partition: 0,
      partitionCount: 1,
      reader,
      replica,
      logger,
      owed: new OwedVersions(),
      askEnd: async () => 0,
      onEvents() {},
    })
  }

  function filled(names = 'e', count = 5): HandLog {
    const log = new HandLog()
    for (let n = 1; n <= count; n++) log.append('s', n, `${names}${n}`)
    return log
  }

  it('L4 a restart reads from the last event it has, not from the beginning', async () => {
    const log = filled()
    const first = open()
    await logOf(log, first).catchUp()
    close(first)
    log.asked.length = 0
    log.append('s', 6, 'e6')
    const again = logOf(log, open())
    await again.catchUp()
    expect(await again.versionOf('s')).toBe(6)
    expect(Math.min(...log.asked)).toBe(4)
  })

  it.each([
    ['another log of the same length', filled('other')],
    ['a longer one', filled('other', 9)],
    ['a shorter one', filled('other', 2)],
  ])('L4 begins anew, loudly, where the topic is %s', async (_which, other) => {
    const first = open()
    await logOf(filled(), first).catchUp()
    close(first)
    const log = logOf(other, open())
    expect(() => log.facts('s')).toThrow(/filled again/)
    await log.catchUp()
    expect(log.eventAt('s', 1)?.eventId).toBe('other1')
    expect(await log.versionOf('s')).toBe(other.records.length)
    expect(said.join()).toContain('reading it anew')
  })

  it('L4 begins anew when the topic is made anew while it is read', async () => {
    const reader = filled()
    const log = logOf(reader, new MemoryReplica())
    await log.catchUp()
    reader.records = filled('other', 2).records
    await log.catchUp()
    expect([await log.versionOf('s'), log.eventAt('s', 2)?.eventId]).toEqual([2, 'other2'])
  })

  it.each([
    ['in memory', () => new MemoryReplica(), 0],
    ['in a file', () => open(), 1],
  ] as const)(
    'closed while it is read, %s: whoever waits is told, nothing more is asked, no other file is made',
    async (_where, make, files) => {
      const reader = filled('e', 1000)
      const log = logOf(reader, make())
      const fetch = reader.fetch.bind(reader)
      reader.fetch = async (positions) => {
        if (reader.asked.length === 100) log.close()
        return fetch(positions)
      }
      await expect(log.catchUp()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      await expect(log.rows('s', 1, 1)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      await expect(log.catchUp()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      expect(reader.asked.length).toBeLessThan(103)
      expect((await readdir(directory)).filter((name) => name.endsWith('.replica'))).toHaveLength(files)
    },
  )

  it('catchUpOnce asks the log the first time only', async () => {
    const reader = filled()
    const log = logOf(reader, new MemoryReplica())
    await log.catchUpOnce()
    const asked = reader.asked.length
    reader.append('s', 6, 'e6')
    await log.catchUpOnce()
    expect([reader.asked.length, await log.versionOf('s')]).toEqual([asked, 5])
    await log.catchUp()
    expect(await log.versionOf('s')).toBe(6)
  })
})
