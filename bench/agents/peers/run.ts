import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { progress, type Result } from '../../report.ts'
import { buildPackage } from '../restart.ts'
import { install } from './install.ts'
import { disk, type Figures, killed, medians, type Site, syncs, times } from './measured.ts'
import { coordinatorFigures } from './ours.ts'
import { resultsOf, skipped } from './rows.ts'
import { type Server, startPostgres, startRestate } from './servers.ts'
import { forms, type PeerName } from './versions.ts'

/*
 * npm run bench -- agents --peers [langgraph,dbos,restate] [--quick]
 *
 * The same recorded steps by others, in processes of their own, and ours beside them in the same session. A form of a
 * peer (langgraph-full) may be named instead of the peer. A peer that cannot be had is a row that says why.
 */

interface Plan {
  readonly root: string
  readonly rounds: number
  readonly alone: number
  readonly each: number
  readonly middle: number
  readonly many: number
}

const whole = { rounds: 3, alone: 200, each: 12, middle: 1_000, many: 5_000 }
const quick = { rounds: 1, alone: 30, each: 2, middle: 100, many: 300 }

/** Peers and forms asked for: each form with its peer; all when none is named. */
export function chosen(named: string | undefined): readonly { readonly peer: PeerName; readonly form: string }[] {
  const all = (Object.keys(forms) as PeerName[]).flatMap((peer) => forms[peer].map((form) => ({ peer, form })))
  if (named === undefined) return all
  const names = named.split(',')
  const unknown = names.find((name) => !all.some(({ peer, form }) => name === peer || name === form))
  if (unknown !== undefined)
    throw new Error(`--peers: no peer named ${unknown}; there are ${Object.keys(forms).join(', ')}`)
  return all.filter(({ peer, form }) => names.includes(peer) || names.includes(form))
}

export async function runPeers(args: readonly string[]): Promise<readonly Result[]> {
  const named = args[args.indexOf('--peers') + 1]
  const asked = chosen(named === undefined || named.startsWith('--') ? undefined : named)
  const root = mkdtempSync(join(tmpdir(), 'duolog-bench-peers-'))
  const plan = { root, ...(args.includes('--quick') ? quick : whole) }
  try {
    buildPackage()
    const results = [...(await ours(plan))]
    const folders = new Map<PeerName, string>()
    for (const { peer, form } of asked)
      results.push(...(await orSkipped(form, () => peerRows(plan, folders, peer, form))))
    return results
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function ours(plan: Plan): Promise<Result[]> {
  progress('duolog, three appends')
  const steps = await contend(plan, (syncsTo) => fileSite(plan, 'duolog', plan.root, syncsTo))
  progress('duolog, whole sessions by the coordinator')
  const sessions = await coordinatorFigures(plan.root, plan)
  return [...resultsOf('duolog', steps), ...resultsOf('duolog, whole session', sessions)]
}

async function orSkipped(form: string, work: () => Promise<Result[]>): Promise<Result[]> {
  try {
    return await work()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    progress(`${form} skipped: ${why}`)
    return [skipped(form, why)]
  }
}

async function peerRows(plan: Plan, folders: Map<PeerName, string>, peer: PeerName, form: string): Promise<Result[]> {
  let folder = folders.get(peer)
  if (folder === undefined) {
    progress(`installs ${peer}`)
    folder = install(peer, plan.root)
    folders.set(peer, folder)
  }
  const packages = folder
  const site = peer === 'langgraph' ? fileSite : serverSite(peer === 'dbos' ? startPostgres : startRestate)
  return resultsOf(form, await contend(plan, (syncsTo) => site(plan, form, packages, syncsTo)))
}

interface Open extends Site {
  close(): Promise<void>
}

type OpenSite = (traceServer: boolean) => Promise<Open>

async function fileSite({ root }: Plan, form: string, packages: string, _: boolean): Promise<Open> {
  const folder = join(root, randomUUID())
  mkdirSync(folder)
  const data = join(folder, 'log.db')
  const close = async () => rmSync(folder, { recursive: true, force: true })
  return { contender: { form, packages, place: data }, data, close }
}

function serverSite(begin: typeof startPostgres) {
  return async ({ root }: Plan, form: string, packages: string, traceServer: boolean): Promise<Open> => {
    const folder = join(root, randomUUID())
    const syncsTo = join(folder, 'syncs')
    const server: Server = await begin({ packages, folder, ...(traceServer && { syncsTo }) })
    const { place, data, pid } = server
    const close = async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    return { contender: { form, packages, place }, data, serverPid: pid, ...(traceServer && { syncsTo }), close }
  }
}

/** A graph that keeps every result writes its whole state at each step: once is enough. */
const isHeavy = (form: string) => form === 'langgraph-graph'

async function contend(plan: Plan, open: OpenSite): Promise<Figures> {
  const { rounds, alone, each, middle, many } = plan
  const figures: Figures[] = []
  for (let number = 1; number <= rounds; number++) {
    const size = { alone, callers: 50, each, lengths: [10, middle], warmUp: 20 }
    const parts = await onSite(open, (site) => [
      () => times(site, size),
      () => killed(site, 20),
      ...(isHeavy(site.contender.form) && number > 1 ? [] : [() => disk(site, many)]),
      ...(isHeavy(site.contender.form) ? [] : [() => killed(site, many)]),
    ])
    progress(`  round ${number} of ${rounds}`)
    figures.push(parts)
  }
  figures.push(await onSite(open, (site) => [() => syncs(site, 34)], true).catch(untraced))
  return medians(figures)
}

function untraced(error: Error): Figures {
  progress(`  syncs not counted (strace is needed): ${error.message}`)
  return new Map()
}

async function onSite(
  open: OpenSite,
  parts: (site: Site) => (() => Promise<Figures>)[],
  trace = false,
): Promise<Figures> {
  const site = await open(trace)
  try {
    const figures: Figures = new Map()
    for (const part of parts(site)) for (const [name, value] of await part()) figures.set(name, value)
    return figures
  } finally {
    await site.close()
  }
}
