import { describe, expect, it } from 'vitest'
import type { FailedBecause } from '../../../src/agents/executor.ts'
import { requestFor } from '../../../src/agents/session/requests.ts'
import type { SessionSettingsInput } from '../../../src/agents/session/settings.ts'
import { sessionView } from '../../../src/agents/session/view.ts'
import { sessionLines } from '../../../src/cli/session-lines.ts'
import { approval, Play, planOf } from './play.ts'

const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 0, minute)).toISOString()

/** A session with items under way. */
function working(settings: SessionSettingsInput = {}, items: Parameters<typeof planOf>[0] = { a: {}, b: {} }): Play {
  const play = new Play({ maxCallAttempts: 2, ...settings })
  play.answer('plan:1', planOf(items))
  return play
}

function fail(play: Play, callId: string, because: FailedBecause, more: { retryAt?: string; costUsd?: number } = {}) {
  const { retryAt, costUsd = 0 } = more
  const error = { code: 'EXECUTOR_FAILED', message: because }
  const report = { callId, epoch: play.claim(callId), owner: 'worker-1', durationMs: 1, paidFor: { costUsd } }
  const retryable = because === 'rate-limit'
  return play.do({ kind: 'report-failure', ...report, error, because, retryable, ...(retryAt && { retryAt }) })
}

const viewed = (play: Play, callId: string) => sessionView('s', play.state, 0).calls.find((c) => c.callId === callId)

describe('a rate limit', () => {
  it('is no failure of the call: however often it is met, the call is made again', () => {
    const play = working({}, { a: {} })
    for (const [index, callId] of ['work:a:1', 'work:a:1~2', 'work:a:1~3', 'work:a:1~4'].entries()) {
      fail(play, callId, 'rate-limit', { retryAt: at(index) })
    }
    play.answer('work:a:1~5', 'done')
    play.answer('review:a:1', approval)
    expect(play.state.status).toBe('completed')
  })

  it('parks everything that would be asked of the same model until it is lifted', () => {
    const play = working()
    fail(play, 'work:a:1', 'rate-limit', { retryAt: at(5) })
    expect(play.state.calls.get('work:a:1~2')).toMatchObject({ notBefore: at(5) })
    // Under way already: it ends well, but what follows from it waits.
    play.answer('work:b:1', 'done')
    expect(play.state.calls.get('review:b:1')).toMatchObject({ status: 'reserved', notBefore: at(5) })
    expect(viewed(play, 'review:b:1')).toMatchObject({ notBefore: at(5) })
    play.answer('work:a:1~2', 'done')
    expect(play.state.calls.get('review:a:1')).not.toHaveProperty('notBefore')
    expect(viewed(play, 'work:a:1~2')).not.toHaveProperty('notBefore')
  })

  it('holds back what was reserved before it was met, too', () => {
    const play = working()
    fail(play, 'work:a:1', 'rate-limit', { retryAt: at(5) })
    expect(play.state.calls.get('work:b:1')).not.toHaveProperty('notBefore')
    expect(viewed(play, 'work:b:1')).toMatchObject({ status: 'reserved', notBefore: at(5) })
    const page = sessionLines(sessionView('s', play.state, 0)).filter((line) => line.startsWith('work:'))
    expect(page.map((line) => line.includes(`waits until ${at(5)}`))).toEqual([false, true, true])
  })

  it('leaves another role with another model alone', () => {
    const play = working({ models: { manager: 'large', worker: 'small' } })
    fail(play, 'work:a:1', 'rate-limit', { retryAt: at(5) })
    play.answer('work:b:1', 'done')
    expect(play.state.calls.get('review:b:1')).not.toHaveProperty('notBefore')
  })

  it('of a call that is paused meanwhile still holds when the session goes on', () => {
    const play = working({}, { a: {} })
    fail(play, 'work:a:1', 'rate-limit', { retryAt: at(5) })
    play.do({ kind: 'pause', reason: 'lunch' })
    play.do({ kind: 'resume', owner: 'runner', previousOwner: 'runner' })
    expect(play.open()).toMatchObject([{ callId: 'work:a:1~3', notBefore: at(5) }])
  })
})

describe('a call that stops at its own budget', () => {
  it('has the session wait for money, not fail; raised, the call is made again with more', () => {
    const play = working({ maxCallAttempts: 1, budget: { maxUsd: 10 } })
    fail(play, 'work:a:1', 'budget', { costUsd: 1.02 })
    const { status, budget } = sessionView('s', play.state, 0)
    expect([status, budget?.exceeded]).toMatchObject([
      'running',
      { limit: 'call', max: 1, spent: 1.02, purpose: 'work' },
    ])
    play.answer('work:b:1', 'done')
    expect(sessionView('s', play.state, 0).status).toBe('waiting')
    play.do({ kind: 'raise-budget', limits: { perCallUsd: { work: 3 } } })
    expect(play.open().map(({ callId }) => callId)).toEqual(['work:a:1~2', 'review:b:1'])
    const [again, review] = play.open().map((call) => requestFor('s', play.state, call).maxBudgetUsd)
    expect([again, review]).toEqual([3, 0.5])
    expect(play.do({ kind: 'raise-budget', limits: { perCallUsd: { work: 3 } } })).toEqual([])
    play.answer('work:a:1~2', 'done')
    for (const callId of ['review:a:1', 'review:b:1']) play.answer(callId, approval)
    expect(play.state.status).toBe('completed')
  })

  it('waits in a session without a budget, too; the raised one is told to its executor', () => {
    const play = working({}, { a: {} })
    fail(play, 'work:a:1', 'budget', { costUsd: 0.4 })
    expect(sessionView('s', play.state, 0)).toMatchObject({
      status: 'waiting',
      budget: { exceeded: { limit: 'call' } },
    })
    play.do({ kind: 'raise-budget', limits: { perCallUsd: { work: 2 } } })
    expect(requestFor('s', play.state, play.open()[0]!)).toMatchObject({ callId: 'work:a:1~2', maxBudgetUsd: 2 })
  })
})
