import { writeSync } from 'node:fs'
import { onReach } from '../../src/core/reach.ts'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Counted, counts } from './projection-suite.ts'

/*
 * One process that appends, with or without the inline view; it kills itself the n-th time it gets to a named point.
 */

export interface InlineProgram {
  readonly url: string
  readonly name: string
  readonly appends: number
  readonly inline: boolean
  readonly dieAt?: string
  readonly dieAtCount?: number
}

const { url, name, appends, inline, dieAt, dieAtCount } = JSON.parse(process.argv[2] ?? '{}') as InlineProgram

const store = await openEventStore<Counted>(url)
const view = inline ? await startInlineProjection({ store, projection: counts() }) : undefined
let reached = 0
onReach((point) => {
  if (point === dieAt && ++reached === dieAtCount) process.kill(process.pid, 'SIGKILL')
})
for (let n = 0; n < appends; n++) {
  const events: Counted[] = n % 10 === 9 ? [{ type: 'Cleared', data: {} }] : [{ type: 'Added', data: { n } }]
  const { currentStreamVersion } = await store.appendToStream(`s${n % 3}`, events)
  writeSync(1, `appended ${name} s${n % 3} ${currentStreamVersion}\n`)
}
await view?.stop()
await store.close()
