import { randomUUID } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { median } from '../report.ts'
import { type Contender, type Line, memoryOf, type Program, start, syncsOf } from './child.ts'
import { RESULT_BYTES } from './instant.ts'
import type { Part, Size } from './workload.ts'

/* What is measured of one contender, each time in a process begun for it. */

/** Where a contender keeps what it records, and its server if it has one. */
export interface Site {
  readonly contender: Contender
  /** File or folder of its data, where its size can be told. */
  readonly data?: string
  /** Where traces of its syncs may lie. */
  readonly folder: string
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

export async function times(site: Site, size: Size): Promise<Figures> {
  return figuresOnceEnded(site, start(site.contender, ['measure', JSON.stringify(size)]))
}

async function figuresOnceEnded({ serverPid }: Site, program: Program): Promise<Figures> {
  await program.ended
  const figures = figuresOf(program.lines.map(({ value }) => value))
  if (serverPid !== undefined) figures.set('memory.server', memoryOf(serverPid))
  return figures
}

/** The longest session, on a site of its own. */
export function longest(site: Site, steps: number, warmUp: number): Promise<Figures> {
  return times(site, { ...NOTHING, lengths: [steps], warmUp })
}

/** The bytes on disk of the longest session, and of nothing else, as a multiple of the results. */
export async function disk(site: Site, steps: number): Promise<Figures> {
  if (site.data === undefined) return new Map()
  const before = bytesOf(site.data)
  await longest(site, steps, 0)
  return new Map([['disk.times', (bytesOf(site.data) - before) / (steps * RESULT_BYTES)]])
}

const NOTHING = { alone: 0, callers: 0, each: 0 }

function bytesOf(path: string): number {
  const siblings = readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)))
  return siblings.reduce((sum, name) => sum + wholeSize(join(dirname(path), name)), 0)
}

function wholeSize(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + wholeSize(join(path, name)), 0)
}

/** Syncs while sessions of three steps run, one after the other and 50 at once, and while a long one does. */
export async function syncs(site: Site): Promise<Figures> {
  const ownTrace = join(site.folder, `syncs-${randomUUID()}`)
  const file = site.syncsTo ?? ownTrace
  const size = { alone: 34, callers: 50, each: 2, lengths: [1_000], warmUp: 5 }
  const args = ['measure', JSON.stringify(size)]
  const program = start(site.contender, args, site.syncsTo === undefined ? ownTrace : undefined)
  const come = async (row: string, part: Part) => {
    const isIt = ({ value }: Line) => value.row === row && value.part === part
    await program.until(() => program.lines.some(isIt))
    return { count: syncsOf(file), steps: Number(program.lines.find(isIt)?.value.steps) }
  }
  const per100 = async (part: Part) => {
    const before = await come('begin', part)
    const after = await come('end', part)
    return ((after.count - before.count) * 100) / after.steps
  }
  const figures: Figures = new Map([['syncs.per100', await per100('alone')]])
  figures.set('syncs.together', await per100('together'))
  figures.set('syncs.long', await per100('long'))
  await program.ended
  return figures
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
  const isNew = ({ value }: Line) => !known.has(Number(value.step))
  const second = start(contender, args(delayMs))
  await second.until(() => second.lines.some(isNew))
  const next = second.lines.find(isNew)!
  const again = second.lines.filter((line) => !isNew(line))
  await second.kill()
  if (steps >= 100) return new Map([['restart.startToNextMs', next.atMs - second.startedAtMs]])
  return new Map([
    ['kill.killToNextMs', next.atMs - killedAtMs],
    ['kill.again', again.length],
    ['kill.shown', again.filter(({ value }) => value.inDoubt === true).length],
  ])
}

export async function overhead({ contender }: Site, sessions: number, atOnce: number): Promise<Figures> {
  const program = start(contender, ['overhead', String(sessions), String(atOnce)])
  await program.ended
  return figuresOf(program.lines.map(({ value }) => value))
}

const numbersOf = ({ lines }: Program): number[] => lines.map(({ value }) => Number(value.step))
