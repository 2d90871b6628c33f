import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decider } from '../../src/core/decider.ts'
import type { Event } from '../../src/core/event.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'

type SeatEvent = Event<'SeatTaken', { seat: number; by: string }> | Event<'SeatFreed', { seat: number }>
type SeatCommand = { readonly type: 'Take' | 'Free'; readonly seat: number; readonly by: string }
type Seats = Readonly<Record<number, string>>

/** Taking a seat twice is nothing; somebody else's seat is refused. */
const seats: Decider<Seats, SeatCommand, SeatEvent> = {
  initialState: () => ({}),
  decide: ({ type, seat, by }, taken) => {
    const owner = taken[seat]
    if (owner !== undefined && owner !== by) throw new Error(`seat ${seat} is ${owner}'s`)
    if (type === 'Take') return owner === by ? [] : [{ type: 'SeatTaken', data: { seat, by } }]
    return owner === by ? [{ type: 'SeatFreed', data: { seat } }] : []
  },
  evolve: (taken, event) => {
    if (event.type === 'SeatTaken') return { ...taken, [event.data.seat]: event.data.by }
    const { [event.data.seat]: _freed, ...rest } = taken
    return rest
  },
}

const take = (seat: number, by = 'ann'): SeatCommand => ({ type: 'Take', seat, by })

describe('the command handler', () => {
  it('loads, decides and appends', async () => {
    const { handle } = handlerOn(openMemoryStore())
    const first = await handle('hall', take(1))
    expect(first).toEqual({
      stream: 'hall',
      state: { 1: 'ann' },
      events: [{ type: 'SeatTaken', data: { seat: 1, by: 'ann' } }],
      currentStreamVersion: 1,
      repeated: false,
    })
    expect(await handle('hall', take(1))).toEqual({ ...first, events: [] })
    await expect(handle('hall', take(1, 'bob'))).rejects.toThrow("seat 1 is ann's")
  })

  it('costs one append and no read once the stream is known', async () => {
    const { store, calls } = counting(openMemoryStore())
    const { handle } = handlerOn(store)
    for (let seat = 1; seat <= 5; seat++) await handle('hall', take(seat))
    expect(calls).toEqual({ append: 5, aggregate: 1 })
  })

  it('reads a new stream once, though it is loaded before it is begun; others may have begun it meanwhile', async () => {
    const { store, calls } = counting(openMemoryStore())
    const [one, two] = [handlerOn(store), handlerOn(store)]
    expect((await one.load('hall')).currentStreamVersion).toBe(0)
    await one.handle('hall', take(1))
    expect(calls).toEqual({ append: 1, aggregate: 1 })
    await two.load('gallery')
    await one.handle('gallery', take(1))
    await expect(two.handle('gallery', take(1, 'bob'))).rejects.toThrow("seat 1 is ann's")
    expect((await two.handle('gallery', take(2, 'bob'))).currentStreamVersion).toBe(2)
  })

  it('does not read a stream before its first command; where it is there already, it finds out and decides again', async () => {
    const { store, calls } = counting(openMemoryStore())
    const [one, two] = [handlerOn(store), handlerOn(store)]
    await one.handle('hall', take(1), { isFirst: true })
    expect(calls).toEqual({ append: 1, aggregate: 0 })
    await expect(two.handle('hall', take(1, 'bob'), { isFirst: true })).rejects.toThrow("seat 1 is ann's")
    const other = handlerOn(store)
    expect(await other.handle('hall', take(2), { isFirst: true })).toMatchObject({ currentStreamVersion: 2 })
    expect(await handlerOn(store).handle('hall', take(1), { isFirst: true })).toMatchObject({ events: [] })
  })

  it('decides again on what others appended meanwhile', async () => {
    const store = openMemoryStore()
    const [one, two] = [handlerOn(store), handlerOn(store)]
    await one.handle('hall', take(1))
    await two.handle('hall', take(2, 'bob'))
    const third = await one.handle('hall', take(3))
    expect(third.state).toEqual({ 1: 'ann', 2: 'bob', 3: 'ann' })
    expect(third.currentStreamVersion).toBe(3)
  })

  it('believes neither a refusal nor "nothing to do" of an old state', async () => {
    const store = openMemoryStore()
    const [one, two] = [handlerOn(store), handlerOn(store)]
    await one.handle('hall', take(1))
    await two.handle('hall', { type: 'Free', seat: 1, by: 'ann' })
    await two.handle('hall', take(2, 'bob'))
    expect((await one.handle('hall', take(1))).events).toHaveLength(1)
    await two.handle('hall', { type: 'Free', seat: 2, by: 'bob' })
    expect((await one.handle('hall', take(2))).state).toEqual({ 1: 'ann', 2: 'ann' })
  })

  it('gives the conflict to the caller after as many attempts as it may make', async () => {
    const inner = openMemoryStore()
    let decisions = 0
    const meddling: Decider<Seats, SeatCommand, SeatEvent> = {
      ...seats,
      decide: (command, state) => {
        decisions++
        // Somebody else is always a little faster: in memory an append is done when it is called.
        void inner.appendToStream('hall', [{ type: 'SeatTaken', data: { seat: 100 + decisions, by: 'eve' } }])
        return seats.decide(command, state)
      },
    }
    const { handle } = createCommandHandler({
      store: inner as EventStore<SeatEvent>,
      decider: meddling,
      maxAttempts: 3,
    })
    await expect(handle('hall', take(1))).rejects.toMatchObject({ code: 'EXPECTED_VERSION_CONFLICT', current: 3 })
    expect(decisions).toBe(3)
  })

  it('passes on what travels with the append', async () => {
    const store = openMemoryStore()
    const { handle } = handlerOn(store)
    const outgoing = (events: readonly SeatEvent[], state: Seats) => [
      { topic: 'quality.gates', key: 'hall', type: 'Seats', data: { events: events.length, state } },
    ]
    const options = { idempotencyKey: 'k', correlationId: 'corr', causationId: 'cause', outgoing }
    await handle('hall', take(1), options)
    for await (const { correlationId, causationId } of store.readStream('hall')) {
      expect({ correlationId, causationId }).toEqual({ correlationId: 'corr', causationId: 'cause' })
    }
    const message = await new Promise((resolve) => {
      store.consume({ group: 'g', topics: ['quality.gates'], handler: async ({ data }) => resolve(data) })
    })
    expect(message).toEqual({ events: 1, state: { 1: 'ann' } })
    const repeated = await handle('hall', take(2), options)
    const expected = { stream: 'hall', state: { 1: 'ann' }, events: [], currentStreamVersion: 1, repeated: true }
    expect(repeated).toEqual(expected)
    await store.close()
  })

  it('reads a stream anew that it was told to forget', async () => {
    const { store, calls } = counting(openMemoryStore())
    const { handle, load, forget } = handlerOn(store)
    await handle('hall', take(1), { isFirst: true })
    forget('hall')
    expect(await load('hall')).toEqual({ state: { 1: 'ann' }, currentStreamVersion: 1 })
    expect(await handle('hall', take(2))).toMatchObject({ currentStreamVersion: 2 })
    expect(calls).toEqual({ append: 2, aggregate: 1 })
  })

  it('keeps as many states as it may', async () => {
    const { store, calls } = counting(openMemoryStore())
    const { handle } = handlerOn(store, 1)
    for (const stream of ['a', 'b', 'a', 'a']) await handle(stream, take(calls.append))
    expect(calls).toEqual({ append: 4, aggregate: 3 })
  })

  it('gives each seat to one of those who race for it, without a gap (property, P3)', async () => {
    const command = fc.record({
      type: fc.constantFrom('Take' as const, 'Free' as const),
      seat: fc.integer({ min: 1, max: 3 }),
      by: fc.constantFrom('ann', 'bob'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        const store = openMemoryStore()
        const handlers = [handlerOn(store), handlerOn(store, 0)]
        await Promise.allSettled(commands.map((one, index) => handlers[index % 2]!.handle('hall', one)))
        await expectWellFormed(store)
      }),
      { numRuns: 50 },
    )
  })

  it('the same command again is nothing (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }), async (numbers) => {
        const { handle } = handlerOn(openMemoryStore())
        for (const seat of numbers) await handle('hall', take(seat))
        for (const seat of numbers) expect((await handle('hall', take(seat))).events).toEqual([])
      }),
      { numRuns: 50 },
    )
  })
})

/** Versions without a gap, and no seat taken that was not free or freed that was not taken. */
async function expectWellFormed(store: EventStore): Promise<void> {
  const taken = new Set<number>()
  let version = 0
  for await (const { type, data, streamPosition } of store.readStream('hall')) {
    expect(streamPosition).toBe(++version)
    const { seat } = data as { seat: number }
    expect(taken.has(seat)).toBe(type === 'SeatFreed')
    if (type === 'SeatFreed') taken.delete(seat)
    else taken.add(seat)
  }
}

function handlerOn(store: EventStore, cacheStreams?: number) {
  const typed = store as EventStore<SeatEvent>
  // Fifty racing commands on one stream: each attempt lets at least one of them through.
  return createCommandHandler({
    store: typed,
    decider: seats,
    maxAttempts: 60,
    ...(cacheStreams !== undefined && { cacheStreams }),
  })
}

function counting(inner: EventStore) {
  const calls = { append: 0, aggregate: 0 }
  const store = {
    appendToStream: (...args: Parameters<EventStore['appendToStream']>) => {
      calls.append++
      return inner.appendToStream(...args)
    },
    aggregateStream: (...args: Parameters<EventStore['aggregateStream']>) => {
      calls.aggregate++
      return inner.aggregateStream(...args)
    },
  }
  return { store: store as unknown as EventStore, calls }
}
