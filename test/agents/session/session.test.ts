import { describe, expect, it } from 'vitest'
import { nextActions } from '../../../src/agents/session/next-actions.ts'
import { requestFor } from '../../../src/agents/session/requests.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { approval, Play, planOf, rejection } from './play.ts'

const tests = { gateId: 'tests', command: ['npm', 'test'] }

describe('a session', () => {
  it('goes from plan to work, gate, review, acceptance and completion, one append a step', () => {
    const play = new Play({ gates: [tests] })
    expect(play.names()).toEqual(['SessionCreated', 'AgentCallReserved'])
    const planned = play.answer('plan:1', planOf({ a: {} }))
    expect(play.names(planned)).toEqual([
      'AgentCallCompleted',
      'PlanProposed',
      'WorkItemCreated',
      'WorkflowStateUpdated',
      'TaskAssigned',
      'AgentCallReserved',
    ])
    expect(play.names(play.answer('work:a:1', 'done'))).toEqual([
      'AgentCallCompleted',
      'TaskCompleted',
      'AgentCallReserved',
    ])
    expect(play.names(play.gate('gate:a:1:tests', true))).toEqual([
      'AgentCallCompleted',
      'QualityGateResult',
      'AgentCallReserved',
    ])
    expect(play.names(play.answer('review:a:1', approval))).toEqual([
      'AgentCallCompleted',
      'TaskReviewed',
      'WorkItemAccepted',
      'WorkflowStateUpdated',
      'SessionCompleted',
    ])
    const { totals, status } = sessionView('s', play.state, play.history.length)
    expect(status).toBe('completed')
    expect(totals).toMatchObject({ workerCalls: 1, managerCalls: 2, gateRuns: 1, accepted: 1, costUsd: 0.3 })
  })

  it('respects dependencies, priorities (1 first) and maxConcurrentTasks', () => {
    const play = new Play({ maxConcurrentTasks: 2 })
    play.answer(
      'plan:1',
      planOf({
        c: { priority: 3 },
        b: { priority: 1 },
        a: { priority: 2 },
        last: { priority: 1, dependencies: ['a', 'b'] },
      }),
    )
    expect(play.open().map((call) => call.callId)).toEqual(['work:b:1', 'work:a:1'])
    play.answer('work:b:1', 'ok')
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1', 'review:b:1'])
    play.answer('review:b:1', approval)
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1', 'work:c:1'])
    play.answer('work:a:1', 'ok')
    play.answer('review:a:1', approval)
    expect(play.open().map((call) => call.callId)).toEqual(['work:c:1', 'work:last:1'])
  })

  it('sends a rejected item back with the feedback in the prompt, at most maxRevisions times', () => {
    const play = new Play({ maxRevisions: 1 })
    play.answer('plan:1', planOf({ a: {}, b: { dependencies: ['a'] } }))
    play.answer('work:a:1', 'first try')
    const review = play.state.calls.get('review:a:1')!
    expect(requestFor('s', play.state, review).prompt).toContain('first try')
    play.answer('review:a:1', rejection)
    const second = play.state.calls.get('work:a:2')!
    expect(requestFor('s', play.state, second).prompt).toContain('Round the total')
    play.answer('work:a:2', 'second try')
    play.answer('review:a:2', rejection)
    expect(play.names().slice(-4)).toEqual([
      'WorkItemFailed',
      'WorkItemBlocked',
      'WorkflowStateUpdated',
      'SessionFailed',
    ])
    expect(play.state.reason).toContain('Still rejected after 1 revision: Round the total')
    expect(play.state.reason).toContain('b (blocked by a)')
  })

  it('lets a failing mandatory gate reject without buying a review, and gives its evidence to the worker', () => {
    const play = new Play({ gates: [tests] })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.gate('gate:a:1:tests', false)
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:2'])
    expect(requestFor('s', play.state, play.open()[0]!).prompt).toContain('not ok 1')
    play.answer('work:a:2', 'mended')
    play.gate('gate:a:2:tests', true)
    play.answer('review:a:2', approval)
    expect(play.state.status).toBe('completed')
    expect(sessionView('s', play.state, 0).totals).toMatchObject({ workerCalls: 2, managerCalls: 2, revisions: 1 })
  })

  it('shows a failing advisory gate to the reviewer and leaves the verdict to it', () => {
    const play = new Play({ gates: [{ ...tests, mandatory: false }] })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.gate('gate:a:1:tests', false)
    expect(requestFor('s', play.state, play.open()[0]!).prompt).toContain('tests: failed (exit code 1)')
    play.answer('review:a:1', approval)
    expect(play.state.status).toBe('completed')
  })

  it('takes the verdict exactly as answered, but for the threshold', () => {
    const play = new Play({ minQualityScore: 0.8 })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.answer('review:a:1', { ...approval, qualityScore: 0.5 })
    expect(play.open()[0]?.callId).toBe('work:a:2')
    const reviewed = play.history.find((event) => event.type === 'TaskReviewed')
    expect(reviewed?.data).toMatchObject({ approved: true, qualityScore: 0.5 })
  })
})

describe('a bad plan', () => {
  const bad = {
    'not JSON': 'I would rather not',
    'a cycle': planOf({ a: { dependencies: ['b'] }, b: { dependencies: ['a'] } }),
    'a duplicate id': {
      ...planOf({ a: {} }),
      workItems: [...planOf({ a: {} }).workItems, ...planOf({ a: {} }).workItems],
    },
    'an unknown dependency': planOf({ a: { dependencies: ['ghost'] } }),
    'no acceptance criteria': {
      strategy: 's',
      workItems: [{ id: 'a', title: 't', description: 'd', acceptanceCriteria: [] }],
    },
    'no items': { strategy: 's', workItems: [] },
  }
  for (const [name, plan] of Object.entries(bad)) {
    it(`(${name}) is rejected visibly, asked again with the errors, then fails the session`, () => {
      const play = new Play({ maxPlanAttempts: 2 })
      expect(play.names(play.answer('plan:1', plan))).toEqual([
        'AgentCallCompleted',
        'PlanRejected',
        'AgentCallReserved',
      ])
      const again = play.state.calls.get('plan:2')!
      for (const error of play.state.planErrors) expect(requestFor('s', play.state, again).prompt).toContain(error)
      expect(play.names(play.answer('plan:2', plan)).at(-1)).toBe('SessionFailed')
      expect(play.state.reason).toContain('No usable plan in 2 attempts')
    })
  }

  it('is forgotten when the next one is good', () => {
    const play = new Play()
    play.answer('plan:1', 'hm')
    play.answer('plan:2', planOf({ a: {} }))
    expect(play.state.status).toBe('running')
  })
})

describe('a review that is no verdict', () => {
  it('is asked again with the errors, then the item fails; nothing is guessed', () => {
    const play = new Play()
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    play.answer('review:a:1', 'Looks great, approved!')
    const again = play.open()[0]!
    expect(again).toMatchObject({ callId: 'review:a:1~2', predecessor: 'review:a:1' })
    expect(requestFor('s', play.state, again).prompt).toContain('Your last answer was no verdict')
    play.answer('review:a:1~2', { approved: true, qualityScore: 7 })
    expect(play.state.workItems.get('a')).toMatchObject({ status: 'failed' })
    expect(play.state.status).toBe('failed')
  })
})

describe('a call', () => {
  const begun = (settings = {}) => {
    const play = new Play(settings)
    play.answer('plan:1', planOf({ a: {} }))
    return play
  }

  it('is claimed once; the second claimant gets nothing', () => {
    const play = begun()
    play.claim('work:a:1', 'first')
    expect(play.do({ kind: 'claim', callId: 'work:a:1', owner: 'second' })).toEqual([])
    expect(play.state.calls.get('work:a:1')).toMatchObject({ owner: 'first', status: 'claimed' })
  })

  it('in doubt is retried by policy: the old call stays visible, its successor names it', () => {
    const play = begun()
    const epoch = play.claim('work:a:1')
    const events = play.do({ kind: 'doubt', callId: 'work:a:1', epoch, reason: 'its owner died' })
    expect(play.names(events)).toEqual(['AgentCallInDoubt', 'AgentCallResolved', 'AgentCallReserved'])
    const { calls } = sessionView('s', play.state, 0)
    expect(calls.find((call) => call.callId === 'work:a:1')).toMatchObject({ status: 'in-doubt', resolution: 'retry' })
    expect(calls.at(-1)).toMatchObject({ callId: 'work:a:1~2', predecessor: 'work:a:1', attempt: 1 })
  })

  it('in doubt under the policy "resume": its successor names the call to go on with, however often it dies', () => {
    const play = begun({ inDoubt: 'resume' })
    for (const callId of ['work:a:1', 'work:a:1~2']) {
      play.do({ kind: 'doubt', callId, epoch: play.claim(callId), reason: 'its owner died' })
    }
    const resumed = ['work:a:1~2', 'work:a:1~3'].map((callId) => play.state.calls.get(callId)?.resume)
    expect(resumed).toEqual(['work:a:1', 'work:a:1'])
  })

  it('in doubt goes by the policy of its purpose', () => {
    const inDoubt = { work: 'ask', review: 'resume' } as const
    const doubt = (play: Play, callId: string) =>
      play.names(play.do({ kind: 'doubt', callId, epoch: play.claim(callId), reason: 'its owner died' }))
    const play = new Play({ inDoubt, gates: [{ gateId: 'style', reviewer: 'Is it tidy?' }] })
    expect(sessionView('s', play.state, 0).inDoubt).toEqual({ plan: 'retry', work: 'ask', review: 'resume' })
    expect(doubt(play, 'plan:1')).toContain('AgentCallReserved')
    expect(play.state.calls.get('plan:1')).toMatchObject({ resolution: 'retry' })
    play.answer('plan:1~2', planOf({ a: {} }))
    expect(doubt(play, 'work:a:1')).toEqual(['AgentCallInDoubt'])
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    play.do({ kind: 'resolve', callId: 'work:a:1', resolution: 'retry' })
    play.answer('work:a:1~2', 'done')
    doubt(play, 'gate:a:1:style')
    expect(play.open()).toMatchObject([{ callId: 'gate:a:1:style~2', resume: 'gate:a:1:style' }])
  })

  it('P8: a report after the claim was lost is refused, shown once with its cost, and changes nothing', () => {
    const play = begun()
    const epoch = play.claim('work:a:1')
    play.do({ kind: 'doubt', callId: 'work:a:1', epoch, reason: 'silent' })
    const late = {
      kind: 'complete',
      callId: 'work:a:1',
      epoch,
      owner: 'worker-1',
      result: { output: 'late', costUsd: 2 },
      durationMs: 1,
    } as const
    expect(play.names(play.do(late))).toEqual(['AgentCallReportRefused'])
    expect(play.do(late)).toEqual([])
    expect(play.state.workItems.get('a')?.status).toBe('working')
    expect(sessionView('s', play.state, 0).totals).toMatchObject({ refusedReports: 1, costUsd: 2.1, inDoubtCalls: 1 })
  })

  it('in doubt waits for a person under the policy "ask", and goes on as answered', () => {
    const play = begun({ inDoubt: 'ask' })
    const epoch = play.claim('work:a:1')
    expect(play.names(play.do({ kind: 'doubt', callId: 'work:a:1', epoch, reason: 'died' }))).toEqual([
      'AgentCallInDoubt',
    ])
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    expect(nextActions(play.state)).toEqual([])
    play.do({ kind: 'resolve', callId: 'work:a:1', resolution: 'retry' })
    expect(play.open()[0]?.callId).toBe('work:a:1~2')
  })

  it('that failed is made again while that makes sense, then fails its item; a crash does not count', () => {
    const play = begun({ maxCallAttempts: 2 })
    const fail = (callId: string, retryable: boolean) => {
      const epoch = play.claim(callId)
      const error = { code: 'EXECUTOR_FAILED', message: 'exit code 137' }
      return play.do({ kind: 'report-failure', callId, epoch, owner: 'worker-1', error, retryable, durationMs: 1 })
    }
    const doubted = play.claim('work:a:1')
    play.do({ kind: 'doubt', callId: 'work:a:1', epoch: doubted, reason: 'died' })
    fail('work:a:1~2', true)
    expect(play.open()[0]?.callId).toBe('work:a:1~3')
    expect(requestFor('s', play.state, play.open()[0]!)).toMatchObject({ attempt: 1, try: 3 })
    fail('work:a:1~3', true)
    expect(play.state.status).toBe('failed')
    expect(play.state.reason).toContain('exit code 137')
    const hopeless = begun()
    const epoch = hopeless.claim('work:a:1')
    const error = { code: 'EXECUTOR_INVALID', message: 'no such command' }
    hopeless.do({
      kind: 'report-failure',
      callId: 'work:a:1',
      epoch,
      owner: 'worker-1',
      error,
      retryable: false,
      durationMs: 1,
    })
    expect(hopeless.state.status).toBe('failed')
  })
})

describe('pause, resume, cancel', () => {
  it('withdraws what nobody has begun, and reserves it anew on resume', () => {
    const play = new Play()
    play.answer('plan:1', planOf({ a: {} }))
    expect(play.names(play.do({ kind: 'pause', reason: 'lunch' }))).toEqual(['AgentCallCancelled', 'SessionPaused'])
    expect(play.do({ kind: 'claim', callId: 'work:a:1', owner: 'w' })).toEqual([])
    const resumed = play.do({ kind: 'resume', owner: 'other', previousOwner: 'runner' })
    expect(play.names(resumed)).toEqual(['SessionResumed', 'AgentCallReserved'])
    expect(play.open()[0]?.callId).toBe('work:a:1~2')
  })

  it('resumes for one of two who saw the same dead owner', () => {
    const play = new Play()
    expect(play.do({ kind: 'resume', owner: 'A', previousOwner: 'runner' })).toHaveLength(1)
    expect(play.do({ kind: 'resume', owner: 'B', previousOwner: 'runner' })).toEqual([])
    expect(play.state.owner).toBe('A')
  })

  it('records what a running call still reports after a cancellation, and draws no consequences', () => {
    const play = new Play()
    play.answer('plan:1', planOf({ a: {} }))
    const epoch = play.claim('work:a:1')
    play.do({ kind: 'cancel', reason: 'changed my mind' })
    const result = { output: 'done', costUsd: 1 }
    const events = play.do({ kind: 'complete', callId: 'work:a:1', epoch, owner: 'worker-1', result, durationMs: 1 })
    expect(play.names(events)).toEqual(['AgentCallCompleted'])
    expect(sessionView('s', play.state, 0)).toMatchObject({ status: 'cancelled', totals: { costUsd: 1.1 } })
  })
})
