import { writeSync } from 'node:fs'
import { onReach } from '../../src/core/reach.ts'
import { startBatchProcessor } from '../../src/processing/start-processor.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * A member of a group that stops in the middle of its first append, as a process that is suspended does: it owns the
 * partition of the event topic, has judged nothing yet, and sends its transaction when it is let go on. What its append
 * came to it says.
 */

const { url } = JSON.parse(process.argv[2] ?? '{}') as { readonly url: string }
const say = (line: string) => void writeSync(1, `${line}\n`)
let isStopped = false
onReach((point) => {
  if (point !== 'kafka.writer.caught-up' || isStopped) return
  isStopped = true
  say('stopping')
  process.kill(process.pid, 'SIGSTOP')
})

const store = await openEventStore(url)
startBatchProcessor({
  store,
  group: 'zombies',
  topics: ['zombie.jobs'],
  maxBatchMessages: 2,
  graceMs: 30_000,
  handleBatch: async (messages, { append }) => {
    const handled = messages.map(({ data }) => ({ type: 'Handled', data }))
    await append('handled', handled).then(
      () => say('appended'),
      (error: { readonly code?: string }) => {
        say(`refused ${error.code}`)
        throw error
      },
    )
  },
})
