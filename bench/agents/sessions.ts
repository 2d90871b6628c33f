import { tmpdir } from 'node:os'
import { percentile, settle, timed } from '../report.ts'
import { sentItems } from './instant.ts'
import { countingCommits, type Ours, openOurs, runSession } from './ours.ts'

/** Steps of a session with one work item: plan, work, review. */
export const STEPS = 3

/** Sessions of three steps, one after the other. */
export async function oneByOne(ours: Ours, count: number) {
  await settle()
  const latencies: number[] = []
  const { commits } = await countingCommits(async () => {
    for (let n = 0; n < count; n++) latencies.push(await timed(() => runSession(ours)))
  })
  const commitsPer100Steps = (commits * 100) / (count * STEPS)
  return { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99), commitsPer100Steps }
}

/** The same, `callers` at once. */
export async function atOnce(ours: Ours, { callers, each }: { readonly callers: number; readonly each: number }) {
  await settle()
  const caller = async () => {
    for (let n = 0; n < each; n++) await runSession(ours)
  }
  const { value: ms, commits } = await countingCommits(() =>
    timed(() => Promise.all(Array.from({ length: callers }, caller))),
  )
  const sessions = callers * each
  return { perSecond: (sessions * 1000) / ms, commitsPer100Steps: (commits * 100) / (sessions * STEPS) }
}

/** A session of so many work items, one after the other: two steps each. Its creation is not counted. */
export async function longSession(ours: Ours, workItems: number): Promise<number> {
  const { coordinator } = ours
  const settings = { maxConcurrentTasks: 1 }
  const id = await coordinator.create('Measure', { workDir: tmpdir(), settings, workItems: sentItems(workItems) })
  await settle()
  const ms = await timed(() => coordinator.resume(id))
  const { status } = await coordinator.show(id)
  if (status !== 'completed') throw new Error(`A session of ${workItems} work items has ${status}`)
  return ms / (workItems * 2)
}

/**
 * Many sessions of five work items with an executor that takes its time, 50 sessions at once: what a call took more than
 * its executor, from one call's end to the next one's.
 */
export async function overheadPerCall(url: string, sessions: number): Promise<{ p50Ms: number; perSecond: number }> {
  const workItems = 5
  const delayMs = 5
  const started = new Map<string, number>()
  const gaps: number[] = []
  const ours = await openOurs(url, {
    workItems,
    delayMs,
    onCall: ({ sessionId }) => {
      const now = performance.now()
      const before = started.get(sessionId)
      if (before !== undefined) gaps.push(now - before)
      started.set(sessionId, now)
    },
  })
  await settle()
  let left = sessions
  const caller = async () => {
    while (left-- > 0) await ours.coordinator.run('Measure', { workDir: tmpdir(), settings: { maxConcurrentTasks: 1 } })
  }
  const ms = await timed(() => Promise.all(Array.from({ length: 50 }, caller)))
  await ours.close()
  return { p50Ms: percentile(gaps, 0.5) - delayMs, perSecond: ((1 + workItems * 2) * sessions * 1000) / ms }
}
