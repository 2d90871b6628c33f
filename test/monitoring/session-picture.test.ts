import { describe, expect, it } from 'vitest'
import type { SessionEvent } from '../../src/agents/session/schemas.ts'
import { settingsSchema } from '../../src/agents/session/settings.ts'
import type { RecordedEvent } from '../../src/core/event.ts'
import { PictureFold, type SessionPicture } from '../../src/monitoring/session-picture.ts'

const START = Date.parse('2026-11-28T03:00:00.000Z')

const settings = settingsSchema.parse({})
const created = { task: 'Make it', workDir: '/w', settings, owner: 'o', createdBy: 'test' }
const reserved = { role: 'worker', purpose: 'work', workItemId: 'a', attempt: 1, try: 1, timeoutMs: 1000 } as const
const gate = {
  role: 'gate',
  purpose: 'gate',
  gateId: 'tests',
  workItemId: 'a',
  attempt: 1,
  try: 1,
  timeoutMs: 1000,
} as const
const item = { title: 'A', description: '', acceptanceCriteria: [], priority: 1, dependencies: [] }
const verdict = { workItemId: 'a', attempt: 1, callId: 'g', gateId: 'tests', mandatory: true, passed: false, score: 0 }

/** One a second. */
const events: SessionEvent[] = [
  { type: 'SessionCreated', data: created },
  { type: 'WorkItemCreated', data: { workItemId: 'a', ...item } },
  { type: 'TaskAssigned', data: { workItemId: 'a', attempt: 1, callId: 'w', assignedTo: 'worker' } },
  { type: 'AgentCallReserved', data: { callId: 'w', ...reserved } },
  { type: 'AgentCallClaimed', data: { callId: 'w', epoch: 1, owner: 'o' } },
  { type: 'AgentCallCompleted', data: { callId: 'w', epoch: 1, output: 'done', costUsd: 0.5, durationMs: 1000 } },
  { type: 'TaskCompleted', data: { workItemId: 'a', attempt: 1, callId: 'w' } },
  { type: 'AgentCallReserved', data: { callId: 'g', ...gate } },
  { type: 'AgentCallClaimed', data: { callId: 'g', epoch: 2, owner: 'o' } },
  { type: 'AgentCallCompleted', data: { callId: 'g', epoch: 2, output: 'red', costUsd: 0, durationMs: 1000 } },
  { type: 'QualityGateResult', data: { ...verdict, explanation: '2 tests failed' } },
  { type: 'RevisionRequested', data: { workItemId: 'a', attempt: 1, feedback: ['make them green'] } },
  { type: 'AgentCallReserved', data: { callId: 'w2', ...reserved, attempt: 2 } },
  { type: 'AgentCallClaimed', data: { callId: 'w2', epoch: 3, owner: 'o' } },
  { type: 'AgentCallInDoubt', data: { callId: 'w2', epoch: 3, owner: 'o', reason: 'its owner died' } },
  { type: 'ApprovalRequested', data: { approvalId: 'plan', subject: 'plan', input: 'One item' } },
]

function pictureAfter(count: number, atMs = (index: number) => START + index * 1000): SessionPicture {
  const fold = new PictureFold('s1')
  for (const [index, event] of events.slice(0, count).entries()) {
    const timestamp = new Date(atMs(index)).toISOString()
    fold.see({ ...event, streamPosition: index + 1, timestamp, stream: 's1' } as RecordedEvent<SessionEvent>)
  }
  return fold.picture(atMs(60))
}

describe('the picture of a session', () => {
  it('has nothing that ends before it began, where a clock was put back', () => {
    const { calls, nowMs, lastEventMs } = pictureAfter(9, (index) => START + index * 1000 - (index > 4 ? 3_600_000 : 0))
    expect(calls).toMatchObject([{ startMs: START + 4000, endMs: START + 4000 }, { startMs: START + 4000 }])
    expect([nowMs, lastEventMs]).toEqual([START + 4000, START + 4000])
  })

  it('has a bar for each call, from its claim to its outcome', () => {
    const { calls, startedMs, lastEventMs } = pictureAfter(9)
    expect([startedMs, lastEventMs]).toEqual([START, START + 8000])
    expect(calls).toMatchObject([
      {
        callId: 'w',
        purpose: 'work',
        workItemId: 'a',
        status: 'completed',
        startMs: START + 4000,
        endMs: START + 5000,
      },
      { callId: 'g', gateId: 'tests', status: 'claimed', startMs: START + 8000 },
    ])
    expect(calls[1]).not.toHaveProperty('endMs')
  })

  it('has none for a call that nobody has begun', () => {
    expect(pictureAfter(4).calls).toMatchObject([{ callId: 'w', status: 'reserved' }])
    expect(pictureAfter(4).calls[0]).not.toHaveProperty('startMs')
  })

  it('shows which gate was not content, and what is asked of the item now', () => {
    const { calls, items, totals } = pictureAfter(12)
    expect(calls.map(({ callId, rejects }) => [callId, rejects])).toEqual([
      ['w', undefined],
      ['g', true],
    ])
    expect(items).toMatchObject([{ id: 'a', attempts: 1, revisions: 1, costUsd: 0.5, note: 'make them green' }])
    expect(totals).toMatchObject({ workItems: 1, accepted: 0, revisions: 1, costUsd: 0.5 })
  })

  it('says what a person has to do, with the command that does it', () => {
    const { status, waitsFor } = pictureAfter(events.length)
    expect(status).toBe('waiting')
    expect(waitsFor).toEqual([
      { text: 'plan: One item', command: 'duolog approve s1 plan' },
      { text: expect.stringContaining('Nobody knows the outcome of w2'), command: 'duolog resolve s1 w2 --retry' },
    ])
  })
})
