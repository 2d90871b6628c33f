import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { scriptedExecutor } from '../../src/agents/executors/scripted-executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { checkSession, type Verdict, type Violation } from './check.ts'
import type { AcknowledgedAppend, JournalLine, Kill, RawEvent, RawLog, Undisturbed } from './evidence.ts'
import type { Scenario } from './scenario.ts'

/* Brings the witnesses of a run together and has them judged. */

/** The same script and rules in one process over a fresh memory log, without its pauses. */
export async function runUndisturbed(scenario: Scenario, workDir: string): Promise<Undisturbed> {
  const hasty = JSON.parse(JSON.stringify(scenario.script), (key, value) => (key === 'delayMs' ? 0 : value))
  const store = openMemoryStore()
  const coordinator = new KafkaAgentCoordinator({ store, executor: scriptedExecutor(hasty) })
  const settings = { ...scenario.settings, dispatch: 'local' as const }
  let view = await coordinator.run('chaos', { settings, workDir })
  for (const { approvalId, status } of view.approvals) {
    if (status === 'requested') await coordinator.answerApproval(view.sessionId, approvalId, { approved: true })
  }
  if (view.status === 'waiting') view = await coordinator.resume(view.sessionId)
  const { status, workItems } = view
  await coordinator.close()
  await store.close()
  if (status !== 'completed') throw new Error(`Undisturbed, run ${scenario.run} ends as ${status}`)
  return { revisions: Object.fromEntries(workItems.map(({ id, revisions }) => [id, revisions])) }
}

export interface SessionToVerify {
  readonly sessionId: string
  readonly dir: string
  readonly undisturbed: Undisturbed
  readonly kills: readonly Kill[]
}

export interface VerifyOptions {
  readonly logUrl: string
  readonly readRaw: (logUrl: string) => Promise<RawLog>
}

/** One log's sessions: what a dumb reader finds, what our own store reads back, and what stands in the folders. */
export async function verifyLog(
  sessions: readonly SessionToVerify[],
  { logUrl, readRaw }: VerifyOptions,
): Promise<Map<string, Verdict>> {
  const raw = await readRaw(logUrl)
  const byStream = Map.groupBy(raw.events, ({ stream }) => stream)
  const store = await openEventStore(logUrl)
  try {
    const verdicts = new Map<string, Verdict>()
    for (const session of sessions) {
      const events = byStream.get(session.sessionId) ?? []
      const tasks = raw.tasks.filter(({ sessionId }) => sessionId === session.sessionId)
      const read: string[] = []
      for await (const { eventId } of store.readStream(session.sessionId)) read.push(eventId)
      verdicts.set(session.sessionId, verdictOf(session, { events, tasks }, read))
    }
    return verdicts
  } finally {
    await store.close()
  }
}

function verdictOf(session: SessionToVerify, log: RawLog, readByUs: readonly string[]): Verdict {
  const { sessionId, dir, undisturbed, kills } = session
  const appends = jsonLines<AcknowledgedAppend>(join(dir, 'appends.jsonl'))
  const journal = jsonLines<JournalLine>(join(dir, 'journal.jsonl'))
  const verdict = checkSession({ sessionId, undisturbed, log, appends, journal, kills })
  const completed = log.events.some(({ type }) => type === 'SessionCompleted')
  const more = [...checkReadBack(log.events, readByUs), ...(completed ? checkFiles(dir, undisturbed) : [])]
  return { ...verdict, violations: [...verdict.violations, ...more] }
}

function checkReadBack(raw: readonly RawEvent[], readByUs: readonly string[]): Violation[] {
  const same = raw.length === readByUs.length && raw.every(({ eventId }, index) => eventId === readByUs[index])
  if (same) return []
  return [
    { kind: 'lost', what: `the store reads ${readByUs.length} events back; in the log are ${raw.length} (or others)` },
  ]
}

/** The work of the last attempt stands in the folder. */
function checkFiles(dir: string, { revisions }: Undisturbed): Violation[] {
  return Object.entries(revisions).flatMap(([id, times]) => {
    const path = join(dir, 'work', `${id}.txt`)
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    if (text === `${id} ${times + 1}`) return []
    return [{ kind: 'lost', what: `${id}.txt should hold "${id} ${times + 1}" and holds "${text}"` } as const]
  })
}

/** A last line cut short by a death is no line: its writer had not gone on. */
function jsonLines<T>(file: string): T[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T)
}
