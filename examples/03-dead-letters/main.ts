/*
 * A poison message is put aside so that the others go on; the fault is mended; it is sent again.
 *
 *   node examples/03-dead-letters/main.ts [--log memory: | --log file:./mail.db | --log kafka://localhost:9092]
 */
import { parseArgs } from 'node:util'
import { openEventStore } from 'duolog'
import { listDeadLetters, redriveDeadLetters, startProcessor } from 'duolog/processing'

const { values, positionals } = parseArgs({ options: { log: { type: 'string' } }, allowPositionals: true })
const log = values.log ?? positionals[0] ?? 'memory:'

type Mail = { type: 'SendMail'; data: { to: string } }

const store = await openEventStore(log)
const mailed: string[] = []
let mended = false

const processor = startProcessor<Mail>({
  store,
  group: 'mailer',
  topics: ['mails'],
  retry: { maxAttempts: 3, firstPauseMs: 10 },
  handler: async ({ data: { to } }) => {
    if (!to.includes('@') && !mended) throw new Error(`"${to}" is no address`)
    mailed.push(to)
  },
})

const until = async (yes: () => boolean | Promise<boolean>) => {
  while (!(await yes())) await new Promise((resolve) => setTimeout(resolve, 10))
}
const outgoing = ['ada@example.org', 'nobody', 'bob@example.org'].map((to) => {
  return { topic: 'mails', key: 'outbox', type: 'SendMail', data: { to } }
})
await store.appendToStream('sender', [], { outgoing })
await until(async () => mailed.length === 2 && (await listDeadLetters(store, 'mails')).length === 1)
console.log(`mailed: ${mailed.join(', ')}`)
for (const { reason, attempts } of await listDeadLetters(store, 'mails')) {
  console.log(`put aside after ${attempts} attempts: ${reason}`)
}

mended = true
const { settled } = await redriveDeadLetters(store, 'mails', { by: 'operator' })
await until(() => mailed.length === 3)
console.log(`redriven: ${settled.length}; mailed at last: ${mailed[2]}`)
await processor.stop()
await store.close()
