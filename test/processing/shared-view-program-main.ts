import { writeSync } from 'node:fs'
import { onReach } from '../../src/core/reach.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { ViewStore } from '../../src/processing/view-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { tallies } from './tallies.ts'

/*
 * One of several processes that keep one view up to date. It says which offsets of which partition it applied; at a named
 * point, the n-th time it gets there, it kills itself; told `stop` on its input, it stops.
 */

export interface SharedViewProgram {
  readonly url: string
  readonly views: string
  readonly dieAt?: string
  readonly dieAtCount?: number
}

const { url, views: path, dieAt, dieAtCount } = JSON.parse(process.argv[2] ?? '{}') as SharedViewProgram
const say = (line: string) => void writeSync(1, `${line}\n`)

let reached = 0
onReach((point) => {
  if (point === dieAt && ++reached === dieAtCount) process.kill(process.pid, 'SIGKILL')
})
const store = await openEventStore(url)
const views = await sqliteViews(path)
const view = startProjection({ store, projection: tallies, views: saying(views), maxBatchMessages: 20 })
await view.ready
say('ready')
await new Promise((resolve) => process.stdin.once('data', resolve))
await view.stop()
await store.close()
await views.close()

function saying(views: ViewStore): ViewStore {
  const apply: ViewStore['apply'] = async (build, change) => {
    await views.apply(build, change)
    say(`applied ${change.partition} ${change.from ?? 0} ${change.to}`)
  }
  return new Proxy(views, {
    get: (target, name) => {
      if (name === 'apply') return apply
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
