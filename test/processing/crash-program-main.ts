import { writeSync } from 'node:fs'
import { onReach } from '../../src/core/reach.ts'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { counts } from './projection-suite.ts'
import { COMMANDS, fulfilment, type ShopEvent } from './shop.ts'

/*
 * One process with everything: a projection in SQLite, a process manager whose payments time out, the shop that answers,
 * a processor with poison. It says when all is done; at a named point, the n-th time it gets there, it kills itself.
 */

export interface CrashProgram {
  readonly url: string
  readonly views: string
  readonly orders: readonly string[]
  readonly jobs: number
  /** A named point, or `any`. */
  readonly dieAt?: string
  readonly dieAtCount?: number
}

const config = JSON.parse(process.argv[2] ?? '{}') as CrashProgram
const say = (line: string) => void writeSync(1, `${line}\n`)

let reached = 0
onReach((point) => {
  if (config.dieAt !== 'any' && point !== config.dieAt) return
  if (++reached === config.dieAtCount) process.kill(process.pid, 'SIGKILL')
})

const ANSWERS: Readonly<Record<string, string>> = {
  ReserveStock: 'StockReserved',
  RefundPayment: 'PaymentRefunded',
  ReleaseStock: 'StockReleased',
}

const store = await openEventStore<ShopEvent>(config.url)
const views = await sqliteViews(config.views)
const projection = startProjection({ store: store as never, projection: counts(), views })
const manager = startProcessManager({ store, manager: fulfilment })
const shop = store.consume({
  group: 'shop',
  topics: [COMMANDS],
  handler: async ({ type, key, eventId }, { checkpoint }) => {
    const answer = ANSWERS[type]
    if (answer === undefined) return
    const event = { type: answer, data: { order: key } } as ShopEvent
    await store.appendToStream(key, [event], { idempotencyKey: eventId, checkpoint })
  },
})
const processor = startProcessor({
  store,
  group: 'workers',
  topics: ['jobs'],
  retry: { maxAttempts: 1 },
  handler: async ({ data }, { checkpoint }) => {
    const { n } = data as unknown as { n: number }
    if (n % 5 === 0) throw new Error('poison')
    const done = { type: 'Done', data: { n } } as unknown as ShopEvent
    await store.appendToStream('done', [done], { idempotencyKey: `job-${n}`, checkpoint })
  },
})
say('running')
await Promise.all([projection.ready, manager.ready, shop.ready, processor.ready])
say('ready')

for (const order of config.orders) {
  while ((await manager.load(order)).status !== 'compensated') await new Promise((resolve) => setTimeout(resolve, 50))
}
const poisoned = Math.floor(config.jobs / 5)
const jobsLeft = async () => {
  const { currentStreamVersion } = await store.aggregateStream('done', { evolve: (n) => n, initialState: () => 0 })
  return config.jobs - currentStreamVersion - (await listDeadLetters(store as never, 'jobs')).length
}
while ((await jobsLeft()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
await projection.waitFor({
  stream: 'adds',
  currentStreamVersion: (await store.aggregateStream('adds', { evolve: (n) => n, initialState: () => 0 }))
    .currentStreamVersion,
})
say(`done ${poisoned}`)
await Promise.all([projection.stop(), manager.stop(), processor.stop()])
await store.close()
await views.close()
