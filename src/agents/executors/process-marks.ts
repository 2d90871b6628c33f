/*
 * Finds the processes of a run: by the mark in their environment, which descendants inherit, also those that left the
 * process group and those whose owner was killed; and, where they began with an environment of their own, as children of
 * those. Linux only (it reads /proc); elsewhere nothing is found, and a run is ended through its process group alone. Who
 * has left the group, wiped its environment and lost its parents (a daemon) before the run is stopped is found by nobody.
 */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { endGroup } from './process-group.ts'
import { entryOf, familyOf, ownLine, type ProcessEntry, processTable, withDescendants } from './process-table.ts'

export const MARK_VARIABLE = 'DUOLOG_RUN'

/** What a run belongs to. Two runs with the same session, folder and key never rightly live at the same time. */
export interface RunIdentity {
  readonly sessionId: string
  readonly workDir: string
  /** E.g. purpose and work item. */
  readonly key: string
}

export type RunMark = z.infer<typeof markSchema>

const markSchema = z.object({
  runId: z.string(),
  sessionId: z.string().optional(),
  workDir: z.string().optional(),
  key: z.string().optional(),
  /** Process id and start time of whoever started the run. */
  owner: z.string(),
})

export async function markFor(runId: string, identity?: RunIdentity): Promise<string> {
  return JSON.stringify({ runId, ...identity, owner: await identityOf(process.pid) } satisfies RunMark)
}

/** SIGTERM to the run's group, and after `graceMs` SIGKILL to every process of the run, wherever it hides. */
export async function endRun({ groupId, runId, graceMs }: Run): Promise<void> {
  // Looked at while they live: children of the dead are nobody's.
  const family = await familyOf(groupId)
  await endGroup(groupId, graceMs)
  await killWhile((mark) => mark.runId === runId, family)
}

interface Run {
  readonly groupId: number
  readonly runId: string
  readonly graceMs: number
}

/**
 * Kills what earlier runs of the same session left at work in the same folder: runs whose owner is dead, and runs with
 * the same key (their owner has lost the call to whoever asks now). Resolves with how many processes it killed.
 */
export async function killStaleRuns(identity: RunIdentity): Promise<number> {
  const owners = new Map<string, Promise<boolean>>()
  const isAlive = (owner: string) => {
    const known = owners.get(owner) ?? identityOf(Number(owner.split(':')[0])).then((now) => now === owner)
    owners.set(owner, known)
    return known
  }
  return killWhile(async (mark) => {
    if (mark.sessionId !== identity.sessionId || mark.workDir !== identity.workDir) return false
    return mark.key === identity.key || !(await isAlive(mark.owner))
  })
}

const MAX_ROUNDS = 5

type Matches = (mark: RunMark) => boolean | Promise<boolean>

/** In rounds: a process can fork while we look. */
async function killWhile(matches: Matches, family: readonly ProcessEntry[] = []): Promise<number> {
  let killed = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = await processesOf(matches, family)
    if (found.length === 0) break
    for (const pid of found) killed += kill(pid) ? 1 : 0
  }
  return killed
}

/** We may run inside an agent ourselves: this process and its ancestors are spared. */
async function processesOf(matches: Matches, family: readonly ProcessEntry[]): Promise<number[]> {
  const table = await processTable()
  const spared = ownLine(table)
  const roots = family.filter(({ pid, startTime }) => table.get(pid)?.startTime === startTime).map(({ pid }) => pid)
  for (const pid of table.keys()) {
    const mark = spared.has(pid) ? undefined : await markOf(pid)
    if (mark && (await matches(mark))) roots.push(pid)
  }
  return [...withDescendants(roots, table)].filter((pid) => !spared.has(pid))
}

/** Another user's process cannot be read. */
async function markOf(pid: number): Promise<RunMark | undefined> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  const entry = environment.split('\0').find((variable) => variable.startsWith(`${MARK_VARIABLE}=`))
  if (entry === undefined) return undefined
  try {
    return markSchema.parse(JSON.parse(entry.slice(MARK_VARIABLE.length + 1)))
  } catch {
    return undefined
  }
}

/** Survives the reuse of process ids. Without /proc the id alone has to do. */
async function identityOf(pid: number): Promise<string> {
  const entry = await entryOf(pid)
  return entry === undefined && process.platform === 'linux' ? 'dead' : `${pid}:${entry?.startTime ?? ''}`
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
