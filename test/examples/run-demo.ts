import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Summary } from '../../examples/dual-agent/summary.ts'
import type { JournalEntry } from '../../src/agents/executors/journal.ts'
import { followSession } from '../../src/agents/follow-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import type { SessionEvent } from '../../src/agents/session/schemas.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * The demo as a person runs it, a real process, and three witnesses of what happened: what it says, the log, and a
 * journal that the executors keep of what they really did.
 */

export function demoFolder(): string {
  return mkdtempSync(join(tmpdir(), 'duolog-demo-'))
}

function environment(folder: string): NodeJS.ProcessEnv {
  const { ANTHROPIC_API_KEY: _, ANTHROPIC_AUTH_TOKEN: __, CLAUDE_CODE_OAUTH_TOKEN: ___, ...env } = process.env
  return {
    ...env,
    CLAUDE_CONFIG_DIR: join(folder, 'no-login'),
    DUOLOG_EXECUTOR_JOURNAL: join(folder, 'journal.jsonl'),
  }
}

export interface DemoRun {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `npm run demo -- …`, which also builds what it needs. */
export function npmRunDemo(folder: string, ...args: string[]): DemoRun {
  const command = ['run', '--silent', 'demo', '--', '--dir', folder, ...args]
  const { status, stdout, stderr } = spawnSync('npm', command, { encoding: 'utf8', env: environment(folder) })
  return { exitCode: status, stdout, stderr }
}

/** The demo without npm in between, for signals. */
export function spawnDemo(folder: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}): ChildProcess {
  const command = ['examples/dual-agent/main.ts', '--dir', folder, ...args]
  const env = { ...environment(folder), ...more }
  return spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

export function summaryOf(run: DemoRun): Summary {
  expect(run.stdout, run.stderr).toMatch(/^\{.*\}\n$/)
  return JSON.parse(run.stdout) as Summary
}

export async function raiseBudget(log: string, sessionId: string, maxUsd: number): Promise<void> {
  const store = await openEventStore(log)
  const coordinator = new KafkaAgentCoordinator({
    store,
    executor: { execute: () => Promise.reject(new Error('none')) },
  })
  await coordinator.raiseBudget(sessionId, { maxUsd })
  await coordinator.close()
  await store.close()
}

/** What the executors really did, in order. */
export function readJournal(folder: string): JournalEntry[] {
  const file = join(folder, 'journal.jsonl')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as JournalEntry)
}

/** All events of a session that has ended. */
export async function readEvents(log: string, sessionId: string): Promise<SessionEvent[]> {
  const store = await openEventStore(log)
  const events: SessionEvent[] = []
  try {
    for await (const event of followSession(store, sessionId)) {
      events.push(event)
      if (event.type === 'SessionCompleted') break
    }
    return events
  } finally {
    await store.close()
  }
}

/** The run of the demo that is promised, told by all three witnesses. */
export async function expectAsPromised(folder: string, run: DemoRun): Promise<void> {
  const summary = summaryOf(run)
  expect(summary.problems).toEqual([])
  expect(run.exitCode).toBe(0)
  expectSummary(summary)
  expectAnnouncement(run.stderr, summary)
  const events = await readEvents(summary.log, summary.sessionId)
  expect(events).toHaveLength(summary.totals.events)
  expectLogAndJournalAgree(events, readJournal(folder), summary)
}

function expectSummary({ status, workItems, calls, totals, killed, projectTests }: Summary): void {
  expect(status).toBe('completed')
  expect(workItems.map(({ id, status, attempts, revisions }) => [id, status, attempts, revisions])).toEqual([
    ['money', 'accepted', 1, 0],
    ['shares', 'accepted', 2, 1],
    ['settle', 'accepted', 1, 0],
    ['report', 'accepted', 1, 0],
  ])
  expect(totals).toMatchObject({ accepted: 4, revisions: 1, inDoubtCalls: 1, workerCalls: 4 + 1 + 1, managerCalls: 5 })
  expect(calls.filter((call) => call.status === 'in-doubt').map((call) => call.callId)).toEqual([killed?.callId])
  expect(calls.find((call) => call.callId === killed?.successor)).toMatchObject({
    predecessor: killed?.callId,
    workItemId: 'settle',
    status: 'completed',
  })
  expect(projectTests).toEqual({ green: true, counts: '24 passed, 0 failed' })
}

function expectAnnouncement(stderr: string, { killed }: Summary): void {
  expect(stderr).toContain('no account, no money')
  expect(stderr).toMatch(new RegExp(`KILL -9 .*pid ${killed?.pid}, in the middle of ${killed?.callId}`))
  expect(stderr).toMatch(new RegExp(`IN DOUBT .*${killed?.callId}`))
}

/** Whatever was executed was claimed, once; only the killed call has no end. */
function expectLogAndJournalAgree(events: SessionEvent[], journal: JournalEntry[], { killed }: Summary): void {
  const claimed = events.flatMap(({ type, data }) => (type === 'AgentCallClaimed' ? [data.callId] : []))
  const completed = events.flatMap(({ type, data }) => (type === 'AgentCallCompleted' ? [data.callId] : []))
  const byAgents = (callIds: string[]) => callIds.filter((callId) => !callId.startsWith('gate:')).sort()
  const idsOf = (phase: JournalEntry['phase']) => journal.filter((entry) => entry.phase === phase).map((e) => e.callId)
  const survived = (callIds: string[]) => callIds.filter((callId) => callId !== killed?.callId).sort()

  expect(new Set(claimed).size).toBe(claimed.length)
  expect(idsOf('end').sort()).toEqual(byAgents(completed))
  expect(survived(idsOf('start'))).toEqual(survived(byAgents(claimed)))
  const killedStarts = journal.filter((entry) => entry.callId === killed?.callId)
  // Killed between the claim and the executor, it may not even have begun.
  expect(killedStarts.map(({ phase, pid }) => [phase, pid])).toEqual(
    killedStarts.length === 0 ? [] : [['start', killed?.pid]],
  )
}

/** Runs only while a process of this pid lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
