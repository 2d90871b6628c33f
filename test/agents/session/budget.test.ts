import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spendingOf } from '../../../src/agents/session/budget.ts'
import { evolveSession } from '../../../src/agents/session/evolve.ts'
import { requestFor } from '../../../src/agents/session/requests.ts'
import { sessionEventData } from '../../../src/agents/session/schemas.ts'
import type { CallState } from '../../../src/agents/session/state.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { approval, Play, planOf } from './play.ts'

const perCallUsd = { plan: 1, work: 1, review: 1 }

describe('a budget', () => {
  it('is reserved before a call and settled after: what the next call does not fit into, waits', () => {
    const play = new Play({ budget: { maxUsd: 2.5, perCallUsd } })
    expect(requestFor('s', play.state, play.open()[0]!).maxBudgetUsd).toBe(1)
    play.answer('plan:1', planOf({ a: {}, b: {} }), 0.6)
    expect(spendingOf(play.state)).toMatchObject({ usd: 0.6, reservedUsd: 1, calls: 2, tokens: 0 })
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1'])
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'usd', max: 2.5, spent: 0.6, reserved: 1, needed: 1 })
    play.answer('work:a:1', 'done', 0.2)
    expect(play.open().map((call) => call.callId)).toEqual(['review:a:1'])
    play.answer('review:a:1', approval, 0.9)
    expect(sessionView('s', play.state, 0)).toMatchObject({ status: 'waiting', budget: { usd: 1.7, maxUsd: 2.5 } })
    expect(play.names(play.do({ kind: 'raise-budget', limits: { maxUsd: 4 } }))).toEqual([
      'BudgetRaised',
      'TaskAssigned',
      'AgentCallReserved',
    ])
    expect(sessionView('s', play.state, 0).status).toBe('running')
  })

  it('may limit calls and tokens, too', () => {
    const play = new Play({ budget: { maxCalls: 2 } })
    play.answer('plan:1', planOf({ a: {} }))
    play.answer('work:a:1', 'done')
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'calls', max: 2, spent: 2 })
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
  })

  it('counts a call in doubt as its whole reservation, until its late report says better', () => {
    const play = new Play({ budget: { maxUsd: 10, perCallUsd } })
    play.answer('plan:1', planOf({ a: {} }), 0)
    const epoch = play.claim('work:a:1')
    play.do({ kind: 'doubt', callId: 'work:a:1', epoch, reason: 'died' })
    expect(spendingOf(play.state)).toMatchObject({ usd: 1, reservedUsd: 1 })
    const result = { output: 'late', costUsd: 0.3 }
    play.do({ kind: 'complete', callId: 'work:a:1', epoch, owner: 'worker-1', result, durationMs: 1 })
    expect(spendingOf(play.state)).toMatchObject({ usd: 0.3, reservedUsd: 1 })
  })

  it('is the same given twice, and refuses nothing it can afford', () => {
    const play = new Play({ budget: { maxUsd: 2, perCallUsd } })
    play.do({ kind: 'raise-budget', limits: { maxUsd: 3 } })
    expect(play.do({ kind: 'raise-budget', limits: { maxUsd: 3 } })).toEqual([])
  })

  it('may limit one role, and says whose limit it was', () => {
    const play = new Play({ budget: { perCallUsd, roles: { worker: { maxUsd: 1.5 } } } })
    play.answer('plan:1', planOf({ a: {}, b: {} }), 0.2)
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1'])
    expect(play.state.budgetExceeded).toMatchObject({ scope: 'worker', limit: 'usd', max: 1.5, reserved: 1 })
    play.do({ kind: 'raise-budget', limits: { role: 'worker', maxUsd: 2 } })
    expect(play.open().map((call) => call.callId)).toEqual(['work:a:1', 'work:b:1'])
  })

  it('holds an estimate of tokens and turns, and counts what was used', () => {
    const perCallTokens = { plan: 100, work: 100, review: 100 }
    const play = new Play({ maxConcurrentTasks: 9, budget: { maxTokens: 350, maxTurns: 100, perCallTokens } })
    const epoch = play.claim('plan:1')
    const usage = { inputTokens: 60, outputTokens: 20, turns: 4 }
    const result = { output: '', structured: planOf({ a: {}, b: {}, c: {}, d: {} }), usage }
    play.do({ kind: 'complete', callId: 'plan:1', epoch, owner: 'worker-1', result, durationMs: 1 })
    expect(spendingOf(play.state)).toMatchObject({ tokens: 80, reservedTokens: 200, turns: 4, reservedTurns: 60 })
    expect(play.state.budgetExceeded).toMatchObject({ limit: 'tokens', max: 350, needed: 100 })
  })

  it('of a role is never overrun either, however many calls run side by side', () => {
    const costs = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 60, maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), costs, (maxUsd, paid) => {
        const play = new Play({ maxConcurrentTasks: 50, budget: { perCallUsd, roles: { worker: { maxUsd } } } })
        play.answer('plan:1', planOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`i${i}`, {}]))), 0)
        for (let i = 0; play.open().length > 0; i++) {
          const call = play.open()[i % play.open().length]!
          play.answer(call.callId, call.purpose === 'work' ? 'done' : approval, paid[i % 60])
          const { microUsd, reservedMicroUsd } = play.state.tallies.worker
          expect(microUsd + reservedMicroUsd).toBeLessThanOrEqual(maxUsd * 1e6)
        }
      }),
      { numRuns: 10 },
    )
  })

  /** What a call of a session with a money budget ends in, and what it is counted for. */
  function endedBy(end: (play: Play, claim: { callId: string; epoch: number; owner: string }) => void) {
    const limits = { maxUsd: 10, maxTokens: 1_000, maxTurns: 100 }
    const perCallTokens = { plan: 100, work: 100, review: 100 }
    const play = new Play({ maxCallAttempts: 1, budget: { ...limits, perCallUsd, perCallTokens } })
    play.answer('plan:1', planOf({ a: {} }), 0)
    const before = spendingOf(play.state)
    end(play, { callId: 'work:a:1', epoch: play.claim('work:a:1'), owner: 'worker-1' })
    const { usd, tokens, turns } = spendingOf(play.state)
    return { usd: usd - before.usd, tokens: tokens - before.tokens, turns: turns - before.turns }
  }

  const error = { code: 'EXECUTOR_FAILED', message: 'it was killed' }
  const usage = { inputTokens: 5, outputTokens: 6, turns: 2 }
  const reservation = { usd: 1, tokens: 100, turns: 30 }

  it('counts a call that was stopped or failed, and told no cost, as its whole reservation', () => {
    expect(endedBy((play, of) => play.do({ kind: 'report-cancelled', ...of, reason: 'paused' }))).toEqual(reservation)
    const failed = { kind: 'report-failure', error, retryable: false, durationMs: 1 } as const
    expect(endedBy((play, of) => play.do({ ...failed, ...of }))).toEqual(reservation)
    const completed = { kind: 'complete', result: { output: 'done' }, durationMs: 1 } as const
    expect(endedBy((play, of) => play.do({ ...completed, ...of }))).toEqual({ usd: 1, tokens: 100, turns: 1 })
  })

  it('counts what a stopped or failed call tells, and nothing for one that never began', () => {
    const paidFor = { costUsd: 0.2, usage }
    const known = { usd: 0.2, tokens: 11, turns: 2 }
    const cancelled = { kind: 'report-cancelled', reason: 'paused' } as const
    expect(endedBy((play, of) => play.do({ ...cancelled, ...of, paidFor }))).toEqual(known)
    expect(endedBy((play, of) => play.do({ ...cancelled, ...of, unbegun: true }))).toMatchObject({ usd: 0, tokens: 0 })
    const failed = { kind: 'report-failure', error, retryable: false, durationMs: 1, paidFor } as const
    expect(endedBy((play, of) => play.do({ ...failed, ...of }))).toEqual(known)
  })

  it('a call that was claimed and never begun is shown as such, and counts as none that was made', () => {
    const play = new Play({})
    play.answer('plan:1', planOf({ a: {} }))
    const claim = { callId: 'work:a:1', epoch: play.claim('work:a:1'), owner: 'worker-1' }
    play.do({ kind: 'report-cancelled', reason: 'paused', ...claim, unbegun: true })
    const { calls, totals } = sessionView('s', play.state, 0)
    expect(calls.find(({ callId }) => callId === 'work:a:1')).toMatchObject({ status: 'cancelled', unbegun: true })
    expect(totals.workerCalls).toBe(0)
  })

  it('is not lowered by a late report that tells nothing, and by one that tells it is settled', () => {
    const doubted = (late: (play: Play, of: { callId: string; epoch: number; owner: string }) => void) =>
      endedBy((play, of) => {
        play.do({ kind: 'resolve', callId: of.callId, resolution: 'fail' })
        play.do({ kind: 'doubt', callId: of.callId, epoch: of.epoch, reason: 'frozen' })
        late(play, of)
      })
    const successor = { usd: 1, tokens: 100, turns: 30 }
    const heldBy = (play: Play) => spendingOf(play.state).reservedUsd
    const stopped = { kind: 'report-cancelled', reason: 'the claim was lost' } as const
    expect(
      doubted((play, of) => {
        play.do({ ...stopped, ...of })
        expect(heldBy(play)).toBe(1)
        expect(play.count('AgentCallReportRefused')).toBe(1)
      }),
    ).toEqual(successor)
    const result = { output: 'late', costUsd: 0.3, usage }
    const told = doubted((play, of) => play.do({ kind: 'complete', ...of, result, durationMs: 1 }))
    expect(told).toMatchObject({ usd: expect.closeTo(0.3), tokens: 11, turns: 2 })
  })

  it('folds the events of logs written before calls told what they do not know', () => {
    const play = new Play({ budget: { maxUsd: 10, maxTokens: 200_000, perCallUsd } })
    play.answer('plan:1', planOf({ a: {} }), 0)
    const epoch = play.claim('work:a:1')
    const { AgentCallReportRefused: refused } = sessionEventData
    const data = { callId: 'work:a:1', epoch, owner: 'worker-1', reported: 'cancelled', costUsd: 0 }
    play.do({ kind: 'doubt', callId: 'work:a:1', epoch, reason: 'frozen' })
    const before = spendingOf(play.state)
    play.state = evolveSession(play.state, { type: 'AgentCallReportRefused', data: refused.parse(data) })
    expect(spendingOf(play.state)).toEqual(before)
  })

  it('is never overrun, however many calls run side by side and however they end', () => {
    const steps = fc.array(
      fc.record({ pick: fc.nat(49), costUsd: fc.double({ min: 0, max: 1, noNaN: true }), end: fc.nat(5) }),
      { minLength: 120, maxLength: 120 },
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), steps, (maxUsd, chosen) => {
        const play = new Play({ maxConcurrentTasks: 50, budget: { maxUsd, perCallUsd } })
        const items = planOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`i${i}`, {}])))
        let trulySpent = 0
        for (let i = 0; play.open().length > 0 && i < 400; i++) {
          const { pick, costUsd, end } = chosen[i % chosen.length]!
          const call = play.open()[pick % play.open().length]!
          trulySpent += endOneWay(play, call, { end: call.purpose === 'plan' ? 0 : end, costUsd, items })
          const { usd, reservedUsd } = spendingOf(play.state)
          expect(usd + reservedUsd).toBeLessThanOrEqual(maxUsd + 1e-6)
          expect(trulySpent).toBeLessThanOrEqual(maxUsd + 1e-6)
        }
      }),
      { numRuns: 20 },
    )
  })
})

/** Ends a call in one of the ways a call can end; says what was truly spent on it, whoever knows. */
function endOneWay(
  play: Play,
  { callId, purpose }: CallState,
  { end, costUsd, items }: { end: number; costUsd: number; items: unknown },
): number {
  const of = { callId, epoch: play.claim(callId), owner: 'worker-1', durationMs: 1 }
  const answer = purpose === 'work' ? 'done' : purpose === 'plan' ? items : approval
  const error = { code: 'EXECUTOR_FAILED', message: 'it broke' }
  const tells = end % 2 === 0 ? { paidFor: { costUsd } } : {}
  if (end < 2) {
    const result = { output: '', ...(purpose === 'work' ? {} : { structured: answer }) }
    play.do({ kind: 'complete', ...of, result: { ...result, ...(end === 0 && { costUsd }) } })
  } else if (end < 4) play.do({ kind: 'report-failure', ...of, error, retryable: true, ...tells })
  else if (end === 4) play.do({ kind: 'report-cancelled', ...of, reason: 'stopped' })
  else {
    play.do({ kind: 'doubt', callId, epoch: of.epoch, reason: 'frozen' })
    play.do({ kind: 'report-cancelled', ...of, reason: 'thawed' })
  }
  return costUsd
}
