import { describe, expect, it } from 'vitest'
import type { Decider } from '../../src/core/decider.ts'
import { DuologError } from '../../src/core/errors.ts'
import type { Event } from '../../src/core/event.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { DeciderSpecification } from '../../src/testing/decider-specification.ts'
import { seededRandom, virtualClock } from '../../src/testing/virtual-clock.ts'
import { waitForEvent } from '../../src/testing/wait-for-event.ts'

type DoorEvent = Event<'Opened', { by: string }> | Event<'Closed', object>
type DoorCommand = { readonly type: 'Open'; readonly by: string } | { readonly type: 'Close' }

const door: Decider<{ open: boolean }, DoorCommand, DoorEvent> = {
  initialState: () => ({ open: false }),
  decide: (command, { open }) => {
    if (command.type === 'Open') return open ? [] : [{ type: 'Opened', data: { by: command.by } }]
    if (!open) throw new DuologError('SESSION_ENDED', 'The door is closed.')
    return [{ type: 'Closed', data: {} }]
  },
  evolve: (_state, event) => ({ open: event.type === 'Opened' }),
}
const given = DeciderSpecification.for(door)
const opened: DoorEvent = { type: 'Opened', data: { by: 'ann' } }

describe('given, when, then', () => {
  it('passes what is so', () => {
    given([]).when({ type: 'Open', by: 'ann' }).then(opened)
    given(opened).when({ type: 'Open', by: 'bob' }).thenNothingHappened()
    given([]).when({ type: 'Close' }).thenThrows()
    given([]).when({ type: 'Close' }).thenThrows('SESSION_ENDED')
    given([])
      .when({ type: 'Close' })
      .thenThrows(/is closed/)
    given([]).when({ type: 'Close' }).thenThrows(DuologError)
    given([])
      .when({ type: 'Close' })
      .thenThrows({ check: (error) => error instanceof Error })
  })

  it('fails what is not', () => {
    const open = given([]).when({ type: 'Open', by: 'ann' })
    expect(() => open.then([])).toThrow()
    expect(() => open.then([opened, opened])).toThrow()
    expect(() => open.then([{ type: 'Opened', data: { by: 'bob' } }])).toThrow()
    expect(() => open.thenNothingHappened()).toThrow('nothing happens')
    expect(() => open.thenThrows()).toThrow('expected an error, but this happened: ["Opened"]')
    const close = given([]).when({ type: 'Close' })
    expect(() => close.thenThrows('TIMEOUT')).toThrow(
      'expected the error TIMEOUT, got DuologError: The door is closed.',
    )
    expect(() => close.thenThrows(/broken/)).toThrow('expected the error /broken/')
    expect(() => close.thenThrows(RangeError)).toThrow('expected the error RangeError')
    expect(() => close.thenThrows({ check: () => false })).toThrow('of the check')
  })

  it('fails a decider that is not pure (P1)', () => {
    const mutating = DeciderSpecification.for({
      ...door,
      evolve: (state: { open: boolean }, event: DoorEvent) => Object.assign(state, { open: event.type === 'Opened' }),
    })
    expect(() =>
      mutating(opened)
        .when({ type: 'Close' })
        .then([{ type: 'Closed', data: {} }]),
    ).toThrow(TypeError)
    let calls = 0
    const counting = DeciderSpecification.for({
      ...door,
      decide: (): DoorEvent[] => [{ type: 'Opened', data: { by: String(calls++) } }],
    })
    expect(() => counting([]).when({ type: 'Close' }).thenThrows()).toThrow('decide is not pure')
  })
})

describe('waitForEvent', () => {
  it('finds what is there, and what comes later', async () => {
    const store = openMemoryStore()
    await store.appendToStream('door', [opened])
    expect((await waitForEvent(store, { stream: 'door', type: 'Opened' })).streamPosition).toBe(1)
    const later = waitForEvent(store, {
      stream: 'door',
      type: 'Opened',
      where: ({ streamPosition }) => streamPosition > 1,
    })
    await store.appendToStream('door', [{ type: 'Closed', data: {} }, opened])
    expect((await later).streamPosition).toBe(3)
    await store.close()
  })

  it('finds it in any stream, or any of a category, also when it comes later', async () => {
    const store = openMemoryStore()
    const [anywhere, front] = [
      waitForEvent(store, { type: 'Closed' }),
      waitForEvent(store, { category: 'front', type: 'Opened' }),
    ]
    await store.appendToStream('back-1', [opened])
    await store.appendToStream('front-2', [opened, { type: 'Closed', data: {} }])
    expect(await anywhere).toMatchObject({ stream: 'front-2', streamPosition: 2 })
    expect(await front).toMatchObject({ stream: 'front-2', streamPosition: 1 })
    await expect(waitForEvent(store, { type: 'Burnt', timeoutMs: 20 })).rejects.toThrow(
      /^No matching "Burnt" came to any stream in 20 ms\. What arrived:[\s\S]*\n {2}back-1\/1 Opened {"by":"ann"}/,
    )
    await expect(waitForEvent(store, { category: 'side', type: 'Opened', timeoutMs: 20 })).rejects.toThrow(
      'No matching "Opened" came to a stream of "side" in 20 ms. Nothing arrived at all.',
    )
    await store.close()
  })

  it('tells what did arrive when the time is over', async () => {
    const store = openMemoryStore()
    await store.appendToStream('door', [opened])
    const waiting = waitForEvent(store, { stream: 'door', type: 'Closed', timeoutMs: 20 })
    await expect(waiting).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: 'No matching "Closed" came to stream "door" in 20 ms. What arrived:\n  1 Opened {"by":"ann"}',
    })
    await expect(waitForEvent(store, { stream: 'none', type: 'Closed', timeoutMs: 5 })).rejects.toThrow(
      'Nothing arrived',
    )
    await store.close()
  })
})

describe('the virtual clock and the seeded randomness', () => {
  it('make a store that says the same every time', async () => {
    const append = async () => {
      const clock = virtualClock()
      const store = openMemoryStore({ clock, random: seededRandom(7) })
      await store.appendToStream('door', [opened])
      clock.advance(1500)
      await store.appendToStream('door', [opened])
      const events = []
      for await (const { eventId, timestamp } of store.readStream('door')) events.push({ eventId, timestamp })
      return events
    }
    const [first, second] = await append()
    expect([first?.timestamp, second?.timestamp]).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.500Z'])
    expect(await append()).toEqual([first, second])
    expect(first?.eventId).not.toBe(second?.eventId)
    expect(() => virtualClock().advance(-1)).toThrow(RangeError)
  })
})
