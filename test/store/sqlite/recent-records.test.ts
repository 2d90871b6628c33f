import { expect, it } from 'vitest'
import { RecentRecords } from '../../../src/store/sqlite/recent-records.ts'
import type { RecordRow } from '../../../src/store/sqlite/rows.ts'
import { seeded } from '../../model/virtual-time.ts'

/* The newest records from memory: all that the file would give, or no answer. */

const PARTITIONS = 3
const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))

interface Entry {
  readonly partition: number
  readonly row: RecordRow
}

function rowAt(position: number, offset: number, chars = 10): RecordRow {
  return [offset, `e${position}`, 'Added', 1, '', null, null, null, 'x'.repeat(chars), 1, position, 's']
}

/** A log as the file has it. */
function logOf(recent: RecentRecords, upTo: (most: number) => number) {
  const entries: Entry[] = []
  const offsets = Array.from({ length: PARTITIONS }, () => 0)
  const nextEntry = (chars?: number): Entry => {
    const partition = upTo(PARTITIONS - 1)
    return { partition, row: rowAt(entries.length + 1, offsets[partition]!++, chars) }
  }
  const undo = (count: number) => {
    for (const { partition } of entries.splice(entries.length - count)) offsets[partition]!--
  }
  return {
    entries,
    transact(count: number, end: 'commits' | 'rolls back', chars?: number) {
      for (let n = 0; n < count; n++) {
        const entry = nextEntry(chars)
        entries.push(entry)
        recent.written(`${entry.partition}`, entry.row)
      }
      if (end === 'commits') return recent.committed()
      recent.rolledBack()
      undo(count)
    },
    byAnother: () => void entries.push(nextEntry()),
    /** From a place that a reader may be at: nothing of the partition from `offset` on lies at `position` or before. */
    check(partition: number, position: number) {
      const rows = entries.filter((entry) => entry.partition === partition).map(({ row }) => row)
      const offset = rows.findLastIndex((row) => row[10] <= position) + 1
      const found = recent.from(`${partition}`, { offset, position }, entries.length)
      if (found !== undefined) expect(found.map((row) => row[10])).toEqual(rows.slice(offset).map((row) => row[10]))
      return found !== undefined
    },
  }
}

/** One that was asked once, from which on it keeps them; all of them come into the last partition. */
function wanted() {
  const recent = new RecentRecords()
  const log = logOf(recent, (most) => most)
  log.check(0, 0)
  return { recent, log }
}

it(`at random (DUOLOG_SEED=${seed})`, () => {
  const random = seeded(seed)
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const log = logOf(new RecentRecords(), upTo)
  let answers = 0
  for (let n = 0; n < 3000; n++) {
    const dice = random()
    if (dice < 0.01) log.byAnother()
    else if (dice < 0.1) log.transact(upTo(20), 'rolls back')
    else if (dice < 0.6) log.transact(upTo(20), 'commits', upTo(2000))
    else if (log.check(upTo(PARTITIONS - 1), log.entries.length - upTo(Math.min(log.entries.length, 1200)))) answers++
  }
  expect(answers).toBeGreaterThan(100)
})

it('has the last 512, and not many more', () => {
  const { log } = wanted()
  for (let n = 0; n < 5000; n++) log.transact(1, 'commits')
  expect(log.check(PARTITIONS - 1, 5000 - 512)).toBe(true)
  expect(log.check(PARTITIONS - 1, 5000 - 1025)).toBe(false)
})

it('of long ones only a few', () => {
  const { log } = wanted()
  for (let n = 0; n < 20; n++) log.transact(1, 'commits', 300_000)
  expect(log.check(PARTITIONS - 1, 19)).toBe(true)
  expect(log.check(PARTITIONS - 1, 15)).toBe(false)
})

it('a partition without records gives none', () => {
  const { recent, log } = wanted()
  log.transact(3, 'commits')
  expect(recent.from('0', { offset: 0, position: 0 }, 3)).toEqual([])
})
