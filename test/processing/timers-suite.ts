import { describe, expect, it } from 'vitest'
import type { AnyEvent, Event } from '../../src/core/event.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type LogKind, until, workbench } from './logs.ts'

type Reminded = Event<'Asked', { id: string; afterMs: number }> | Event<'Answered', { id: string }>

/** Waits so long after each question, unless it is answered. */
export const reminders = defineProcessManager({
  name: 'reminders',
  initialState: () => ({ afterMs: 0, answered: false }),
  evolve: (state, event: Reminded) =>
    event.type === 'Asked' ? { ...state, afterMs: event.data.afterMs } : { ...state, answered: true },
  correlate: ({ data }) => data.id,
  steps: {},
  nextActions: ({ afterMs, answered }, { timers }) => {
    if (timers.due === 'fired') return [{ kind: 'complete' }]
    if (answered) return [{ kind: 'cancel', timer: 'due' }]
    return [{ kind: 'schedule', timer: 'due', afterMs }]
  },
})

export function timersSuite(log: LogKind): void {
  const bench = workbench()

  describe(`timers: ${log.name}`, () => {
    async function setUp() {
      const url = log.newUrl(bench.folder())
      const store = await bench.open<Reminded>(url)
      const clock = virtualClock()
      const errors: unknown[] = []
      const start = (more: { timerReadBack?: number } = {}, on: EventStore<Reminded> = store) =>
        bench.running(
          startProcessManager({
            store: on,
            manager: reminders,
            clock,
            onError: (error) => errors.push(error),
            ...more,
          }),
        )
      const ask = (id: string, afterMs: number) => store.appendToStream(id, [{ type: 'Asked', data: { id, afterMs } }])
      const answer = (id: string) => store.appendToStream(id, [{ type: 'Answered', data: { id } }])
      const types = async (stream: string) => {
        const found: string[] = []
        for await (const { type } of store.readStream<AnyEvent & Reminded>(stream)) found.push(type)
        return found
      }
      const streams = async () => {
        const found: string[] = []
        for await (const { stream } of store.listStreams()) found.push(stream)
        return found
      }
      const marks = async () => {
        const found: number[] = []
        for (const stream of await streams()) {
          if (!stream.startsWith('reminders.timers:')) continue
          for await (const { data } of store.readStream<AnyEvent & Reminded>(stream))
            found.push((data as unknown as { offset: number }).offset)
        }
        return found
      }
      return { url, store, clock, errors, start, ask, answer, types, marks, streams }
    }

    it('T3 a start reads from the mark, and the mark never passes a pending timer', async () => {
      const { store, clock, start, ask, answer, types, marks, streams } = await setUp()
      const first = start({ timerReadBack: 40 })
      await ask('pending', 60_000)
      for (let n = 0; n < 60; n++) await ask('busy', 50_000 + n)
      // In every partition enough for its mark to move, and too little for the timer to be carried.
      const noise = Array.from({ length: 120 }, (_, n) =>
        store.appendToStream(`noise-${n}`, [{ type: 'Answered', data: { id: 'nobody' } }]),
      )
      await Promise.all(noise)
      await answer('busy')
      await until(async () => (await first.load('pending')).timers.due === 'pending')
      await until(async () => (await first.load('busy')).timers.due === 'cancelled')
      await until(async () => (await marks()).length > 0)
      await first.stop()
      const read = counting(store)
      const second = start({ timerReadBack: 40 }, read.store)
      await until(() => second.pendingTimers === 1)
      await second.ready
      await second.stop()
      clock.advance(60_000)
      const third = start({ timerReadBack: 40 })
      await until(async () => (await third.load('pending')).status === 'completed')
      expect((await types('reminders:pending')).filter((type) => type === 'TimerFired')).toHaveLength(1)
      const all = (await Promise.all((await streams()).map(types))).flat().length
      expect(read.counted.messages).toBeLessThan(all - 20)
    })

    it('marks are not followed by marks for ever, however soon they move', async () => {
      const { store, start, ask, marks } = await setUp()
      const manager = start({ timerReadBack: 1 })
      const noise = Array.from({ length: 40 }, (_, n) =>
        store.appendToStream(`noise-${n}`, [{ type: 'Answered', data: { id: 'nobody' } }]),
      )
      await Promise.all([...noise, ask('pending', 60_000)])
      await until(() => manager.pendingTimers === 1)
      await until(async () => (await marks()).length > 0)
      const grows = async () => {
        const before = (await marks()).length
        await new Promise((resolve) => setTimeout(resolve, 500))
        return (await marks()).length > before
      }
      await until(async () => !(await grows()))
    })

    it('a timer that would make the next start read far back is carried to the end of the log', async () => {
      const { store, clock, start, ask, types, marks } = await setUp()
      const manager = start({ timerReadBack: 20 })
      await ask('old', 60_000)
      await until(() => manager.pendingTimers === 1)
      const before = (await marks()).length
      const carried = async () => (await types('reminders:old')).filter((type) => type === 'TimerScheduled').length > 2
      for (let n = 0; !(await carried()); n++) {
        await store.appendToStream(`noise-${n}`, [{ type: 'Answered', data: { id: 'nobody' } }])
      }
      await until(async () => (await marks()).length > before)
      await manager.stop()
      const again = start({ timerReadBack: 20 })
      await until(() => again.pendingTimers >= 1)
      clock.advance(60_000)
      await until(async () => (await again.load('old')).status === 'completed')
      expect((await types('reminders:old')).filter((type) => type === 'TimerFired')).toHaveLength(1)
    })

    it('a clock that is put back fires nothing early; one that jumps ahead fires what is due, once', async () => {
      const { clock, errors, start, ask, types } = await setUp()
      const manager = start()
      await ask('soon', 1000)
      await ask('late', 3_600_000)
      await until(() => manager.pendingTimers === 2)
      clock.advance(900)
      clock.set(clock.now() - 10_000_000)
      await ask('third', 500)
      await until(() => manager.pendingTimers === 3)
      clock.advance(499)
      expect((await manager.load('third')).status).toBe('running')
      clock.advance(1)
      await until(async () => (await manager.load('third')).status === 'completed')
      expect((await manager.load('soon')).status).toBe('running')
      clock.advance(100_000_000)
      for (const id of ['soon', 'late']) await until(async () => (await manager.load(id)).status === 'completed')
      expect(await types('reminders:late')).toEqual([
        'ProcessObserved',
        'TimerScheduled',
        'TimerFired',
        'ProcessCompleted',
      ])
      await until(() => manager.pendingTimers === 0)
      expect(errors).toEqual([])
    })

    it('a store that closes ends it: nothing fires, nothing waits', async () => {
      const { url, clock, start, ask } = await setUp()
      const store = await bench.open<Reminded>(url)
      const manager = start({}, store)
      await ask('a', 1000)
      await until(() => manager.pendingTimers === 1)
      await store.close()
      await manager.ended
      clock.advance(2000)
      expect(manager.pendingTimers).toBe(0)
    })

    it('a mark beyond the end of the topic is another log: said aloud, and nothing is fired', async () => {
      const { store, clock, errors, start, ask } = await setUp()
      await ask('a', 1000)
      const marked = { type: 'TimerMarkMoved', data: { offset: 1_000_000 } } as unknown as Reminded
      for (let partition = 0; partition < 12; partition++) {
        await store.appendToStream(`reminders.timers:${partition}`, [marked])
      }
      const manager = start()
      await until(() => errors.length > 0)
      expect(errors[0]).toMatchObject({ code: 'CHECKPOINT_AHEAD' })
      clock.advance(2000)
      expect(await manager.ended).toBe(errors[0])
      expect((await manager.load('a')).status).toBe('running')
    })
  })
}

/** Counts what consumers of the event topic are given. */
function counting(store: EventStore<Reminded>) {
  const counted = { messages: 0 }
  const consume: typeof store.consume = (options) =>
    store.consume({
      ...options,
      handler: (message, context) => {
        if (options.checkpoints !== undefined) counted.messages++
        return options.handler(message, context)
      },
    })
  const get = (target: EventStore<Reminded>, name: keyof EventStore<Reminded>) => {
    const own = name === 'consume' ? consume : target[name]
    return typeof own === 'function' ? own.bind(target) : own
  }
  return { counted, store: new Proxy(store, { get: get as ProxyHandler<EventStore<Reminded>>['get'] & {} }) }
}
