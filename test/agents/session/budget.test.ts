import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { spendingOf } from '../../../src/agents/session/budget.ts'
import { requestFor } from '../../../src/agents/session/requests.ts'
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

  it('is never overrun, however many calls run side by side, while executors keep to their reservation', () => {
    const run = fc.record({
      maxUsd: fc.integer({ min: 1, max: 60 }),
      costs: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 120, maxLength: 120 }),
      order: fc.array(fc.nat(49), { minLength: 120, maxLength: 120 }),
    })
    fc.assert(
      fc.property(run, ({ maxUsd, costs, order }) => {
        const play = new Play({ maxConcurrentTasks: 50, budget: { maxUsd, perCallUsd } })
        const items = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`i${i}`, {}]))
        for (let i = 0; play.open().length > 0; i++) {
          const open = play.open()
          const call = open[(order[i % 120] ?? 0) % open.length]!
          const answer = { plan: planOf(items), work: 'done', review: approval, gate: '' }[call.purpose]
          play.answer(call.callId, answer, costs[i % 120])
          const { usd, reservedUsd } = spendingOf(play.state)
          expect(usd + reservedUsd).toBeLessThanOrEqual(maxUsd + 1e-6)
        }
      }),
      { numRuns: 20 },
    )
  })
})
