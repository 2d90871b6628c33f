import { randomUUID } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { median } from '../../report.ts'
import { RESULT_BYTES } from '../instant.ts'
import { type Contender, memoryOf, type Program, start, syncsOf } from './child.ts'
import type { Size } from './workload.ts'

/* What is measured of one contender, each time in a process begun for it. */

/** Where a contender keeps what it records, and its server if it has one. */
export interface Site {
  readonly contender: Contender
  /** File or folder of its data. */
  readonly data: string
  readonly serverPid?: number
  /** A file of the syncs of its server; else the program's own are traced. */
  readonly syncsTo?: string
}

/** Figures by their name; `alone.p50Ms`, `long.5000.msPerStep`. */
export type Figures = Map<string, number>

/** Numbers of the lines a contender printed. */
export function figuresOf(lines: readonly Readonly<Record<string, unknown>>[]): Figures {
  const figures: Figures = new Map()
  for (const { row, ...values } of lines) {
    const name = row === 'long' ? `long.${values.steps}` : row
    for (const [key, value] of Object.entries(values)) {
      if (typeof value === 'number' && row !== 'end') figures.set(`${name}.${key}`, value)
    }
  }
  return figures
}

/** The median of each figure over the rounds that have it. */
export function medians(rounds: readonly Figures[]): Figures {
  const names = new Set(rounds.flatMap((round) => [...round.keys()]))
  const valuesOf = (name: string) => rounds.flatMap((round) => round.get(name) ?? [])
  return new Map([...names].map((name) => [name, median(valuesOf(name))]))
}

export async function times({ contender, serverPid }: Site, size: Size): Promise<Figures> {
  const program = start(contender, ['measure', JSON.stringify(size)])
  await program.ended
  const figures = figuresOf(program.lines.map(({ value }) => value))
  if (serverPid !== undefined) figures.set('memory.server', memoryOf(serverPid))
  return figures
}

/** Bytes on disk that a session's results took, as a multiple of the results. */
export async function disk({ contender, data }: Site, steps: number): Promise<Figures> {
  const before = bytesOf(data)
  const size = { alone: 0, callers: 0, each: 0, lengths: [steps], warmUp: 3 }
  const program = start(contender, ['measure', JSON.stringify(size)])
  await program.ended
  const after = bytesOf(data)
  const figures = figuresOf(program.lines.map(({ value }) => value))
  figures.delete('memory.mb')
  return figures.set('disk.times', (after - before) / (steps * RESULT_BYTES))
}

function bytesOf(path: string): number {
  const folder = dirname(path)
  const siblings = readdirSync(folder).filter((name) => name.startsWith(basename(path)))
  return siblings.reduce((sum, name) => sum + wholeSize(join(folder, name)), 0)
}

function wholeSize(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + wholeSize(join(path, name)), 0)
}

/** Syncs while sessions of three steps run one after the other. */
export async function syncs(site: Site, sessions: number): Promise<Figures> {
  const ownTrace = `${site.data}.syncs-${randomUUID()}`
  const file = site.syncsTo ?? ownTrace
  const size = { alone: sessions, callers: 0, each: 0, lengths: [], warmUp: 5 }
  const program = start(
    site.contender,
    ['measure', JSON.stringify(size)],
    site.syncsTo === undefined ? ownTrace : undefined,
  )
  const has = (row: string) => () => program.lines.some(({ value }) => value.row === row)
  await program.until(has('begin'))
  const before = syncsOf(file)
  await program.until(has('end'))
  const after = syncsOf(file)
  const steps = program.lines.find(({ value }) => value.row === 'end')?.value.steps
  await program.ended
  return new Map([['syncs.per100', ((after - before) * 100) / Number(steps)]])
}

/** A session killed with SIGKILL once it has begun so many steps, and gone on with at once by a new process. */
export async function killed({ contender }: Site, steps: number): Promise<Figures> {
  const id = randomUUID()
  const args = (delayMs: number) => ['run', id, String(steps + 400), String(delayMs)]
  const delayMs = steps < 100 ? 5 : 0
  const first = start(contender, args(delayMs))
  await first.until(() => first.lines.length >= steps)
  const killedAtMs = performance.now()
  await first.kill()
  const known = new Set(numbersOf(first))
  const isNew = ({ value }: Program['lines'][number]) => !known.has(Number(value.step))
  const second = start(contender, args(delayMs))
  await second.until(() => second.lines.some(isNew))
  const next = second.lines.find(isNew)!
  const again = numbersOf(second).filter((number) => known.has(number)).length
  await second.kill()
  const name = steps < 100 ? 'kill' : 'restart'
  return new Map([
    [`${name}.killToNextMs`, next.atMs - killedAtMs],
    [`${name}.startToNextMs`, next.atMs - second.startedAtMs],
    [`${name}.again`, again],
    [`${name}.steps`, known.size],
  ])
}

const numbersOf = ({ lines }: Program): number[] => lines.map(({ value }) => Number(value.step))
