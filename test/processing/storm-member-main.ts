import { writeSync } from 'node:fs'
import type { AnyEvent } from '../../src/core/event.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startBatchProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { counts } from './projection-suite.ts'

/*
 * One member of both groups of a storm: a projection in a SQLite file that all share, and a processor whose appends carry
 * nothing but the checkpoint to make them exactly once. It leaves in good order when its standard input ends.
 */

export interface StormMember {
  readonly url: string
  readonly views: string
}

const config = JSON.parse(process.argv[2] ?? '{}') as StormMember
const store = await openEventStore(config.url)
const views = await sqliteViews(config.views)
const projection = startProjection({ store: store as never, projection: counts(), views })
const processor = startBatchProcessor<AnyEvent>({
  store,
  group: 'storm',
  topics: ['storm.jobs'],
  handleBatch: async (messages, { checkpoint }) => {
    const handled = messages.map(({ data }) => ({ type: 'Handled', data }))
    await store.appendToStream(`handled:${messages[0]?.partition}`, handled, { checkpoint })
  },
})
const left = new Promise<void>((resolve) => process.stdin.on('end', resolve).resume())
await Promise.race([Promise.all([projection.ready, processor.ready]), left])
writeSync(1, 'joined\n')
await left
await Promise.all([projection.stop(), processor.stop()])
await store.close()
await views.close()
