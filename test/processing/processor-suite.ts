import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import type { Event } from '../../src/core/event.ts'
import { deadLetterEvents } from '../../src/processing/dead-letter.ts'
import {
  type DeadLetterFilter,
  discardDeadLetters,
  listDeadLetters,
  listDeadLetterTopics,
  redriveDeadLetters,
  showDeadLetter,
} from '../../src/processing/dead-letters.ts'
import type { ProcessorOptions } from '../../src/processing/processor-options.ts'
import type { Projected } from '../../src/processing/projection.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type LogKind, until, workbench } from './logs.ts'

type Job = Event<'Job', { n: number }>
const TOPIC = 'jobs'
const EVENTS = 'session.events'
const retry = { maxAttempts: 2, firstPauseMs: 1 }
const job = (n: number): Job => ({ type: 'Job', data: { n } })

export function processorSuite(log: LogKind): void {
  const bench = workbench()

  describe(`processors: ${log.name}`, () => {
    async function setUp() {
      const store = await bench.open<Job>(log.newUrl(bench.folder()))
      const send = (key: string, ...ns: number[]) =>
        store.appendToStream('sender', [], { outgoing: ns.map((n) => ({ ...job(n), topic: TOPIC, key })) })
      const start = (options: Omit<ProcessorOptions<Job>, 'store' | 'group'>) =>
        bench.running(startProcessor({ store, group: 'workers', retry, ...options }))
      return { store: store as EventStore<Job> & EventStore, send, start }
    }

    it('an outcome is a value: done, retryAfter, deadLetter', async () => {
      const { store, send, start } = await setUp()
      const seen: [number, number][] = []
      const handler: ProcessorOptions<Job>['handler'] = async ({ data: { n } }, { attempt }) => {
        seen.push([n, attempt])
        if (n === 1 && attempt === 1) return { kind: 'retryAfter', afterMs: 1 }
        if (n === 2) return { kind: 'deadLetter', reason: 'no 2' }
        return n === 3 ? { kind: 'done' } : undefined
      }
      await send('k', 1, 2, 3, 4)
      start({ topics: [TOPIC], handler })
      await until(() => seen.length === 5)
      expect(seen).toEqual([
        [1, 1],
        [1, 2],
        [2, 1],
        [3, 1],
        [4, 1],
      ])
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([
        { data: { n: 2 }, reason: 'no 2', attempts: 1, key: 'k' },
      ])
    })

    it('retries go by the clock it was given: hours pass without waiting, and nothing is tried before they did', async () => {
      const { send, start } = await setUp()
      const clock = virtualClock()
      const hourMs = 3_600_000
      const tries: number[] = []
      const handler: ProcessorOptions<Job>['handler'] = async (_, { attempt }) => {
        tries.push(attempt)
        if (attempt === 1) return { kind: 'retryAfter', afterMs: 24 * hourMs }
        if (attempt < 4) throw new Error('not yet')
      }
      await send('k', 1)
      const patient = { maxAttempts: 5, firstPauseMs: hourMs, longestPauseMs: hourMs }
      const processor = start({ topics: [TOPIC], handler, clock, retry: patient })
      for (const [attempt, pauseMs] of [24 * hourMs, hourMs, hourMs].entries()) {
        await until(() => processor.parked()[0]?.attempt === attempt + 1)
        clock.advance(attempt === 0 ? pauseMs - 1 : pauseMs / 2 - 1)
        await new Promise((resolve) => setImmediate(resolve))
        expect(tries).toHaveLength(attempt + 1)
        clock.advance(pauseMs)
      }
      await until(() => tries.length === 4 && processor.parked().length === 0)
      expect(tries).toEqual([1, 2, 3, 4])
    })

    it('stop: the processor ends and the message is not done', async () => {
      const { send, start } = await setUp()
      await send('k', 1)
      const processor = start({ topics: [TOPIC], handler: async () => ({ kind: 'stop', reason: 'enough' }) })
      expect(await processor.stopped).toBe('enough')
      const seen: number[] = []
      start({ topics: [TOPIC], handler: async ({ data }) => void seen.push(data.n) })
      await until(() => seen.length > 0)
      expect(seen).toEqual([1])
    })

    it('poison is tried, put aside with its headers, and what follows goes on; redriven, it is handled once', async () => {
      const { store, send, start } = await setUp()
      let broken = true
      const seen: number[] = []
      const copies: Projected[] = []
      bench.running(
        store.consume({ group: 'copies', topics: [`${TOPIC}.dlq`], handler: async (copy) => void copies.push(copy) }),
      )
      const headers = { tenant: 'blue' }
      const message = { ...job(7), topic: TOPIC, key: 'k', headers, eventId: 'job-7', correlationId: 'c' }
      await store.appendToStream('sender', [], { outgoing: [message] })
      await send('k', 8)
      const handler: ProcessorOptions<Job>['handler'] = async ({ data: { n } }) => {
        if (n === 7 && broken) throw new TypeError('cannot do 7')
        seen.push(n)
      }
      start({ topics: [TOPIC], handler })
      await until(() => seen.includes(8) && copies.length === 1)
      const [letter] = await listDeadLetters(store, TOPIC)
      expect(letter).toMatchObject({
        eventId: 'job-7',
        headers,
        attempts: 2,
        error: 'TypeError',
        reason: 'cannot do 7',
      })
      expect(copies[0]).toMatchObject({ data: { n: 7 }, key: 'k', eventId: 'job-7', correlationId: 'c' })
      expect(copies[0]?.headers).toMatchObject({
        tenant: 'blue',
        'kafka_dlt-original-topic': TOPIC,
        'kafka_dlt-original-offset': String(letter?.offset),
        'kafka_dlt-original-timestamp': String(Date.parse(letter?.timestamp ?? '')),
        'kafka_dlt-original-consumer-group': 'workers',
        'kafka_dlt-exception-message': 'cannot do 7',
        attempts: '2',
        'redrive-count': '0',
      })
      broken = false
      const dry = await redriveDeadLetters(store, TOPIC, { by: 'test', dryRun: true })
      expect(dry.settled).toHaveLength(1)
      const both = await Promise.all(['a', 'b'].map((by) => redriveDeadLetters(store, TOPIC, { by })))
      expect(both.flatMap(({ settled }) => settled)).toHaveLength(1)
      await until(() => seen.includes(7))
      await send('k', 9)
      await until(() => seen.includes(9))
      expect(seen.filter((n) => n === 7)).toEqual([7])
      expect(await showDeadLetter(store, TOPIC, letter?.id ?? '')).toMatchObject({ status: 'redriven' })
    })

    it('an event is redriven to its group only, as the fact it is; failing again it is counted, and not for ever', async () => {
      const { store, start } = await setUp()
      const seen: Projected<Job>[] = []
      await store.appendToStream('s', [job(1), job(2)])
      start({
        handler: async (event) => {
          seen.push(event)
          if (event.data.n === 2) throw new Error('never')
        },
      })
      const open = () => listDeadLetters(store, EVENTS)
      await until(async () => (await open()).length === 1)
      await redriveDeadLetters(store, EVENTS, { by: 'test' })
      await until(async () => (await open()).some(({ redrives }) => redrives === 1))
      expect(seen.at(-1)).toMatchObject({ stream: 's', streamPosition: 2, topic: EVENTS })
      const again = await redriveDeadLetters(store, EVENTS, { by: 'test', maxRedrives: 1 })
      expect(again).toMatchObject({ settled: [], refused: [{ reason: 'it was redriven 1 times already' }] })
      expect(await listDeadLetterTopics(store)).toEqual([EVENTS])
    })

    it("a key's order is kept: a later letter waits for an earlier one", async () => {
      const { store, send, start } = await setUp()
      let broken = true
      const seen: string[] = []
      start({
        topics: [TOPIC],
        handler: async ({ data: { n }, key }) => {
          if (broken) throw new Error('no')
          seen.push(`${key}${n}`)
        },
      })
      await send('a', 1, 2, 3)
      await send('b', 1)
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 4)
      const [first, second] = await listDeadLetters(store, TOPIC, { key: 'a' })
      const ids = [second?.id ?? '']
      const { refused } = await redriveDeadLetters(store, TOPIC, { by: 'test', filter: { ids } })
      expect(refused[0]?.reason).toContain(first?.id)
      await discardDeadLetters(store, TOPIC, { by: 'test', reason: 'obsolete', filter: { ids: [first?.id ?? ''] } })
      broken = false
      expect((await redriveDeadLetters(store, TOPIC, { by: 'test' })).settled).toHaveLength(3)
      await until(() => seen.length === 3)
      expect(seen.filter((line) => line.startsWith('a'))).toEqual(['a2', 'a3'])
    })

    it("a key's order is kept also where the first was redriven alone and failed again", async () => {
      const { store, send, start } = await setUp()
      let broken = true
      const seen: number[] = []
      await send('a', 1, 2, 3)
      start({
        topics: [TOPIC],
        handler: async ({ data: { n } }) => {
          if (broken) return { kind: 'deadLetter', reason: 'no' }
          seen.push(n)
        },
      })
      const open = () => listDeadLetters(store, TOPIC)
      await until(async () => (await open()).length === 3)
      const first = (await open())[0]?.offset
      for (let redrives = 1; redrives <= 2; redrives++) {
        const ids = (await open()).filter(({ data }) => (data as { n: number }).n === 1).map(({ id }) => id)
        expect((await redriveDeadLetters(store, TOPIC, { by: 'test', filter: { ids } })).settled).toHaveLength(1)
        await until(async () => (await open()).some((letter) => letter.redrives === redrives))
        expect((await open()).find((letter) => letter.redrives === redrives)).toMatchObject({ firstOffset: first })
      }
      broken = false
      expect((await redriveDeadLetters(store, TOPIC, { by: 'test' })).settled).toHaveLength(3)
      await until(() => seen.length === 3)
      expect(seen).toEqual([1, 2, 3])
    })

    it('bulk: what fails again meanwhile is not sent again by the same command', async () => {
      const { store, start } = await setUp()
      const keys = Array.from({ length: 450 }, (_, n) => `k${n}`)
      await store.appendToStream('sender', [], { outgoing: keys.map((key) => ({ ...job(1), topic: TOPIC, key })) })
      start({ topics: [TOPIC], order: 'key', handler: async () => ({ kind: 'deadLetter', reason: 'all' }) })
      const redrives = async () => (await listDeadLetters(store, TOPIC)).map((letter) => letter.redrives)
      await until(async () => (await redrives()).length === keys.length)
      expect((await redriveDeadLetters(store, TOPIC, { by: 'test' })).settled).toHaveLength(keys.length)
      await until(async () => (await redrives()).length === keys.length)
      expect(new Set(await redrives())).toEqual(new Set([1]))
    })

    it('bad handlers: one that never returns, one that returns nonsense', async () => {
      const { store, send, start } = await setUp()
      await send('k', 1, 2)
      const handler = (async ({ data: { n } }: { data: { n: number } }) =>
        n === 1 ? new Promise(() => {}) : 'fine') as unknown as ProcessorOptions<Job>['handler']
      start({ topics: [TOPIC], handler, timeoutMs: 20 })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 2)
      const reasons = (await listDeadLetters(store, TOPIC)).map(({ reason, error }) => `${error}: ${reason}`)
      expect(reasons[0]).toContain('longer than 20 ms')
      expect(reasons[1]).toContain('INVALID_ARGUMENT')
    })

    it('what the catalogue cannot read: put aside, the partition goes on', async () => {
      const url = log.newUrl(bench.folder())
      const plain = await bench.open(url)
      const known = defineEvent({ name: 'Job', data: z.object({ n: z.number() }) })
      const typed = await bench.open(url, defineCatalogue([known, ...deadLetterEvents]))
      await plain.appendToStream('s', [{ type: 'Strange', data: 1 }, { type: 'Job', version: 9, data: {} }, job(3)])
      const seen: unknown[] = []
      const store = typed as unknown as EventStore<Job>
      const handler = async ({ data }: Projected<Job>) => void seen.push(data)
      bench.running(startProcessor({ store, group: 'g', handler, unreadable: 'deadLetter' }))
      await until(() => seen.length === 1)
      const letters = await listDeadLetters(plain, EVENTS)
      expect(letters.map(({ error, data }) => [error, data])).toEqual([
        ['UNKNOWN_EVENT_TYPE', 1],
        ['EVENT_VERSION_NEWER', {}],
      ])
    })

    it('a redrive begins a trace of its own that names the one it failed in, and who did it is on record', async () => {
      const { store, start } = await setUp()
      const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
      const headers = { traceparent, tracestate: 'x=1', tenant: 'blue' }
      await store.appendToStream('sender', [], { outgoing: [{ ...job(1), topic: TOPIC, key: 'k', headers }] })
      const seen: Projected<Job>[] = []
      const redrives: number[] = []
      start({
        topics: [TOPIC],
        handler: async (message, context) => {
          seen.push(message)
          redrives.push(context.redrives)
          if (seen.length === 1) return { kind: 'deadLetter', reason: 'first' }
        },
      })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      await redriveDeadLetters(store, TOPIC, { by: 'eve' })
      await until(() => seen.length === 2)
      expect(seen[1]?.headers).toMatchObject({
        'redrive-trace-link': traceparent,
        tenant: 'blue',
        'redrive-count': '1',
      })
      expect(seen[1]?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(seen[1]?.headers.traceparent).not.toBe(traceparent)
      expect(seen[1]?.headers.tracestate).toBeUndefined()
      expect(redrives).toEqual([0, 1])
      const [letter] = await listDeadLetters(store, TOPIC, { status: 'redriven' })
      expect(letter?.settled).toMatchObject({ by: 'eve', to: TOPIC, traceparent: seen[1]?.headers.traceparent })
    })

    it('P5 what one group had appended for a redriven message answers for that group alone, and for that message', async () => {
      const { store, start } = await setUp()
      const appended = async (stream: string) =>
        (await store.aggregateStream(stream, { initialState: () => 0, evolve: (count) => count + 1 })).state
      let broken = true
      start({
        topics: [TOPIC, 'next'],
        handler: async ({ topic, headers, data }, { append }) => {
          const outgoing =
            topic === TOPIC ? [{ type: 'Job', data, topic: 'next', key: 'k', headers: { ...headers } }] : []
          await append(`first-${topic}`, [job(1)])
          if (broken) return { kind: 'deadLetter', reason: 'after the append' }
          await store.appendToStream('forwards', [], { outgoing })
        },
      })
      await store.appendToStream('sender', [], { outgoing: [{ ...job(1), topic: TOPIC, key: 'k' }] })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      const other = startProcessor({
        ...{ store, group: 'others', topics: [TOPIC], from: 'end' },
        handler: async (_, { append }) => void (await append('second', [job(1)])),
      })
      bench.running(other)
      await other.ready
      broken = false
      await redriveDeadLetters(store, TOPIC, { by: 'test' })
      await until(async () => (await appended('second')) + (await appended('first-next')) === 2)
      expect(await appended(`first-${TOPIC}`)).toBe(1)
    })

    it("a header of ours that says nonsense is a stranger's: its message is handled as any other, and holds up nobody", async () => {
      const { store, start } = await setUp()
      const nonsense: readonly [string, string][] = [
        ['redrive-effect', 'nonsense'],
        ['redrive-effect', '{"stream":7}'],
        ['redrive-count', 'often'],
        ['redrive-count', '-1'],
        ['redrive-stream-position', '1.5'],
      ]
      const outgoing = nonsense.map(([name, value], n) => ({
        ...job(n),
        topic: TOPIC,
        key: 'k',
        headers: { [name]: value },
      }))
      await store.appendToStream('sender', [], { outgoing })
      const seen: (readonly [number, number])[] = []
      start({
        topics: [TOPIC],
        handler: async ({ data: { n } }, { redrives, append }) => {
          seen.push([n, redrives])
          if (n === 2) return { kind: 'deadLetter', reason: 'not this one' }
          await append('out', [job(n)])
        },
      })
      await until(() => seen.length === nonsense.length)
      expect(seen).toEqual(nonsense.map((_, n) => [n, 0]))
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ data: { n: 2 }, redrives: 0 }])
    })

    it("a header that points to a fact counts only where this group gets events again: else it is a stranger's, or was passed on", async () => {
      const { store, start } = await setUp()
      await store.appendToStream('account', [job(100)])
      const headers = { 'redrive-stream-position': '1' }
      const topics = [TOPIC, 'others.redrive']
      const outgoing = topics.map((topic, n) => ({ ...job(n), topic, key: 'account', headers }))
      await store.appendToStream('sender', [], { outgoing })
      const seen: (readonly [string, number])[] = []
      start({
        topics,
        handler: async ({ topic, data: { n } }) => {
          seen.push([topic, n])
          return { kind: 'deadLetter', reason: 'as it was' }
        },
      })
      await until(
        async () => (await Promise.all(topics.map((topic) => listDeadLetters(store, topic)))).flat().length === 2,
      )
      expect(seen.toSorted()).toEqual(
        [
          [TOPIC, 0],
          ['others.redrive', 1],
        ].toSorted(),
      )
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ type: 'Job', data: { n: 0 } }])
    })

    it('filters by group, type, error, key and age; bulk goes in order, in several appends', async () => {
      const { store, start, send } = await setUp()
      let broken = true
      const seen: number[] = []
      const ns = Array.from({ length: 450 }, (_, n) => n)
      await send('k', ...ns)
      start({
        topics: [TOPIC],
        handler: async ({ data: { n } }) => {
          if (broken) return { kind: 'deadLetter', reason: 'all' }
          seen.push(n)
        },
      })
      const count = async (filter: DeadLetterFilter) => (await listDeadLetters(store, TOPIC, filter)).length
      await until(async () => (await count({})) === ns.length)
      expect(await count({ olderThanMs: 3_600_000 })).toBe(0)
      expect(
        await count({ newerThanMs: 3_600_000, group: 'workers', key: 'k', type: 'Job', error: 'deadLetter' }),
      ).toBe(450)
      expect(await count({ key: 'other' })).toBe(0)
      broken = false
      const { settled } = await redriveDeadLetters(store, TOPIC, { by: 'test' })
      expect(settled).toHaveLength(450)
      await until(() => seen.length === 450)
      expect(seen).toEqual(ns)
    })

    it('what is too large to be put aside whole is put aside without its data, and redriven with it', async () => {
      const { store, start } = await setUp()
      // Nested so deeply that what is around a letter is too much.
      let deep: unknown = 'bottom'
      for (let level = 0; level < 500; level++) deep = [deep]
      const data = { n: 1, deep }
      await store.appendToStream('sender', [], { outgoing: [{ type: 'Job', data, topic: TOPIC, key: 'k' }] })
      const seen: unknown[] = []
      start({
        topics: [TOPIC],
        handler: async (message) => {
          seen.push(message.data)
          if (seen.length === 1) return { kind: 'deadLetter', reason: 'once' }
        },
      })
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 1)
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([{ omitted: true, data: null }])
      await redriveDeadLetters(store, TOPIC, { by: 'test' })
      await until(() => seen.length === 2)
      expect(seen[1]).toEqual(data)
    })

    it('what the catalogue cannot read: the processor stops, or passes over it, or waits', async () => {
      const url = log.newUrl(bench.folder())
      const plain = await bench.open(url)
      const known = defineEvent({ name: 'Job', data: z.object({ n: z.number() }) })
      const store = (await bench.open(url, defineCatalogue([known, ...deadLetterEvents]))) as unknown as EventStore<Job>
      await plain.appendToStream('s', [{ type: 'Strange', data: 1 }, job(3)])
      const seen: unknown[] = []
      const handler = async ({ data }: Projected<Job>) => void seen.push(data)
      const stopping = startProcessor({ store, group: 'a', handler, unreadable: 'stop' })
      expect(await stopping.stopped).toContain('Strange')
      const waiting = bench.running(startProcessor({ store, group: 'b', handler }))
      await until(() => waiting.parked().length === 1)
      expect([waiting.parked()[0]?.type, seen]).toEqual(['Strange', []])
      bench.running(startProcessor({ store, group: 'c', handler, unreadable: 'skip' }))
      await until(() => seen.length === 1)
      expect(seen).toEqual([{ n: 3 }])
    })
  })
}
