import { writeSync } from 'node:fs'
import type { OpenEngine } from './engine.ts'
import { result } from './instant.ts'
import type { Size } from './workload.ts'

/*
 * One contender in a process of its own: program.ts FORM PACKAGES PLACE measure SIZE | run ID STEPS DELAY | overhead SESSIONS AT-ONCE.
 * `measure` and `overhead` print figures as JSON lines; `run` prints each step as it is executed.
 */

/** Each loads what it needs and no more: a start is measured, too. */
const langgraph = async () => (await import('./peers/langgraph.ts')).langgraph
const engines: Readonly<Record<string, () => Promise<OpenEngine>>> = {
  'recorded-steps': async () => (await import('./recorded-steps.ts')).recordedSteps,
  'whole-sessions': async () => (await import('./whole-sessions.ts')).wholeSessions,
  'langgraph-tasks': async () => (await langgraph())('tasks'),
  'langgraph-full': async () => (await langgraph())('tasks', 'FULL'),
  'langgraph-graph': async () => (await langgraph())('graph'),
  'langgraph-small': async () => (await langgraph())('small'),
  dbos: async () => (await import('./peers/dbos.ts')).dbos,
  restate: async () => (await import('./peers/restate.ts')).restate,
}

const [form = '', packages = '', place = '', verb = '', ...rest] = process.argv.slice(2)
const load = engines[form]
if (load === undefined) throw new Error(`No contender named ${form}; there are ${Object.keys(engines).join(', ')}`)
const verbs: Readonly<Record<string, (open: OpenEngine) => Promise<void>>> = { measure: figures, run: life, overhead }
await verbs[verb]?.(await load())
process.exit(0)

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

async function figures(open: OpenEngine): Promise<void> {
  const size = JSON.parse(rest[0] ?? '{}') as Size
  const engine = await open({ packages, place, step: () => result })
  const { measure } = await import('./workload.ts')
  await measure(engine, size, say)
  await engine.close()
}

async function overhead(): Promise<void> {
  const { overheadPerCall } = await import('./whole-sessions.ts')
  const [sessions, atOnce] = rest.map(Number) as [number, number]
  say({ row: `overhead.${atOnce}`, ...(await overheadPerCall({ packages, place }, { sessions, atOnce })) })
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
