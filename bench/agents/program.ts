import { writeSync } from 'node:fs'
import type { OpenEngine } from './engine.ts'
import { result } from './instant.ts'
import { dbos } from './peers/dbos.ts'
import { langgraph } from './peers/langgraph.ts'
import { restate } from './peers/restate.ts'
import { recordedSteps } from './recorded-steps.ts'
import { overheadPerCall, wholeSessions } from './whole-sessions.ts'
import { measure, type Size } from './workload.ts'

/*
 * One contender in a process of its own: program.ts FORM PACKAGES PLACE measure SIZE | run ID STEPS DELAY | overhead SESSIONS.
 * `measure` and `overhead` print figures as JSON lines; `run` prints each step as it is executed.
 */

const engines: Readonly<Record<string, OpenEngine>> = {
  'recorded-steps': recordedSteps,
  'whole-sessions': wholeSessions,
  'langgraph-tasks': langgraph('tasks'),
  'langgraph-full': langgraph('tasks', 'FULL'),
  'langgraph-graph': langgraph('graph'),
  'langgraph-small': langgraph('small'),
  dbos,
  restate,
}

const [form = '', packages = '', place = '', verb = '', ...rest] = process.argv.slice(2)
const open = engines[form]
if (open === undefined) throw new Error(`No contender named ${form}; there are ${Object.keys(engines).join(', ')}`)
const verbs: Readonly<Record<string, (open: OpenEngine) => Promise<void>>> = { measure: figures, run: life, overhead }
await verbs[verb]?.(open)
process.exit(0)

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

async function figures(open: OpenEngine): Promise<void> {
  const size = JSON.parse(rest[0] ?? '{}') as Size
  const engine = await open({ packages, place, step: () => result })
  await measure(engine, size, say)
  await engine.close()
}

async function overhead(): Promise<void> {
  say({ row: 'overhead', ...(await overheadPerCall(place, Number(rest[0]))) })
}

async function life(open: OpenEngine): Promise<void> {
  const [id = '', steps = '0', delayMs = '0'] = rest
  const wait = Number(delayMs)
  const step = async (_: string, number: number, inDoubt = false) => {
    say({ step: number, inDoubt })
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    return result
  }
  const engine = await open({ packages, place, step })
  await engine.run(id, Number(steps))
  await engine.close()
}
