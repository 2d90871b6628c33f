/*
 * One process of a chaos run. It warms up, waits on stdin for its job, does it, and tells on stdout what it did, a JSON
 * line each, written before it goes on: what was said is true even if the next thing that happens is its death.
 *
 * stdin: {"job": Job}, then any number of {"arm": Armed}; its end means: close in good order.
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import { scriptedExecutor } from '../../src/agents/executors/scripted-executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import type { SessionSettingsInput } from '../../src/agents/session/settings.ts'
import { isDuologError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { onReach } from '../../src/core/reach.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import type { AcknowledgedAppend } from './evidence.ts'
import { type Role, STEPS } from './scenario.ts'

export interface Job {
  readonly role: Role
  readonly logUrl: string
  readonly leaseMs: number
  readonly sessionId: string
  readonly settings: SessionSettingsInput
  /** Holds script.json, work/, and what the processes leave behind: journal.jsonl, appends.jsonl. */
  readonly dir: string
  readonly arm?: Armed
}

/** Die at the n-th reaching, counted from the arming, of the named point, or of any. */
export interface Armed {
  readonly point?: string
  readonly nth: number
}

export type Told =
  | { readonly tell: 'warm' }
  | { readonly tell: 'serving' }
  | { readonly tell: 'dying'; readonly point: string }
  | { readonly tell: 'ended'; readonly status: string; readonly version: number }
  | { readonly tell: 'reached'; readonly points: Readonly<Record<string, number>> }
  | { readonly tell: 'error'; readonly message: string }

function tell(told: Told): void {
  writeSync(1, `${JSON.stringify(told)}\n`)
}

const reached: Record<string, number> = {}
let armed: Armed | undefined
let left = 0

function arm(next: Armed | undefined): void {
  armed = next
  left = next?.nth ?? 0
}

function pass(point: string): void {
  reached[point] = (reached[point] ?? 0) + 1
  if (armed === undefined || (armed.point !== undefined && armed.point !== point)) return
  left -= 1
  if (left > 0) return
  tell({ tell: 'dying', point })
  process.kill(process.pid, 'SIGKILL')
}

onReach(pass)

/** Notes what was acknowledged at the moment it was, outside the store. Steps of a session are points before and after it. */
function witnessed(store: EventStore, file: string): EventStore {
  const appendToStream: EventStore['appendToStream'] = async (stream, events, options) => {
    const types = events.map(({ type }) => type)
    const steps = STEPS.filter((type) => types.includes(type))
    for (const type of steps) pass(`step.before.${type}`)
    const appended = await store.appendToStream(stream, events, options)
    for (const type of steps) pass(`step.after.${type}`)
    const note: AcknowledgedAppend = { stream, firstVersion: appended.firstStreamPosition, types, pid: process.pid }
    appendFileSync(file, `${JSON.stringify(note)}\n`)
    return appended
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'appendToStream') return appendToStream
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function executorsOf(job: Job): { manager?: AgentExecutor; worker?: AgentExecutor } {
  if (job.role === 'coordinator') return {}
  const script = JSON.parse(readFileSync(join(job.dir, 'script.json'), 'utf8'))
  const executor = scriptedExecutor(script, { journalFile: join(job.dir, 'journal.jsonl') })
  if (job.role === 'local') return { manager: executor, worker: executor }
  return { [job.role]: executor }
}

async function runOrResume(coordinator: KafkaAgentCoordinator, job: Job) {
  const { sessionId, settings, dir } = job
  try {
    return await coordinator.resume(sessionId)
  } catch (error) {
    if (!isDuologError(error, 'SESSION_NOT_FOUND')) throw error
    await coordinator.create('chaos', { sessionId, settings, workDir: join(dir, 'work') })
    return coordinator.resume(sessionId)
  }
}

/** As a person would: what is asked for is approved, and the session goes on. */
async function runAndApprove(coordinator: KafkaAgentCoordinator, job: Job) {
  for (;;) {
    const view = await runOrResume(coordinator, job)
    const pending = view.approvals.find(({ status }) => status === 'requested')
    if (view.status !== 'waiting' || pending === undefined) return view
    await coordinator.answerApproval(job.sessionId, pending.approvalId, { approved: true })
  }
}

/** As a person would: told that the session is running elsewhere (the dead process's lease), asks again. */
async function runWhenFree(coordinator: KafkaAgentCoordinator, job: Job) {
  for (;;) {
    try {
      return await runAndApprove(coordinator, job)
    } catch (error) {
      if (!isDuologError(error, 'SESSION_RUNNING_ELSEWHERE')) throw error
      await sleep(50)
    }
  }
}

async function perform(job: Job, closing: Promise<void>): Promise<void> {
  const store = await openEventStore(job.logUrl, { leaseMs: job.leaseMs, logger: silentLogger })
  const coordinator = new KafkaAgentCoordinator({
    store: witnessed(store, join(job.dir, 'appends.jsonl')),
    executors: executorsOf(job),
    reapEveryMs: 50,
    ...(job.role !== 'local' && job.role !== 'worker' && { gates: false }),
  })
  if (job.role !== 'local') await coordinator.start()
  tell({ tell: 'serving' })
  if (job.role === 'local' || job.role === 'coordinator') {
    const { status, version } = await runWhenFree(coordinator, job)
    tell({ tell: 'ended', status, version })
  }
  await closing
  await coordinator.close()
  await store.close()
  tell({ tell: 'reached', points: reached })
}

const job = Promise.withResolvers<Job>()
const closing = Promise.withResolvers<void>()
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const given = JSON.parse(line) as { job?: Job; arm?: Armed }
  arm(given.arm ?? given.job?.arm)
  if (given.job) job.resolve(given.job)
})
lines.once('close', () => closing.resolve())

await (process.argv[2] === 'kafka'
  ? import('../../src/store/kafka/kafka-store.ts')
  : import('../../src/store/sqlite/sqlite-store.ts'))
tell({ tell: 'warm' })
const given = await Promise.race([job.promise, closing.promise])
if (given) {
  await perform(given, closing.promise).catch((error: unknown) => {
    tell({ tell: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    process.exitCode = 1
  })
}
