import { describe, expect, it } from 'vitest'
import { forkedState } from '../../../src/agents/session/fork.ts'
import { requestFor } from '../../../src/agents/session/requests.ts'
import { nextTimerMs } from '../../../src/agents/session/timers.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { approval, Play, planOf } from './play.ts'

function asked(approvals: object): Play {
  const play = new Play({ approvals: { plan: true, timeoutMs: 60_000, ...approvals } })
  const epoch = play.claim('plan:1')
  const result = { output: '', structured: planOf({ a: {} }) }
  play.do({ kind: 'complete', callId: 'plan:1', epoch, owner: 'worker-1', result, durationMs: 1, nowMs: 1_000_000 })
  return play
}

describe('an approval with a time limit', () => {
  it('is denied when nobody answers in time, once, also long after', () => {
    const play = asked({})
    expect(nextTimerMs(play.state)).toBe(1_060_000)
    expect(play.do({ kind: 'fire-timers', nowMs: 1_059_999 })).toEqual([])
    play.do({ kind: 'fire-timers', nowMs: 9_000_000 })
    expect(play.state).toMatchObject({ status: 'failed' })
    expect(play.state.approvals.get('plan')).toMatchObject({ status: 'denied', by: 'timeout' })
    expect(play.do({ kind: 'fire-timers', nowMs: 9_000_001 })).toEqual([])
  })

  it('may be given instead', () => {
    const play = asked({ onTimeout: 'approve' })
    play.do({ kind: 'fire-timers', nowMs: 1_060_000 })
    expect(play.open()[0]?.callId).toBe('work:a:1')
  })

  it('may be escalated: marked once, and waiting on without limit', () => {
    const play = asked({ onTimeout: 'escalate' })
    play.do({ kind: 'fire-timers', nowMs: 1_060_000 })
    expect(play.state.approvals.get('plan')).toMatchObject({ status: 'requested', escalated: true })
    expect(nextTimerMs(play.state)).toBeUndefined()
    play.do({ kind: 'answer-approval', approvalId: 'plan', approved: true })
    expect(play.open()[0]?.callId).toBe('work:a:1')
  })

  it.each([
    ['deny', 'denied', 'failed'],
    ['approve', 'given', 'running'],
  ] as const)(
    'answered after its time is what the time limit says (%s), whoever woke first',
    (onTimeout, status, session) => {
      const play = asked({ onTimeout })
      const answer = { kind: 'answer-approval', approvalId: 'plan', approved: onTimeout === 'deny' } as const
      play.do({ ...answer, nowMs: 1_060_000 })
      expect(play.state.approvals.get('plan')).toMatchObject({ status, by: 'timeout' })
      expect(play.state.status).toBe(session)
    },
  )

  it('answered after it should have been escalated is escalated, and answered', () => {
    const play = asked({ onTimeout: 'escalate' })
    play.do({ kind: 'answer-approval', approvalId: 'plan', approved: true, nowMs: 9_000_000 })
    expect(play.state.approvals.get('plan')).toMatchObject({ status: 'given', escalated: true })
  })

  it('that was answered has no time limit any more', () => {
    const play = asked({})
    play.do({ kind: 'answer-approval', approvalId: 'plan', approved: true })
    expect(nextTimerMs(play.state)).toBeUndefined()
  })

  it('keeps its limit when the clock goes backwards', () => {
    const play = asked({})
    expect(play.do({ kind: 'fire-timers', nowMs: 0 })).toEqual([])
    expect(nextTimerMs(play.state)).toBe(1_060_000)
  })
})

describe('an approval of cost', () => {
  it('is asked once, before the call that may bring the session above it; also of calls side by side', () => {
    const play = new Play({ maxConcurrentTasks: 3, approvals: { costAboveUsd: 2.5 } })
    play.answer('plan:1', planOf({ a: {}, b: {}, c: {} }), 0.1)
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1', 'work:b:1'])
    expect(play.state.approvals.get('cost:2.5')).toMatchObject({ status: 'requested', subject: 'cost' })
    play.do({ kind: 'answer-approval', approvalId: 'cost:2.5', approved: true })
    expect(play.open()).toHaveLength(3)
    expect(play.count('ApprovalRequested')).toBe(1)
  })
})

describe('an approval of a tool', () => {
  const settings = { allowedTools: ['Read', 'Bash'], approvals: { tools: ['Bash'] } }

  it('is asked before the Worker is given it', () => {
    const play = new Play(settings)
    play.answer('plan:1', planOf({ a: {} }))
    expect(play.open()).toEqual([])
    play.do({ kind: 'answer-approval', approvalId: 'tool:Bash', approved: true })
    expect(requestFor('s', play.state, play.open()[0]!).allowedTools).toEqual(['Read', 'Bash'])
  })

  it('denied lets the Worker work without it', () => {
    const play = new Play(settings)
    play.answer('plan:1', planOf({ a: {} }))
    play.do({ kind: 'answer-approval', approvalId: 'tool:Bash', approved: false })
    expect(requestFor('s', play.state, play.open()[0]!).allowedTools).toEqual(['Read'])
  })
})

describe('a tool nobody has approved', () => {
  const denied = (play: Play) => requestFor('s', play.state, play.open()[0]!).deniedTools

  it('is named to the executor as denied, also where the settings name no tools', () => {
    const play = new Play({ approvals: { tools: ['Write'] } })
    expect(denied(play)).toEqual(['Write'])
    play.answer('plan:1', planOf({ a: {} }))
    play.do({ kind: 'answer-approval', approvalId: 'tool:Write', approved: false })
    expect(requestFor('s', play.state, play.open()[0]!)).not.toHaveProperty('allowedTools')
    expect(denied(play)).toEqual(['Write'])
    const given = new Play({ approvals: { tools: ['Write'] } })
    given.answer('plan:1', planOf({ a: {} }))
    given.do({ kind: 'answer-approval', approvalId: 'tool:Write', approved: true })
    expect(denied(given)).toBeUndefined()
  })

  it('is not given to plan or review either, nor a form of it', () => {
    const play = new Play({ allowedTools: ['Read', 'Bash(npm test)'], approvals: { tools: ['Bash'] } })
    expect(requestFor('s', play.state, play.open()[0]!).allowedTools).toEqual(['Read'])
  })
})

describe('the wall clock of a budget', () => {
  it('lets no call begin after it, shows that once, and goes on with more time', () => {
    const play = new Play({ budget: { maxWallClockMs: 10_000 } }, 5_000)
    expect(nextTimerMs(play.state)).toBe(15_000)
    const epoch = play.claim('plan:1')
    play.do({ kind: 'fire-timers', nowMs: 15_000 })
    const result = { output: '', structured: planOf({ a: {} }) }
    play.do({ kind: 'complete', callId: 'plan:1', epoch, owner: 'worker-1', result, durationMs: 5 })
    expect(play.open()).toEqual([])
    expect(sessionView('s', play.state, 0)).toMatchObject({
      status: 'waiting',
      budget: { exceeded: { limit: 'wall-clock' } },
    })
    play.do({ kind: 'raise-budget', limits: { maxUsd: 5 } })
    expect(play.open()).toEqual([])
    play.do({ kind: 'raise-budget', limits: { maxWallClockMs: 30_000 } })
    expect(play.open()[0]?.callId).toBe('work:a:1')
    play.answer('work:a:1', 'done')
    play.answer('review:a:1', approval)
    expect(play.state.status).toBe('completed')
  })

  it('lets nobody claim what was reserved before it, whether somebody has noticed the time or not', () => {
    for (const noticed of [true, false]) {
      const play = new Play({ budget: { maxWallClockMs: 10_000 } }, 5_000)
      if (noticed) play.do({ kind: 'fire-timers', nowMs: 15_000 })
      play.do({ kind: 'claim', callId: 'plan:1', owner: 'late', nowMs: 15_000 })
      play.do({ kind: 'claim', callId: 'plan:1', owner: 'later', nowMs: 16_000 })
      expect([play.count('AgentCallClaimed'), play.count('BudgetExceeded')]).toEqual([0, 1])
      expect(sessionView('s', play.state, 0)).toMatchObject({ status: 'waiting', totals: { managerCalls: 0 } })
      play.do({ kind: 'raise-budget', limits: { maxWallClockMs: 30_000 } })
      expect(play.open().map(({ callId }) => callId)).toEqual(['plan:1~2'])
    }
  })

  it('holds also where nobody has noticed the time: what a late report leads to is not reserved', () => {
    const play = new Play({ budget: { maxWallClockMs: 10_000 } }, 5_000)
    const epoch = play.claim('plan:1')
    const result = { output: '', structured: planOf({ a: {} }) }
    const report = { callId: 'plan:1', epoch, owner: 'worker-1', result, durationMs: 5 }
    play.do({ kind: 'complete', ...report, nowMs: 15_001 })
    expect(play.open()).toEqual([])
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'wall-clock', spent: 10_001 })
  })
})

describe('what is refused or given while the time is up', () => {
  const lateWork = (): Play => {
    const play = new Play({ budget: { maxWallClockMs: 10_000, pool: 'p' } }, 5_000)
    play.answer('plan:1', planOf({ a: {} }))
    const epoch = play.claim('work:a:1')
    play.do({ kind: 'fire-timers', nowMs: 16_000 })
    const exceeded = { limit: 'usd', scope: 'pool', max: 1, spent: 1, reserved: 0, needed: 1, purpose: 'work' } as const
    play.do({ kind: 'report-unaffordable', callId: 'work:a:1', epoch, owner: 'worker-1', exceeded })
    return play
  }

  it('does not hide it: the session waits for more time before it asks its pool again', () => {
    const play = lateWork()
    expect(play.state.budgetExceeded).toMatchObject({ scope: 'pool' })
    play.do({ kind: 'resume', owner: 'runner', previousOwner: 'runner' })
    expect(play.open()).toEqual([])
    expect(sessionView('s', play.state, 0)).toMatchObject({
      status: 'waiting',
      budget: { exceeded: { limit: 'wall-clock', max: 10_000 } },
    })
    play.do({ kind: 'raise-budget', limits: { maxWallClockMs: 90_000 } })
    expect(play.open().map(({ callId }) => callId)).toEqual(['work:a:1~2'])
  })
})

describe('the wall clock of a role', () => {
  const roles = { worker: { maxWallClockMs: 10_000 } }

  it('lets no call of that role begin after it; the other role goes on', () => {
    const play = new Play({ budget: { roles } }, 5_000)
    expect(nextTimerMs(play.state)).toBe(15_000)
    play.answer('plan:1', planOf({ a: {}, b: {} }))
    const epoch = play.claim('work:a:1')
    expect(play.open().map(({ callId }) => callId)).toEqual(['work:a:1', 'work:b:1'])
    const ended = play.do({ kind: 'fire-timers', nowMs: 15_000 })
    expect(play.names(ended)).toEqual(['AgentCallCancelled', 'BudgetExceeded'])
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'wall-clock', scope: 'worker', spent: 10_000 })
    expect(nextTimerMs(play.state)).toBeUndefined()
    const result = { output: 'done' }
    play.do({ kind: 'complete', callId: 'work:a:1', epoch, owner: 'worker-1', result, durationMs: 5, nowMs: 16_000 })
    play.answer('review:a:1', approval)
    expect(play.open()).toEqual([])
    const { status, budget, totals } = sessionView('s', play.state, 0)
    expect({ status, accepted: totals.accepted, exceeded: budget?.exceeded }).toMatchObject({
      ...{ status: 'waiting', accepted: 1 },
      exceeded: { limit: 'wall-clock', scope: 'worker', purpose: 'work', max: 10_000 },
    })
  })

  it('goes on when that role is given more, and with nothing else', () => {
    const play = new Play({ budget: { roles } }, 5_000)
    play.answer('plan:1', planOf({ a: {} }))
    play.do({ kind: 'fire-timers', nowMs: 20_000 })
    for (const limits of [
      { maxWallClockMs: 90_000 },
      { role: 'manager', maxWallClockMs: 90_000 },
      { maxUsd: 9 },
    ] as const) {
      play.do({ kind: 'raise-budget', limits })
      expect(sessionView('s', play.state, 0).status).toBe('waiting')
    }
    play.do({ kind: 'raise-budget', limits: { role: 'worker', maxWallClockMs: 60_000 } })
    expect(play.open().map(({ callId }) => callId)).toEqual(['work:a:1~2'])
    play.do({ kind: 'claim', callId: 'work:a:1~2', owner: 'late', nowMs: 65_000 })
    expect(play.count('AgentCallClaimed')).toBe(1)
    expect(play.state.budgetExceeded).toMatchObject({ scope: 'worker', max: 60_000, spent: 60_000 })
  })

  it("is the shorter one of the two: after the session's own nothing of any role begins", () => {
    const play = new Play({ budget: { maxWallClockMs: 20_000, roles } }, 5_000)
    play.answer('plan:1', planOf({ a: {} }))
    play.do({ kind: 'fire-timers', nowMs: 15_000 })
    expect(nextTimerMs(play.state)).toBe(25_000)
    play.do({ kind: 'fire-timers', nowMs: 25_000 })
    play.do({ kind: 'raise-budget', limits: { role: 'worker', maxWallClockMs: 90_000 } })
    expect(play.open()).toEqual([])
    expect(sessionView('s', play.state, 0)).toMatchObject({ status: 'waiting', budget: { exceeded: { max: 20_000 } } })
    play.do({ kind: 'raise-budget', limits: { maxWallClockMs: 90_000 } })
    expect(play.open()).toHaveLength(1)
  })

  it('both past when somebody looks: each is told once, and asked for in turn', () => {
    const both = { worker: { maxWallClockMs: 10_000 }, manager: { maxWallClockMs: 12_000 } }
    const play = new Play({ budget: { roles: both } }, 5_000)
    play.do({ kind: 'fire-timers', nowMs: 30_000 })
    expect(play.count('BudgetExceeded')).toBe(2)
    expect(play.do({ kind: 'fire-timers', nowMs: 31_000 })).toEqual([])
    play.do({ kind: 'raise-budget', limits: { role: 'manager', maxWallClockMs: 90_000 } })
    play.answer('plan:1~2', planOf({ a: {} }))
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'wall-clock', scope: 'worker' })
  })

  it('counts for a fork from its own start', () => {
    const play = new Play({ budget: { roles } }, 5_000)
    play.answer('plan:1', planOf({ a: {} }))
    play.do({ kind: 'fire-timers', nowMs: 15_000 })
    const { task, workDir, settings } = play.state
    const forked = forkedState(play.state, {
      ...{ from: 's', atVersion: play.history.length, task, workDir, settings, owner: 'other', createdBy: 'test' },
      ...{ keptWorkItemIds: ['a'], changes: [], startedAt: new Date(100_000).toISOString() },
    })
    expect(forked).not.toHaveProperty('timeIsUp')
    expect(nextTimerMs(forked)).toBe(110_000)
  })
})
