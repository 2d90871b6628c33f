/*
 * Who is whose child, as /proc says it. Linux only: elsewhere the table is empty.
 */
import { readdir, readFile } from 'node:fs/promises'

export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** With the id it survives the reuse of ids. */
  readonly startTime: string
}

export type ProcessTable = ReadonlyMap<number, ProcessEntry>

/** All that live; a zombie is dead. */
export async function processTable(): Promise<ProcessTable> {
  const names = await readdir('/proc').catch(() => [])
  const ids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const entries = await Promise.all(ids.map(entryOf))
  return new Map(entries.flatMap((entry) => (entry === undefined ? [] : [[entry.pid, entry] as const])))
}

const [STATE, PARENT, GROUP, START_TIME] = [0, 1, 2, 19]

export async function entryOf(pid: number): Promise<ProcessEntry | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // After the command name, which may itself hold spaces and brackets.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  if (fields.length <= START_TIME || fields[STATE] === 'Z') return undefined
  return { pid, parent: Number(fields[PARENT]), group: Number(fields[GROUP]), startTime: fields[START_TIME]! }
}

/** These and all their descendants. */
export function withDescendants(roots: Iterable<number>, table: ProcessTable): Set<number> {
  const children = Map.groupBy(table.values(), ({ parent }) => parent)
  const found = new Set(roots)
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child.pid)
  return found
}

/** A process group and all that its members have started, wherever that went. */
export async function familyOf(groupId: number): Promise<readonly ProcessEntry[]> {
  const table = await processTable()
  const members = [...table.values()].filter(({ group }) => group === groupId).map(({ pid }) => pid)
  return [...withDescendants(members, table)].map((pid) => table.get(pid)!)
}

/** This process and its ancestors. */
export function ownLine(table: ProcessTable): Set<number> {
  const line = new Set<number>()
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = table.get(pid)?.parent ?? 0) line.add(pid)
  return line
}
