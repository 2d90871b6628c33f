import { writeSync } from 'node:fs'
import { dbos } from './dbos.ts'
import { duolog } from './duolog.ts'
import { type OpenEngine, result } from './engine.ts'
import { langgraph } from './langgraph.ts'
import { restate } from './restate.ts'
import { measure, type Size } from './workload.ts'

/*
 * One contender in a process of its own: program.ts FORM PACKAGES PLACE measure SIZE | run ID STEPS DELAY.
 * `measure` prints figures as JSON lines; `run` prints the number of each step as it is executed.
 */

const engines: Readonly<Record<string, OpenEngine>> = {
  duolog,
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
await (verb === 'measure' ? figures(open) : life(open))
process.exit(0)

async function figures(open: OpenEngine): Promise<void> {
  const size = JSON.parse(rest[0] ?? '{}') as Size
  const engine = await open({ packages, place, step: () => result })
  await measure(engine, size, (line) => writeSync(1, `${JSON.stringify(line)}\n`))
  await engine.close()
}

async function life(open: OpenEngine): Promise<void> {
  const [id = '', steps = '0', delayMs = '0'] = rest
  const wait = Number(delayMs)
  const step = async (_: string, number: number) => {
    writeSync(1, `${JSON.stringify({ step: number })}\n`)
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    return result
  }
  const engine = await open({ packages, place, step })
  await engine.run(id, Number(steps))
  await engine.close()
}
