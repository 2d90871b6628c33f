import { expect, it } from 'vitest'
import { TimerService } from '../../src/processing/timer-service.ts'
import type { ConsumeOptions, EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

it('T3 the mark moves while history is read, also where no record lies at an even distance', async () => {
  let consuming: ConsumeOptions | undefined
  const marks: number[] = []
  const store = {
    consume: (options: ConsumeOptions) => {
      consuming = options
      const { promise: ended, resolve } = Promise.withResolvers<undefined>()
      return { ready: Promise.resolve(), ended, stop: async () => resolve(undefined) }
    },
    partitionEnds: async () => [{ topic: 't', partition: 0, offset: 10_000 }],
    aggregateStream: async () => ({ state: 0 }),
    appendToStream: async (_: string, [event]: { data: { offset: number } }[]) => void marks.push(event!.data.offset),
  } as unknown as EventStore
  const timers = new TimerService({
    store,
    group: 'g',
    manager: 'm',
    eventTopic: 't',
    prefix: 'm:',
    markStream: (partition) => `m.timers:${partition}`,
    clock: virtualClock(),
    fire: async () => undefined,
    carry: async () => {},
    onError: (error) => {
      throw error
    },
    maxReadBack: 1000,
    markEvery: 100,
  })
  await consuming!.checkpoints!.load('t', 0)
  const { signal } = new AbortController()
  // As a partition of transactions with one record each: a marker lies behind each record.
  for (let offset = 0; offset < 2_000; offset += 2) {
    const message = { topic: 't', partition: 0, offset, key: 'a', type: 'Any', data: null }
    await consuming!.handler(message as never, { signal } as never)
  }
  await timers.stop()
  expect(marks.length).toBeGreaterThan(0)
  expect(marks.at(-1)).toBeGreaterThan(1_000)
})
