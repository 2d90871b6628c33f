import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { onReach } from '../src/core/reach.ts'
import { commandsPerSecond } from './embedded/commands.ts'
import { openFloor } from './embedded/floor.ts'
import { type Ours, openOurs } from './embedded/ours.ts'
import { openPeer, PEER_NAME } from './embedded/peer.ts'
import { lostAfterKill, shareOneFile } from './embedded/processes.ts'
import type { Contender } from './embedded/workload.ts'
import { median, percentile, progress, type Result, round, settle, timed } from './report.ts'

/*
 * The file: store against the floor (raw node:sqlite, same durability) and a peer from npm, all in one run: rounds
 * take turns, the median of each counts, so that a busy machine is busy for everybody.
 */

export const usage = 'npm run bench -- embedded: no options; progress on stderr, one JSON object at the end.'

const ROUNDS = 5
const ALONE_APPENDS = 800
const CALLERS = 50
const APPENDS_PER_CALLER = 100
const BATCHES = 40
const BATCH_EVENTS = 100
const LONG_STREAM_EVENTS = 10_000
const COMMANDS = 500

interface Field {
  readonly ours: Ours
  readonly floor: Contender
  readonly peer: Contender | undefined
}

/** What was measured, per name one value a round. */
type Measured = Map<string, number[]>

export async function run(args: readonly string[]): Promise<readonly Result[]> {
  parseArgs({ args: [...args], options: {} })
  const folder = mkdtempSync(join(tmpdir(), 'duolog-bench-'))
  try {
    return await measureIn(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureIn(folder: string): Promise<readonly Result[]> {
  const field: Field = {
    ours: await openOurs(join(folder, 'ours.db')),
    floor: openFloor(join(folder, 'floor.db')),
    peer: await openPeer(join(folder, 'peer.db')),
  }
  const measured: Measured = new Map()
  await prepare(field)
  // Round 0 warms up and does not count.
  for (let number = 0; number <= ROUNDS; number++) {
    progress(`round ${number} of ${ROUNDS}`)
    await measureRound(field, number, number === 0 ? new Map() : measured)
  }
  for (const contender of contenders(field)) await contender.close()
  progress('processes')
  const shared = await shareOneFile(join(folder, 'shared.db'))
  const killed = await lostAfterKill(join(folder, 'killed.db'))
  return summarise(measured, { shared, killed, hasPeer: field.peer !== undefined })
}

function contenders({ ours, floor, peer }: Field): Contender[] {
  return [ours, floor, ...(peer === undefined ? [] : [peer])]
}

async function prepare(field: Field): Promise<void> {
  for (const contender of contenders(field)) {
    for (let n = 0; n < LONG_STREAM_EVENTS / BATCH_EVENTS; n++) await contender.append('long', BATCH_EVENTS)
  }
}

async function measureRound(field: Field, number: number, measured: Measured): Promise<void> {
  const add = (name: string, value: number) => measured.set(name, [...(measured.get(name) ?? []), value])
  const all = contenders(field).map((contender) => ({ contender, who: whoIs(field, contender) }))
  // Who goes first changes from round to round.
  const turn = number % 2 === 0 ? all : all.reverse()
  for (const { contender, who } of turn) {
    const one = await alone(contender, `alone-${number}`)
    add(`alone ${who}`, one.perSecond)
    add(`alone p99 ${who}`, one.p99Ms)
  }
  for (const { contender, who } of turn) add(`batch ${who}`, await batches(contender, `batch-${number}`))
  for (const { contender, who } of turn) add(`read ${who}`, await read(contender))
  for (const { contender, who } of turn) {
    if (who === 'floor') continue
    const many = await together(contender, `together-${number}`)
    add(`together ${who}`, many.perSecond)
    add(`together p99 ${who}`, many.p99Ms)
    add(`together commit p99 ${who}`, many.commitP99Ms)
    add(`together errors ${who}`, many.errors)
  }
  await measureCommands(field.ours, number, add)
}

function whoIs(field: Field, contender: Contender): 'ours' | 'floor' | 'peer' {
  if (contender === field.ours) return 'ours'
  return contender === field.floor ? 'floor' : 'peer'
}

async function measureCommands(ours: Ours, number: number, add: (name: string, value: number) => void): Promise<void> {
  const short = `short-${number}`
  const long = `long-${number}`
  await ours.append(short, 10)
  for (let n = 0; n < LONG_STREAM_EVENTS / BATCH_EVENTS; n++) await ours.append(long, BATCH_EVENTS)
  for (const stream of number % 2 === 0 ? [short, long] : [long, short]) {
    add(stream === short ? 'commands short' : 'commands long', await commandsPerSecond(ours.store, stream, COMMANDS))
  }
}

async function alone(contender: Contender, stream: string) {
  await settle()
  const latencies: number[] = []
  const ms = await timed(async () => {
    for (let n = 0; n < ALONE_APPENDS; n++) latencies.push(await timed(() => contender.append(stream, 1)))
  })
  return { perSecond: (ALONE_APPENDS * 1000) / ms, p99Ms: percentile(latencies, 0.99) }
}

async function batches(contender: Contender, stream: string): Promise<number> {
  await settle()
  const ms = await timed(async () => {
    for (let n = 0; n < BATCHES; n++) await contender.append(stream, BATCH_EVENTS)
  })
  return (BATCHES * BATCH_EVENTS * 1000) / ms
}

async function read(contender: Contender): Promise<number> {
  await settle()
  let count = 0
  const ms = await timed(async () => {
    count = await contender.read('long')
  })
  if (count !== LONG_STREAM_EVENTS) throw new Error(`${contender.name} read ${count} events`)
  return (LONG_STREAM_EVENTS * 1000) / ms
}

/** How long each COMMIT of ours took until `stop`: the disk's part of a latency. */
function watchCommits() {
  const durations: number[] = []
  let begunMs = 0
  const stop = onReach((point) => {
    if (point === 'file.commit.written') begunMs = performance.now()
    if (point === 'file.commit.done') durations.push(performance.now() - begunMs)
  })
  return { durations, stop }
}

/** Callers that each wait for their append before the next, each on a stream of its own. */
async function together(contender: Contender, prefix: string) {
  await settle()
  const latencies: number[] = []
  let errors = 0
  const caller = async (number: number) => {
    for (let n = 0; n < APPENDS_PER_CALLER; n++) {
      const start = performance.now()
      await contender.append(`${prefix}-${number}`, 1).catch(() => errors++)
      latencies.push(performance.now() - start)
    }
  }
  const commits = watchCommits()
  const ms = await timed(() => Promise.all(Array.from({ length: CALLERS }, (_, number) => caller(number))))
  commits.stop()
  const done = CALLERS * APPENDS_PER_CALLER - errors
  const commitP99Ms = percentile(commits.durations, 0.99)
  return { perSecond: (done * 1000) / ms, p99Ms: percentile(latencies, 0.99), commitP99Ms, errors }
}

interface Processes {
  readonly shared: { readonly errors: number; readonly missing: number }
  readonly killed: { readonly acknowledged: number; readonly lost: number }
  readonly hasPeer: boolean
}

function summarise(measured: Measured, { shared, killed, hasPeer }: Processes): readonly Result[] {
  const value = (name: string) => median(measured.get(name) ?? [])
  const floorAlone = value('alone floor')
  /** The median of each round's own ratio: both sides of it saw the same machine. */
  const ratio = (one: string, other: string) => {
    const others = measured.get(other) ?? []
    return median((measured.get(one) ?? []).map((each, index) => each / (others[index] ?? Number.NaN)))
  }
  const atLeast = (name: string, actual: number, goal: number, against: string): Result => ({
    name,
    value: round(actual),
    unit: 'ratio',
    goal: `>= ${goal}`,
    met: actual >= goal,
    against,
  })
  const plain = (name: string, actual: number, unit: string, against: string): Result => ({
    name,
    value: round(actual),
    unit,
    against,
  })
  const none = (name: string, actual: number, against: string): Result => ({
    name,
    value: actual,
    unit: 'count',
    goal: '0',
    met: actual === 0,
    against,
  })
  const floor = `raw node:sqlite, WAL, synchronous FULL, one row per transaction (${Math.round(floorAlone)}/s)`
  const p99 = value('together p99 ours')
  const results: Result[] = [
    plain('one caller', value('alone ours'), 'appends/s', floor),
    atLeast('one caller / floor', ratio('alone ours', 'alone floor'), 0.7, floor),
    plain('50 callers', value('together ours'), 'appends/s', floor),
    atLeast('50 callers / floor', ratio('together ours', 'alone floor'), 5, floor),
    { ...plain('50 callers p99', p99, 'ms', '10 ms'), goal: '< 10 ms', met: p99 < 10 },
    plain('50 callers: p99 of one COMMIT', value('together commit p99 ours'), 'ms', 'the disk, in the same rounds'),
    plain(
      '50 callers p99 / floor p99 of one append',
      ratio('together p99 ours', 'alone p99 floor'),
      'ratio',
      `one append of the floor, alone: ${round(value('alone p99 floor'))} ms`,
    ),
    none('50 callers killed -9: acknowledged but lost', killed.lost, `${killed.acknowledged} acknowledged`),
    plain('batches of 100', value('batch ours'), 'events/s', `floor: ${Math.round(value('batch floor'))}/s`),
    atLeast('batches of 100 / floor', ratio('batch ours', 'batch floor'), 0.7, "the floor's own batches of 100"),
    plain('commands at 10 events', value('commands short'), 'commands/s', floor),
    plain('commands at 10,000 events', value('commands long'), 'commands/s', floor),
    {
      ...plain(
        'command cost at 10,000 / at 10',
        ratio('commands short', 'commands long'),
        'ratio',
        'the same at 10 events',
      ),
      goal: '<= 1.1',
      met: ratio('commands short', 'commands long') <= 1.1,
    },
    atLeast('commands at 10,000 / floor', ratio('commands long', 'alone floor'), 0.5, floor),
    plain('reading 10,000 events', value('read ours'), 'events/s', `floor: ${Math.round(value('read floor'))}/s`),
    atLeast('reading 10,000 / floor', ratio('read ours', 'read floor'), 0.6, 'raw read + JSON.parse'),
    none('two processes on one file: errors', shared.errors, '4,000 appends'),
    none('two processes on one file: acknowledged but missing', shared.missing, '4,000 appends'),
  ]
  if (!hasPeer) return results
  const peers: [string, string, string][] = [
    ['one caller', 'alone peer', 'appends/s'],
    ['50 callers', 'together peer', 'appends/s'],
    ['50 callers p99', 'together p99 peer', 'ms'],
    ['50 callers errors', 'together errors peer', 'count'],
    ['batches of 100', 'batch peer', 'events/s'],
    ['reading 10,000 events', 'read peer', 'events/s'],
  ]
  return [...results, ...peers.map(([name, key, unit]) => plain(`peer: ${name}`, value(key), unit, PEER_NAME))]
}
