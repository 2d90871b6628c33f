import { describe, expect, it } from 'vitest'
import { checkSession } from './check.ts'
import type { Evidence, JournalLine, RawEvent } from './evidence.ts'

/* The judge on histories made by hand: a good one, and every way of spoiling it. */

type Fact = readonly [type: string, data: Record<string, unknown>]

const killed = 'local-10-aaaaaaaa'
const successor = 'local-20-bbbbbbbb'

/** One item; the first process was killed at its work, the second went on. */
const good: readonly Fact[] = [
  ['SessionCreated', {}],
  ['AgentCallReserved', { callId: 'plan:1', role: 'manager' }],
  ['AgentCallClaimed', { callId: 'plan:1', epoch: 1, owner: killed }],
  ['AgentCallCompleted', { callId: 'plan:1', epoch: 1 }],
  ['PlanProposed', { callId: 'plan:1' }],
  ['WorkItemCreated', { workItemId: 'a' }],
  ['TaskAssigned', { workItemId: 'a', attempt: 1, callId: 'work:a:1' }],
  ['AgentCallReserved', { callId: 'work:a:1', role: 'worker' }],
  ['AgentCallClaimed', { callId: 'work:a:1', epoch: 2, owner: killed }],
  ['AgentCallInDoubt', { callId: 'work:a:1', epoch: 2 }],
  ['AgentCallReserved', { callId: 'work:a:1~2', role: 'worker', predecessor: 'work:a:1' }],
  ['AgentCallClaimed', { callId: 'work:a:1~2', epoch: 3, owner: successor }],
  ['AgentCallCompleted', { callId: 'work:a:1~2', epoch: 3 }],
  ['TaskCompleted', { workItemId: 'a', attempt: 1 }],
  ['AgentCallReserved', { callId: 'review:a:1', role: 'manager' }],
  ['AgentCallClaimed', { callId: 'review:a:1', epoch: 4, owner: successor }],
  ['AgentCallCompleted', { callId: 'review:a:1', epoch: 4 }],
  ['TaskReviewed', { workItemId: 'a', attempt: 1 }],
  ['WorkItemAccepted', { workItemId: 'a', attempt: 1 }],
  ['SessionCompleted', {}],
]

const plan = { sessionId: 's', callId: 'plan:1', purpose: 'plan', attempt: 1, pid: 10 }
const firstWork = { sessionId: 's', callId: 'work:a:1', purpose: 'work', workItemId: 'a', attempt: 1, pid: 10 }
const secondWork = { ...firstWork, callId: 'work:a:1~2', pid: 20 }
const review = { ...secondWork, callId: 'review:a:1', purpose: 'review' }
const whole = (call: typeof plan): JournalLine[] => [
  { ...call, phase: 'start' },
  { ...call, phase: 'end', outcome: 'done' },
]
const journal: readonly JournalLine[] = [
  ...whole(plan),
  { ...firstWork, phase: 'start' },
  ...whole(secondWork),
  ...whole(review),
]

function eventsOf(facts: readonly Fact[]): RawEvent[] {
  return facts.map(([type, data], index) => {
    const timestamp = new Date(1_000 * (index + 1)).toISOString()
    return { stream: 's', version: index + 1, eventId: `id-${index}`, type, data, timestamp }
  })
}

function evidence(facts: readonly Fact[] = good, change: Partial<Evidence> = {}): Evidence {
  const calls = new Set(facts.filter(([type]) => type === 'AgentCallReserved').map(([, { callId }]) => String(callId)))
  const tasks = [...calls].map((callId) => ({ sessionId: 's', callId, topic: 'agent.tasks.worker' }))
  return {
    sessionId: 's',
    undisturbed: { revisions: { a: 0 } },
    log: { events: eventsOf(facts), tasks },
    appends: [{ stream: 's', firstVersion: 1, types: ['SessionCreated', 'AgentCallReserved'], pid: 10 }],
    journal,
    kills: [{ pid: 10, by: 'call.claimed', role: 'local', atMs: 9_500 }],
    ...change,
  }
}

const found = (given: Evidence) => checkSession(given).violations.map(({ kind, what }) => `${kind}: ${what}`)
const without = (...types: string[]) =>
  good.filter(([type, { callId = '' }]) => !types.includes(`${type} ${callId}`.trim()))
const index = (type: string, callId: string) => good.findIndex((fact) => fact[0] === type && fact[1].callId === callId)
const insertedAfter = (at: number, ...facts: Fact[]) => [...good.slice(0, at + 1), ...facts, ...good.slice(at + 1)]

describe('the judge of a chaos run', () => {
  it('finds nothing in a session that was killed once and went on', () => {
    expect(checkSession(evidence())).toEqual({
      violations: [],
      inDoubt: 1,
      doubtsOfLiving: 0,
      executions: 4,
      longestResumeMs: 500,
    })
  })

  it('counts a doubt about a process nobody had killed', () => {
    expect(checkSession(evidence(good, { kills: [] }))).toMatchObject({ violations: [], doubtsOfLiving: 1 })
  })

  it('calls lost what is not there', () => {
    const gap = eventsOf(good).filter(({ version }) => version !== 6)
    expect(found(evidence(good, { log: { ...evidence().log, events: gap } }))).toContain(
      'lost: after version 5 comes 7 (TaskAssigned)',
    )
    const acknowledged = [{ stream: 's', firstVersion: 20, types: ['SessionCompleted', 'MoreOfIt'], pid: 20 }]
    expect(found(evidence(good, { appends: acknowledged }))).toEqual([
      'lost: MoreOfIt was acknowledged at version 21, where there is nothing',
    ])
    const other = [{ stream: 's', firstVersion: 4, types: ['AgentCallFailed'], pid: 10 }]
    expect(found(evidence(good, { appends: other }))).toEqual([
      'lost: AgentCallFailed was acknowledged at version 4, where there is AgentCallCompleted',
    ])
    const { events, tasks } = evidence().log
    expect(found(evidence(good, { log: { events, tasks: tasks.slice(1) } }))).toEqual([
      'lost: call plan:1 was reserved, and its task never sent',
    ])
    expect(found(evidence(without('AgentCallInDoubt work:a:1')))).toContain('lost: call work:a:1 has no outcome')
    const nothing = evidence([], { journal: [], appends: evidence().appends })
    expect(found(nothing).filter((text) => text.startsWith('lost'))).toHaveLength(2)
  })

  it('calls repeated what happened twice and is not shown', () => {
    const events = eventsOf(good)
    const twice = [...events.slice(0, 3), events[2]!, ...events.slice(3)]
    expect(found(evidence(good, { log: { ...evidence().log, events: twice } }))).toEqual(
      expect.arrayContaining([
        'repeated: after version 3 comes 3 (AgentCallClaimed) again',
        'repeated: event id id-2 (AgentCallClaimed) stands in the log twice',
      ]),
    )
    expect(
      found(
        evidence(insertedAfter(index('AgentCallCompleted', 'work:a:1~2'), good[index('TaskAssigned', 'work:a:1')]!)),
      ),
    ).toEqual(['repeated: TaskAssigned a 1 happened twice'])
    const claimedAgain: Fact = ['AgentCallClaimed', { callId: 'plan:1', epoch: 2, owner: successor }]
    expect(found(evidence(insertedAfter(2, claimedAgain)))).toContain('repeated: call plan:1 was claimed 2 times')
    const reportedTwice: Fact = ['AgentCallCompleted', { callId: 'work:a:1', epoch: 2 }]
    expect(found(evidence(insertedAfter(index('AgentCallInDoubt', 'work:a:1'), reportedTwice)))).toEqual([
      'repeated: call work:a:1 has 2 outcomes: in-doubt, completed',
    ])
    const { log } = evidence()
    expect(found(evidence(good, { log: { ...log, tasks: [...log.tasks, log.tasks[0]!] } }))).toEqual([
      'repeated: the task of call plan:1 was sent twice',
    ])
    const local: Fact[] = [['SessionCreated', { settings: { dispatch: 'local' } }], ...good.slice(1)]
    const ofLocal = evidence(local, { log: { ...evidence(local).log, tasks: log.tasks.slice(0, 1) } })
    expect(found(ofLocal)).toEqual(['unrecorded: a task was sent for call plan:1 of a local session'])
    expect(found({ ...ofLocal, log: { ...ofLocal.log, tasks: [] } })).toEqual([])
  })

  it('calls repeated what was paid twice in silence', () => {
    const again = [...journal, { ...secondWork, phase: 'start' } as const]
    expect(found(evidence(good, { journal: again }))[0]).toBe(
      'repeated: call work:a:1~2 was executed twice under one id',
    )
    const silent = good.map((fact): Fact => (fact[0] === 'AgentCallInDoubt' ? ['AgentCallCompleted', fact[1]] : fact))
    const bothEnded = [...journal, { ...firstWork, phase: 'end', outcome: 'done' } as const]
    expect(found(evidence(silent, { journal: bothEnded }))).toEqual([
      'repeated: work a 1 was executed 2 times, unexplained: work:a:1, work:a:1~2',
      'repeated: 2 worker calls; items, revisions and calls shown to have come to nothing make 1',
    ])
  })

  it('calls unrecorded what the log does not know', () => {
    const stranger = { ...secondWork, callId: 'work:a:1~3', phase: 'start' } as const
    expect(found(evidence(good, { journal: [...journal, stranger] }))).toContain(
      'unrecorded: call work:a:1~3 was executed without a claim',
    )
    const otherHands = journal.map((line) => (line.callId === 'plan:1' ? { ...line, pid: 30 } : line))
    expect(found(evidence(good, { journal: otherHands }))).toEqual([
      'unrecorded: call plan:1 was executed by process 30; 10 had claimed it',
    ])
    expect(found(evidence(good, { journal: journal.filter(({ purpose }) => purpose !== 'review') }))).toEqual([
      'unrecorded: the log says call review:a:1 completed; its execution never came to an end',
    ])
    const said = (outcome: string) =>
      good.map(([type, data]): Fact => [type === 'AgentCallInDoubt' ? outcome : type, data])
    expect(found(evidence(said('AgentCallCancelled')))).toEqual([
      'unrecorded: the log says call work:a:1 cancelled; its execution never came to an end',
    ])
    const stopped = [...journal, { ...firstWork, phase: 'end', outcome: 'failed' } as const]
    expect(found(evidence(said('AgentCallCancelled'), { journal: stopped }))).toEqual([])
    expect(found(evidence(without('AgentCallClaimed plan:1')))).toEqual(
      expect.arrayContaining(['unrecorded: call plan:1 is completed, and nobody had claimed it']),
    )
  })

  it('calls not completed what does not end as an undisturbed run does', () => {
    expect(found(evidence(without('SessionCompleted')))).toEqual([
      'not-completed: the log ends with WorkItemAccepted, not SessionCompleted',
    ])
    expect(found(evidence(good, { undisturbed: { revisions: { a: 0, b: 0 } } }))).toEqual([
      'not-completed: b was not accepted; undisturbed, it is',
    ])
    expect(found(evidence(good, { undisturbed: { revisions: { a: 1 } } }))).toEqual([
      'repeated: a was revised 0 times; undisturbed, 1 times',
    ])
    const late: Fact = ['TaskCompleted', { workItemId: 'b', attempt: 1 }]
    expect(found(evidence([...good, late]))).toEqual(['repeated: TaskCompleted came after the end, at version 21'])
    const nobodyWentOn = good.map(([type, { predecessor: _, ...data }]): Fact => [type, data])
    expect(found(evidence(nobodyWentOn))).toEqual(['not-completed: call work:a:1 is in doubt and nobody went on'])
  })

  it('lets a zombie report late, and be refused', () => {
    const refused: Fact = [
      'AgentCallReportRefused',
      { callId: 'work:a:1', epoch: 2, owner: killed, reported: 'completed' },
    ]
    expect(found(evidence([...good, refused]))).toEqual([])
  })
})
