import { writeSync } from 'node:fs'
import { isDuologError } from '../../../src/core/errors.ts'
import { onReach } from '../../../src/core/reach.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'

/*
 * A process that appends to one file from several callers and says every append it was promised. At a named point, the
 * n-th time it gets there, it kills itself.
 */

export interface AppendProgram {
  readonly path: string
  readonly name: string
  readonly callers: number
  readonly appendsPerCaller: number
  readonly streams: number
  readonly dieAt?: string
  readonly dieAtCount?: number
}

/** Each append is two events and a task. */
export const EVENTS_PER_APPEND = 2

const config = JSON.parse(process.argv[2] ?? '{}') as AppendProgram

let reached = 0
onReach((point) => {
  if (point === config.dieAt && ++reached === config.dieAtCount) process.kill(process.pid, 'SIGKILL')
})

const store = await openSqliteStore({ path: config.path })
say('open')

async function caller(number: number): Promise<void> {
  for (let n = 0; n < config.appendsPerCaller; n++) {
    const id = `${config.name}-${number}-${n}`
    const stream = `s${(number + n) % config.streams}`
    try {
      await append(stream, id, n)
    } catch (error) {
      // Some ask for a version on purpose; that is the only refusal there may be.
      if (!isDuologError(error, 'EXPECTED_VERSION_CONFLICT')) throw error
      say(`refused ${id}`)
    }
  }
}

async function append(stream: string, id: string, n: number): Promise<void> {
  const events = Array.from({ length: EVENTS_PER_APPEND }, (_, part) => ({ type: 'Added', data: { id, part } }))
  const appended = await store.appendToStream(stream, events, {
    outgoing: [{ topic: 'agent.tasks.worker', key: stream, type: 'Task', data: { id } }],
    ...(n % 5 === 4 && { expectedStreamVersion: 1 }),
    ...(n % 3 === 0 && { idempotencyKey: id }),
  })
  say(`acknowledged ${id} ${stream} ${appended.firstStreamPosition}`)
}

/** At once and for good, also if the next thing is death. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

await Promise.all(Array.from({ length: config.callers }, (_, number) => caller(number)))
await store.close()
say('done')
