import type { Result } from '../report.ts'
import type { PartTask } from './plan.ts'

/* One part of the bench in a process of its own: its rows are the one line on stdout, its progress goes to stderr. */

interface PartModule {
  measure(task: PartTask): Promise<readonly Result[]>
}

const parts: Readonly<Record<PartTask['part'], () => Promise<PartModule>>> = {
  appends: () => import('./appends.ts'),
  java: () => import('./java.ts'),
  sharing: () => import('./sharing.ts'),
  snapshots: () => import('./snapshots.ts'),
  'reads-log': () => import('./reads-log.ts'),
  reads: () => import('./reads.ts'),
}

const task: PartTask = JSON.parse(process.argv[2] ?? '')
const { measure } = await parts[task.part]()
process.stdout.write(`${JSON.stringify(await measure(task))}\n`)
