import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import { deadLetterEvents } from '../../src/processing/dead-letter.ts'
import { listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import type { PoisonOptions } from '../../src/processing/poison-policy.ts'
import { processEvents } from '../../src/processing/process-events.ts'
import { defineProcessManager, type ProcessAction } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type LogKind, until, workbench } from './logs.ts'

type Fact = { readonly type: string; readonly data: { readonly id: string } | null }
type Fault = 'correlate' | 'evolve' | 'nextActions' | 'nonsense' | 'command'

/** Cannot take in what is called `Bad`, in the way that is asked for; `none`: it was mended. */
const counter = (fault: Fault | 'none') =>
  defineProcessManager({
    name: 'counter',
    initialState: () => ({ heard: [] as readonly string[] }),
    evolve: ({ heard }, { type }: Fact) => {
      if (fault === 'evolve' && type === 'Bad') throw new Error('cannot evolve')
      return { heard: [...heard, type] }
    },
    // As people write it, and it throws at a foreign event without data.
    correlate: ({ type, data, key }) => (type === 'Bad' && fault !== 'correlate' ? key : data!.id),
    steps: {
      bad: {
        command: () =>
          fault === 'command' ? (undefined as never) : { topic: 'some.commands', type: 'Do', data: null },
        doneBy: ['Done'],
      },
    },
    nextActions: ({ heard }): readonly ProcessAction<'bad'>[] => {
      const isBad = heard.at(-1) === 'Bad'
      if (isBad && fault === 'nextActions') throw new Error('cannot act')
      if (isBad && fault === 'nonsense') return [{ kind: 'launch' } as never]
      if (isBad) return [{ kind: 'start', step: 'bad' }]
      return [{ kind: 'schedule', timer: 't', afterMs: 60_000 }]
    },
  })

const flakyEvolve = (fails: () => boolean) => {
  return ({ heard }: { readonly heard: readonly string[] }, { type }: Fact) => {
    if (type === 'Flaky' && fails()) throw new Error('not now')
    return { heard: [...heard, type] }
  }
}

const fact = (type: string): Fact => ({ type, data: { id: 'a' } })
const bad: Fact = { type: 'Bad', data: null }

const FAULTS: readonly Fault[] = ['correlate', 'evolve', 'nextActions', 'nonsense', 'command']

export function processPoisonSuite(log: LogKind, faults = FAULTS): void {
  const bench = workbench()

  describe(`poison in a process manager: ${log.name}`, () => {
    async function setUp() {
      const url = log.newUrl(bench.folder())
      const store = await bench.open<Fact>(url)
      const skipped: string[] = []
      const failures: Error[] = []
      const clock = virtualClock()
      const start = (fault: Fault | 'none', options: PoisonOptions = {}, on = store) =>
        bench.running(
          startProcessManager({
            store: on,
            manager: counter(fault),
            clock,
            onSkipped: ({ type }) => void skipped.push(type),
            onError: (error) => void failures.push(error as Error),
            ...options,
          }),
        )
      const heard = async (manager: ReturnType<typeof start>) => (await manager.load('a')).state.heard
      return { url, store, clock, skipped, failures, start, heard }
    }

    it('wait, the default: said with its place, nothing behind it is heard until a mended one goes on', async () => {
      const { store, failures, skipped, start, heard } = await setUp()
      const first = start('correlate')
      await store.appendToStream('a', [fact('One'), bad, fact('Two')])
      await until(() => failures.length > 1)
      expect(failures[0]).toMatchObject({
        code: 'PROCESS_FAILED',
        message: expect.stringMatching(/"counter" cannot take in Bad of "a" \(offset .*correlate .* threw: /),
      })
      // What is read ahead may have failed before what comes first is recorded.
      await until(async () => (await heard(first)).length > 0)
      expect(await heard(first)).toEqual(['One'])
      const [waiting, ...others] = first.waiting()
      expect(others).toEqual([])
      expect(waiting).toMatchObject({
        topic: store.eventTopic,
        key: 'a',
        type: 'Bad',
        reason: failures.at(-1)?.message,
      })
      expect(waiting?.attempts).toBeGreaterThan(0)
      const behind = (await first.lag()).find(({ partition }) => partition === waiting?.partition)
      expect(behind?.records).toBeGreaterThanOrEqual(2)
      await first.stop()
      expect(await first.stopped).toBeUndefined()
      expect([first.waiting(), await first.lag()]).toEqual([[], []])
      const mended = start('none')
      await until(async () => (await heard(mended)).length === 3)
      expect(mended.waiting()).toEqual([])
      expect(await heard(mended)).toEqual(['One', 'Bad', 'Two'])
      expect(skipped).toEqual([])
    })

    const of = (id: string, type: string): Fact => ({ type, data: { id } })

    it('wait: at what one process cannot take in only that process waits; others of its partition go on', async () => {
      const { store, start } = await setUp()
      const first = start('nextActions')
      await store.appendToStream('a', [of('a', 'One'), of('a', 'Bad'), of('a', 'Two'), of('b', 'One'), of('b', 'Two')])
      await until(async () => (await first.load('b')).state.heard.length === 2)
      await until(() => first.waiting().length === 1)
      expect(first.waiting()).toMatchObject([{ key: 'a', type: 'Bad' }])
      expect((await first.load('a')).state.heard).toEqual(['One'])
      await first.stop()
      const mended = start('none')
      await until(async () => (await mended.load('a')).state.heard.length === 3)
      expect((await mended.load('a')).state.heard).toEqual(['One', 'Bad', 'Two'])
      expect((await mended.load('b')).state.heard).toEqual(['One', 'Two'])
    })

    it('wait: behind what may be any process nobody hears anything', async () => {
      const { store, failures, start } = await setUp()
      const first = start('correlate')
      await store.appendToStream('a', [of('b', 'One'), bad, of('b', 'Two')])
      await until(() => failures.length > 1)
      await until(async () => (await first.load('b')).state.heard.length > 0)
      expect((await first.load('b')).state.heard).toEqual(['One'])
      await first.stop()
      const mended = start('none')
      await until(async () => (await mended.load('b')).state.heard.length === 2)
    })

    it('what failed for a while is heard in its order; behind maxInFlight that wait nothing is read', async () => {
      const { store, clock } = await setUp()
      let failing = true
      const flaky = { ...counter('none'), evolve: flakyEvolve(() => failing) }
      const manager = bench.running(
        startProcessManager({ store, manager: flaky, clock, maxInFlight: 3, onError: () => {} }),
      )
      await store.appendToStream('a', [
        of('a', 'One'),
        of('a', 'Flaky'),
        of('a', 'Two'),
        of('b', 'One'),
        of('c', 'One'),
      ])
      await until(async () => (await manager.load('b')).state.heard.length === 1)
      await until(() => (manager.waiting()[0]?.attempts ?? 0) > 1)
      expect((await manager.load('c')).state.heard).toEqual([])
      failing = false
      await until(async () => (await manager.load('c')).state.heard.length === 1)
      await until(async () => (await manager.load('a')).state.heard.length === 3)
      expect((await manager.load('a')).state.heard).toEqual(['One', 'Flaky', 'Two'])
      expect(manager.waiting()).toEqual([])
    })

    it('refuses a maxInFlight that is no number of messages', async () => {
      const { store } = await setUp()
      const manager = counter('none')
      expect(() => startProcessManager({ store, manager, maxInFlight: 0 })).toThrow(/maxInFlight/)
    })

    it.each(faults)(
      'deadLetter: %s; what is behind it goes on, and redriven it is heard by a mended one, once',
      async (fault) => {
        const { store, skipped, start, heard } = await setUp()
        const first = start(fault, { poison: 'deadLetter' })
        await store.appendToStream('a', [fact('One'), bad, fact('Two')])
        await until(async () => (await heard(first)).includes('Two'))
        expect(await heard(first)).toEqual(['One', 'Two'])
        expect(skipped).toEqual(['Bad'])
        const log = store as unknown as EventStore
        const letters = await listDeadLetters(log, store.eventTopic)
        const expected = {
          group: 'process.counter',
          type: 'Bad',
          key: 'a',
          error: 'PROCESS_INVALID',
          streamPosition: 2,
        }
        expect(letters).toMatchObject([{ ...expected, reason: expect.stringContaining('"counter"') }])
        await first.stop()
        const mended = start('none')
        await redriveDeadLetters(log, store.eventTopic, { by: 'test' })
        await until(async () => (await heard(mended)).length === 3)
        expect(await heard(mended)).toEqual(['One', 'Two', 'Bad'])
      },
    )

    it('skip: passed over, said to onSkipped', async () => {
      const { store, skipped, start, heard } = await setUp()
      const manager = start('evolve', { poison: 'skip' })
      await store.appendToStream('a', [bad, fact('Two')])
      await until(async () => (await heard(manager)).length === 1)
      expect(await heard(manager)).toEqual(['Two'])
      expect(skipped).toEqual(['Bad'])
    })

    it('stop: it says why, the message is not done', async () => {
      const { store, start, heard } = await setUp()
      const stopping = start('nextActions', { poison: 'stop' })
      await store.appendToStream('a', [fact('One'), bad])
      expect(await stopping.stopped).toMatch(/cannot take in.*cannot act/)
      await stopping.ended
      const mended = start('none')
      await until(async () => (await heard(mended)).length === 2)
      expect(await heard(mended)).toEqual(['One', 'Bad'])
    })

    it('an unknown type and a newer version: waited for by default, or what `unreadable` says', async () => {
      const { url, store, skipped, failures, start, heard } = await setUp()
      await store.appendToStream('a', [fact('One'), { ...fact('One'), version: 2 } as Fact, fact('New'), fact('Two')])
      const data = z.object({ id: z.string() })
      const known = ['One', 'Two'].map((name) => defineEvent({ name, data }))
      const events = defineCatalogue([...known, ...processEvents, ...deadLetterEvents])
      const reading = (await bench.open(url, events)) as unknown as typeof store
      const waiting = start('none', {}, reading)
      await until(() => failures.length > 0)
      expect(failures[0]).toMatchObject({ code: 'EVENT_VERSION_NEWER' })
      await until(async () => (await heard(waiting)).length === 1)
      await waiting.stop()
      const stopping = start('none', { unreadable: 'stop' }, reading)
      expect(await stopping.stopped).toMatch(/version 2/)
      await stopping.ended
      const going = start('none', { unreadable: 'deadLetter' }, reading)
      await until(async () => (await heard(going)).length === 2)
      expect(await heard(going)).toEqual(['One', 'Two'])
      const letters = await listDeadLetters(store, store.eventTopic)
      expect(letters.map(({ error }) => error)).toEqual(['EVENT_VERSION_NEWER', 'UNKNOWN_EVENT_TYPE'])
      expect(skipped).toEqual(['One', 'New'])
    })

    it('a timer at which it throws holds up no other and fires when it is mended; with stop it stops', async () => {
      const { store, clock, failures, start } = await setUp()
      const first = start('none')
      await store.appendToStream('a', [fact('One')])
      await store.appendToStream('b', [{ type: 'One', data: { id: 'b' } }])
      await until(() => first.pendingTimers === 2)
      await first.stop()
      // The program that follows it cannot act on a time-out of who heard but one event.
      const broken = (poison: 'wait' | 'stop') =>
        bench.running(
          startProcessManager({
            store,
            clock,
            poison,
            onError: (error) => void failures.push(error as Error),
            manager: {
              ...counter('none'),
              nextActions: ({ heard }: { heard: readonly string[] }, { timers }) => {
                if (timers.t === 'fired' && heard.length === 1) throw new Error('cannot fire')
                return []
              },
            },
          }),
        )
      await store.appendToStream('b', [{ type: 'Two', data: { id: 'b' } }])
      const second = broken('wait')
      await until(async () => (await second.load('b')).state.heard.length === 2)
      clock.advance(60_000)
      await until(async () => (await second.load('b')).timers.t === 'fired')
      await until(() => failures.some(({ message }) => message.includes('cannot fire')))
      expect((await second.load('a')).timers.t).toBe('pending')
      await second.stop()
      const third = broken('stop')
      expect(await third.stopped).toMatch(/cannot fire/)
      const mended = start('none')
      await until(async () => (await mended.load('a')).timers.t === 'fired')
    })

    it('P9 a function that keeps the event loop from turning is told of; the process goes on', async () => {
      const { store, failures, heard } = await setUp()
      const slow = { ...counter('none') }
      const nextActions = (...given: Parameters<typeof slow.nextActions>) => {
        const beganMs = performance.now()
        while (performance.now() - beganMs < 150) Math.sqrt(beganMs)
        return slow.nextActions(...given)
      }
      const onError = (error: unknown) => {
        failures.push(error as Error)
        throw new Error('the listener is broken')
      }
      const manager = { ...slow, nextActions }
      const running = bench.running(startProcessManager({ store, manager, blockedAfterMs: 100, onError }))
      await store.appendToStream('a', [fact('One')])
      await until(async () => (await heard(running)).length === 1)
      expect(failures[0]).toMatchObject({
        code: 'EVENT_LOOP_BLOCKED',
        message: expect.stringMatching(/^nextActions of process manager "counter" took \d+ ms/),
      })
      expect(failures.filter((error) => (error as { code?: string }).code !== 'EVENT_LOOP_BLOCKED')).toEqual([])
    })
  })
}
