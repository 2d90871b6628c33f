import type { Event } from '../../src/core/event.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'

/** An order: reserve stock, take the payment within a time, ship; undone in reverse order. */
export type ShopEvent =
  | Event<'OrderPlaced', { order: string }>
  | Event<'StockReserved' | 'StockReleased' | 'ReleaseRefused', { order: string }>
  | Event<'PaymentTaken' | 'PaymentRefused' | 'PaymentRefunded', { order: string }>
  | Event<'OrderShipped', { order: string }>

export const COMMANDS = 'shop.commands'
const command =
  (type: string) =>
  ({ order }: { order: string }) => ({ topic: COMMANDS, type, data: { order } })

export const fulfilment = defineProcessManager({
  name: 'fulfilment',
  initialState: () => ({ order: '' }),
  evolve: (state, event: ShopEvent) => (event.type === 'OrderPlaced' ? { order: event.data.order } : state),
  correlate: ({ data }) => data.order,
  steps: {
    stock: {
      command: command('ReserveStock'),
      doneBy: ['StockReserved'],
      compensation: {
        command: command('ReleaseStock'),
        doneBy: ['StockReleased'],
        failedBy: ['ReleaseRefused'],
        maxAttempts: 2,
        retryAfterMs: 100,
        // A broker may keep a killed consumer's partitions for seconds: that is no failed compensation.
        timeoutMs: 60_000,
      },
    },
    payment: {
      command: command('TakePayment'),
      doneBy: ['PaymentTaken'],
      failedBy: ['PaymentRefused'],
      timeoutMs: 1000,
      compensation: { command: command('RefundPayment'), doneBy: ['PaymentRefunded'], timeoutMs: 60_000 },
    },
    shipping: { command: command('ShipOrder'), doneBy: ['OrderShipped'] },
  },
  nextActions: ({ order }, { steps }) => {
    if (order === '') return []
    if (steps.payment === 'failed') return [{ kind: 'compensate', reason: 'the payment was refused' }]
    if (steps.payment === 'timed-out') return [{ kind: 'compensate', reason: 'no payment in time' }]
    if (steps.shipping === 'completed') return [{ kind: 'complete' }]
    if (steps.payment === 'completed') return [{ kind: 'start', step: 'shipping' }]
    if (steps.stock === 'completed') return [{ kind: 'start', step: 'payment' }]
    return [{ kind: 'start', step: 'stock' }]
  },
})
