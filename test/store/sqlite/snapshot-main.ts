import { onReach } from '../../../src/core/reach.ts'
import { createCommandHandler } from '../../../src/store/command-handler.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'

/** Handles commands with a snapshot every 10 events, until it kills itself at a named point. */
export interface SnapshotProgram {
  readonly path: string
  readonly dieAt: string
}

const config = JSON.parse(process.argv[2] ?? '{}') as SnapshotProgram
onReach((point) => {
  if (point === config.dieAt) process.kill(process.pid, 'SIGKILL')
})

const store = await openSqliteStore({ path: config.path })
const handler = createCommandHandler({
  store,
  decider: {
    initialState: () => 0,
    decide: (n: number) => [{ type: 'Added', data: n }],
    evolve: (sum, { data }) => sum + Number(data),
  },
  snapshot: { name: 'sum', version: 1, every: 10 },
})
for (let n = 1; n <= 1000; n++) {
  await handler.handle('s', n)
  process.stdout.write(`acknowledged ${n}\n`)
}
