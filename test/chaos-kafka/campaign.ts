import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { type NativeCluster, startNativeCluster } from '../support/broker-cluster.ts'
import { check, type Evidence } from './check.ts'
import { type FaultLog, Faults } from './faults.ts'
import { foundEvent } from './java-reader.ts'
import type { OpenNetwork } from './network.ts'
import { readWhole } from './read-whole.ts'
import { type Report, reportOf } from './report.ts'
import { type FaultKind, type Schedule, scheduleOf } from './schedule.ts'
import { TASK_TOPIC } from './writer-task.ts'
import { WriterProcess } from './writers.ts'

/*
 * One campaign: brokers, writers, faults by the schedule; then the writers come to an end, Java reads what there is,
 * and it is held against what the writers were told.
 */

export interface CampaignOptions {
  readonly seed: string
  readonly totalMs: number
  readonly brokers: number
  readonly openNetwork: OpenNetwork
  /** Default: kafkajs. */
  readonly driver?: KafkaDriverName
  readonly kinds?: readonly FaultKind[]
  readonly brief?: boolean
  readonly writers?: number
  readonly streams?: number
  readonly partitions?: number
  /** Appends per second that the writers together try to make. */
  readonly perSecond?: number
  /** Keep journals and what was found, though nothing is wrong. */
  readonly keep?: boolean
  readonly onProgress?: (text: string) => void
}

const CONCURRENCY = 8
/** Longer than an append may wait, and its outcome be found out. */
const FINISH_MS = 120_000
const PREFIX = 'chaos.'
/** Java is at the end when nothing has come for so long: in the long form longer than an open transaction holds it up. */
const QUIET_MS = 12_000
const BRIEF_QUIET_MS = 6000

export async function runCampaign(options: CampaignOptions): Promise<Report> {
  const { seed, totalMs, brokers, kinds, brief = false, writers = 4, onProgress: say = () => {} } = options
  const schedule = scheduleOf({ seed, totalMs, brokers, writers, brief, ...(kinds && { kinds }) })
  const cluster = await startNativeCluster({ brokers, proxied: true })
  const folder = await mkdtemp(join(tmpdir(), 'duolog-chaos-kafka-'))
  let failed = true
  try {
    const report = await campaignOn(cluster, schedule, { ...options, folder, say })
    failed = report.violations.length > 0
    return failed || options.keep ? { ...report, evidence: folder } : report
  } finally {
    await cluster.stop()
    if (!failed && !options.keep) await rm(folder, { recursive: true, force: true })
  }
}

interface Run extends CampaignOptions {
  readonly folder: string
  readonly say: (text: string) => void
}

async function campaignOn(cluster: NativeCluster, schedule: Schedule, run: Run): Promise<Report> {
  const network = await run.openNetwork(cluster.nodes.map(({ door }) => door))
  const writers = planWriters(cluster, run)
  try {
    // One by one: the first makes the topics.
    for (const writer of writers) await writer.start()
    run.say(`${writers.length} writers, ${schedule.kills.length} kills, ${schedule.faults.length} other faults`)
    const faults = new Faults({ cluster, network, writers, say: run.say })
    const log = await faults.follow(schedule)
    run.say('ending in order')
    const late = await finish(writers)
    return await judge(cluster, writers, { run, log, late })
  } finally {
    await Promise.all(writers.map((writer) => writer.kill()))
    await network.close()
  }
}

function planWriters(cluster: NativeCluster, run: Run): readonly WriterProcess[] {
  const { seed, driver = 'kafkajs', writers = 4, streams = 60, partitions = 3, perSecond = 200 } = run
  const names = Array.from({ length: streams }, (_, index) => `session-${index}`)
  return Array.from({ length: writers }, (_, index) => {
    const brokers = index === 0 ? cluster.proxiedAddress : cluster.address
    return new WriterProcess({
      folder: run.folder,
      brokers,
      prefix: PREFIX,
      driver,
      name: `w${index}`,
      seed,
      streams: names,
      partitions,
      concurrency: CONCURRENCY,
      perSecond: perSecond / writers,
      finisher: index === 0,
    })
  })
}

/** The finisher last: it ends what the others may have left open. */
async function finish(writers: readonly WriterProcess[]): Promise<readonly string[]> {
  const inOrder = [...writers].reverse()
  const late: string[] = []
  for (const writer of inOrder)
    if (!(await writer.finish(FINISH_MS))) late.push(`${writer.name} did not come to an end`)
  return late
}

interface Outcome {
  readonly run: Run
  readonly log: FaultLog
  readonly late: readonly string[]
}

async function judge(
  cluster: NativeCluster,
  writers: readonly WriterProcess[],
  { run, log, late }: Outcome,
): Promise<Report> {
  const { address, classPath } = cluster
  await cluster.complete()
  const quietMs = run.brief ? BRIEF_QUIET_MS : QUIET_MS
  const read = (topic: string) => readWhole({ address, classPath, topic: PREFIX + topic, quietMs })
  const [events, messages] = await Promise.all([read('session.events'), read(TASK_TOPIC)])
  const evidence: Evidence = {
    journals: writers.map((writer) => writer.readJournals()),
    events: events.map(foundEvent),
    messages: messages.map(({ value }) => JSON.parse(value).key),
  }
  await writeFile(
    join(run.folder, 'found.jsonl'),
    evidence.events.map((event) => `${JSON.stringify(event)}\n`).join(''),
  )
  const { counts, violations } = check(evidence)
  const complaints = [...writers.flatMap((writer) => writer.complaints), ...late, ...log.failures]
  const deaths = complaints.map((what) => ({ kind: 'writer' as const, what }))
  return reportOf({ run, log, writers, evidence, counts, violations: [...deaths, ...violations] })
}
