import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/core/event.ts'
import { BatchEventProcessor } from '../../src/processing/batch-event-processor.ts'
import type { Projected } from '../../src/processing/projection.ts'

type Numbered = Event<'A' | 'B' | 'C', { n: number }>

function events(list: readonly (readonly [key: string, type: Numbered['type']])[]): Projected<Numbered>[] {
  return list.map(([key, type], offset) => ({
    ...{ type, key, offset, topic: 't', partition: 0, data: { n: offset } },
    ...{ eventId: `e${offset}`, version: 1, timestamp: '', correlationId: key, headers: {} },
  }))
}

/** Notes what each handler got, in the order in which handlers ended. */
function recorder(fails: (event: Projected<Numbered>) => boolean = () => false) {
  const groups: string[][] = []
  const handle = async (group: readonly Projected<Numbered>[]) => {
    await new Promise((resolve) => setImmediate(resolve))
    if (group.some(fails)) throw new Error('failed')
    groups.push(group.map(({ key, type, data: { n } }) => `${type}${n}${key}`))
  }
  return { groups, handlers: { A: handle, B: handle } as never }
}

describe('BatchEventProcessor', () => {
  it('handles events of one type together, a stream in order', async () => {
    const { groups, handlers } = recorder()
    const batch = events([
      ['x', 'A'],
      ['y', 'A'],
      ['x', 'B'],
      ['x', 'A'],
      ['z', 'B'],
      ['z', 'C'],
    ])
    const result = await new BatchEventProcessor<Numbered>({ handlers }).process(batch)
    expect(result).toEqual({ processed: 5, unhandled: 1, failed: [], heldBack: [] })
    expect(groups).toEqual([['A0x', 'A1y'], ['B4z'], ['B2x'], ['A3x']])
  })

  it('holds back what is behind a failed event in its stream; other streams go on', async () => {
    const { groups, handlers } = recorder(({ data: { n } }) => n === 1)
    const batch = events([
      ['x', 'A'],
      ['y', 'B'],
      ['y', 'A'],
      ['x', 'A'],
    ])
    const processor = new BatchEventProcessor<Numbered>({ handlers })
    const { failed, heldBack, processed } = await processor.process(batch)
    expect(failed).toMatchObject([{ type: 'B', events: [{ key: 'y' }], error: { message: 'failed' } }])
    expect([processed, heldBack.map(({ data: { n } }) => n)]).toEqual([2, [2]])
    expect(groups).toEqual([['A0x', 'A3x']])
    await expect(processor.handleBatch(batch)).rejects.toThrow('failed')
  })

  it('keeps the order of every stream and loses nothing, whatever the batch', async () => {
    const some = fc.array(
      fc.tuple(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('A', 'B') as fc.Arbitrary<'A' | 'B'>),
    )
    await fc.assert(
      fc.asyncProperty(some, fc.integer({ min: 1, max: 3 }), async (list, concurrency) => {
        const { groups, handlers } = recorder()
        const batch = events(list)
        const { processed } = await new BatchEventProcessor<Numbered>({ handlers, concurrency }).process(batch)
        expect(processed).toBe(batch.length)
        for (const key of ['x', 'y', 'z']) {
          const seen = groups.flat().filter((line) => line.endsWith(key))
          const written = batch.filter((event) => event.key === key)
          expect(seen).toEqual(written.map(({ type, data: { n } }) => `${type}${n}${key}`))
        }
      }),
      { numRuns: 100 },
    )
  })
})
