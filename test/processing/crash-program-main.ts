import { writeSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { onReach } from '../../src/core/reach.ts'
import { redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import { createInbox } from '../../src/processing/inbox.ts'
import { type InboxDatabase, sqliteInbox } from '../../src/processing/sqlite-inbox.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startBatchProcessor, startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { counts } from './projection-suite.ts'
import { COMMANDS, fulfilment, type ShopEvent } from './shop.ts'

/*
 * One process with everything: a projection in SQLite that is built again, a process manager whose payments time out, the
 * shop that answers, a processor with poison that is redriven, one by key with retries and an inbox in a database of its
 * own, one in batches. It says when all is done; at a named point, the n-th time it gets there, it kills itself.
 */

export interface CrashProgram {
  readonly url: string
  readonly views: string
  /** A database with effects, marked in its inbox. */
  readonly effects: string
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

const numberOf = ({ data }: { readonly data: unknown }) => (data as { n: number }).n
const done = (n: number) => ({ type: 'Done', data: { n } }) as unknown as ShopEvent

const store = await openEventStore<ShopEvent>(config.url)
const views = await sqliteViews(config.views)
const projection = startProjection({ store: store as never, projection: counts(), views })
const manager = startProcessManager({ store, manager: fulfilment, timerReadBack: 1 })
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
// What fails as it should is no error of this program, and not to be told of.
const onError = () => {}
const processor = startProcessor({
  store,
  group: 'workers',
  topics: ['jobs'],
  retry: { maxAttempts: 1 },
  onError,
  handler: async (message, { append, redrives }) => {
    const n = numberOf(message)
    if (n % 5 === 0 && redrives === 0) throw new Error('poison')
    await append('done', [done(n)])
  },
})
const database = new DatabaseSync(config.effects, { timeout: 10_000 })
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS effects (n INTEGER)')
const inbox = await sqliteInbox({ database })
const byKey = startProcessor({
  store,
  group: 'effects',
  topics: ['jobs'],
  order: 'key',
  retry: { maxAttempts: 3, firstPauseMs: 20 },
  onError,
  handler: async (message, { append, attempt }) => {
    const n = numberOf(message)
    if (n % 4 === 1 && attempt === 1) throw new Error('not at once')
    const add = (db: InboxDatabase) => void db.prepare('INSERT INTO effects (n) VALUES (?)').run(n)
    inbox.inTransaction('effects', message.eventId, add)
    await append('effected', [done(n)])
  },
})
const once = createInbox({ consumer: 'once', store: inbox, inDoubt: 'skip' })
const batches = startBatchProcessor({
  store,
  group: 'batches',
  topics: ['jobs'],
  maxBatchMessages: 4,
  handleBatch: async (messages, { append }) => {
    // What others had redriven comes to every group again, in another batch: another key.
    const first = messages.filter(({ headers }) => headers['redrive-count'] === undefined)
    for (const { eventId } of first) await once.once(eventId, async () => {})
    if (first.length > 0) await append('batched', first.map(numberOf).map(done))
  },
})
const all = [manager, shop, processor, byKey, batches]
say('running')
await Promise.all([projection, ...all].map(({ ready }) => ready))
say('ready')
const rebuilt = projection.rebuild()
// A timer is carried when enough lies behind it, in its partition.
let isMade = config.dieAt !== 'process.carry.done'
const noise = async (n: number) => {
  while (!isMade) await store.appendToStream(`noise-${n}`, Array(10).fill(done(0)))
}
const noises = Array.from({ length: 30 }, (_, n) => noise(n))

for (const order of config.orders) {
  while ((await manager.load(order)).status !== 'compensated') await new Promise((resolve) => setTimeout(resolve, 50))
}
const poisoned = Math.floor(config.jobs / 5)
const lengthOf = async (stream: string) =>
  (await store.aggregateStream(stream, { evolve: (n) => n, initialState: () => 0 })).currentStreamVersion
const jobsLeft = async () => {
  const lengths = await Promise.all(['done', 'effected', 'batched'].map(lengthOf))
  return lengths.some((length) => length < config.jobs)
}
while (await jobsLeft()) {
  await redriveDeadLetters(store as never, 'jobs', { by: 'the program' })
  await new Promise((resolve) => setTimeout(resolve, 50))
}
await rebuilt
await projection.waitFor({
  stream: 'adds',
  currentStreamVersion: await lengthOf('adds'),
})
isMade = true
await Promise.all(noises)
say(`done ${poisoned}`)
await Promise.all([projection, ...all].map((each) => each.stop()))
database.close()
await store.close()
await views.close()
