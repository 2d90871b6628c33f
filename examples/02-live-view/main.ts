/*
 * A view of balances, read by the one who writes, then computed differently and rebuilt while events flow.
 *
 *   node examples/02-live-view/main.ts [--log memory: | --log file:./bank.db | --log kafka://localhost:9092]
 */
import { parseArgs } from 'node:util'
import { openEventStore } from 'duolog'
import { defineProjection, memoryViews, startProjection } from 'duolog/processing'

const { values, positionals } = parseArgs({ options: { log: { type: 'string' } }, allowPositionals: true })
const log = values.log ?? positionals[0] ?? 'memory:'

type BankEvent = { type: 'Deposited' | 'Withdrawn'; data: { amount: number } }

const balances = defineProjection({
  name: 'balances',
  initialState: () => ({ balance: 0 }),
  evolve: ({ balance }, { type, data }: BankEvent) => ({
    balance: type === 'Deposited' ? balance + data.amount : balance - data.amount,
  }),
})
const turnover = defineProjection({
  name: 'balances',
  version: 2,
  initialState: () => ({ balance: 0, turnover: 0 }),
  evolve: (row, { type, data }: BankEvent) => ({
    balance: type === 'Deposited' ? row.balance + data.amount : row.balance - data.amount,
    turnover: row.turnover + data.amount,
  }),
})

const store = await openEventStore<BankEvent>(log)
const CLIENTS = 300
const views = memoryViews() // sqliteViews('./views.db') keeps them

const first = startProjection({ store, projection: balances, views })
await store.appendToStream('ada', [{ type: 'Deposited', data: { amount: 100 } }], { idempotencyKey: 'ada-1' })
const paid = await store.appendToStream('ada', [{ type: 'Withdrawn', data: { amount: 30 } }], {
  idempotencyKey: 'ada-2',
})
for (let n = 0; n < CLIENTS; n++) {
  await store.appendToStream(`client-${n}`, [{ type: 'Deposited', data: { amount: n } }], { idempotencyKey: 'client' })
}
console.log('version 1', JSON.stringify(await first.get('ada', { after: paid })))
await first.stop()

// The new program: its view is built beside the old one, which readers see until it is complete.
const second = startProjection({ store, projection: turnover, views })
await second.ready
const seen = new Set<number | undefined>()
do {
  seen.add((await second.get('ada'))?.balance)
  await new Promise((resolve) => setTimeout(resolve, 5))
} while ((await second.status()).live.version !== 2)
console.log('while it is built, ada has', [...seen].join(', '))
console.log('rebuilt', JSON.stringify(await second.get('ada')))
const last = await store.appendToStream('ada', [{ type: 'Deposited', data: { amount: 5 } }], {
  idempotencyKey: 'ada-3',
})
console.log('version 2', JSON.stringify(await second.get('ada', { after: last })))
await second.stop()
await store.close()
