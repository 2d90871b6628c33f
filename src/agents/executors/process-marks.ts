/*
 * Finds the processes of a run by the mark in their environment, which every descendant inherits: also those that left
 * the process group, and those whose owner was killed. Linux only (it reads /proc); elsewhere nothing is found, and a
 * run is ended through its process group alone.
 */
import { readdir, readFile } from 'node:fs/promises'
import * as z from 'zod'

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

interface MarkedProcess {
  readonly pid: number
  readonly mark: RunMark
}

export async function markFor(runId: string, identity?: RunIdentity): Promise<string> {
  return JSON.stringify({ runId, ...identity, owner: await identityOf(process.pid) } satisfies RunMark)
}

/** Kills every process of the run, wherever it hides. */
export async function killRun(runId: string): Promise<void> {
  await killWhile(({ mark }) => mark.runId === runId)
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
  return killWhile(async ({ mark }) => {
    if (mark.sessionId !== identity.sessionId || mark.workDir !== identity.workDir) return false
    return mark.key === identity.key || !(await isAlive(mark.owner))
  })
}

const MAX_ROUNDS = 5

/** In rounds: a process can fork while we look. */
async function killWhile(matches: (candidate: MarkedProcess) => boolean | Promise<boolean>): Promise<number> {
  let killed = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = await markedProcesses(matches)
    if (found.length === 0) break
    for (const { pid } of found) killed += kill(pid) ? 1 : 0
  }
  return killed
}

async function markedProcesses(
  matches: (candidate: MarkedProcess) => boolean | Promise<boolean>,
): Promise<MarkedProcess[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number)
  const spared = await selfAndAncestors()
  const found: MarkedProcess[] = []
  for (const pid of ids) {
    const mark = spared.has(pid) ? undefined : await markOf(pid)
    if (mark && (await matches({ pid, mark }))) found.push({ pid, mark })
  }
  return found
}

/** Another user's process cannot be read; a zombie has no environment. Both are passed over. */
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

/** We may run inside an agent ourselves. */
async function selfAndAncestors(): Promise<Set<number>> {
  const chain = new Set<number>()
  let pid = process.pid
  while (pid > 0 && !chain.has(pid)) {
    chain.add(pid)
    pid = Number((await statOf(pid))[PARENT] ?? 0)
  }
  return chain
}

/** Survives the reuse of process ids. Without /proc the id alone has to do. */
async function identityOf(pid: number): Promise<string> {
  const fields = await statOf(pid)
  return fields[STATE] === 'Z' ? 'dead' : `${pid}:${fields[START_TIME] ?? ''}`
}

const STATE = 0
const PARENT = 1
const START_TIME = 19

/** The fields after the command name, which may itself hold spaces and brackets. */
async function statOf(pid: number): Promise<string[]> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return line.slice(line.lastIndexOf(')') + 2).split(' ')
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}
