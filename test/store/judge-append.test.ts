import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AppendOptions } from '../../src/store/event-store.ts'
import { judgeAppend, type PositionRange, type StreamFacts } from '../../src/store/judge-append.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'
import { seededRandom, virtualClock } from '../../src/testing/virtual-clock.ts'

const context = { eventTopic: 'session.events', clock: virtualClock(), random: seededRandom(1) }

describe('the judgement of an append', () => {
  it('keeps every stream gap-free and every repeat one fact, whatever comes (property, P3 P5)', () => {
    const append = fc.record({
      ids: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
      key: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      expected: fc.oneof(
        fc.constantFrom('STREAM_DOES_NOT_EXIST' as const, 'STREAM_EXISTS' as const, 'NO_CONCURRENCY_CHECK' as const),
        fc.nat({ max: 8 }),
      ),
    })
    fc.assert(
      fc.property(fc.array(append, { maxLength: 40 }), (appends) => {
        const log = model()
        for (const { ids, key, expected } of appends) {
          log.append(ids, {
            expectedStreamVersion: expected,
            ...(key !== undefined && ids.length > 0 && { idempotencyKey: `k${key}` }),
          })
        }
        expect(new Set(log.eventIds).size).toBe(log.eventIds.length)
      }),
    )
  })

  it('asks for repeats first: what was answered once is answered again, whatever it expects', () => {
    const log = model()
    log.append([1, 2], { idempotencyKey: 'k' })
    expect(log.append([3], { idempotencyKey: 'k', expectedStreamVersion: 0 })).toMatchObject({ kind: 'repeat' })
    expect(log.append([1, 2], { expectedStreamVersion: 0 })).toMatchObject({ kind: 'repeat' })
    expect(log.append([2], { expectedStreamVersion: 0 })).toMatchObject({
      kind: 'repeat',
      appended: { firstStreamPosition: 2, currentStreamVersion: 2 },
    })
    expect(log.append([2, 3])).toMatchObject({ kind: 'refused', error: { code: 'EVENT_ID_REUSED' } })
    expect(log.append([3], { expectedStreamVersion: 0 })).toMatchObject({ kind: 'refused', error: { current: 2 } })
  })
})

/** One stream that does what the judgement says. */
function model() {
  const eventIds: string[] = []
  const keys = new Map<string, PositionRange>()
  const facts: StreamFacts = {
    currentVersion: () => eventIds.length,
    positionsOfKey: (key) => keys.get(key),
    positionOfEvent: (id) => (eventIds.includes(id) ? eventIds.indexOf(id) + 1 : undefined),
  }
  function append(ids: readonly number[], options: AppendOptions = {}) {
    const events = ids.map((id) => ({ type: 'E', data: {}, eventId: `e${id}` }))
    const prepared = prepareAppend('s', events, options, context)
    const before = eventIds.length
    const judgement = judgeAppend(prepared, facts)
    if (judgement.kind !== 'write') return judgement
    const { firstStreamPosition: first, currentStreamVersion: last } = judgement.appended
    expect([first, last]).toEqual([before + 1, before + ids.length])
    eventIds.push(...prepared.events.map(({ eventId }) => eventId))
    if (prepared.idempotencyKey !== undefined) keys.set(prepared.idempotencyKey, { first, last })
    return judgement
  }
  return { append, eventIds }
}
