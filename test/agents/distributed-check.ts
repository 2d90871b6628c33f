import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JournalEntry } from '../../src/agents/executors/journal.ts'
import type { SessionEventData } from '../../src/agents/session/schemas.ts'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { ServiceKind } from './distributed-service.ts'

/* P7, P8: judges a run by two witnesses that know nothing of each other, the log and the journal of real executions. */

export interface Death {
  readonly pid: number
  readonly kind: ServiceKind
  /** Just before the signal was sent. */
  readonly atMs: number
}

export interface DistributedEvidence {
  readonly sessions: ReadonlyMap<string, readonly RecordedEvent[]>
  readonly journal: readonly JournalEntry[]
  readonly deaths: readonly Death[]
  readonly itemsPerSession: number
}

export interface Verdict {
  readonly violations: readonly string[]
  readonly items: number
  /** Claimed calls of workers, whatever became of them. */
  readonly workerCalls: number
  /** Executions by workers that really began. */
  readonly workerExecutions: number
  /** Of workers' calls: those nobody knew the outcome of, and those a leaving worker gave back. */
  readonly workerInDoubt: number
  readonly workerGivenBack: number
  /** Of all calls, whose owner had not been killed: safe, but paid for nothing. */
  readonly doubtsOfLiving: number
  readonly workersThatWorked: number
}

interface Call {
  readonly key: string
  readonly purpose: string
  readonly pid: number
  outcome?: 'completed' | 'failed' | 'cancelled' | 'in-doubt'
}

/** What is not yet a whole line is still being written. */
export function readJournal(dir: string): JournalEntry[] {
  const file = join(dir, 'journal.jsonl')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  return lines.map((line) => JSON.parse(line) as JournalEntry)
}

export function judge(evidence: DistributedEvidence): Verdict {
  const calls = [...evidence.sessions].flatMap(([id, events]) => [...claimedCalls(id, events).values()])
  const work = calls.filter(({ purpose }) => purpose === 'work')
  const count = (outcome: Call['outcome']) => work.filter((call) => call.outcome === outcome).length
  const killed = new Set(evidence.deaths.map(({ pid }) => pid))
  const starts = evidence.journal.filter(({ phase, purpose }) => phase === 'start' && purpose === 'work')
  const items = evidence.sessions.size * evidence.itemsPerSession
  return {
    violations: [
      ...overlaps(evidence),
      ...disagreements(calls, evidence.journal),
      ...notExplained(work.length, items, count('in-doubt') + count('cancelled')),
      ...calls.filter(({ outcome }) => outcome === undefined).map(({ key }) => `${key} has no outcome`),
    ],
    items,
    workerCalls: work.length,
    workerExecutions: starts.length,
    workerInDoubt: count('in-doubt'),
    workerGivenBack: count('cancelled'),
    doubtsOfLiving: calls.filter(({ outcome, pid }) => outcome === 'in-doubt' && !killed.has(pid)).length,
    workersThatWorked: new Set(starts.map(({ pid }) => pid)).size,
  }
}

function notExplained(calls: number, items: number, shown: number): string[] {
  return calls === items + shown ? [] : [`${calls} worker calls for ${items} items and ${shown} shown otherwise`]
}

/** No piece of work is executed while another execution of it goes on: that one has ended, or its process was killed. */
export function overlaps({ journal, deaths }: Pick<DistributedEvidence, 'journal' | 'deaths'>): string[] {
  const running = new Map<string, JournalEntry>()
  const found: string[] = []
  for (const entry of journal) {
    const { sessionId, purpose, workItemId = '', attempt } = entry
    const work = `${sessionId} ${purpose} ${workItemId} ${attempt}`
    const before = running.get(work)
    if (entry.phase === 'end') {
      if (before?.callId === entry.callId) running.delete(work)
      continue
    }
    const death = deaths.find(({ pid }) => pid === before?.pid)
    if (before !== undefined && (death === undefined || death.atMs > entry.atMs))
      found.push(`${work}: ${entry.callId} began in ${entry.pid} while ${before.callId} ran in ${before.pid}`)
    running.set(work, entry)
  }
  return found
}

/** What the log says was completed was executed once, by whom it says; nothing was executed that was not claimed. */
function disagreements(calls: readonly Call[], journal: readonly JournalEntry[]): string[] {
  const claimed = new Map(calls.map((call) => [call.key, call]))
  const started = new Map<string, number>()
  const found: string[] = []
  for (const { sessionId, callId, phase, pid } of journal) {
    const key = `${sessionId} ${callId}`
    if (phase === 'end') continue
    started.set(key, (started.get(key) ?? 0) + 1)
    if (claimed.get(key)?.pid !== pid) found.push(`${key} was executed by ${pid}, claimed by ${claimed.get(key)?.pid}`)
  }
  for (const [key, times] of started) if (times > 1) found.push(`${key} was executed ${times} times`)
  const unseen = calls.filter(({ key, outcome }) => outcome === 'completed' && !started.has(key))
  return [...found, ...unseen.map(({ key }) => `${key} completed, but nobody executed it`)]
}

const outcomes = {
  AgentCallCompleted: 'completed',
  AgentCallFailed: 'failed',
  AgentCallCancelled: 'cancelled',
  AgentCallInDoubt: 'in-doubt',
} as const

function claimedCalls(sessionId: string, events: readonly RecordedEvent[]): Map<string, Call> {
  const purposes = new Map<string, string>()
  const calls = new Map<string, Call>()
  for (const { type, data } of events) {
    const { callId, owner, purpose } = data as Partial<
      SessionEventData['AgentCallReserved'] & SessionEventData['AgentCallClaimed']
    >
    if (callId === undefined) continue
    if (type === 'AgentCallReserved') purposes.set(callId, purpose ?? '')
    if (type === 'AgentCallClaimed') {
      const pid = Number(owner?.split('-')[1])
      calls.set(callId, { key: `${sessionId} ${callId}`, purpose: purposes.get(callId) ?? '', pid })
    }
    const call = calls.get(callId)
    if (call && Object.hasOwn(outcomes, type)) call.outcome = outcomes[type as keyof typeof outcomes]
  }
  return calls
}
