import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import { DuologError } from '../../src/core/errors.ts'
import type { Event } from '../../src/core/event.ts'
import { BatchEventProcessor } from '../../src/processing/batch-event-processor.ts'
import { createCircuitBreaker } from '../../src/processing/circuit-breaker.ts'
import { deadLetterEvents } from '../../src/processing/dead-letter.ts'
import { listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import type { BatchProcessorOptions, Processor, ProcessorOptions } from '../../src/processing/processor-options.ts'
import type { Projected } from '../../src/processing/projection.ts'
import { startBatchProcessor, startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type LogKind, until, workbench } from './logs.ts'

type Job = Event<'Job' | 'Done', { n: number }>
type Options = Omit<ProcessorOptions<Job>, 'store' | 'group'>
type BatchOptions = Omit<BatchProcessorOptions<Job>, 'store' | 'group'>
/** One partition. */
const TOPIC = 'jobs'
const topics = [TOPIC]
const job = (n: number): Job => ({ type: 'Job', data: { n } })
const done = (n: number): Job => ({ type: 'Done', data: { n } })

/** Half of a pause is at random; it began after `sinceMs`, and not later than now. */
function expectDue(processor: Processor, sinceMs: number, pauseMs: number): void {
  const dueAt = processor.parked()[0]?.dueAt ?? ''
  expect(dueAt).toBe(new Date(dueAt).toISOString())
  expect(Date.parse(dueAt)).toBeGreaterThanOrEqual(sinceMs + pauseMs / 2)
  expect(Date.parse(dueAt)).toBeLessThanOrEqual(Date.now() + pauseMs)
}

/** What the runner promises, on any log. */
export function runnerSuite(log: LogKind): void {
  const bench = workbench()

  async function setUp() {
    const url = log.newUrl(bench.folder())
    const open = async () => {
      const store = await openEventStore<Job>(url, { topics: { [TOPIC]: { partitions: 1 }, wide: { partitions: 4 } } })
      bench.later(() => store.close())
      return store as EventStore<Job> & EventStore
    }
    const store = await open()
    const sendTo = (topic: string, ...jobs: [key: string, n: number][]) =>
      store.appendToStream('sender', [], { outgoing: jobs.map(([key, n]) => ({ ...job(n), topic, key })) })
    const start = (options: Options, on = store) =>
      bench.running(startProcessor({ store: on, group: 'workers', topics, ...options }))
    const startOther = (options: Options) =>
      bench.running(startProcessor({ store, group: 'others', topics, ...options }))
    const startBatches = (options: BatchOptions) =>
      bench.running(startBatchProcessor({ store, group: 'workers', topics, ...options }))
    const numbersIn = async (stream: string) => {
      const { state } = await store.aggregateStream<number[]>(stream, {
        initialState: () => [],
        evolve: (ns, { data }) => [...ns, data.n],
      })
      return state
    }
    return { store, open, start, startBatches, numbersIn, sendTo, startOther, send: sendTo.bind(undefined, TOPIC) }
  }

  describe(`order by key: ${log.name}`, () => {
    it('behind a message that waits for its retry only its key waits: parked, visible, in order', async () => {
      const { store, send, start } = await setUp()
      let broken = true
      const seen: string[] = []
      await send(['a', 1], ['a', 2], ['b', 1], ['a', 3], ['b', 2])
      const sinceMs = Date.now()
      const processor = start({
        order: 'key',
        retry: { maxAttempts: 1000, firstPauseMs: 10, longestPauseMs: 10 },
        handler: async ({ key, data: { n } }) => {
          if (key === 'a' && broken) throw new Error('a is away')
          seen.push(`${key}${n}`)
        },
      })
      await until(() => seen.length === 2)
      expect(seen).toEqual(['b1', 'b2'])
      await until(() => processor.parked().length === 1)
      expect(processor.parked()).toMatchObject([
        { topic: TOPIC, key: 'a', type: 'Job', reason: 'a is away', waitingBehind: 2 },
      ])
      expectDue(processor, sinceMs, 10)
      const [lag] = await processor.lag()
      expect(lag).toMatchObject({ topic: TOPIC, partition: 0 })
      expect(lag?.records).toBeGreaterThanOrEqual(5)
      expect(lag?.seconds).toBeGreaterThan(0)
      broken = false
      await until(() => seen.length === 5)
      expect(seen.slice(2)).toEqual(['a1', 'a2', 'a3'])
      await until(async () => (await processor.lag()).every(({ records }) => records === 0))
      expect(processor.parked()).toEqual([])
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
    })

    it('P6 stopped while a message is parked: it comes again before what is behind it, and no effect is doubled', async () => {
      const { send, start, numbersIn } = await setUp()
      const seen: string[] = []
      await send(['a', 1], ['a', 2], ['b', 3], ['b', 4])
      const sinceMs = Date.now()
      const first = start({
        order: 'key',
        retry: { maxAttempts: 1000, firstPauseMs: 60_000, longestPauseMs: 60_000 },
        handler: async ({ key, data: { n } }, { append }) => {
          if (key === 'a') throw new Error('a is away')
          await append(key, [done(n)])
        },
      })
      await until(async () => (await numbersIn('b')).length === 2 && first.parked().length === 1)
      expectDue(first, sinceMs, 60_000)
      await first.stop()
      start({
        handler: async ({ key, data: { n } }, { append }) => {
          seen.push(`${key}${n}`)
          await append(key, [done(n)])
        },
      })
      await until(() => seen.length === 4)
      expect(seen).toEqual(['a1', 'a2', 'b3', 'b4'])
      expect([await numbersIn('a'), await numbersIn('b')]).toEqual([
        [1, 2],
        [3, 4],
      ])
    })

    it('attempts are counted by whoever has the partition: the next one begins with the first', async () => {
      const { send, start } = await setUp()
      const attempts: number[] = []
      await send(['k', 1])
      const options: Options = {
        retry: { maxAttempts: 3, firstPauseMs: 1, longestPauseMs: 1 },
        handler: async (_, { attempt }) => {
          attempts.push(attempt)
          if (attempt === 1) throw new Error('once')
          return { kind: 'retryAfter', afterMs: 60_000 }
        },
      }
      const first = start(options)
      await until(() => first.parked()[0]?.attempt === 2)
      await first.stop()
      const second = start(options)
      await until(() => second.parked()[0]?.attempt === 2)
      expect(attempts).toEqual([1, 2, 1, 2])
    })

    it('keys side by side up to `concurrency`, each key one after the other', async () => {
      const { send, start } = await setUp()
      const running: string[] = []
      let most = 0
      let clashes = 0
      let count = 0
      const keys = ['a', 'b', 'c', 'd']
      await send(...keys.flatMap((key) => [1, 2, 3].map((n): [string, number] => [key, n])))
      start({
        concurrency: 3,
        handler: async ({ key }) => {
          if (running.includes(key)) clashes++
          running.push(key)
          most = Math.max(most, running.length)
          await new Promise((resolve) => setTimeout(resolve, 5))
          running.splice(running.indexOf(key), 1)
          count++
        },
      })
      await until(() => count === 12)
      expect({ most, clashes }).toEqual({ most: 3, clashes: 0 })
    })

    it('reads no further than maxInFlight ahead of what is not done', async () => {
      const { send, start } = await setUp()
      const seen: number[] = []
      let broken = true
      await send(['a', 0], ...Array.from({ length: 9 }, (_, n): [string, number] => [`b${n}`, n + 1]))
      const processor = start({
        order: 'key',
        maxInFlight: 4,
        retry: { maxAttempts: 1000, firstPauseMs: 5, longestPauseMs: 5 },
        handler: async ({ data: { n } }) => {
          if (n === 0 && broken) throw new Error('away')
          seen.push(n)
        },
      })
      await until(() => seen.length === 3 && processor.parked().length === 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(seen).toEqual([1, 2, 3])
      broken = false
      await until(() => seen.length === 10)
    })
  })

  describe(`effects once: ${log.name}`, () => {
    it('P2 P5 a handler that fails after its append repeats it: one fact; a second append is refused', async () => {
      const { send, start, numbersIn } = await setUp()
      const errors: string[] = []
      await send(['k', 1], ['k', 2])
      start({
        retry: { firstPauseMs: 1 },
        onError: (error) => void errors.push((error as Error).message),
        handler: async ({ data: { n } }, { append, attempt }) => {
          await append('out', [done(n)])
          if (n === 1 && attempt === 1) throw new Error('after the append')
          if (n === 2 && attempt === 1) await append('out', [done(99)])
        },
      })
      await until(() => errors.length === 2)
      await until(async () => (await numbersIn('out')).length === 2)
      expect(await numbersIn('out')).toEqual([1, 2])
      expect(errors[1]).toContain('once per message')
    })

    it('an attempt whose time is over can append nothing any more', async () => {
      const { send, start, numbersIn } = await setUp()
      const refusals: unknown[] = []
      await send(['k', 1])
      start({
        timeoutMs: 20,
        retry: { firstPauseMs: 1 },
        handler: async ({ data: { n } }, { append, attempt, signal }) => {
          if (attempt === 1) {
            await new Promise((resolve) => signal.addEventListener('abort', resolve))
            await append('out', [done(100)]).catch((error) => refusals.push(error.code))
          } else await append('out', [done(n)])
        },
      })
      await until(async () => (await numbersIn('out')).length === 1 && refusals.length === 1)
      expect(await numbersIn('out')).toEqual([1])
      expect(refusals).toEqual(['ABORTED'])
    })

    it('members come and go while messages flow: each is applied once, in order per key', async () => {
      const { open, sendTo, start, store } = await setUp()
      const total = 200
      const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
      const options: Options = {
        topics: ['wide'],
        concurrency: 4,
        handler: async ({ key, data: { n } }, { append }) => void (await append(`out-${key}`, [done(n)])),
      }
      const all = Array.from({ length: total }, (_, n): [string, number] => [keys[n % keys.length] ?? '', n])
      await sendTo('wide', ...all.slice(0, total / 2))
      const first = start(options)
      await first.ready
      const second = start(options, await open())
      await second.ready
      await sendTo('wide', ...all.slice(total / 2))
      await first.stop()
      const outOf = async (key: string) => {
        const ns: number[] = []
        for await (const { data } of store.readStream(`out-${key}`)) ns.push(data.n)
        return ns
      }
      await until(async () => (await Promise.all(keys.map(outOf))).flat().length >= total)
      for (const [index, key] of keys.entries()) {
        expect(await outOf(key)).toEqual(Array.from({ length: total / 8 }, (_, n) => n * 8 + index))
      }
    })
  })

  describe(`circuit breaker, pause, stop: ${log.name}`, () => {
    it('open it pauses the partition and burns nothing; half open one call tries; then all goes on', async () => {
      const { store, send, start } = await setUp()
      let isAway = true
      let calls = 0
      const seen: number[] = []
      const states: string[] = []
      await send(['k', 1], ['k', 2], ['k', 3])
      const processor = start({
        retry: { maxAttempts: 50, firstPauseMs: 1, longestPauseMs: 1 },
        breaker: { failures: 3, openMs: 100, onChange: ({ state }) => void states.push(state) },
        handler: async ({ data: { n } }) => {
          calls++
          if (isAway) throw new Error('the service is away')
          seen.push(n)
        },
      })
      await until(() => processor.breaker?.state === 'open')
      expect(processor.breaker).toMatchObject({ state: 'open', lastError: 'the service is away' })
      expect(calls).toBe(3)
      await until(() => states.length === 3)
      expect(states).toEqual(['open', 'half-open', 'open'])
      expect(calls).toBe(4)
      isAway = false
      await until(() => seen.length === 3)
      expect(seen).toEqual([1, 2, 3])
      expect(processor.breaker).toEqual({ state: 'closed' })
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
    })

    it("open it burns nothing of many keys' messages that were read and wait for their turn", async () => {
      const { store, send, start } = await setUp()
      let isAway = true
      let calls = 0
      await send(...Array.from({ length: 30 }, (_, n): [string, number] => [`k${n}`, n]))
      const processor = start({
        order: 'key',
        concurrency: 2,
        retry: { maxAttempts: 2, firstPauseMs: 1, longestPauseMs: 1 },
        breaker: { failures: 3, openMs: 60_000 },
        handler: async () => {
          calls++
          await new Promise((resolve) => setImmediate(resolve))
          if (isAway) throw new Error('the service is away')
        },
      })
      await until(() => processor.breaker?.state === 'open')
      await new Promise((resolve) => setTimeout(resolve, 50))
      // Two were at work when it opened.
      expect(calls).toBeLessThanOrEqual(4)
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
      await processor.stop()
      isAway = false
      start({ order: 'key', handler: async () => void calls++ })
      await until(() => calls >= 33)
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
    })

    it('however long the service is away, no message is put aside for it', async () => {
      const { store, send, start } = await setUp()
      let isAway = true
      let tries = 0
      const seen: number[] = []
      await send(['a', 1], ['b', 2], ['c', 3])
      start({
        order: 'key',
        retry: { maxAttempts: 3, firstPauseMs: 1, longestPauseMs: 1 },
        breaker: {
          failures: 4,
          openMs: 5,
          onChange: ({ state }) => {
            if (state === 'half-open') tries++
          },
        },
        handler: async ({ data: { n } }) => {
          if (isAway) throw new Error('the service is away')
          seen.push(n)
        },
      })
      await until(() => tries >= 20)
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
      isAway = false
      await until(() => seen.length === 3)
    })

    it('a message that opens the breaker by itself is put aside all the same', async () => {
      const { store, send, start } = await setUp()
      const seen: number[] = []
      await send(['k', 1], ['k', 2])
      start({
        retry: { maxAttempts: 5, firstPauseMs: 1, longestPauseMs: 1 },
        breaker: { failures: 3, openMs: 5 },
        handler: async ({ data: { n } }) => {
          if (n === 1) throw new Error('poison')
          seen.push(n)
        },
      })
      await until(() => seen.length === 1)
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ attempts: 5, data: { n: 1 } }])
    })

    it('paused it calls no handler, resumed it goes on where it was', async () => {
      const { send, start } = await setUp()
      const seen: number[] = []
      const processor = start({ handler: async ({ data: { n } }) => void seen.push(n) })
      await processor.ready
      processor.pause()
      await send(['k', 1], ['k', 2])
      await until(async () => ((await processor.lag())[0]?.seconds ?? 0) > 0)
      expect([processor.isPaused, seen]).toEqual([true, []])
      processor.resume()
      await until(() => seen.length === 2)
    })

    it('stopping lets a handler at work finish; one that does not is left, its message comes again', async () => {
      const { send, start } = await setUp()
      const begun = Promise.withResolvers<void>()
      const finish = Promise.withResolvers<void>()
      let wasAborted: boolean | undefined
      await send(['k', 1], ['k', 2])
      const first = start({
        handler: async (_, { signal }) => {
          begun.resolve()
          await finish.promise
          wasAborted = signal.aborted
        },
      })
      await begun.promise
      const stopped = first.stop()
      finish.resolve()
      await stopped
      expect(wasAborted).toBe(false)
      const seen: number[] = []
      const second = start({
        graceMs: 20,
        handler: async ({ data: { n } }) => {
          seen.push(n)
          await new Promise(() => {})
        },
      })
      await until(() => seen.length === 1)
      await second.stop()
      start({ handler: async ({ data: { n } }) => void seen.push(n) })
      await until(() => seen.length === 2)
      expect(seen).toEqual([2, 2])
    })
  })

  describe(`what must not last: ${log.name}`, () => {
    it('a shared breaker: whoever waits for the try of another stops all the same', async () => {
      const { send, start, startOther } = await setUp()
      const breaker = createCircuitBreaker({ failures: 1, openMs: 1 })
      const probing = Promise.withResolvers<void>()
      const options = { breaker, order: 'key' as const, retry: { maxAttempts: 1_000, firstPauseMs: 1 } }
      let calls = 0
      await send(['k', 1])
      start({
        ...options,
        graceMs: 0,
        handler: async () => {
          if (++calls === 1) throw new Error('away')
          probing.resolve()
          await new Promise(() => {})
        },
      })
      await probing.promise
      expect(breaker.status.state).toBe('half-open')
      const waits = startOther({ ...options, handler: async () => void calls++ })
      await until(async () => ((await waits.lag())[0]?.seconds ?? 0) > 0)
      await waits.stop()
      expect(calls).toBe(2)
    })

    it('an isRetryable that throws is told of, and decides nothing', async () => {
      const { store, send, start } = await setUp()
      const errors: string[] = []
      const seen: number[] = []
      await send(['k', 1], ['k', 2])
      start({
        order: 'key',
        onError: (error) => void errors.push((error as Error).message),
        retry: {
          maxAttempts: 2,
          firstPauseMs: 1,
          isRetryable: () => {
            throw new Error('no answer')
          },
        },
        handler: async ({ data: { n } }) => {
          if (n === 1) throw new Error('never')
          seen.push(n)
        },
      })
      await until(() => seen.length === 1)
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ reason: 'never', attempts: 2 }])
      expect(errors).toEqual(['never', 'no answer', 'never'])
    })

    it('stopping takes graceMs once: the signal fires after half of it', async () => {
      const { send, start } = await setUp()
      const begun = Promise.withResolvers<void>()
      const heard: string[] = []
      await send(['k', 1])
      const processor = start({
        graceMs: 400,
        handler: async (_, { signal }) => {
          signal.addEventListener('abort', () => heard.push('signal'))
          begun.resolve()
          await new Promise(() => {})
        },
      })
      await begun.promise
      // All by timers of one loop: late ones are late together.
      const twice = new Promise<void>((resolve) => setTimeout(resolve, 790)).then(() => heard.push('twice'))
      await Promise.all([processor.stop().then(() => heard.push('stopped')), twice])
      expect(heard).toEqual(['signal', 'stopped', 'twice'])
    })

    it('paused it puts nothing aside', async () => {
      const url = log.newUrl(bench.folder())
      const plain = await bench.open(url)
      const known = defineEvent({ name: 'Job', data: z.object({ n: z.number() }) })
      const typed = await bench.open(url, defineCatalogue([known, ...deadLetterEvents]))
      const store = typed as unknown as EventStore<Job>
      const seen: number[] = []
      const handler: Options['handler'] = async ({ data: { n } }) => void seen.push(n)
      const processor = bench.running(startProcessor({ store, group: 'g', handler, unreadable: 'deadLetter' }))
      await processor.ready
      processor.pause()
      await plain.appendToStream('s', [{ type: 'Strange', data: 1 }, job(2)])
      await until(async () => (await processor.lag()).some(({ seconds }) => seconds > 0))
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(await listDeadLetters(plain, 'session.events')).toEqual([])
      processor.resume()
      await until(() => seen.length === 1)
      expect(await listDeadLetters(plain, 'session.events')).toHaveLength(1)
    })
  })

  describe(`batches: ${log.name}`, () => {
    it('in order, with one append for all; only what is wrong in one is put aside', async () => {
      const { store, send, startBatches, numbersIn } = await setUp()
      const sizes: number[] = []
      await send(...Array.from({ length: 25 }, (_, n): [string, number] => [`k${n % 3}`, n]))
      startBatches({
        maxBatchMessages: 10,
        retry: { maxAttempts: 2, firstPauseMs: 1 },
        handleBatch: async (messages, { append }) => {
          const ns = messages.map(({ data: { n } }) => n)
          if (ns.includes(13)) throw new Error('no 13')
          sizes.push(messages.length)
          await append('out', ns.map(done))
        },
      })
      await until(async () => (await numbersIn('out')).length === 24)
      expect(await numbersIn('out')).toEqual(Array.from({ length: 25 }, (_, n) => n).filter((n) => n !== 13))
      expect(sizes).toContain(10)
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ data: { n: 13 }, reason: 'no 13' }])
    })

    it('a batch that waits for its next try is seen by its first message, with all that waits behind that one', async () => {
      const { send, startBatches } = await setUp()
      let broken = true
      const seen: number[] = []
      await send(...[1, 2, 3, 4, 5, 6, 7, 8].map((n): [string, number] => [`k${n % 2}`, n]))
      const processor = startBatches({
        maxBatchMessages: 3,
        maxBatchWaitMs: 1,
        retry: { maxAttempts: 1000, firstPauseMs: 20, longestPauseMs: 20 },
        handleBatch: async (messages) => {
          const ns = messages.map(({ data: { n } }) => n)
          if (broken) throw new Error('away')
          seen.push(...ns)
        },
      })
      // Six are in hand at most: one batch at work, one gathers.
      await until(() => processor.parked()[0]?.waitingBehind === 5)
      expect(processor.parked()).toMatchObject([{ key: 'k1', type: 'Job', reason: 'away' }])
      broken = false
      await until(() => seen.length === 8)
      expect([seen, processor.parked()]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], []])
    })

    it('P5 what a batch appended is not appended again one by one, nor when its letters are redriven', async () => {
      const { store, send, startBatches, numbersIn } = await setUp()
      let broken = true
      const alone: (readonly [number, boolean])[] = []
      await send(...[1, 2, 3, 4].map((n): [string, number] => ['k', n]))
      startBatches({
        maxBatchMessages: 4,
        maxBatchWaitMs: 1_000,
        retry: { maxAttempts: 2, firstPauseMs: 1 },
        handleBatch: async (messages, { append }) => {
          const ns = messages.map(({ data: { n } }) => n)
          const { repeated } = await append(ns.length > 1 ? 'out' : 'elsewhere', ns.map(done))
          if (ns.length === 1) alone.push([ns[0] ?? 0, repeated])
          if (broken && ns.some((n) => n > 2)) throw new Error('after the append')
        },
      })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 2)
      expect(await numbersIn('out')).toEqual([1, 2, 3, 4])
      broken = false
      await redriveDeadLetters(store, TOPIC, { by: 'test' })
      await until(() => alone.length === 8)
      expect(alone.map(([n]) => n)).toEqual([1, 2, 3, 3, 4, 4, 3, 4])
      expect(alone.every(([, repeated]) => repeated)).toBe(true)
      await send(['k', 5])
      await until(async () => (await numbersIn('elsewhere')).length > 0)
      expect([await numbersIn('out'), await numbersIn('elsewhere')]).toEqual([[1, 2, 3, 4], [5]])
    })

    it('P5 what its producer sends twice under one id is one fact, but for batches that are cut otherwise', async () => {
      const { store, startOther, startBatches, numbersIn } = await setUp()
      const send = (...ns: number[]) =>
        store.appendToStream('sender', [], {
          outgoing: ns.map((n) => ({ ...job(n), topic: TOPIC, key: 'k', eventId: `job-${n}` })),
        })
      await send(1, 2)
      let calls = 0
      startOther({
        handler: async ({ data: { n } }, { append }) => {
          await append('alone', [done(n)])
          calls++
        },
      })
      startBatches({
        maxBatchMessages: 2,
        maxBatchWaitMs: 300,
        handleBatch: async (messages, { append }) =>
          void (await append(
            'batches',
            messages.map(({ data: { n } }) => done(n)),
          )),
      })
      await until(async () => (await numbersIn('batches')).length === 2)
      await send(1)
      await until(async () => calls === 3 && (await numbersIn('batches')).length === 3)
      expect([await numbersIn('alone'), await numbersIn('batches')]).toEqual([
        [1, 2],
        [1, 2, 1],
      ])
    })
  })

  describe(`letters of another group: ${log.name}`, () => {
    it('P5 redriven they reach every group: one by one it is one fact, in a batch that is cut otherwise another key', async () => {
      const { store, send, startOther, startBatches, numbersIn } = await setUp()
      await send(['k', 1], ['k', 2])
      let calls = 0
      startOther({
        handler: async ({ data: { n } }, { append }) => {
          await append('alone', [done(n)])
          if (++calls === 1) return { kind: 'deadLetter', reason: 'once' }
        },
      })
      startBatches({
        maxBatchMessages: 2,
        maxBatchWaitMs: 300,
        handleBatch: async (messages, { append }) => {
          const ns = messages.map(({ data: { n } }) => n)
          await append('batches', ns.map(done))
        },
      })
      await until(async () => (await numbersIn('batches')).length === 2)
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      expect((await redriveDeadLetters(store, TOPIC, { by: 'test' })).settled).toHaveLength(1)
      await until(async () => calls === 3 && (await numbersIn('batches')).length === 3)
      expect([await numbersIn('alone'), await numbersIn('batches')]).toEqual([
        [1, 2],
        [1, 2, 1],
      ])
    })
  })

  describe(`batches by type: ${log.name}`, () => {
    it('a group that fails once is tried again with its batch; nothing is lost, each stream in order', async () => {
      const { store, startBatches } = await setUp()
      const types = ['Job', 'Done', 'Done', 'Job'] as const
      const seen: string[] = []
      let failures = 0
      const handle = (mayFail: boolean) => async (events: readonly Projected<Job>[]) => {
        await new Promise((resolve) => setImmediate(resolve))
        if (mayFail && failures++ === 0) throw new Error('once')
        seen.push(...events.map(({ key, data: { n } }) => `${key}${n}`))
      }
      const outgoing = Array.from({ length: 24 }, (_, n) => {
        return { topic: TOPIC, key: `k${n % 3}`, type: types[((n / 3) % 4) | 0] ?? 'Job', data: { n } }
      })
      await store.appendToStream('sender', [], { outgoing })
      const { handleBatch } = new BatchEventProcessor<Job>({ handlers: { Job: handle(false), Done: handle(true) } })
      startBatches({ maxBatchMessages: 12, retry: { maxAttempts: 3, firstPauseMs: 1 }, handleBatch })
      await until(() => new Set(seen).size === 24)
      expect(failures).toBeGreaterThan(1)
      for (const key of ['k0', 'k1', 'k2']) {
        // Handled again in order: the last time of each is behind the last time of those before it.
        const last = outgoing.filter((each) => each.key === key).map(({ data }) => seen.lastIndexOf(`${key}${data.n}`))
        expect(last).toEqual(last.toSorted((a, b) => a - b))
      }
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
    })
  })

  describe(`bad handlers and bad checkpoints: ${log.name}`, () => {
    it('a checkpoint ahead of the log: said, nothing handled, nothing guessed', async () => {
      const { store, send, start } = await setUp()
      const errors: unknown[] = []
      const seen: number[] = []
      await send(['k', 1])
      await store.appendToStream('x', [], {
        checkpoint: { group: 'workers', topic: TOPIC, partition: 0, offset: 1000 },
      })
      const onError = (error: unknown) => void errors.push(error)
      const processor = start({ onError, handler: async ({ data: { n } }) => void seen.push(n) })
      expect(await processor.ended).toMatchObject({ code: 'CHECKPOINT_AHEAD' })
      expect(errors).toEqual([await processor.ended])
      expect((errors[0] as Error).message).toContain(`at 1000 of partition 0 of "${TOPIC}"`)
      expect(seen).toEqual([])
    })

    it('a handler that blocks the event loop is reported, with how long', async () => {
      const { send, start } = await setUp()
      const errors: DuologError[] = []
      let blockedMs = 0
      await send(['k', 1])
      start({
        blockedAfterMs: 100,
        onError: (error) => void errors.push(error as DuologError),
        handler: async () => {
          const startedMs = performance.now()
          while (performance.now() - startedMs < 400) Math.sqrt(startedMs)
          blockedMs = performance.now() - startedMs
        },
      })
      await until(() => errors.length > 0)
      expect(errors[0]?.code).toBe('EVENT_LOOP_BLOCKED')
      const said = Number(/stood still for (\d+) ms/.exec(errors[0]?.message ?? '')?.[1])
      expect(said).toBeGreaterThan(300)
      expect(said).toBeLessThanOrEqual(blockedMs + 100)
      expect(errors[0]?.message).toContain(`Job ${TOPIC}/0/`)
    })

    it('a handler that never returns is said to onError, again after twice as long', async () => {
      const { send, start } = await setUp()
      const errors: DuologError[] = []
      await send(['k', 1])
      const processor = start({
        slowAfterMs: 20,
        graceMs: 0,
        onError: (error) => void errors.push(error as DuologError),
        handler: () => new Promise<void>(() => {}),
      })
      await until(() => errors.length === 2)
      expect(errors.map(({ code }) => code)).toEqual(['HANDLER_SLOW', 'HANDLER_SLOW'])
      const [first, second] = errors.map(({ message }) =>
        Number(/at work for (\d+) ms on Job of "k"/.exec(message)?.[1]),
      )
      expect(first).toBeGreaterThanOrEqual(19)
      expect(second).toBeGreaterThanOrEqual(39)
      expect(processor.parked()).toEqual([])
    })

    it('an error that says when to try again is heard; one whose code is not retryable is put aside at once', async () => {
      const { store, send, start } = await setUp()
      const attempts: number[] = []
      await send(['k', 1], ['k', 2])
      start({
        retry: { maxAttempts: 9, firstPauseMs: 1, retryableCodes: ['LOG_BUSY'] },
        handler: async ({ data: { n } }, { attempt }) => {
          if (n === 1 && attempt < 3) throw new DuologError('LOG_BUSY', 'later', { retry: { afterMs: 5 } })
          if (n === 2) throw new Error('no code at all')
          attempts.push(attempt)
        },
      })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      expect(attempts).toEqual([3])
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ data: { n: 2 }, attempts: 1 }])
    })
  })
}
