/*
 * An order is paid and shipped, or undone: a process manager with a payment time-out and compensation.
 *
 *   node examples/01-order-fulfilment/main.ts [--log memory: | --log file:./shop.db | --log kafka://localhost:9092]
 */
import { parseArgs } from 'node:util'
import { openEventStore } from 'duolog'
import { defineProcessManager, startProcessManager } from 'duolog/processing'

const { values, positionals } = parseArgs({ options: { log: { type: 'string' } }, allowPositionals: true })
const log = values.log ?? positionals[0] ?? 'memory:'

type ShopEvent = { type: string; data: { order: string; paysInTime?: boolean } }

const command = (type: string) => (state: { order: string; paysInTime: boolean }) => {
  return { topic: 'shop.commands', type, data: state }
}

const fulfilment = defineProcessManager({
  name: 'fulfilment',
  initialState: () => ({ order: '', paysInTime: false }),
  evolve: (state, { type, data }: ShopEvent) =>
    type === 'OrderPlaced' ? { order: data.order, paysInTime: data.paysInTime ?? false } : state,
  correlate: ({ data }) => data.order,
  steps: {
    stock: {
      command: command('ReserveStock'),
      doneBy: ['StockReserved'],
      compensation: { command: command('ReleaseStock'), doneBy: ['StockReleased'] },
    },
    payment: {
      command: command('TakePayment'),
      doneBy: ['PaymentTaken'],
      timeoutMs: 300,
      compensation: { command: command('RefundPayment'), doneBy: ['PaymentRefunded'] },
    },
    shipping: { command: command('ShipOrder'), doneBy: ['OrderShipped'] },
  },
  nextActions: (_, { steps }) => {
    if (steps.payment === 'timed-out') return [{ kind: 'compensate', reason: 'no payment in time' }]
    if (steps.shipping === 'completed') return [{ kind: 'complete' }]
    if (steps.payment === 'completed') return [{ kind: 'start', step: 'shipping' }]
    if (steps.stock === 'completed') return [{ kind: 'start', step: 'payment' }]
    return [{ kind: 'start', step: 'stock' }]
  },
})

const answers: Record<string, string> = {
  ReserveStock: 'StockReserved',
  TakePayment: 'PaymentTaken',
  ShipOrder: 'OrderShipped',
  RefundPayment: 'PaymentRefunded',
  ReleaseStock: 'StockReleased',
}

const store = await openEventStore<ShopEvent>(log)

// The shop: does what it is told and answers with an event. The customer of a late order never pays.
store.consume({
  group: 'shop',
  topics: ['shop.commands'],
  handler: async ({ type, key, eventId, data }, { checkpoint }) => {
    if (type === 'TakePayment' && !data.paysInTime) return
    await store.appendToStream(key, [{ type: answers[type] ?? 'Refused', data: { order: key } }], {
      idempotencyKey: eventId,
      checkpoint,
    })
  },
})
const manager = startProcessManager({ store, manager: fulfilment })

for (const [order, paysInTime] of [
  ['order-1', true],
  ['order-2', false],
] as const) {
  await store.appendToStream(order, [{ type: 'OrderPlaced', data: { order, paysInTime } }], {
    idempotencyKey: 'placed',
  })
  let status = ''
  while (status !== 'completed' && status !== 'compensated') {
    await new Promise((resolve) => setTimeout(resolve, 20))
    status = (await manager.load(order)).status
  }
  const history: string[] = []
  for await (const { type } of store.readStream(order)) history.push(type)
  console.log(`${order} ${status}: ${history.join(' → ')}`)
}
await manager.stop()
await store.close()
