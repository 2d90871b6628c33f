import { expect, it } from 'vitest'
import type { IndexedEvent } from '../../src/store/kafka/partition-replica.ts'
import { RecentEvents } from '../../src/store/kafka/recent-events.ts'

function eventAt(offset: number, stream: string, data = '{}'): IndexedEvent {
  const row = [
    offset,
    `e${offset}`,
    'Counted',
    1,
    '2026-01-01T00:00:00.000Z',
    null,
    null,
    null,
    data,
    1,
    offset,
  ] as const
  return { stream, row, idempotencyKey: undefined }
}

it('has the newest events by their offset, and only where the key is theirs', () => {
  const recent = new RecentEvents()
  const last = 600
  for (let offset = 0; offset <= last; offset++) recent.add(eventAt(offset, `s-${offset}`))
  const at = (offset: number, key = `s-${offset}`) => recent.at(offset, Buffer.from(key))?.row[1]
  expect(at(last)).toBe(`e${last}`)
  expect(at(last - 511)).toBe(`e${last - 511}`)
  expect(at(last - 512)).toBeUndefined()
  expect(at(last, 's-7')).toBeUndefined()
  expect(recent.at(last, null)).toBeUndefined()
  expect(recent.at(last + 1, null)).toBeUndefined()
  recent.clear()
  expect(at(last)).toBeUndefined()
})

it('keeps none with much data', () => {
  const recent = new RecentEvents()
  recent.add(eventAt(1, 's', JSON.stringify('x'.repeat(3000))))
  expect(recent.at(1, Buffer.from('s'))).toBeUndefined()
})
