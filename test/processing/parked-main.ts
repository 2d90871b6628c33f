import { writeSync } from 'node:fs'
import type { ProcessorContext } from '../../src/processing/processor-options.ts'
import type { Projected } from '../../src/processing/projection.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * A member whose key `a` is away from its second message on. When that one is parked, others of its key wait behind it, and
 * all other keys are done, it says so and kills itself.
 */

const { url, doable } = JSON.parse(process.argv[2] ?? '{}') as { readonly url: string; readonly doable: number }

let done = 0
const store = await openEventStore(url)
const processor = startProcessor({
  store,
  group: 'workers',
  topics: ['jobs'],
  order: 'key',
  retry: { maxAttempts: 1000, firstPauseMs: 600_000, longestPauseMs: 600_000 },
  handler: async ({ key, data }: Projected, { append }: ProcessorContext) => {
    if (key === 'a' && (data as { job: string }).job !== 'a1') throw new Error('a is away')
    await append(`out-${key}`, [{ type: 'Done', data }])
    done++
  },
})
while (done < doable || processor.parked().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
writeSync(1, `${JSON.stringify(processor.parked())}\n`)
process.kill(process.pid, 'SIGKILL')
