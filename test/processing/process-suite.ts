import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import type { AnyEvent } from '../../src/core/event.ts'
import { processEvents } from '../../src/processing/process-events.ts'
import { defineSaga, type ProcessAction } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type LogKind, until, workbench } from './logs.ts'
import { COMMANDS, fulfilment, type ShopEvent } from './shop.ts'

const ANSWERS: Readonly<Record<string, string>> = {
  ReserveStock: 'StockReserved',
  TakePayment: 'PaymentTaken',
  ShipOrder: 'OrderShipped',
  RefundPayment: 'PaymentRefunded',
  ReleaseStock: 'StockReleased',
}

export function processSuite(log: LogKind): void {
  const bench = workbench()

  describe(`process managers: ${log.name}`, () => {
    /** `answers: false` for a command that stays without answer. */
    async function setUp(silent: readonly string[] = [], answers = ANSWERS) {
      const url = log.newUrl(bench.folder())
      const store = await bench.open<ShopEvent>(url)
      const clock = virtualClock()
      const heard: string[] = []
      const consumer = store.consume({
        group: 'shop',
        topics: [COMMANDS],
        handler: async ({ type, key, eventId }, { checkpoint }) => {
          heard.push(`${type} ${key}`)
          if (silent.includes(type)) return
          const answer = { type: answers[type], data: { order: key } } as ShopEvent
          await store.appendToStream(key, [answer], { idempotencyKey: eventId, checkpoint })
        },
      })
      bench.running(consumer)
      const start = (on: EventStore<ShopEvent> = store) =>
        bench.running(startProcessManager({ store: on, manager: fulfilment, clock }))
      const place = (order: string) => store.appendToStream(order, [{ type: 'OrderPlaced', data: { order } }])
      return { url, store, clock, heard, start, place }
    }

    it('drives a process to its end; every command leaves once', async () => {
      const { heard, start, place } = await setUp()
      const manager = start()
      await place('o1')
      await until(async () => (await manager.load('o1')).status === 'completed')
      expect(heard).toEqual(['ReserveStock o1', 'TakePayment o1', 'ShipOrder o1'])
    })

    it('timers survive: late ones fire at once after a restart, each once, also with two instances', async () => {
      const { store, clock, heard, start, place } = await setUp(['TakePayment'])
      const first = start()
      const orders = Array.from({ length: 12 }, (_, n) => `o${n}`)
      await Promise.all(orders.map(place))
      await until(() => heard.filter((line) => line.startsWith('TakePayment')).length === orders.length)
      await first.stop()
      clock.advance(60_000)
      const [one] = [start(), start()]
      for (const order of orders) await until(async () => (await one.load(order)).status === 'compensated')
      for (const order of orders) {
        const types: string[] = []
        for await (const { type } of store.readStream<AnyEvent & ShopEvent>(`fulfilment:${order}`)) types.push(type)
        expect(types.filter((type) => type === 'TimerFired')).toHaveLength(1)
        const undone = heard.filter((line) => line.endsWith(` ${order}`)).slice(2)
        expect(undone).toEqual([`RefundPayment ${order}`, `ReleaseStock ${order}`])
      }
    })

    it('compensation: its own retries go by the clock it is given, and what could not be undone is said', async () => {
      const answers = { ...ANSWERS, TakePayment: 'PaymentRefused', ReleaseStock: 'ReleaseRefused' }
      const { clock, heard, start, place } = await setUp([], answers)
      const manager = start()
      const undone = () => heard.filter((line) => line === 'ReleaseStock o1').length
      await place('o1')
      await until(async () => (await manager.load('o1')).pending['retry/stock'] !== undefined)
      clock.advance(99)
      // What the manager has heard after it was one tick too early is behind it.
      await place('o2')
      await until(async () => (await manager.load('o2')).pending['retry/stock'] !== undefined)
      expect(undone()).toBe(1)
      clock.advance(1)
      await until(async () => (await manager.load('o1')).status === 'partly-compensated')
      expect(undone()).toBe(2)
      expect((await manager.load('o1')).compensation).toMatchObject({ left: ['stock'] })
      expect((await manager.load('o2')).status).toBe('compensating')
    })

    it('a timer that was cancelled does not fire', async () => {
      const { clock, start, place } = await setUp()
      const manager = start()
      await place('o1')
      await until(async () => (await manager.load('o1')).status === 'completed')
      clock.advance(60_000)
      await place('o2')
      await until(async () => (await manager.load('o2')).status === 'completed')
      expect((await manager.load('o1')).status).toBe('completed')
      expect(manager.pendingTimers).toBe(0)
    })

    it('P5 an event that is delivered again is heard once', async () => {
      const { store, start, place } = await setUp(['ShipOrder'])
      const manager = start()
      await place('o1')
      await until(async () => (await manager.load('o1')).steps.shipping === 'started')
      const before: unknown[] = []
      for await (const event of store.readStream('fulfilment:o1')) before.push(event)
      await manager.stop()
      // As if its checkpoint had never been: another group reads it all again.
      const again = { ...fulfilment, name: 'fulfilment' }
      const second = bench.running(startProcessManager({ store: asAnotherGroup(store), manager: again }))
      await second.ready
      await place('o2')
      await until(async () => (await second.load('o2')).steps.shipping === 'started')
      const now: unknown[] = []
      for await (const event of store.readStream('fulfilment:o1')) now.push(event)
      expect(now).toEqual(before)
    })

    it('send: a message leaves once under its id, by the name of defineSaga, too; what is cancelled does not fire', async () => {
      const { store, clock } = await setUp()
      const reminding = defineSaga({
        name: 'reminding',
        initialState: () => ({ order: '', isPaid: false }),
        evolve: (state, { type, data }: ShopEvent) => ({
          order: data.order,
          isPaid: state.isPaid || type === 'PaymentTaken',
        }),
        correlate: ({ type, data }) => (type === 'OrderPlaced' || type === 'PaymentTaken' ? data.order : undefined),
        steps: {},
        nextActions: ({ order, isPaid }, { timers }): ProcessAction<never>[] => {
          const mail = (id: string): ProcessAction<never> => {
            return { kind: 'send', id, message: { topic: 'mails', type: 'SendMail', data: { order, about: id } } }
          }
          if (isPaid) return [{ kind: 'cancel', timer: 'late' }, mail('thanks'), { kind: 'complete' }]
          const wait = { kind: 'schedule', timer: 'late', afterMs: 1000 } as const
          return [mail('welcome'), wait, ...(timers.late === 'fired' ? [mail('reminder')] : [])]
        },
      })
      const mails: string[] = []
      const handler = async ({ key, data }: { key: string; data: unknown }) =>
        void mails.push(`${key} ${(data as { about: string }).about}`)
      bench.running(store.consume({ group: 'mailer', topics: ['mails'], handler }))
      const manager = bench.running(startProcessManager({ store, manager: reminding, clock }))
      await store.appendToStream('o1', [{ type: 'OrderPlaced', data: { order: 'o1' } }])
      await store.appendToStream('o1', [{ type: 'OrderPlaced', data: { order: 'o1' } }])
      await store.appendToStream('o2', [{ type: 'OrderPlaced', data: { order: 'o2' } }])
      await store.appendToStream('o2', [{ type: 'PaymentTaken', data: { order: 'o2' } }])
      await until(async () => (await manager.load('o2')).status === 'completed' && manager.pendingTimers === 1)
      clock.advance(1000)
      await until(() => mails.includes('o1 reminder'))
      await store.appendToStream('o1', [{ type: 'PaymentTaken', data: { order: 'o1' } }])
      await until(() => mails.includes('o1 thanks') && mails.includes('o2 thanks'))
      const of = (order: string) => mails.filter((line) => line.startsWith(order))
      expect(of('o1')).toEqual(['o1 welcome', 'o1 reminder', 'o1 thanks'])
      expect(of('o2')).toEqual(['o2 welcome', 'o2 thanks'])
      expect((await manager.load('o2')).timers).toEqual({ late: 'cancelled' })
    })

    it('ids as long as they may be: of what it hears, of a process', async () => {
      const { store, heard, start } = await setUp()
      const manager = start()
      const order = `o${'1'.repeat(300)}`
      await store.appendToStream(order, [{ type: 'OrderPlaced', data: { order }, eventId: 'e'.repeat(256) }])
      await until(async () => (await manager.load(order)).status === 'completed')
      expect(heard).toEqual(['ReserveStock', 'TakePayment', 'ShipOrder'].map((type) => `${type} ${order}`))
    })

    it('works with a catalogue that has its events', async () => {
      const { url } = await setUp()
      const order = z.object({ order: z.string() })
      const names = ['OrderPlaced', ...Object.values(ANSWERS)]
      const catalogue = defineCatalogue([...processEvents, ...names.map((name) => defineEvent({ name, data: order }))])
      const typed = await bench.open(url, catalogue)
      const manager = bench.running(
        startProcessManager({ store: typed as unknown as EventStore<ShopEvent>, manager: fulfilment }),
      )
      await typed.appendToStream('o1', [{ type: 'OrderPlaced', data: { order: 'o1' } }])
      await until(async () => (await manager.load('o1')).status === 'completed')
    })
  })
}

function asAnotherGroup(store: EventStore<ShopEvent>): EventStore<ShopEvent> {
  return Object.assign(Object.create(store), {
    consume: (options: Parameters<typeof store.consume>[0]) =>
      store.consume({ ...options, group: `${options.group}.again` }),
    appendToStream: store.appendToStream.bind(store),
    aggregateStream: store.aggregateStream.bind(store),
    readStream: store.readStream.bind(store),
    partitionEnds: store.partitionEnds.bind(store),
  })
}
